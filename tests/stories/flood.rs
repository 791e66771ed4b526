//! A flood beyond what memory holds: refused in time, nothing lost, never killed for memory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::is_full_proof;
use crate::load::{Http, request};
use crate::process::{Bessemer, free_address, get, wait_until};
use crate::sink::{Mode, Sink};

const LIMIT: u64 = 256 << 20;

fn config(http: SocketAddr, sink: &Sink) -> String {
    format!(
        r#"
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  output {{ logs = [otelcol.processor.memory_limiter.protection.input] }}
}}
otelcol.processor.memory_limiter "protection" {{
  check_interval = "100ms"
  limit          = "128MiB"
  spike_limit    = "64MiB"
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

/// Scenario: 24 clients send requests of a megabyte without pause into a process that may use
/// 256 MB, while the destination is dead.
/// Promise: clients see 429 with Retry-After, the process is not killed, and every acknowledged
/// record arrives once the destination returns.
#[test]
fn a_flood_is_refused_and_never_kills_the_process() {
    let _alone = crate::alone();
    let group = MemoryGroup::new();
    let sink = Sink::start();
    sink.set(Mode::BlackHole);
    let http = free_address();
    let enter = format!("echo $$ > {} && exec \"$0\" \"$@\"", group.tasks().display());
    let mut bessemer = Bessemer::new(config(http, &sink)).inside(&["sh", "-c", &enter]);
    bessemer.start();
    let flood = flood(http, Duration::from_secs(if is_full_proof() { 20 } else { 5 }));
    assert!(get(bessemer.admin, "/livez").is_ok_and(|(status, _)| status == 200), "process died");
    assert_eq!(group.kills(), 0, "killed for memory");
    assert!(flood.refused > 0, "nothing was refused");
    assert_eq!(flood.without_wait, 0, "429 without Retry-After");
    assert!(!flood.acked.is_empty(), "nothing got through");
    sink.set(Mode::Take);
    wait_until(Duration::from_mins(2), "delivered", || sink.has_all(flood.acked.iter()));
    assert_eq!(bessemer.stop(), 0);
}

#[derive(Default)]
struct Outcome {
    acked: Vec<u64>,
    refused: u64,
    without_wait: u64,
}

fn flood(http: SocketAddr, time: Duration) -> Outcome {
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let next = Arc::new(AtomicU64::new(1));
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..24)
        .map(|_| {
            let (outcome, next, over) =
                (Arc::clone(&outcome), Arc::clone(&next), Arc::clone(&over));
            std::thread::spawn(move || {
                let mut connection = None;
                while !over.load(Ordering::Relaxed) {
                    let first = next.fetch_add(8_000, Ordering::Relaxed);
                    one(http, &mut connection, first, &outcome);
                }
            })
        })
        .collect();
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    std::mem::take(&mut *outcome.lock().unwrap())
}

fn one(http: SocketAddr, connection: &mut Option<Http>, first: u64, outcome: &Mutex<Outcome>) {
    let Ok(mut client) = connection.take().map_or_else(|| Http::connect(http), Ok) else { return };
    let ids = first..first + 8_000;
    let kind = "content-type: application/x-protobuf\r\n";
    let Ok(answer) = client.post("/v1/logs", kind, &request(ids.clone())) else { return };
    let mut outcome = outcome.lock().unwrap();
    match answer.status {
        200 => outcome.acked.extend(ids),
        429 => {
            outcome.refused += 1;
            outcome.without_wait += u64::from(answer.header("retry-after").is_none());
        }
        _ => {}
    }
    drop(outcome);
    *connection = Some(client);
}

/// A memory control group of this test's own, for both versions of control groups.
struct MemoryGroup {
    folder: PathBuf,
    is_unified: bool,
}

impl MemoryGroup {
    fn new() -> Self {
        let is_unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let root = if is_unified { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/memory" };
        let folder = Path::new(root).join(format!("bessemer-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .expect("this test makes a memory control group and needs the right to (run as root)");
        let file = if is_unified { "memory.max" } else { "memory.limit_in_bytes" };
        std::fs::write(folder.join(file), LIMIT.to_string()).unwrap();
        Self { folder, is_unified }
    }

    fn tasks(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    fn kills(&self) -> u64 {
        let file = if self.is_unified { "memory.events" } else { "memory.oom_control" };
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.map_or(0, |count| count.trim().parse().unwrap())
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        drop(std::fs::remove_dir(&self.folder));
    }
}
