//! Measures durable appends: records per CPU-second and MB/s, each acknowledged after its sync.
//!
//! `cargo run --release -p bessemer-journal --example durable -- [KiB] [in flight] [seconds] [dir]`
//! takes the size of an entry, how many appends wait at once, how long, and where.
#![expect(clippy::print_stdout, reason = "the output is the purpose")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::{Append, Journal, Lane, Options, RealDisk, Routes, SinkIndex, SinkSpec};
use bessemer_runtime::{Clock, SystemClock, SystemRandom};
use bytes::Bytes;

const RECORD_BYTES: usize = 363;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| {
        arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (entry_kib, in_flight, seconds) = (number(0, 300), number(1, 32), number(2, 5));
    let dir = arguments.get(3).map_or_else(|| "target/durable-bench".into(), PathBuf::from);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Ok(runtime) = builder.worker_threads(2).enable_all().build() {
        runtime.block_on(run(entry_kib << 10, in_flight, seconds, dir));
    }
}

async fn run(entry_bytes: usize, in_flight: usize, seconds: usize, dir: PathBuf) {
    let clock = Arc::new(SystemClock::default());
    let options = Options { budget_bytes: 8 << 30, ..Options::new(&dir) };
    let random = Arc::new(SystemRandom::default());
    let opened = Journal::open(
        Arc::new(RealDisk),
        Arc::<SystemClock>::clone(&clock),
        random,
        options,
        &[SinkSpec::new("bench")],
    );
    let (journal, _) = match opened {
        Ok(opened) => opened,
        Err(error) => return println!("{error}"),
    };
    let (payload, records) = payload(entry_bytes);
    let (cpu, start) = (cpu_time(), clock.monotonic());
    let deadline = start + Duration::from_secs(seconds as u64);
    let append = Append {
        routes: Routes::to([SinkIndex(0)]),
        lane: Lane::Normal,
        items: records,
        meta: Bytes::from_static(b"tenant"),
        payload,
    };
    let senders = senders(&journal, &clock, deadline, in_flight, &append);
    let reader = settle_all(&journal);
    let mut appended = 0_u64;
    for sender in senders {
        appended += sender.await.unwrap_or_default();
    }
    let (cpu, took) = (cpu_time().saturating_sub(cpu), clock.monotonic().saturating_sub(start));
    let stats = journal.stats();
    reader.abort();
    journal.close().await;
    let records = appended * u64::from(records);
    let bytes = appended * entry_bytes as u64;
    report(records, bytes, cpu, took, &stats);
    if let Err(error) = std::fs::remove_dir_all(&dir) {
        println!("{error}");
    }
}

type Sender = tokio::task::JoinHandle<u64>;

#[expect(clippy::disallowed_methods, reason = "a bench without a pipeline")]
fn senders(
    journal: &Journal,
    clock: &Arc<SystemClock>,
    deadline: Duration,
    count: usize,
    append: &Append,
) -> Vec<Sender> {
    let senders = (0..count).map(|_| {
        let (journal, clock) = (journal.clone(), Arc::clone(clock));
        let append = append.clone();
        tokio::spawn(async move {
            let mut appended = 0;
            while clock.monotonic() < deadline {
                appended += u64::from(journal.append(vec![append.clone()]).await.is_ok());
            }
            appended
        })
    });
    senders.collect()
}

// A destination that takes everything, so that the disk does not fill.
#[expect(clippy::disallowed_methods, reason = "a bench without a pipeline")]
fn settle_all(journal: &Journal) -> tokio::task::JoinHandle<()> {
    let journal = journal.clone();
    tokio::spawn(async move {
        let mut reader = journal.reader(SinkIndex(0), Lane::Normal);
        while let Some(stored) = reader.next().await {
            let end = stored.sequence + u64::from(stored.items);
            journal.settle(SinkIndex(0), Lane::Normal, stored.sequence..end);
        }
    })
}

// Log records as they come: much repeats, ids and numbers do not.
fn payload(bytes: usize) -> (Bytes, u32) {
    use std::fmt::Write;
    let random = SystemRandom::seeded(1);
    let next = || bessemer_runtime::Random::next_u64(&random);
    let (mut text, mut records) = (String::with_capacity(bytes + RECORD_BYTES), 0);
    while text.len() + RECORD_BYTES <= bytes {
        let start = text.len();
        let written = write!(
            text,
            "ts={} severity=INFO service.name=checkout-{} host.name=node-{:03} \
             trace={:016x}{:016x} http.method=GET http.route=/api/v1/orders/{} \
             http.status_code=200 \
             k8s.pod.name=checkout-5d9f7c-{:05x} body=order {} accepted for customer {} in {} ms",
            1_700_000_000_000_000_000 + next() % 1_000_000_000_000,
            next() % 8,
            next() % 200,
            next(),
            next(),
            next() % 100_000,
            next() % 0xFFFFF,
            next() % 1_000_000,
            next() % 50_000,
            next() % 900,
        );
        if written.is_err() {
            break;
        }
        while text.len() - start < RECORD_BYTES {
            text.push_str(" attempt=1 region=eu-west-1");
        }
        text.truncate(start + RECORD_BYTES);
        records += 1;
    }
    (text.into(), records)
}

// User and system time of the process, in the kernel's hundredths of a second.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(
    records: u64,
    bytes: u64,
    cpu: Duration,
    took: Duration,
    stats: &bessemer_journal::Stats,
) {
    let (cpu, took) = (cpu.as_secs_f64(), took.as_secs_f64());
    println!("records             {records}");
    println!("records per second  {:.0}", records as f64 / took);
    println!("records per CPU-s   {:.0}", records as f64 / cpu);
    println!("microseconds each   {:.3}", cpu * 1e6 / records as f64);
    println!("MB/s                {:.1}", bytes as f64 / took / 1e6);
    println!("MB per CPU-s        {:.1}", bytes as f64 / cpu / 1e6);
    println!(
        "stored / raw        {:.3}",
        stats.appended_bytes_stored as f64 / stats.appended_bytes_raw as f64
    );
    println!("syncs               {}", stats.syncs);
    println!(
        "ms per sync         {:.2}",
        stats.sync_time.as_secs_f64() * 1e3 / stats.syncs.max(1) as f64
    );
    println!(
        "entries per sync    {:.1}",
        stats.appended_entries as f64 / stats.syncs.max(1) as f64
    );
}
