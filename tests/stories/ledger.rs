//! `bessemer ledger`: what it says of every record, of a running process and after a `kill -9`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::load::{Http, request};
use crate::process::{Bessemer, free_address, wait_until};
use crate::sink::{Mode, Sink};

const KIND: &str = "content-type: application/x-protobuf\r\n";
const TAKES: &str = "otelcol.exporter.otlphttp.takes";
const REFUSES: &str = "otelcol.exporter.otlphttp.refuses";
const FAILS: &str = "otelcol.exporter.otlphttp.fails";

fn config(http: SocketAddr, sinks: &[(&str, &Sink)]) -> String {
    let inputs: Vec<String> =
        sinks.iter().map(|(id, _)| format!("otelcol.exporter.otlphttp.{id}.input")).collect();
    let mut text = format!(
        "otelcol.receiver.otlp \"in\" {{\n  http {{ endpoint = \"{http}\" }}\n  output {{ logs = \
         [{}] }}\n}}\n",
        inputs.join(", ")
    );
    for (id, sink) in sinks {
        write!(
            text,
            "otelcol.exporter.otlphttp \"{id}\" {{\n  client {{\n    endpoint    = \
             \"http://{}\"\n    compression = \"none\"\n    timeout     = \"2s\"\n  }}\n}}\n",
            sink.address
        )
        .unwrap();
    }
    text
}

fn ledger(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bessemer")).arg("ledger").args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = ledger(&[arguments, &["-o", "json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// The state of a record by destination.
fn state(page: &Value, destination: &str) -> String {
    let places = page["record"]["destinations"].as_array().unwrap();
    let place = places.iter().find(|place| place["destination"] == destination);
    place.map_or_else(
        || format!("none of {places:?}"),
        |place| place["state"].as_str().unwrap().into(),
    )
}

/// Every file in the data directory.
pub(crate) fn files(bessemer: &Bessemer) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![bessemer.storage()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Scenario: of three destinations one takes records, one refuses them and one fails; the process is
/// killed; the directory is read, and a new process goes on.
/// Promise: each record is delivered, refused or tried, with the reason; the books balance at every
/// moment; reading a directory changes no byte of it; nothing is forgotten over the restart.
#[test]
fn the_ledger_tells_where_every_record_is_alive_and_dead() {
    let _alone = crate::alone();
    let sinks = [Sink::start(), Sink::start(), Sink::start()];
    sinks[1].set(Mode::Refuse(400));
    sinks[2].set(Mode::Refuse(503));
    let http = free_address();
    let by_id = [("takes", &sinks[0]), ("refuses", &sinks[1]), ("fails", &sinks[2])];
    let mut bessemer = Bessemer::new(config(http, &by_id));
    bessemer.start();
    let mut client = Http::connect(http).unwrap();
    assert_eq!(client.post("/v1/logs", KIND, &request(0..30)).unwrap().status, 200);
    let admin = bessemer.admin.to_string();
    let live = ["show", "--server", &admin, "--record", "7"];
    wait_until(Duration::from_secs(20), "told", || {
        let page = json(&live);
        let states = [TAKES, REFUSES, FAILS].map(|id| state(&page, id));
        // The first try is under way before it has failed.
        let places = page["record"]["destinations"].to_string();
        states == ["delivered", "refused", "attempt"] && places.contains("503")
    });
    let page = json(&live);
    let places = page["record"]["destinations"].to_string();
    assert!(places.contains("400"), "{places}");
    assert_eq!(page["receivers"][0]["kept"], 30);
    balanced(&["--server", &admin]);
    wait_until(Duration::from_secs(10), "kept beside the cursors", || {
        !json(&live)["destinations"][0]["lanes"][1]["marks"].as_array().unwrap().is_empty()
    });
    bessemer.kill();

    let storage = bessemer.storage().display().to_string();
    let before = files(&bessemer);
    let dead = ["show", "--storage.path", &storage, "--record", "7"];
    let page = json(&dead);
    assert_eq!(state(&page, TAKES), "delivered");
    assert_eq!(state(&page, REFUSES), "refused");
    assert!(["queued", "attempt"].contains(&state(&page, FAILS).as_str()), "{page}");
    balanced(&["--storage.path", &storage]);
    assert!(before == files(&bessemer), "reading has changed the directory");

    bessemer.start();
    let refused = ledger(&dead);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--server"));
    sinks[2].set(Mode::Take);
    wait_until(Duration::from_mins(1), "delivered", || state(&json(&live), FAILS) == "delivered");
    balanced(&["--server", &admin]);
    let unaccounted = bessemer.metric("bessemer_unaccounted_records", "");
    assert!(unaccounted.abs() < 0.5, "{unaccounted}");
    assert_eq!(bessemer.stop(), 0);
}

fn balanced(source: &[&str]) {
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), format!("# all of them\n0-29\n{TAKES}=30\n{FAILS}=30\n")).unwrap();
    let expect = path.path().display().to_string();
    let output = ledger(&[&["reconcile", "--expect", &expect], source].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(path.path(), format!("30\n{TAKES}=31\n")).unwrap();
    let output = ledger(&[&["reconcile", "--expect", &expect], source].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("expected 30, found no such record"), "{said}");
    assert!(said.contains("=31, found 30") && said.contains("0 of 2 expectations"), "{said}");
}
