//! Measures durable appends beside the disk's own sequential append and `fdatasync`, in one run.
//!
//! `cargo run --release -p bessemer-journal --example durable -- [seconds] [rounds] [dir] [name]` plays
//! many small and few large clients, plain and sealed, with each compression, in turns, and prints a
//! row each: the median of the rounds. With a name, only those cases that begin with it. An append
//! counts once it is acknowledged, which is after its sync.
#![expect(clippy::print_stdout, reason = "the output is the purpose")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::{
    Append, Compression, CurrentKey, Journal, Key, KeyError, KeySource, Lane, Options, RealDisk,
    Routes, SinkIndex, SinkSpec, Stored,
};
use bessemer_runtime::{Clock, SystemClock, SystemRandom};
use bytes::Bytes;
use futures_util::FutureExt as _;

const RECORD_BYTES: usize = 363;
/// Different records that are sent in turns: equal ones in a block would compress to nothing.
const DIFFERENT_RECORDS: usize = 64 * 800;
/// What the disk is asked to append and sync at once when only it is measured.
const DISK_WRITE_BYTES: usize = 4 << 20;

/// How many records the destination settles at once at most, as a delivery does.
const DELIVERY_RECORDS: u64 = 1_000;

/// How clients append.
struct Case {
    name: &'static str,
    records: usize,
    in_flight: usize,
    sealed: bool,
    compression: Compression,
}

/// What a round measured.
struct Row {
    records: f64,
    per_cpu: f64,
    stored_mb: f64,
    disk_mb: f64,
    /// The disk again, with as many bytes a sync as the journal wrote on average.
    disk_same_mb: f64,
    bytes_per_sync: usize,
    entries_per_sync: f64,
    ms_per_sync: f64,
}

#[derive(Debug)]
struct OneKey;

impl KeySource for OneKey {
    fn current(&self) -> Result<CurrentKey, KeyError> {
        Ok(CurrentKey { id: "bench".into(), key: Key::new([7; 32]), wrapped: Bytes::new() })
    }

    fn find(&self, _: &str, _: &[u8]) -> Result<Key, KeyError> {
        Ok(Key::new([7; 32]))
    }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let time = Duration::from_secs(number(0, 3));
    let rounds = number(1, 3);
    let dir = arguments.get(2).map_or_else(|| "target/durable-bench".into(), PathBuf::from);
    std::fs::create_dir_all(&dir)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut cases = cases();
    cases.retain(|case| arguments.get(3).is_none_or(|name| case.name.starts_with(name)));
    let mut rows: Vec<Vec<Row>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (case, rows) in cases.iter().zip(&mut rows) {
            rows.push(play(&runtime, case, time, &dir)?);
        }
    }
    print(&cases, &rows);
    std::fs::remove_dir_all(&dir)
}

/// Plain and sealed stand side by side, so that what is compared is measured at about one time.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, records, in_flight) in [("many small", 1, 200), ("few large", 800, 32)] {
        for compression in [Compression::Lz4, Compression::Zstd] {
            let case = |sealed| Case { name, records, in_flight, sealed, compression };
            cases.extend([false, true].map(case));
        }
    }
    cases
}

fn play(
    runtime: &tokio::runtime::Runtime,
    case: &Case,
    time: Duration,
    dir: &Path,
) -> std::io::Result<Row> {
    let disk_mb = disk(dir, DISK_WRITE_BYTES, time / 2)?;
    let journal_dir = dir.join("journal");
    let mut row = runtime.block_on(append(case, time, &journal_dir))?;
    std::fs::remove_dir_all(&journal_dir)?;
    row.disk_mb = disk_mb;
    row.disk_same_mb = disk(dir, row.bytes_per_sync.max(512), time / 2)?;
    Ok(row)
}

async fn append(case: &Case, time: Duration, dir: &Path) -> std::io::Result<Row> {
    let clock = Arc::new(SystemClock::default());
    let keys = case.sealed.then(|| Arc::new(OneKey) as Arc<dyn KeySource>);
    let compression = case.compression;
    let options = Options { budget_bytes: 8 << 30, keys, compression, ..Options::new(dir) };
    let random = Arc::new(SystemRandom::default());
    let (disk, sinks) = (Arc::new(RealDisk), [SinkSpec::new("bench")]);
    let opened = Journal::open(disk, Arc::<SystemClock>::clone(&clock), random, options, &sinks);
    let (journal, _) = opened.map_err(std::io::Error::other)?;
    let appends = appends(case.records);
    let (cpu, start) = (cpu_time(), clock.monotonic());
    let senders = senders(&journal, &clock, start + time, case.in_flight, &appends);
    let reader = settle_all(&journal);
    let mut appended = 0_u64;
    for sender in senders {
        appended += sender.await.unwrap_or_default();
    }
    let (cpu, took) = (cpu_time().saturating_sub(cpu), clock.monotonic().saturating_sub(start));
    let stats = journal.stats();
    reader.abort();
    journal.close().await;
    let records = appended as f64 * case.records as f64;
    let syncs = stats.syncs.max(1) as f64;
    Ok(Row {
        records: records / took.as_secs_f64(),
        per_cpu: records / cpu.as_secs_f64(),
        stored_mb: stats.appended_bytes_stored as f64 / took.as_secs_f64() / 1e6,
        disk_mb: 0.0,
        disk_same_mb: 0.0,
        bytes_per_sync: usize::try_from(stats.appended_bytes_stored / stats.syncs.max(1))
            .unwrap_or_default(),
        entries_per_sync: stats.appended_entries as f64 / syncs,
        ms_per_sync: stats.sync_time.as_secs_f64() * 1e3 / syncs,
    })
}

/// What the disk takes in MB/s when `bytes` are appended to a reserved file and synced, again and
/// again: the least that a journal must do.
fn disk(dir: &Path, bytes: usize, time: Duration) -> std::io::Result<f64> {
    let path = dir.join("disk");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    let random = SystemRandom::seeded(3);
    let word = || bessemer_runtime::Random::next_u64(&random).to_le_bytes();
    let buffer: Vec<u8> = std::iter::repeat_with(word).take(bytes.div_ceil(8)).flatten().collect();
    let clock = SystemClock::default();
    let (start, mut written, mut reserved) = (clock.monotonic(), 0, 0);
    while clock.monotonic().saturating_sub(start) < time {
        reserved = reserve(&file, written + buffer.len() as u64, reserved)?;
        file.write_all(&buffer)?;
        file.sync_data()?;
        written += buffer.len() as u64;
    }
    let took = clock.monotonic().saturating_sub(start);
    std::fs::remove_file(&path)?;
    Ok(written as f64 / took.as_secs_f64() / 1e6)
}

// As the journal does, so that a sync need not write the length of the file.
fn reserve(file: &File, wanted: u64, reserved: u64) -> std::io::Result<u64> {
    if wanted <= reserved {
        return Ok(reserved);
    }
    let more = wanted + (128 << 20);
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, more)?;
    Ok(more)
}

type Sender = tokio::task::JoinHandle<u64>;

#[expect(clippy::disallowed_methods, reason = "a bench without a pipeline")]
fn senders(
    journal: &Journal,
    clock: &Arc<SystemClock>,
    deadline: Duration,
    count: usize,
    appends: &Arc<[Append]>,
) -> Vec<Sender> {
    let senders = (0..count).map(|number| {
        let (journal, clock) = (journal.clone(), Arc::clone(clock));
        let appends = Arc::clone(appends);
        // Each begins elsewhere, so that few send the same at one time.
        let start = number * (appends.len() / count);
        tokio::spawn(async move {
            let mut appended = 0;
            for append in appends.iter().cycle().skip(start) {
                if clock.monotonic() >= deadline {
                    break;
                }
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
        while let Some(first) = reader.next().await {
            let end = |stored: &Stored| stored.sequence + u64::from(stored.items);
            let mut delivery = first.sequence..end(&first);
            while let Some(Some(stored)) = reader.next().now_or_never() {
                delivery.end = end(&stored);
                if delivery.end - delivery.start >= DELIVERY_RECORDS {
                    break;
                }
            }
            journal.settle(SinkIndex(0), Lane::Normal, delivery);
        }
    })
}

/// Different entries of so many records each.
fn appends(records: usize) -> Arc<[Append]> {
    let text = payload(DIFFERENT_RECORDS);
    let append = |number: usize| Append {
        routes: Routes::to([SinkIndex(0)]),
        lane: Lane::Normal,
        items: u32::try_from(records).unwrap_or(u32::MAX),
        meta: Bytes::from_static(b"tenant"),
        payload: text.slice(number * records * RECORD_BYTES..(number + 1) * records * RECORD_BYTES),
    };
    (0..DIFFERENT_RECORDS / records).map(append).collect()
}

// Log records as they come: much repeats, ids and numbers do not.
fn payload(count: usize) -> Bytes {
    use std::fmt::Write;
    let random = SystemRandom::seeded(1);
    let next = || bessemer_runtime::Random::next_u64(&random);
    let mut text = String::with_capacity(count * RECORD_BYTES + RECORD_BYTES);
    while text.len() < count * RECORD_BYTES {
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
    }
    text.into()
}

// User and system time of the process, in the kernel's hundredths of a second.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn print(cases: &[Case], rows: &[Vec<Row>]) {
    println!(
        "| clients | compression | sealed | records/s | records per CPU-s | stored MB/s | disk MB/s, 4 MiB a sync | \
         share | disk MB/s, same bytes a sync | share | entries a sync | ms a sync |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (case, rows) in cases.iter().zip(rows) {
        let of = |figure: fn(&Row) -> f64| median(rows.iter().map(figure).collect());
        println!(
            "| {}: {} x {} records | {:?} | {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} % | {:.1} | {:.0} % | {:.1} | {:.1} |",
            case.name,
            case.in_flight,
            case.records,
            case.compression,
            if case.sealed { "yes" } else { "no" },
            of(|row| row.records),
            of(|row| row.per_cpu),
            of(|row| row.stored_mb),
            of(|row| row.disk_mb),
            of(|row| row.stored_mb / row.disk_mb * 100.0),
            of(|row| row.disk_same_mb),
            of(|row| row.stored_mb / row.disk_same_mb * 100.0),
            of(|row| row.entries_per_sync),
            of(|row| row.ms_per_sync),
        );
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
