//! Who sends: exporters prove it, receivers ask for it, and nobody's secret is shown.

use std::net::SocketAddr;

use bessemer_net::grpc::{Code, Status};
use bessemer_record::Signal;

use crate::WITHIN;
use crate::client::{PROTOBUF, Raw, head, http_path, post};
use crate::fake::{Act, HttpFake};
use crate::fake_grpc::GrpcFake;
use crate::lab::{Lab, Part, Setup, grpc_out, http_out};
use crate::process::{get, wait_until};
use crate::samples::{bodies, logs};

const BASIC: &str = r#"
otelcol.auth.basic "creds" {
  client_auth {
    username = "Aladdin"
    password = "open sesame"
  }
}
"#;
const BASIC_VALUE: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";

/// Two users, one with a hash for "abc", and a token of a header of its own.
const KNOWN: &str = r#"
otelcol.auth.basic "users" {
  htpasswd {
    inline = "Aladdin:open sesame\nhashed:$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"
  }
}
otelcol.auth.bearer "token" {
  header = "X-Api-Key"
  scheme = ""
  token  = "hunter2"
}
"#;

fn with(mut part: Part, block: &str) -> Part {
    part.block.push_str(block);
    part
}

fn shows(lab: &Lab, secrets: &[&str]) -> Option<String> {
    let log = lab.bessemer.log();
    secrets.iter().find(|secret| log.contains(**secret)).map(|secret| (*secret).to_owned())
}

#[test]
fn exporters_prove_who_sends_over_both_protocols_and_show_it_to_nobody_else() {
    let (over_http, over_grpc) = (HttpFake::start(), GrpcFake::scripted([]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2\n").unwrap();
    let bearer = format!(
        "otelcol.auth.bearer \"token\" {{\n  scheme   = \"Token\"\n  filename = \"{}\"\n}}\n",
        file.display()
    );
    let basic = "auth = otelcol.auth.basic.creds.handler";
    let as_block = "auth { authenticator = otelcol.auth.bearer.token.handler }";
    let lab = Setup::to_all([
        with(http_out("http", &over_http.url(), basic, ""), BASIC),
        with(grpc_out("grpc", &over_grpc.url(), as_block, ""), &bearer),
    ])
    .start();
    assert_eq!(lab.post(Signal::Logs, &logs(["a"])).status, 200);
    assert_eq!(over_http.wait_for(1)[0].header("authorization"), Some(BASIC_VALUE));
    assert_eq!(over_grpc.wait_for(1)[0].header("authorization"), Some("Token hunter2"));
    // Whoever rotates the token writes the file anew.
    std::fs::write(&file, "hunter3\n").unwrap();
    wait_until(WITHIN, "the new token", || {
        assert_eq!(lab.post(Signal::Logs, &logs(["b"])).status, 200);
        let calls = over_grpc.calls();
        calls.last().and_then(|call| call.header("authorization")) == Some("Token hunter3")
    });
    assert_eq!(shows(&lab, &["hunter", "sesame", "QWxh"]), None);
}

fn send(address: SocketAddr, headers: &[(&str, &str)]) -> crate::load::Answer {
    let mut all = vec![("content-type", PROTOBUF)];
    all.extend_from_slice(headers);
    post(address, http_path(Signal::Logs), &all, &logs(["x"]))
}

#[test]
fn receivers_take_nothing_of_callers_they_do_not_know() {
    let sink = HttpFake::start();
    let setup = Setup {
        http: "auth = otelcol.auth.basic.users.handler",
        grpc: "auth = otelcol.auth.bearer.token.handler",
        ..Setup::to(with(http_out("out", &sink.url(), "", ""), KNOWN))
    };
    let lab = setup.start();
    for wrong in ["", "Basic QWxhZGRpbjp4", "Basic !", "Bearer hunter2", "Basic QWxhZGRpbg=="] {
        let shown = [("authorization", wrong)];
        let answer = send(lab.http, if wrong.is_empty() { &[] } else { &shown });
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
        assert_eq!(answer.header("content-type"), Some(PROTOBUF));
    }
    // The answer comes before the body, of which no byte was sent.
    let mut raw = Raw::open(lab.http);
    raw.send(&head(http_path(Signal::Logs), &[("content-length", "1000000")])).unwrap();
    assert_eq!(raw.answer().unwrap().status, 401);
    let refused: Status = lab.call(Signal::Logs, &logs(["x"])).unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
    assert_eq!(sink.seen().len(), 0);
    // "hashed:abc"
    for known in [BASIC_VALUE, "basic aGFzaGVkOmFiYw=="] {
        assert_eq!(send(lab.http, &[("authorization", known)]).status, 200, "{known}");
    }
    let refused = "reason=\"unauthenticated\"";
    assert_eq!(lab.bessemer.metric("bessemer_refused_batches_total", refused), 7.0);
    assert_eq!(shows(&lab, &["hunter", "sesame", "QWxh", "aGFz"]), None);
}

#[test]
fn one_process_lets_in_another_over_http_and_grpc() {
    let sink = HttpFake::start();
    let setup = Setup {
        http: "auth = otelcol.auth.basic.users.handler",
        grpc: "auth = otelcol.auth.bearer.token.handler",
        ..Setup::to(with(http_out("out", &sink.url(), "", ""), KNOWN))
    };
    let inner = setup.start();
    let by_token = "
otelcol.auth.bearer \"token\" {
  header = \"x-api-key\"
  scheme = \"\"
  tokens = [\"hunter2\", \"other\"]
}
";
    let outer = Setup::to_all([
        with(
            http_out(
                "http",
                &format!("http://{}", inner.http),
                "auth = otelcol.auth.basic.creds.handler",
                "",
            ),
            BASIC,
        ),
        with(
            grpc_out(
                "grpc",
                &format!("http://{}", inner.grpc),
                "auth = otelcol.auth.bearer.token.handler",
                "",
            ),
            by_token,
        ),
    ])
    .start();
    assert_eq!(outer.post(Signal::Logs, &logs(["through"])).status, 200);
    // One or two requests, as the inner process finds them in its journal.
    let sent = || sink.seen().iter().flat_map(|seen| bodies(&seen.logs())).collect::<Vec<_>>();
    wait_until(WITHIN, "both ways", || sent().len() >= 2);
    assert_eq!(sent(), ["through", "through"]);
}

fn token(number: u32, seconds: u32) -> Act {
    let body = format!(r#"{{"access_token": "secret-{number}", "expires_in": {seconds}}}"#);
    Act::ok(body.into_bytes()).with("content-type", "application/json")
}

/// Scenario: the token endpoint is down at first; then a token is granted.
/// Promise: nothing is lost or dead, the client proves itself as the RFC says, and one token serves
/// all requests.
#[test]
fn one_token_serves_all_requests_and_is_never_shown() {
    let endpoint = HttpFake::scripted([Act::status(503), token(1, 3600), token(2, 3600)]);
    let sink = HttpFake::start();
    let block = format!(
        r#"
otelcol.auth.oauth2 "creds" {{
  client_id       = "me & you"
  client_secret   = "hunter2"
  token_url       = "{}/token?p=1"
  scopes          = ["a", "b c"]
  endpoint_params = {{ "audience" = ["x", "y"], "resource" = "z" }}
}}
"#,
        endpoint.url()
    );
    let auth = "auth = otelcol.auth.oauth2.creds.handler";
    let lab = Setup::to(with(http_out("out", &sink.url(), auth, ""), &block)).start();
    for _ in 0..5 {
        assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    }
    let seen = sink.wait_for(1);
    assert!(seen.iter().all(|seen| seen.header("authorization") == Some("Bearer secret-1")));
    let asked = endpoint.seen();
    assert_eq!(asked.len(), 2, "one refusal, one token for all");
    assert_eq!(asked[1].path, "/token?p=1");
    let (id, body) = (asked[1].header("authorization"), String::from_utf8_lossy(&asked[1].body));
    // me+%26+you:hunter2
    assert_eq!(id, Some("Basic bWUrJTI2K3lvdTpodW50ZXIy"));
    assert_eq!(body, "grant_type=client_credentials&scope=a+b+c&audience=x&audience=y&resource=z");
    wait_until(WITHIN, "delivered", || lab.metric("bessemer_delivered_records", "out") == 5.0);
    assert_eq!(lab.metric("bessemer_dead_records", "out"), 0.0);
    assert_eq!(shows(&lab, &["hunter", "secret-", "bWUr"]), None);
}

/// Scenario: the token endpoint refuses, and repeats what it was asked.
/// Promise: the reason is told with its place, on no page and in no line with a secret, and what was
/// taken is kept.
#[test]
fn a_refusal_that_repeats_the_secret_is_told_without_it() {
    let echo = r#"{"error": "invalid_client", "error_description": "no hunter2, no hunter3"}"#;
    let endpoint = HttpFake::scripted((0..50).map(|_| Act::status(401).saying(echo)));
    let sink = HttpFake::start();
    let token_url = format!("{}/token", endpoint.url());
    let block = format!(
        r#"
otelcol.auth.oauth2 "creds" {{
  client_id       = "me"
  client_secret   = "hunter2"
  token_url       = "{token_url}?key=hunter4"
  endpoint_params = {{ "assertion" = "hunter3" }}
}}
"#
    );
    let auth = "auth = otelcol.auth.oauth2.creds.handler";
    let lab = Setup::to(with(http_out("out", &sink.url(), auth, ""), &block)).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    let told =
        format!("the token endpoint {token_url}: it answers HTTP 401: invalid_client no ***");
    wait_until(WITHIN, "told", || lab.bessemer.log().contains(&told));
    assert_eq!(sink.seen().len(), 0);
    assert_eq!(lab.metric("bessemer_dead_records", "out"), 0.0);
    assert_eq!(shows(&lab, &["hunter"]), None);
    for page in ["/metrics", "/readyz", "/api/v1/graph", "/api/v1/ledger"] {
        let (_, text) = get(lab.bessemer.admin, page).unwrap();
        assert!(!text.contains("hunter"), "{page}: {text}");
    }
}
