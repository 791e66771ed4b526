//! One dead destination among three costs the others nothing.

use std::time::{Duration, Instant};

use crate::is_full_proof;
use crate::load::{Load, Protocol};
use crate::process::{Bessemer, free_address, wait_until};
use crate::sink::{Mode, Sink};

const RECORDS: u64 = 50;

fn config(http: std::net::SocketAddr, sinks: &[Sink; 3]) -> String {
    let mut text = format!(
        "otelcol.receiver.otlp \"in\" {{\n  http {{ endpoint = \"{http}\" }}\n  output {{\n    logs = [\n      otelcol.exporter.otlphttp.d0.input,\n      otelcol.exporter.otlphttp.d1.input,\n      otelcol.exporter.otlphttp.d2.input,\n    ]\n  }}\n}}\n"
    );
    for (index, sink) in sinks.iter().enumerate() {
        let address = sink.address;
        let block = format!(
            "otelcol.exporter.otlphttp \"d{index}\" {{\n  client {{\n    endpoint = \
             \"http://{address}\"\n    compression = \"none\"\n    timeout = \"5s\"\n  }}\n}}\n"
        );
        text.push_str(&block);
    }
    text
}

/// Scenario: three destinations take every record; one of them stops answering for a while.
/// Promise: the acknowledgements and the other two go on as before, memory stays flat, and
/// everything arrives at the third once it answers again.
#[test]
fn a_black_holed_destination_costs_the_others_nothing() {
    let _alone = crate::alone();
    let quiet = Duration::from_secs(if is_full_proof() { 15 } else { 3 });
    let dead = Duration::from_secs(if is_full_proof() { 60 } else { 4 });
    let sinks = [Sink::start(), Sink::start(), Sink::start()];
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &sinks));
    bessemer.start();
    let load = Load::start(&[Protocol::Http(http); 2], RECORDS, Duration::from_millis(4));
    let start = Instant::now();
    std::thread::park_timeout(quiet);
    let healthy = Instant::now();
    let before = bessemer.resident();
    sinks[2].set(Mode::BlackHole);
    while healthy.elapsed() < dead {
        std::thread::park_timeout(dead.saturating_sub(healthy.elapsed()));
    }
    let returned = Instant::now();
    let after = bessemer.resident();
    sinks[2].set(Mode::Take);
    let ledger = load.finish();
    wait_until(Duration::from_secs(90), "delivered everywhere", || {
        sinks.iter().all(|sink| sink.has_all(ledger.acked.iter()))
    });
    assert!(sinks.iter().all(|sink| sink.corrupt() == 0));
    let acks = |from: Instant, until: Instant| {
        p99(ledger
            .latencies
            .iter()
            .filter(|(at, _)| *at >= from && *at < until)
            .map(|(_, took)| *took))
    };
    let (calm, troubled) = (acks(start, healthy), acks(healthy, returned));
    let bound = calm.mul_f64(1.1) + NOISE;
    assert!(troubled <= bound, "p99 of acks went from {calm:?} to {troubled:?}");
    let growth = after.saturating_sub(before);
    assert!(growth < 64 << 20, "resident memory grew by {growth} bytes");
    assert_eq!(bessemer.stop(), 0);
}

/// What a shared machine adds to a 99th percentile of a few milliseconds by itself: one sync of
/// the disk more or less.
const NOISE: Duration = Duration::from_millis(15);

fn p99(latencies: impl Iterator<Item = Duration>) -> Duration {
    let mut sorted: Vec<Duration> = latencies.collect();
    sorted.sort_unstable();
    assert!(sorted.len() >= 100, "only {} acknowledgements", sorted.len());
    sorted[sorted.len() * 99 / 100]
}
