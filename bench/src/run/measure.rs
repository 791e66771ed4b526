//! One row: warm up, measure until everything acknowledged has arrived, stop, count what is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use bessemer_runtime::{Clock, SystemClock};

use super::case::{self, Case, Entrant};
use super::subject::{Subject, disk_bytes};
use super::{Bench, Options};
use crate::figures::float;
use crate::load::{self, Prepared, Protocol, Report};
use crate::sink::Sink;

/// Without an arrival for this long, what is missing is not coming.
const QUIET: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(5);
const DISK_EVERY: Duration = Duration::from_millis(250);

/// How long and how hard.
pub(crate) struct Timing {
    seconds: f64,
    warmup_seconds: f64,
    connections: usize,
    streams: usize,
}

impl Timing {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            seconds: options.seconds,
            warmup_seconds: options.warmup_seconds,
            connections: options.connections,
            streams: options.streams,
        }
    }

    fn load(&self, case: &Case, seconds: f64) -> anyhow::Result<load::Options> {
        let to = match case.protocol {
            Protocol::Http => case::IN_HTTP,
            Protocol::Grpc => case::IN_GRPC,
        };
        Ok(load::Options {
            to: to.parse().context("address")?,
            protocol: case.protocol,
            gzip: case.gzip,
            connections: self.connections,
            streams: self.streams,
            seconds,
            requests: u64::MAX,
            grace_seconds: 5.0,
            records: 1000,
            seed: 1,
        })
    }
}

/// What one round found of one system in one case.
pub(crate) struct Measurement {
    pub(crate) case: &'static str,
    pub(crate) system: &'static str,
    pub(crate) ack: &'static str,
    pub(crate) seconds: f64,
    pub(crate) cpu_s: f64,
    /// Acknowledged in the measured time and, where there is a destination, delivered.
    pub(crate) records: u64,
    pub(crate) rss_peak_bytes: u64,
    pub(crate) disk_bytes: u64,
    /// Acknowledged but never delivered, warm-up included; none where nothing is to arrive.
    pub(crate) lost: Option<u64>,
    /// Delivered more often than acknowledged.
    pub(crate) extra: Option<u64>,
    pub(crate) load: Report,
}

pub(crate) fn measure(
    bench: &Bench,
    case: &'static Case,
    entrant: &'static Entrant,
    timing: &Timing,
) -> anyhow::Result<Measurement> {
    let warmup = timing.load(case, timing.warmup_seconds)?;
    let measured = timing.load(case, timing.seconds)?;
    let prepared = Prepared::new(&measured);
    let clock = SystemClock::default();
    let arrived_before = bench.sink.totals().records;
    let mut subject = Subject::start(bench, case, entrant)?;

    let warm = load::run(&warmup, &prepared)?;
    ensure!(
        warm.acked_requests > 0,
        "nothing was acknowledged: {}",
        warm.first_failure.as_deref().unwrap_or("no answer")
    );
    let mut expected = arrived_before + warm.acked_records;
    if case.delivers {
        settle(&bench.sink, expected, &clock);
    }

    let arrived_at_start = bench.sink.totals().records;
    let (started, cpu_before) = (clock.monotonic(), subject.cpu_s()?);
    let (report, disk_bytes) = loaded(&subject, &measured, &prepared)?;
    expected += report.acked_records;
    let mut ended = clock.monotonic();
    if case.delivers {
        ended = settle(&bench.sink, expected, &clock).max(ended);
    }
    let cpu_s = subject.cpu_s()? - cpu_before;
    let arrived = bench.sink.totals().records;
    let rss_peak_bytes = subject.rss_peak_bytes()?;
    subject.stop()?;
    // The journal of a minute is large; the log beside it is what one may want to read.
    std::fs::remove_dir_all(subject.data()).context("data")?;

    let (finally, records) = (bench.sink.totals().records, report.acked_records);
    Ok(Measurement {
        case: case.name,
        system: entrant.system.as_str(),
        ack: entrant.ack,
        seconds: ended.saturating_sub(started).as_secs_f64(),
        cpu_s,
        records: if case.delivers { records.min(arrived - arrived_at_start) } else { records },
        rss_peak_bytes,
        disk_bytes,
        lost: case.delivers.then(|| expected.saturating_sub(finally)),
        extra: case.delivers.then(|| finally.saturating_sub(expected)),
        load: report,
    })
}

/// Runs the load and watches how much disk the system takes meanwhile.
fn loaded(
    subject: &Subject,
    options: &load::Options,
    prepared: &Prepared,
) -> anyhow::Result<(Report, u64)> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(disk_bytes(subject.data()));
                std::thread::sleep(DISK_EVERY);
            }
            most.max(disk_bytes(subject.data()))
        });
        let report = load::run(options, prepared);
        is_over.store(true, Ordering::Relaxed);
        Ok((report?, watcher.join().unwrap_or_default()))
    })
}

/// Waits for `expected` records in all; the moment of the last arrival.
fn settle(sink: &Sink, expected: u64, clock: &SystemClock) -> Duration {
    let (mut arrived, mut changed_at) = (sink.totals().records, clock.monotonic());
    while arrived < expected {
        std::thread::sleep(POLL);
        let (now, seen) = (clock.monotonic(), sink.totals().records);
        if seen != arrived {
            (arrived, changed_at) = (seen, now);
        } else if now.saturating_sub(changed_at) > QUIET {
            break;
        }
    }
    changed_at
}

impl Measurement {
    pub(crate) fn records_per_s(&self) -> f64 {
        float(self.records) / self.seconds.max(1e-9)
    }

    /// A system that took no measurable time took one tick.
    pub(crate) fn records_per_cpu_s(&self) -> f64 {
        float(self.records) / self.cpu_s.max(0.01)
    }
}
