//! Dead letters on the real binary: exactly what was refused is dead, and replay brings it home.
//! The destination is a fake that speaks OTLP and refuses by id.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::Duration;

use crate::ledger::files;
use crate::load::{Http, request};
use crate::process::{Bessemer, free_address, wait_until};
use crate::sink::Sink;

const KIND: &str = "content-type: application/x-protobuf\r\n";
const DESTINATION: &str = "otelcol.exporter.otlphttp.out";
const BATCH: u64 = 100;
const PATIENT: Duration = Duration::from_mins(5);

/// One record in every batch.
fn is_refused(id: u64) -> bool {
    id % 100 == 7
}

fn config(http: SocketAddr, sink: &Sink) -> String {
    format!(
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
    )
}

fn send(http: SocketAddr, batches: std::ops::Range<u64>) {
    let mut client = Http::connect(http).unwrap();
    for batch in batches {
        let body = request(batch * BATCH..(batch + 1) * BATCH);
        assert_eq!(client.post("/v1/logs", KIND, &body).unwrap().status, 200);
    }
}

/// Runs a command against the process; what it printed.
fn ask(bessemer: &Bessemer, words: &[&str]) -> String {
    let output = command(bessemer, words);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn command(bessemer: &Bessemer, words: &[&str]) -> Output {
    run(&[words, &["--server", &bessemer.admin.to_string()]].concat())
}

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bessemer")).args(words).output().unwrap()
}

fn json(bessemer: &Bessemer, words: &[&str]) -> serde_json::Value {
    let words = [words, &["-o", "json"]].concat();
    serde_json::from_str(&ask(bessemer, &words)).unwrap()
}

/// The records of all letters, and that each says why it is there.
fn dead_records(bessemer: &Bessemer) -> u64 {
    let rows = json(bessemer, &["dlq", "list", "--limit", "10000"]);
    let rows = rows.as_array().unwrap();
    assert!(rows.iter().all(|row| row["status"] == "400" && row["destination"] == DESTINATION));
    rows.iter().map(|row| row["records"].as_u64().unwrap()).sum()
}

/// Scenario: a destination refuses 1 % of 100,000 records, one in every batch, and with each
/// everything that is delivered with it, by 400; a dry run; then it takes them, and its dead letters
/// are replayed while others come in.
/// Promise: exactly those are dead, each with its reason; the dry run changes nothing; replay
/// reaches 100,000, each once and with its mark, and no dead letter is left.
#[test]
fn one_percent_of_100000_refused_is_dead_and_replay_reaches_100000() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.refuse_with_400(Some(is_refused));
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sink));
    bessemer.start();
    send(http, 0..1_000);
    wait_until(PATIENT, "delivered or dead", || {
        sink.seen().len() == 99_000 && bessemer.metric("bessemer_dead_records_total", "") > 999.0
    });
    assert!(sink.seen().keys().all(|id| !is_refused(*id)), "exactly the refused are dead");
    assert_eq!(dead_records(&bessemer), 1_000);
    let shown = json(&bessemer, &["dlq", "show", "--status", "400", "--limit", "1"]);
    let text = shown[0]["request"].to_string();
    assert!(text.contains("logRecords") && text.contains("07\""), "{text:.300}");
    let none = ["dlq", "list", "--destination", DESTINATION, "--status", "401"];
    assert_eq!(json(&bessemer, &none), serde_json::json!([]));

    let replay = ["dlq", "replay", "--destination", DESTINATION];
    let dry = json(&bessemer, &[&replay[..], &["--dry-run"]].concat());
    assert_eq!(dry["records"], 1_000);
    assert_eq!(dead_records(&bessemer), 1_000, "a dry run changes nothing");
    assert_eq!(sink.seen().len(), 99_000);

    sink.refuse_with_400(None);
    sink.keep_bodies();
    let live = std::thread::spawn(move || send(http, 2_000..2_100));
    let done = json(&bessemer, &replay);
    assert_eq!((&done["phase"], &done["records"]), (&"done".into(), &1_000.into()));
    live.join().unwrap();
    wait_until(PATIENT, "replayed", || sink.seen().len() == 110_000);
    assert!(sink.seen().values().all(|count| *count == 1), "each once");
    assert_eq!(sink.corrupt(), 0);
    assert_eq!(dead_records(&bessemer), 0);
    let mark = done["id"].as_str().unwrap().as_bytes();
    let marked: usize = sink.bodies().iter().map(|body| count(body, mark)).sum();
    assert_eq!(marked, 1_000, "each carries the mark of its replay");
    assert_eq!(bessemer.stop(), 0);
}

fn count(body: &[u8], part: &[u8]) -> usize {
    body.windows(part.len()).filter(|window| *window == part).count()
}

/// Scenario: a slow replay is cut off by kill -9; the process starts again and the replay is
/// resumed by its id.
/// Promise: every letter arrives and none is left; what was not selected was never touched.
#[test]
fn a_replay_cut_off_by_kill_9_is_resumed_by_its_id() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.refuse_with_400(Some(|_| true));
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sink));
    bessemer.start();
    send(http, 0..20);
    wait_until(PATIENT, "dead", || bessemer.metric("bessemer_dead_records_total", "") > 1_999.0);
    sink.refuse_with_400(None);
    let order = [
        ["dlq", "replay", "--destination", DESTINATION, "--rate", "200/s"]
            .map(str::to_owned)
            .to_vec(),
        vec!["--server".to_owned(), bessemer.admin.to_string()],
    ];
    let mut slow = Command::new(env!("CARGO_BIN_EXE_bessemer"));
    let mut slow = slow.args(order.concat()).stdout(std::process::Stdio::null()).spawn().unwrap();
    wait_until(PATIENT, "some replayed", || !sink.seen().is_empty());
    bessemer.kill();
    assert!(!slow.wait().unwrap().success(), "its process is gone");
    bessemer.start();
    let known = json(&bessemer, &["replay", "--list"]);
    assert_eq!(known[0]["phase"], "stopped", "{known}");
    let id = known[0]["id"].as_str().unwrap();
    let done = json(&bessemer, &["replay", "--resume", id]);
    assert_eq!(done["phase"], "done", "{done}");
    let all: Vec<u64> = (0..2_000).collect();
    wait_until(PATIENT, "replayed", || sink.has_all(all.iter()));
    assert_eq!(dead_records(&bessemer), 0);
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: a sealed directory with dead letters is asked through its process, then, after a
/// `kill -9`, by itself.
/// Promise: the answers are the same, not a byte of the directory changes, and it is refused while
/// a process runs on it, and without its key.
#[test]
fn dead_letters_are_told_alike_by_a_process_and_by_the_directory_it_left() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.refuse_with_400(Some(is_refused));
    let http = free_address();
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "ab".repeat(32)).unwrap();
    let sealed = ["--journal.key-file".to_owned(), key.path().display().to_string()];
    let mut bessemer = Bessemer::new(config(http, &sink)).with_arguments(&[&sealed[0], &sealed[1]]);
    bessemer.start();
    send(http, 5..9);
    wait_until(PATIENT, "dead", || bessemer.metric("bessemer_dead_records_total", "") > 3.0);
    let questions: [&[&str]; 4] = [
        &["dlq", "list"],
        &["dlq", "list", "-o", "json", "--destination", DESTINATION, "--status", "400"],
        &["dlq", "show", "-o", "json", "--where", "body != nil"],
        &["dlq", "show", "--reason", "no such reason"],
    ];
    let answers = questions.map(|words| ask(&bessemer, words));
    assert!(answers[1].contains("\"records\": 1,"), "{}", answers[1]);
    assert!(answers[2].contains("logRecords"), "{}", answers[2]);
    let storage = bessemer.storage().display().to_string();
    let at = ["--storage.path", &storage, &sealed[0], &sealed[1]];
    let refusal = run(&[questions[0], &at].concat());
    assert!(!refusal.status.success());
    assert!(String::from_utf8_lossy(&refusal.stderr).contains("--server"), "{refusal:?}");
    bessemer.kill();
    let before = files(&bessemer);
    for (words, answer) in questions.iter().zip(answers) {
        let output = run(&[words, &at[..]].concat());
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), answer, "{words:?}");
    }
    let unsealed = run(&[questions[0], &at[..2]].concat());
    assert!(String::from_utf8_lossy(&unsealed.stderr).contains("key"), "{unsealed:?}");
    assert!(before == files(&bessemer), "reading has changed the directory");
}

/// Promise: drop without a selection is refused; the journal is replayed as far as it is retained.
#[test]
fn what_was_delivered_is_replayed_from_the_retained_journal() {
    let _alone = crate::alone();
    let sink = Sink::start();
    let http = free_address();
    let mut bessemer =
        Bessemer::new(config(http, &sink)).with_arguments(&["--journal.retain-size", "64MiB"]);
    bessemer.start();
    send(http, 0..20);
    wait_until(PATIENT, "delivered", || sink.seen().len() == 2_000);
    let replay = ["replay", "--destination", DESTINATION, "--where", "body != nil"];
    wait_until(PATIENT, "settled", || {
        let dry = json(&bessemer, &[&replay[..], &["--dry-run"]].concat());
        dry["records"] == 2_000
    });
    assert_eq!(json(&bessemer, &replay)["records"], 2_000);
    wait_until(PATIENT, "again", || sink.seen().values().all(|count| *count == 2));
    let refused = command(&bessemer, &["dlq", "drop"]);
    assert!(!refused.status.success());
    assert_eq!(bessemer.stop(), 0);
}
