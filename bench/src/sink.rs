//! Takes OTLP on any number of ports, answers at once, and counts what arrived.
//!
//! A port can also be a bad destination: answer a failure, answer late, or never.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::count::{self, Inflated, Signal};
use crate::wire::Malformed;

mod http;
mod rpc;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Addresses that take OTLP over HTTP, and GET /stats
    #[arg(long, value_delimiter = ',')]
    http: Vec<SocketAddr>,
    /// Addresses that take OTLP over gRPC
    #[arg(long, value_delimiter = ',')]
    grpc: Vec<SocketAddr>,
    #[command(flatten)]
    manner: Manner,
}

/// How a port treats what it takes.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Manner {
    /// Count records in gzip bodies too
    #[arg(long)]
    pub(crate) inflate: bool,
    /// HTTP status of every answer; over gRPC 429 becomes status 8, other failures 14
    #[arg(long, default_value_t = 200)]
    pub(crate) answer: u16,
    /// Seconds that a 429 or 503 asks the client to wait
    #[arg(long, default_value_t = 1)]
    pub(crate) retry_after: u64,
    /// Answer this much later
    #[arg(long, default_value_t = 0)]
    pub(crate) delay_ms: u64,
    /// Take everything, count it, never answer
    #[arg(long)]
    pub(crate) black_hole: bool,
    /// End every connection as soon as it is made
    #[arg(long)]
    pub(crate) refuse: bool,
}

impl Manner {
    /// A port that takes everything at once and also counts within gzip.
    pub(crate) fn good() -> Self {
        Self { inflate: true, answer: 200, ..Self::default() }
    }

    fn delay(self) -> Option<Duration> {
        (self.delay_ms > 0).then(|| Duration::from_millis(self.delay_ms))
    }

    fn is_success(self) -> bool {
        (200..300).contains(&self.answer)
    }
}

/// What arrived on one port.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    logs: AtomicU64,
    metrics: AtomicU64,
    traces: AtomicU64,
    uncounted: AtomicU64,
}

/// A moment's copy of [`Counters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    /// Log records, spans and data points together
    pub(crate) records: u64,
    pub(crate) logs: u64,
    pub(crate) metrics: u64,
    pub(crate) traces: u64,
    /// Requests whose records were not counted: compressed, or no protobuf
    pub(crate) uncounted: u64,
}

impl Counters {
    /// Counts one request.
    fn take(&self, signal: Signal, bytes: usize, records: Option<u64>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let counter = match signal {
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
            Signal::Traces => &self.traces,
        };
        match records {
            Some(records) => counter.fetch_add(records, Ordering::Relaxed),
            None => self.uncounted.fetch_add(1, Ordering::Relaxed),
        };
    }

    fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (logs, metrics, traces) = (read(&self.logs), read(&self.metrics), read(&self.traces));
        Totals {
            requests: read(&self.requests),
            bytes: read(&self.bytes),
            records: logs + metrics + traces,
            logs,
            metrics,
            traces,
            uncounted: read(&self.uncounted),
        }
    }
}

/// The counters of all ports of a sink.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sink {
    ports: Vec<(SocketAddr, Arc<Counters>)>,
}

#[derive(Serialize)]
struct Stats {
    #[serde(flatten)]
    total: Totals,
    ports: Vec<Port>,
}

#[derive(Serialize)]
struct Port {
    address: SocketAddr,
    #[serde(flatten)]
    totals: Totals,
}

impl Sink {
    /// Listens on all addresses; threads serve them until the process ends.
    pub(crate) fn start(
        http: &[SocketAddr],
        grpc: &[SocketAddr],
        manner: Manner,
    ) -> anyhow::Result<Self> {
        let mut sink = Self::default();
        let mut listeners = Vec::new();
        for (index, &wanted) in http.iter().chain(grpc).enumerate() {
            let listener = std::net::TcpListener::bind(wanted)
                .with_context(|| format!("listen on {wanted}"))?;
            let address = listener.local_addr().context("local address")?;
            let counters = Arc::new(Counters::default());
            sink.ports.push((address, Arc::clone(&counters)));
            listeners.push((index < http.len(), listener, counters));
        }
        for (is_http, listener, counters) in listeners {
            if is_http {
                let all = sink.clone();
                let port = http::Port { counters, manner, all };
                std::thread::spawn(move || http::serve(&listener, &port));
            } else {
                rpc::start(listener, counters, manner)?;
            }
        }
        Ok(sink)
    }

    #[cfg(test)]
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.ports.iter().map(|(address, _)| *address).collect()
    }

    /// What arrived on all ports.
    pub(crate) fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for (_, counters) in &self.ports {
            let port = counters.totals();
            sum.requests += port.requests;
            sum.bytes += port.bytes;
            sum.records += port.records;
            sum.logs += port.logs;
            sum.metrics += port.metrics;
            sum.traces += port.traces;
            sum.uncounted += port.uncounted;
        }
        sum
    }

    fn stats(&self) -> String {
        let port = |(address, counters): &(_, Arc<Counters>)| Port {
            address: *address,
            totals: counters.totals(),
        };
        let stats = Stats { total: self.totals(), ports: self.ports.iter().map(port).collect() };
        serde_json::to_string(&stats).unwrap_or_default()
    }
}

/// Records in a body as it arrived; none when they cannot be told.
fn records(
    signal: Signal,
    body: &[u8],
    is_gzip: bool,
    inflated: Option<&mut Inflated>,
) -> Option<u64> {
    let counted: Result<u64, Malformed> = match (is_gzip, inflated) {
        (false, _) => count::records(signal, body),
        (true, Some(inflated)) => inflated.records(signal, body),
        (true, None) => return None,
    };
    counted.ok()
}

pub(crate) fn main(options: &Options) -> anyhow::Result<()> {
    if options.http.is_empty() && options.grpc.is_empty() {
        bail!("name at least one address with --http or --grpc");
    }
    let sink = Sink::start(&options.http, &options.grpc, options.manner)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut stop, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            _ = stop.recv() => {}
            _ = interrupt.recv() => {}
        }
        anyhow::Ok(())
    })?;
    crate::say(&mut std::io::stdout().lock(), &sink.stats());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{self, Prepared, Protocol};

    const LOOPBACK: &str = "127.0.0.1:0";

    fn loaded(protocol: Protocol, gzip: bool, manner: Manner) -> (load::Report, Totals) {
        let any = [LOOPBACK.parse().unwrap()];
        let (http, grpc): (&[_], &[_]) =
            if protocol == Protocol::Http { (&any, &[]) } else { (&[], &any) };
        let sink = Sink::start(http, grpc, manner).unwrap();
        let options = load::Options {
            to: sink.addresses()[0],
            protocol,
            gzip,
            connections: 2,
            streams: 2,
            seconds: 30.0,
            requests: 40,
            grace_seconds: 0.2,
            records: 50,
            seed: 3,
        };
        let options = if manner.black_hole || manner.answer != 200 {
            load::Options { seconds: 0.6, ..options }
        } else {
            options
        };
        (load::run(&options, &Prepared::new(&options)).unwrap(), sink.totals())
    }

    #[test]
    fn every_acked_record_was_counted_over_http_and_grpc_raw_and_gzip() {
        for protocol in [Protocol::Http, Protocol::Grpc] {
            for gzip in [false, true] {
                let (report, totals) = loaded(protocol, gzip, Manner::good());
                assert_eq!(report.acked_records, 40 * 50, "{protocol:?} {gzip} {report:?}");
                assert_eq!(totals.logs, 40 * 50, "{protocol:?} {gzip}");
                assert_eq!((totals.requests, totals.uncounted), (40, 0));
            }
        }
    }

    #[test]
    fn gzip_is_not_inflated_unless_asked() {
        let manner = Manner { inflate: false, ..Manner::good() };
        let (_, totals) = loaded(Protocol::Http, true, manner);
        assert_eq!((totals.requests, totals.records, totals.uncounted), (40, 0, 40));
    }

    #[test]
    fn a_refusal_is_counted_and_its_delay_is_kept() {
        for protocol in [Protocol::Http, Protocol::Grpc] {
            for answer in [429, 503] {
                let (report, totals) =
                    loaded(protocol, false, Manner { answer, retry_after: 1, ..Manner::good() });
                assert_eq!(report.acked_requests, 0, "{report:?}");
                assert_eq!(report.throttled, totals.requests, "{report:?}");
                assert!((1..=4).contains(&report.throttled), "{report:?}");
            }
        }
    }

    #[test]
    fn a_black_hole_and_a_refused_connection_end_with_the_run() {
        for protocol in [Protocol::Http, Protocol::Grpc] {
            let manner = Manner { black_hole: true, ..Manner::good() };
            let (report, totals) = loaded(protocol, false, manner);
            assert_eq!(report.acked_requests, 0, "{report:?}");
            assert!(report.unanswered >= totals.requests.max(1), "{report:?}");
            let manner = Manner { refuse: true, answer: 503, ..Manner::good() };
            let (report, totals) = loaded(protocol, false, manner);
            assert_eq!((report.acked_requests, totals.requests), (0, 0), "{report:?}");
            assert!(report.connections_failed + report.unanswered > 0, "{report:?}");
        }
    }
}
