//! A dead destination takes disk of its own, up to its budget, and none of the others' way.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::load::{Http, request};
use crate::process::{Bessemer, free_address, get, wait_until};
use crate::sink::{Mode, Sink};

const KIND: &str = "content-type: application/x-protobuf\r\n";
/// Records of a request: about half a megabyte.
const RECORDS: u64 = 5_000;

/// Receivers `all` to the first destination and `both` to both.
fn config(
    all: SocketAddr,
    both: SocketAddr,
    sinks: &[Sink; 2],
    receiver: &str,
    queue: &str,
) -> String {
    let [well, dead] = sinks.each_ref().map(|sink| sink.address);
    format!(
        r#"
otelcol.receiver.otlp "all" {{
  http {{ endpoint = "{all}" }}
  {receiver}
  output {{ logs = [otelcol.exporter.otlphttp.well.input] }}
}}
otelcol.receiver.otlp "both" {{
  http {{ endpoint = "{both}" }}
  {receiver}
  output {{ logs = [otelcol.exporter.otlphttp.well.input, otelcol.exporter.otlphttp.dead.input] }}
}}
otelcol.exporter.otlphttp "well" {{
  client {{
    endpoint    = "http://{well}"
    compression = "none"
  }}
}}
otelcol.exporter.otlphttp "dead" {{
  client {{
    endpoint    = "http://{dead}"
    compression = "none"
    timeout     = "5s"
  }}
  {queue}
}}
"#
    )
}

/// A client that tries again while it is told to come back later.
struct Client {
    http: Http,
    next: u64,
}

impl Client {
    fn connect(address: SocketAddr, next: u64) -> Self {
        Self { http: Http::connect(address).unwrap(), next }
    }

    fn send(&mut self) {
        let body = request(self.next..self.next + RECORDS);
        wait_until(Duration::from_secs(20), "taken", || {
            match self.http.post("/v1/logs", KIND, &body).unwrap().status {
                200 => true,
                429 => false,
                status => panic!("HTTP {status}"),
            }
        });
        self.next += RECORDS;
    }
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_below(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Scenario: a destination of a sixth of the records is dead until more has come than the window in
/// memory and the whole journal hold.
/// Promise: all that is sent is taken and reaches the other destination meanwhile; what the dead one
/// is owed waits in a log of its own and arrives, once and intact, when it is back.
#[test]
fn what_a_dead_destination_is_owed_beyond_memory_and_journal_waits_on_its_own_disk() {
    let _alone = crate::alone();
    let sinks = [Sink::start(), Sink::start()];
    sinks[1].set(Mode::BlackHole);
    let (all, both) = (free_address(), free_address());
    let config = config(all, both, &sinks, "ack = \"memory\"", "");
    let mut bessemer = Bessemer::new(config).with_arguments(&["--journal.size", "24MiB"]);
    bessemer.start();
    let mut one = Client::connect(all, 0);
    let mut two = Client::connect(both, 1 << 40);
    // More than the window holds, so that what follows takes the way over the journal.
    for _ in 0..80 {
        two.send();
    }
    for _ in 0..25 {
        (0..5).for_each(|_| one.send());
        two.send();
    }
    let owed: Vec<u64> = (1 << 40..two.next).collect();
    let every: Vec<u64> = (0..one.next).chain(owed.iter().copied()).collect();
    wait_until(Duration::from_mins(1), "delivered to the other", || sinks[0].has_all(every.iter()));
    assert!(sinks[1].seen().is_empty(), "it is dead");
    assert!(bytes_below(&bessemer.storage().join("journal/spill")) > 1 << 20, "spilled");
    sinks[1].set(Mode::Take);
    wait_until(Duration::from_mins(1), "delivered", || sinks[1].has_all(owed.iter()));
    assert_eq!(sinks.each_ref().map(Sink::corrupt), [0, 0]);
    assert_eq!(bessemer.stop(), 0);
    assert!(sinks[1].seen().values().all(|count| *count == 1), "once");
}

/// Scenario: a destination with a budget and `when_full = "dead_letter"` is down, and ten times its
/// budget comes; then it is back.
/// Promise: nobody is refused, its queue stays within the budget, and each record was delivered or
/// is counted as a dead letter.
#[test]
fn a_dead_destination_at_its_budget_makes_room_by_dead_letters_and_blocks_nobody() {
    let _alone = crate::alone();
    let sinks = [Sink::start(), Sink::start()];
    sinks[1].set(Mode::Refuse(503));
    let (all, both) = (free_address(), free_address());
    let queue = "queue {\n    budget    = \"2MiB\"\n    when_full = \"dead_letter\"\n  }";
    let mut bessemer = Bessemer::new(config(all, both, &sinks, "", queue));
    bessemer.start();
    let mut client = Http::connect(both).unwrap();
    let total = 40 * RECORDS;
    for first in (0..total).step_by(usize::try_from(RECORDS).unwrap()) {
        let answer = client.post("/v1/logs", KIND, &request(first..first + RECORDS)).unwrap();
        assert_eq!(answer.status, 200, "nobody waits for it");
    }
    let every: Vec<u64> = (0..total).collect();
    wait_until(Duration::from_secs(30), "delivered to the other", || {
        sinks[0].has_all(every.iter())
    });
    wait_until(Duration::from_secs(30), "within its budget", || {
        bessemer.metric("bessemer_queue_bytes", "otlphttp.dead") < f64::from(2 << 20)
    });
    sinks[1].set(Mode::Take);
    wait_until(Duration::from_mins(1), "delivered or dead", || {
        let dead = bessemer.metric("bessemer_dead_records_total", "otlphttp.dead");
        let taken = u32::try_from(sinks[1].seen().len()).unwrap();
        assert!(dead > 0.0, "what does not fit is kept as dead letters");
        (dead + f64::from(taken) - f64::from(u32::try_from(total).unwrap())).abs() < 0.5
    });
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: the directory of the journal is taken away while the process runs, then given back.
/// Promise: clients get 503 and readiness says that the journal fails; the process lives on, and
/// takes data again without a restart and before any client asks.
#[test]
fn a_journal_that_cannot_be_written_is_not_ready_and_comes_back_by_itself() {
    let _alone = crate::alone();
    let sinks = [Sink::start(), Sink::start()];
    let (all, both) = (free_address(), free_address());
    let mut bessemer = Bessemer::new(config(all, both, &sinks, "", ""));
    bessemer.start();
    let mut client = Http::connect(all).unwrap();
    let mut send =
        |ids: std::ops::Range<u64>| client.post("/v1/logs", KIND, &request(ids)).unwrap().status;
    assert_eq!(send(0..10), 200);
    wait_until(Duration::from_secs(10), "delivered", || sinks[0].seen().len() == 10);
    let main = bessemer.storage().join("journal/main");
    std::fs::remove_dir_all(&main).unwrap();
    assert_eq!(send(10..20), 503);
    for path in ["/readyz", "/-/ready"] {
        let (status, body) = get(bessemer.admin, path).unwrap();
        assert!(status == 503 && body.starts_with("journal failing: "), "{status} {body}");
    }
    assert_eq!(get(bessemer.admin, "/livez").unwrap().0, 200, "a restart would not help");
    std::fs::create_dir(&main).unwrap();
    wait_until(Duration::from_secs(10), "ready", || {
        get(bessemer.admin, "/readyz").is_ok_and(|(status, _)| status == 200)
    });
    assert_eq!(send(20..30), 200);
    wait_until(Duration::from_secs(10), "delivered", || {
        sinks[0].has_all((20..30).collect::<Vec<_>>().iter())
    });
    assert_eq!(bessemer.stop(), 0);
}

/// Scenario: a destination with a small budget is down until its queue is full.
/// Promise: the alert stands in metrics, log and readiness, which stays 200; every metric that the
/// example rules for Prometheus use is there.
#[test]
fn a_destination_that_is_behind_raises_alerts_that_prometheus_rules_can_use() {
    let _alone = crate::alone();
    let sinks = [Sink::start(), Sink::start()];
    sinks[1].set(Mode::Refuse(503));
    let (all, both) = (free_address(), free_address());
    let mut bessemer = Bessemer::new(config(all, both, &sinks, "", "queue { budget = \"1MiB\" }"));
    bessemer.start();
    let mut client = Http::connect(both).unwrap();
    let mut next = 0;
    wait_until(Duration::from_secs(20), "refused", || {
        next += RECORDS;
        client.post("/v1/logs", KIND, &request(next..next + RECORDS)).unwrap().status == 429
    });
    wait_until(Duration::from_secs(10), "raised", || {
        bessemer.metric("bessemer_alert", "otlphttp.dead\",alert=\"budget\"") > 0.5
    });
    let (status, body) = get(bessemer.admin, "/readyz").unwrap();
    assert!(
        status == 200 && body.contains("alert budget otelcol.exporter.otlphttp.dead"),
        "{body}"
    );
    assert!(bessemer.log().contains("alert raised"));
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/prometheus-alerts.yaml");
    let rules = std::fs::read_to_string(rules).unwrap();
    let (_, page) = get(bessemer.admin, "/metrics").unwrap();
    let words = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let words = words.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    let names: Vec<&str> = words.filter(|word| word.starts_with("bessemer_")).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        assert!(page.lines().any(|line| line.starts_with(name)), "no metric {name}");
    }
    assert_eq!(bessemer.stop(), 0);
}
