//! Sends prebuilt requests as fast as they are acknowledged, and says how fast that was.
//!
//! One thread a connection. A refusal with 429, 503, `RESOURCE_EXHAUSTED` or `UNAVAILABLE` is
//! counted, its delay is kept, and the next request follows.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bessemer_runtime::{Clock, SystemClock};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::figures::{Latencies, Percentiles, float};
use crate::{grpc, payload};

mod http;
mod rpc;

/// A refusal that names no delay, and a connection that failed, wait this long.
const PAUSE: Duration = Duration::from_millis(100);
/// A named delay is kept up to this, so that a run ends when it should.
const PAUSE_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Address of the OTLP receiver
    #[arg(long, default_value = "127.0.0.1:4318")]
    pub(crate) to: SocketAddr,
    #[arg(long, value_enum, default_value_t = Protocol::Http)]
    pub(crate) protocol: Protocol,
    /// Send bodies compressed
    #[arg(long)]
    pub(crate) gzip: bool,
    #[arg(long, default_value_t = 4)]
    pub(crate) connections: usize,
    /// Requests at a time on each gRPC connection
    #[arg(long, default_value_t = 4)]
    pub(crate) streams: usize,
    /// Stop after this long
    #[arg(long, default_value_t = 8.0)]
    pub(crate) seconds: f64,
    /// Stop after this many requests, if that comes first
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    pub(crate) requests: u64,
    /// Wait this long at the end for the answers still due
    #[arg(long, default_value_t = 5.0)]
    pub(crate) grace_seconds: f64,
    /// Log records in a request
    #[arg(long, default_value_t = 1000)]
    pub(crate) records: u64,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    Http,
    Grpc,
}

/// What a run of the load found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) seconds: f64,
    pub(crate) acked_requests: u64,
    pub(crate) acked_records: u64,
    pub(crate) records_per_s: f64,
    pub(crate) ack: Percentiles,
    /// Answered 429, 503, `RESOURCE_EXHAUSTED` or `UNAVAILABLE`
    pub(crate) throttled: u64,
    /// Answered with any other failure
    pub(crate) failed: u64,
    /// Sent at least in part, and not answered
    pub(crate) unanswered: u64,
    pub(crate) connections_failed: u64,
    pub(crate) first_failure: Option<String>,
}

/// What one connection counts; merged at the end.
#[derive(Default)]
struct Tally {
    acked: u64,
    throttled: u64,
    failed: u64,
    unanswered: u64,
    connections_failed: u64,
    latencies: Latencies,
    first_failure: Option<String>,
}

/// One answer, whatever the protocol.
enum Answer {
    Acked,
    Throttled { after: Option<Duration> },
    Failed(String),
}

impl Tally {
    /// Counts an answer; the delay before the next request, if there is one.
    fn note(&mut self, answer: Answer, latency: Duration) -> Option<Duration> {
        match answer {
            Answer::Acked => {
                self.acked += 1;
                self.latencies.add(latency);
                None
            }
            Answer::Throttled { after } => {
                self.throttled += 1;
                Some(after.unwrap_or(PAUSE).min(PAUSE_MAX))
            }
            Answer::Failed(reason) => {
                self.failed += 1;
                self.first_failure.get_or_insert(reason);
                Some(PAUSE)
            }
        }
    }

    fn note_broken(&mut self, reason: String) {
        self.connections_failed += 1;
        self.first_failure.get_or_insert(reason);
    }

    fn merge(&mut self, other: Self) {
        self.acked += other.acked;
        self.throttled += other.throttled;
        self.failed += other.failed;
        self.unanswered += other.unanswered;
        self.connections_failed += other.connections_failed;
        self.latencies.merge(&other.latencies);
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}

/// The bytes of every request, and who sends which next.
struct Plan {
    to: SocketAddr,
    streams: usize,
    is_gzip: bool,
    messages: Vec<Bytes>,
    sent: AtomicU64,
    requests_max: u64,
    clock: SystemClock,
    ends_at: Duration,
    gives_up_at: Duration,
}

impl Plan {
    /// The next request, none when the run is over.
    fn next(&self) -> Option<&Bytes> {
        if self.clock.monotonic() >= self.ends_at {
            return None;
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        if number >= self.requests_max {
            return None;
        }
        let index = number % self.messages.len().max(1) as u64;
        self.messages.get(usize::try_from(index).unwrap_or_default())
    }

    fn is_over(&self) -> bool {
        self.clock.monotonic() >= self.ends_at
            || self.sent.load(Ordering::Relaxed) >= self.requests_max
    }

    fn gives_up(&self) -> bool {
        self.clock.monotonic() >= self.gives_up_at
    }

    /// `pause`, or what is left of the run if that is less.
    fn cut(&self, pause: Duration) -> Duration {
        pause.min(self.ends_at.saturating_sub(self.clock.monotonic()))
    }
}

/// Requests ready to be sent, built once and used by every run with equal options.
pub(crate) struct Prepared {
    messages: Vec<Bytes>,
}

impl Prepared {
    pub(crate) fn new(options: &Options) -> Self {
        let spec = payload::Spec {
            seed: options.seed,
            records: options.records,
            ..payload::Spec::default()
        };
        let message = |raw: Vec<u8>| {
            let body = if options.gzip { payload::gzip(&raw) } else { raw };
            match options.protocol {
                Protocol::Http => http::request(options, &body),
                Protocol::Grpc => grpc::framed(&body, options.gzip),
            }
        };
        Self { messages: payload::requests(&spec).into_iter().map(message).collect() }
    }
}

/// Runs the load to its end.
pub(crate) fn run(options: &Options, prepared: &Prepared) -> anyhow::Result<Report> {
    if options.connections == 0 || options.streams == 0 || !(0.0..1e6).contains(&options.seconds) {
        bail!("connections, streams and seconds must be positive");
    }
    let clock = SystemClock::default();
    let ends_at = clock.monotonic() + Duration::from_secs_f64(options.seconds);
    let plan = Plan {
        to: options.to,
        streams: options.streams,
        is_gzip: options.gzip,
        messages: prepared.messages.clone(),
        sent: AtomicU64::new(0),
        requests_max: options.requests,
        ends_at,
        gives_up_at: ends_at + Duration::from_secs_f64(options.grace_seconds.clamp(0.0, 600.0)),
        clock,
    };
    let started = plan.clock.monotonic();
    let connection = match options.protocol {
        Protocol::Http => http::connection,
        Protocol::Grpc => rpc::connection,
    };
    let mut total = Tally::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..options.connections).map(|_| scope.spawn(|| connection(&plan))).collect();
        for thread in threads {
            match thread.join() {
                Ok(tally) => total.merge(tally),
                Err(_) => total.note_broken("a thread of the load ended early".to_owned()),
            }
        }
    });
    let seconds = plan.clock.monotonic().saturating_sub(started).as_secs_f64();
    Ok(report(options, total, seconds))
}

fn report(options: &Options, total: Tally, seconds: f64) -> Report {
    let acked_records = total.acked * options.records;
    Report {
        seconds,
        acked_requests: total.acked,
        acked_records,
        records_per_s: float(acked_records) / seconds,
        ack: total.latencies.percentiles(),
        throttled: total.throttled,
        failed: total.failed,
        unanswered: total.unanswered,
        connections_failed: total.connections_failed,
        first_failure: total.first_failure,
    }
}

pub(crate) fn main(options: &Options) -> anyhow::Result<()> {
    let report = run(options, &Prepared::new(options))?;
    let text = serde_json::to_string_pretty(&report).context("report")?;
    crate::say(&mut std::io::stdout().lock(), &text);
    Ok(())
}
