//! How records leave: every `ack`, a full stop and start, refusals, retries.

use std::net::SocketAddr;
use std::time::Duration;

use crate::load::{Http, request};
use crate::process::{Bessemer, free_address, wait_until};
use crate::sink::{Mode, Sink};

const KIND: &str = "content-type: application/x-protobuf\r\n";

fn config(http: SocketAddr, sink: &Sink, receiver: &str) -> String {
    format!(
        r#"
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  {receiver}
  output {{ logs = [otelcol.exporter.otlphttp.out.input] }}
}}
otelcol.exporter.otlphttp "out" {{
  client {{
    endpoint    = "http://{}"
    compression = "none"
    timeout     = "2s"
  }}
}}
"#,
        sink.address
    )
}

fn send(http: SocketAddr, ids: std::ops::Range<u64>) -> u16 {
    Http::connect(http).unwrap().post("/v1/logs", KIND, &request(ids)).unwrap().status
}

/// Scenario: the destination is down while records are taken; the process stops and starts again.
/// Promise: a stop with a backlog is quick and clean, and the backlog arrives after the start.
#[test]
fn a_backlog_survives_stop_and_start() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.set(Mode::Refuse(503));
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sink, ""));
    bessemer.start();
    for first in (0..2_000).step_by(100) {
        assert_eq!(send(http, first..first + 100), 200);
    }
    wait_until(Duration::from_secs(10), "tried", || sink.requests() > 0);
    assert_eq!(bessemer.stop(), 0);
    sink.set(Mode::Take);
    bessemer.start();
    let all: Vec<u64> = (0..2_000).collect();
    wait_until(Duration::from_secs(30), "delivered", || sink.has_all(all.iter()));
    assert_eq!(sink.corrupt(), 0);
    assert_eq!(bessemer.stop(), 0);
    assert!(sink.seen().values().all(|count| *count == 1), "a clean restart makes no duplicates");
}

/// Scenario: `ack = "delivered"` with a destination that takes records, then none.
/// Promise: 200 only after the destination has them; else 503 with Retry-After in time.
#[test]
fn delivered_means_delivered() {
    let _alone = crate::alone();
    let sink = Sink::start();
    let http = free_address();
    let receiver = "ack = \"delivered\"\n  ack_timeout = \"1s\"";
    let mut bessemer = Bessemer::new(config(http, &sink, receiver));
    bessemer.start();
    assert_eq!(send(http, 0..10), 200);
    assert_eq!(sink.seen().len(), 10);
    sink.set(Mode::Refuse(503));
    let mut client = Http::connect(http).unwrap();
    let answer = client.post("/v1/logs", KIND, &request(10..20)).unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: `ack = "memory"`, the destination is down, the process is stopped with TERM.
/// Promise: what memory held is in the journal and arrives after the next start.
#[test]
fn memory_is_written_down_before_a_stop() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.set(Mode::Refuse(503));
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sink, "ack = \"memory\""));
    bessemer.start();
    for first in (0..1_000).step_by(50) {
        assert_eq!(send(http, first..first + 50), 200);
    }
    assert_eq!(bessemer.stop(), 0);
    sink.set(Mode::Take);
    bessemer.start();
    let all: Vec<u64> = (0..1_000).collect();
    wait_until(Duration::from_secs(30), "delivered", || sink.has_all(all.iter()));
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: the destination answers 400 to everything.
/// Promise: records go to the dead-letter log, the queue moves on, nothing is retried for ever.
#[test]
fn refused_records_are_kept_as_dead_letters() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.set(Mode::Refuse(400));
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sink, ""));
    bessemer.start();
    assert_eq!(send(http, 0..30), 200);
    wait_until(Duration::from_secs(10), "dead-lettered", || {
        (bessemer.metric("bessemer_dead_records_total", "otlphttp.out") - 30.0).abs() < 0.5
    });
    sink.set(Mode::Take);
    assert_eq!(send(http, 30..40), 200);
    wait_until(Duration::from_secs(10), "delivered", || sink.seen().len() == 10);
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: the destination finds requests too large until they hold one record.
/// Promise: the delivery is halved until it fits or stands alone; single records are dead-lettered.
#[test]
fn a_413_is_halved_down_to_single_records() {
    let _alone = crate::alone();
    let sink = Sink::start();
    sink.set(Mode::Refuse(413));
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sink, ""));
    bessemer.start();
    assert_eq!(send(http, 0..8), 200);
    wait_until(Duration::from_secs(10), "dead-lettered", || {
        (bessemer.metric("bessemer_dead_records_total", "otlphttp.out") - 8.0).abs() < 0.5
    });
    assert_eq!(sink.requests(), 15, "1 of eight, 2 of four, 4 of two, 8 of one");
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: a second process is started on the same data directory.
/// Promise: it ends with code 1 within two seconds and the first goes on.
#[test]
fn a_second_process_on_one_directory_is_refused() {
    let _alone = crate::alone();
    let sink = Sink::start();
    let http = free_address();
    let mut first = Bessemer::new(config(http, &sink, ""));
    first.start();
    let storage = first.storage();
    let begun = std::time::Instant::now();
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_bessemer"))
        .arg("run")
        .arg(first.folder().join("config.alloy"))
        .arg("--storage.path")
        .arg(storage)
        .args(["--server.http.listen-addr", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(2));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&format!("in use by process {}", first.pid())), "{said}");
    assert_eq!(send(http, 0..5), 200);
    assert_eq!(first.stop(), 0);
}
