//! `bessemer journal` beside the process that has the journal open, and on what `kill -9` leaves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::load::{Http, body_of, request};
use crate::process::{Bessemer, free_address, wait_until};
use crate::sink::{Mode, Sink};

const KIND: &str = "content-type: application/x-protobuf\r\n";

fn tool(storage: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bessemer"));
    command.arg("journal").args(arguments).arg("--storage.path").arg(storage);
    command.output().unwrap()
}

fn json(storage: &Path, arguments: &[&str]) -> Value {
    let output = tool(storage, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{arguments:?}: {error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    })
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Scenario: a destination is down; the tools run beside the process, then after `kill -9`, then on
/// a damaged copy of a segment.
/// Promise: they tell what is queued, to the record, change nothing, and repair is refused by the
/// process id while it runs.
#[test]
fn the_tools_tell_what_a_live_and_a_dead_journal_hold_and_change_nothing() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.set(Mode::Refuse(503));
    let http = free_address();
    let mut bessemer = Bessemer::new(format!(
        r#"
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  output {{ logs = [otelcol.exporter.otlphttp.out.input] }}
}}
otelcol.exporter.otlphttp "out" {{
  client {{
    endpoint    = "http://{}"
    compression = "none"
  }}
}}
"#,
        sink.address
    ));
    bessemer.start();
    for first in (0..500).step_by(50) {
        let body = request(first..first + 50);
        let answer = Http::connect(http).unwrap().post("/v1/logs", KIND, &body);
        assert_eq!(answer.unwrap().status, 200);
    }
    wait_until(Duration::from_secs(10), "tried", || sink.requests() > 0);
    let storage = bessemer.storage();
    check_counts(&storage);
    let repair = tool(&storage, &["repair"]);
    let said = String::from_utf8_lossy(&repair.stderr).into_owned();
    assert_eq!(repair.status.code(), Some(1));
    assert!(said.contains(&format!("in use by process {}", bessemer.pid())), "{said}");
    bessemer.kill();
    let before = files(&storage);
    check_counts(&storage);
    assert!(files(&storage) == before, "a tool changed a file");
    check_damage(&storage);
    sink.set(Mode::Take);
    bessemer.start();
    wait_until(Duration::from_secs(30), "delivered", || {
        sink.has_all((0..500).collect::<Vec<_>>().iter())
    });
    assert_eq!(bessemer.stop(), 0);
}

fn check_counts(storage: &Path) {
    let stat = json(storage, &["stat", "-o", "json"]);
    let lanes = stat["destinations"][0]["lanes"].as_array().unwrap().iter();
    let backlog: u64 = lanes.map(|lane| lane["backlog_records"].as_u64().unwrap()).sum();
    assert_eq!(backlog, 500, "{stat}");
    let fsck = tool(storage, &["fsck"]);
    let said = String::from_utf8_lossy(&fsck.stdout).into_owned();
    assert_eq!(fsck.status.code(), Some(0), "{said}");
    assert!(said.contains("500 records verified"), "{said}");
    let dump = json(storage, &["dump", "-o", "json", "--payload", "--limit", "3", "--from", "60"]);
    let entries = dump.as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["sequence"]), (3, &Value::from(50)), "{dump}");
    assert_eq!(entries[0]["signal"], "logs");
    let records = &entries[0]["payload"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    assert_eq!(records[7]["body"]["stringValue"], body_of(57));
}

/// A stranger's garbage under the name of an old segment: found, moved whole, then all is well.
fn check_damage(storage: &Path) {
    let main = storage.join("journal/main");
    let path = main.join("0000000000000000.segment");
    std::fs::write(&path, [7; 5000]).unwrap();
    let fsck = tool(storage, &["fsck"]);
    assert_eq!(fsck.status.code(), Some(1), "{}", String::from_utf8_lossy(&fsck.stdout));
    let repair = json(storage, &["repair", "-o", "json"]);
    let moved = repair["moved"].as_array().unwrap();
    assert_eq!(moved.len(), 1, "{repair}");
    assert_eq!(std::fs::read(moved[0]["to"].as_str().unwrap()).unwrap(), [7; 5000]);
    assert!(!path.exists());
    assert_eq!(tool(storage, &["fsck"]).status.code(), Some(0));
}
