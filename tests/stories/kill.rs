//! `kill -9` at any moment: what was acknowledged is delivered.

use std::collections::HashSet;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::is_full_proof;
use crate::load::{Ledger, Load, Protocol};
use crate::process::{Bessemer, free_address, wait_until};
use crate::sink::Sink;

/// Records of one request.
const RECORDS: u64 = 20;
/// Records that are in flight to one destination at a kill at most. Four clients wait for one
/// request each, so besides these only what a kill left behind is queued.
const IN_FLIGHT_RECORDS_MAX: u64 = 2_000;

fn config(http: std::net::SocketAddr, grpc: std::net::SocketAddr, sinks: [&Sink; 2]) -> String {
    format!(
        r#"
otelcol.receiver.otlp "in" {{
  grpc {{ endpoint = "{grpc}" }}
  http {{ endpoint = "{http}" }}
  output {{ logs = [bessemer.processor.classify.rules.input] }}
}}
bessemer.processor.classify "rules" {{
  output {{ logs = [otelcol.processor.routing.by_class.input] }}
}}
otelcol.processor.routing "by_class" {{
  from_attribute    = "ai.classification"
  default_pipelines = ["all"]
  table = [{{ value = "critical", pipelines = ["urgent", "all"] }}]
}}
bessemer.pipeline "urgent" {{ to = [otelcol.exporter.otlphttp.urgent.input] }}
bessemer.pipeline "all"    {{ to = [otelcol.exporter.otlphttp.all.input] }}
otelcol.exporter.otlphttp "urgent" {{
  client {{
    endpoint    = "http://{}"
    compression = "none"
  }}
}}
otelcol.exporter.otlphttp "all" {{
  client {{
    endpoint    = "http://{}"
    compression = "none"
  }}
}}
"#,
        sinks[0].address, sinks[1].address
    )
}

/// Scenario: HTTP and gRPC clients send without pause while the process is killed again and again.
/// Starts are killed as well, three in a row.
/// Promise: every acknowledged record arrives, unchanged; nothing arrives that was never sent;
/// duplicates stay below what was in flight; each start is ready within two seconds.
#[test]
fn acked_records_survive_kill_9() {
    let _alone = crate::alone();
    if let Some((time, seed)) = crate::soak() {
        return soak(time, seed);
    }
    let kills = if is_full_proof() { 500 } else { 10 };
    say(&play(kills, 0x5eed).to_string());
}

/// One kill in so many hits the start after it too, and the start after that.
const NESTED_EVERY: u64 = 5;
/// Starts in a row that are killed then.
const NESTED_DEPTH: u64 = 3;
/// Kills of a soak after which everything acknowledged is waited for and compared.
const KILLS_OF_A_ROUND: u64 = 100;

/// What a play saw.
#[derive(Default)]
struct Tally {
    kills: u64,
    records: u64,
    duplicates: u64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kills, records, duplicates } = self;
        write!(f, "{duplicates} duplicates of {records} records over {kills} kills")
    }
}

fn say(figure: &str) {
    writeln!(std::io::stderr(), "{figure}").unwrap();
}

/// Round after round for a while. One that finds something ends the test.
fn soak(time: Duration, first: u64) {
    let begin = Instant::now();
    let (mut all, mut seed) = (Tally::default(), first);
    while begin.elapsed() < time {
        let one = play(KILLS_OF_A_ROUND, seed);
        all.kills += one.kills;
        all.records += one.records;
        all.duplicates += one.duplicates;
        seed += 1;
    }
    let Tally { kills, records, duplicates } = all;
    say(&format!(
        "soak-row {{\"kind\":\"kills\",\"seed_first\":{first},\"seed_end\":{seed},\"kills\":{kills},\
         \"records_checked\":{records},\"duplicates\":{duplicates},\"lost\":0,\"corrupt\":0}}"
    ));
}

fn play(kills: u64, seed: u64) -> Tally {
    let (urgent, all) = (Sink::start(), Sink::start());
    let (http, grpc) = (free_address(), free_address());
    let mut bessemer = Bessemer::new(config(http, grpc, [&urgent, &all]));
    bessemer.start();
    let clients =
        [Protocol::Http(http), Protocol::Http(http), Protocol::Grpc(grpc), Protocol::Grpc(grpc)];
    let load = Load::start(&clients, RECORDS, Duration::ZERO);
    let mut moments = Moments(seed);
    let mut kill = 0;
    while kill < kills {
        std::thread::park_timeout(moments.next());
        bessemer.kill();
        kill += 1;
        if kill.is_multiple_of(NESTED_EVERY) {
            for _ in 0..NESTED_DEPTH {
                bessemer.spawn();
                std::thread::park_timeout(moments.next() / 8);
                bessemer.kill();
                kill += 1;
            }
        }
        let ready = bessemer.start();
        assert!(ready < Duration::from_secs(2), "restart {kill} took {ready:?}");
    }
    let ledger = load.finish();
    assert!(ledger.acked.len() as u64 > kills * RECORDS, "the load never got through");
    let critical: HashSet<u64> =
        ledger.acked.iter().copied().filter(|id| id.is_multiple_of(97)).collect();
    wait_until(Duration::from_mins(2), "delivered", || {
        all.has_all(ledger.acked.iter()) && urgent.has_all(critical.iter())
    });
    let mut tally = Tally { kills: kill, ..Tally::default() };
    for sink in [&all, &urgent] {
        let (records, duplicates) = check(sink, &ledger, kills);
        tally.records += records;
        tally.duplicates += duplicates;
    }
    assert_eq!(bessemer.stop(), 0);
    tally
}

/// The records that a destination got, and how many of them again.
fn check(sink: &Sink, ledger: &Ledger, kills: u64) -> (u64, u64) {
    assert_eq!(sink.corrupt(), 0, "corrupt records");
    let seen = sink.seen();
    let invented: Vec<&u64> = seen.keys().filter(|id| !ledger.claimed.contains(id)).collect();
    assert!(invented.is_empty(), "never sent: {invented:?}");
    let duplicates: u64 = seen.values().map(|count| u64::from(*count) - 1).sum();
    let bound = kills * IN_FLIGHT_RECORDS_MAX;
    assert!(duplicates <= bound, "{duplicates} duplicates, at most {bound} were in flight");
    (seen.len() as u64, duplicates)
}

/// Moments from 5 to 300 milliseconds, the same in every run.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(5 + (self.0 >> 33) % 296)
    }
}
