//! Tokens of a real Keycloak: it grants them, and knows them again when they arrive.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal as Kill, kill_process_group};

use crate::WITHIN;
use crate::counterparty::{is_live, root};
use crate::fake::Fake;
use crate::lab::Lab;
use crate::load::{Http, request};
use crate::process::{free_address, wait_until};

const TOKENS: &str = "/realms/bessemer/protocol/openid-connect/token";

/// A running Keycloak with the realm of `testbed/keycloak.sh`.
struct Keycloak {
    address: SocketAddr,
    group: Pid,
}

impl Keycloak {
    fn start() -> Self {
        let (address, management) = (free_address(), free_address());
        let output = Command::new("bash")
            .arg(root().join("testbed/keycloak.sh"))
            .env("DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("live/keycloak"))
            .env("PORT", address.port().to_string())
            .env("MANAGEMENT_PORT", management.port().to_string())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        let pid = printed.split_ascii_whitespace().find_map(|word| word.strip_prefix("pid="));
        let pid = pid.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        Self { address, group: pid.unwrap_or_else(|| panic!("no pid=\n{printed}{errors}")) }
    }

    fn token_url(&self) -> String {
        format!("http://{}{TOKENS}", self.address)
    }

    /// What it says of a token.
    fn introspect(&self, token: &str) -> String {
        let body = format!("client_id=bessemer&client_secret=bessemer-secret&token={token}");
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let mut http = Http::connect(self.address).unwrap();
        let answer = http.post(&format!("{TOKENS}/introspect"), form, body.as_bytes()).unwrap();
        String::from_utf8(answer.body).unwrap()
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        let killed = kill_process_group(self.group, Kill::KILL);
        assert!(killed.is_ok() || std::thread::panicking(), "{killed:?}");
    }
}

fn lab(label: &str, secret: &str, keycloak: &Keycloak, fake: Fake) -> Lab {
    let (tokens, destination) = (keycloak.token_url(), fake.url());
    let blocks = format!(
        r#"
otelcol.auth.oauth2 "keycloak" {{
  client_id     = "bessemer"
  client_secret = "{secret}"
  token_url     = "{tokens}"
}}
otelcol.exporter.otlphttp "{label}" {{
  client {{
    endpoint = "{destination}"
    auth     = otelcol.auth.oauth2.keycloak.handler
  }}
}}
"#
    );
    Lab::start_with(&format!("otelcol.exporter.otlphttp.{label}.input"), &blocks, vec![("", fake)])
}

fn send(lab: &Lab) {
    let mut http = Http::connect(lab.http).unwrap();
    let kind = "content-type: application/x-protobuf\r\n";
    assert_eq!(http.post("/v1/logs", kind, &request([1])).unwrap().status, 200);
}

/// Scenario: one exporter has the secret of a client of the realm, another one a wrong secret.
/// Promise: the first sends a token that Keycloak calls active; the second sends nothing, and the
/// log says what Keycloak said and where, without the secret.
#[test]
fn keycloak_knows_the_token_that_arrives_and_its_refusal_is_told() {
    if !is_live() {
        return;
    }
    let keycloak = Keycloak::start();
    let known = lab("known", "bessemer-secret", &keycloak, Fake::start());
    let wrong = lab("wrong", "hunter2", &keycloak, Fake::start());
    send(&known);
    send(&wrong);
    wait_until(WITHIN, "delivered", || known.first().count() == 1);
    let shown = known.first().authorization().unwrap();
    let token = shown.strip_prefix("Bearer ").unwrap();
    let said = keycloak.introspect(token);
    let is_ours = said.contains("\"active\":true") && said.contains("\"client_id\":\"bessemer\"");
    assert!(is_ours, "{said}");
    wait_until(WITHIN, "refused", || wrong.log().contains("unauthorized_client"));
    let log = wrong.log();
    assert!(log.contains(&keycloak.token_url()) && !log.contains("hunter2"), "{log}");
    assert_eq!(wrong.first().count(), 0);
    assert!(!known.log().contains("bessemer-secret") && !known.log().contains(token));
}
