//! A real Elasticsearch node, filled by the exporter.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::counterparty::is_live;
use crate::load::{Http, request};
use crate::process::{Bessemer, free_address, get, wait_until};

/// Starting a server and indexing on a machine that is busy with other tests.
const WITHIN: Duration = Duration::from_mins(3);

/// A node of its own; it ends with the test.
struct Server {
    address: SocketAddr,
    pid: u32,
    folder: PathBuf,
}

impl Server {
    fn start(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live").join(name);
        let (address, transport) = (free_address(), free_address());
        let output = Command::new("bash")
            .arg(root.join("testbed/elasticsearch.sh"))
            .env("DIR", &folder)
            .env("PORT", address.port().to_string())
            .env("TRANSPORT_PORT", transport.port().to_string())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "elasticsearch.sh: {errors}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let pid = printed.split_ascii_whitespace().find_map(|word| word.strip_prefix("pid="));
        let pid = pid.unwrap().parse().unwrap();
        let server = Self { address, pid, folder };
        wait_until(WITHIN, "a cluster", || server.count("").is_some());
        server
    }

    /// Documents in an index that can be found, if there is such an index.
    fn count(&self, index: &str) -> Option<u64> {
        let slash = if index.is_empty() { "" } else { "/" };
        get(self.address, &format!("{slash}{index}/_refresh")).ok()?;
        let (status, body) = get(self.address, &format!("{slash}{index}/_count")).ok()?;
        let body: Json = serde_json::from_str(&body).ok()?;
        (status == 200).then(|| body["count"].as_u64()).flatten()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid).unwrap());
        let ended = rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::KILL);
        // A test that failed has said more than what goes wrong here.
        if ended.is_ok() {
            std::fs::remove_dir_all(&self.folder).unwrap_or_default();
        }
    }
}

fn config(http: SocketAddr, server: &Server, index: &str) -> String {
    format!(
        r#"
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  output {{ logs = [otelcol.exporter.elasticsearch.out.input] }}
}}
otelcol.exporter.elasticsearch "out" {{
  client {{ endpoint = "http://{}" }}
  logs_index = "{index}"
  flush {{ bytes = 100000 }}
}}
"#,
        server.address
    )
}

/// Scenario: the process is killed while deliveries are under way, and sends them again.
/// Promise: each record is one document, since its id is the same both times.
#[test]
fn records_that_are_sent_again_after_a_kill_are_documents_once() {
    if !is_live() {
        return;
    }
    let server = Server::start("elasticsearch-kill");
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &server, "killed"));
    bessemer.start();
    let records = 10_000;
    let mut client = Http::connect(http).unwrap();
    for start in (0..records).step_by(100) {
        let body = request(start..start + 100);
        let answer = client.post("/v1/logs", "content-type: application/x-protobuf\r\n", &body);
        assert_eq!(answer.unwrap().status, 200);
    }
    wait_until(WITHIN, "the first documents", || server.count("killed").is_some_and(|n| n > 0));
    bessemer.kill();
    let before = server.count("killed");
    bessemer.start();
    wait_until(WITHIN, "all documents", || server.count("killed") >= Some(records));
    // On the way down it delivers what is ready.
    assert_eq!(bessemer.stop(), 0);
    assert_eq!(server.count("killed"), Some(records), "before the kill: {before:?}");
}

/// Scenario: the index takes a field as a number, and one record of three has text there.
/// Promise: that one is a dead letter, the others are documents.
#[test]
fn a_document_that_the_index_refuses_is_a_dead_letter_alone() {
    if !is_live() {
        return;
    }
    let server = Server::start("elasticsearch-mapping");
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &server, "mapped"));
    bessemer.start();
    let record = |value: Json| json!({ "body": { "stringValue": "x" }, "attributes": [{ "key": "n", "value": value }] });
    let send = |records: Vec<Json>| {
        let body = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
        let mut client = Http::connect(http).unwrap();
        let kind = "content-type: application/json\r\n";
        let answer = client.post("/v1/logs", kind, body.to_string().as_bytes()).unwrap();
        assert_eq!(answer.status, 200);
    };
    send(vec![record(json!({ "intValue": "1" }))]);
    wait_until(WITHIN, "a mapping", || server.count("mapped") == Some(1));
    let text = json!({ "stringValue": "no number" });
    send(vec![
        record(json!({ "intValue": "2" })),
        record(text),
        record(json!({ "intValue": "3" })),
    ]);
    wait_until(WITHIN, "the others", || server.count("mapped") == Some(3));
    let dead = || bessemer.metric("bessemer_dead_records", "elasticsearch.out");
    wait_until(WITHIN, "a dead letter", || dead() >= 1.0);
}
