//! What the journal counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::account::Account;
use parking_lot::Mutex;

/// Counts that only grow, since the journal was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    syncs: AtomicU64,
    sync_nanos: AtomicU64,
    abandoned: AtomicU64,
    corrupt_blocks: AtomicU64,
    torn_tails: AtomicU64,
    quarantined_bytes: AtomicU64,
    read_errors: AtomicU64,
    appended_entries: AtomicU64,
    appended_records: AtomicU64,
    appended_bytes_raw: AtomicU64,
    appended_bytes_stored: AtomicU64,
    refused_full: AtomicU64,
}

/// Why nothing can be appended, while that lasts.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<String>>);

/// A snapshot of what the journal holds and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sinks in the order they were opened with, then those that are configured no more.
    pub sinks: Vec<SinkStats>,
    /// Segments of the main log.
    pub segments: usize,
    /// Bytes of the main log and all spill logs, which the budget limits.
    pub disk_bytes: u64,
    /// That budget.
    pub budget_bytes: u64,
    /// The number of the next record.
    pub next_sequence: u64,
    /// Files left where they are because they cannot be read.
    pub parked_files: usize,
    /// Why the disk took no append, until it would take one again.
    pub trouble: Option<String>,
    /// Blocks found not to match their checksums.
    pub corrupt_blocks: u64,
    /// Incomplete ends of segments, found at open.
    pub torn_tails: u64,
    /// Bytes moved to quarantine instead of deleted.
    pub quarantined_bytes: u64,
    /// Reads that failed, most of them tried again.
    pub read_errors: u64,
    /// Segments given up after a write or sync of them failed.
    pub abandoned_segments: u64,
    /// Syncs of groups.
    pub syncs: u64,
    /// Time those took together.
    pub sync_time: Duration,
    /// Entries appended and synced.
    pub appended_entries: u64,
    /// Records in them.
    pub appended_records: u64,
    /// Bytes of their meta and payloads.
    pub appended_bytes_raw: u64,
    /// Bytes they took after compression.
    pub appended_bytes_stored: u64,
    /// Appends refused for lack of space.
    pub refused_full: u64,
}

/// What the journal holds for one sink. Its backlog is an estimate where a segment could not be read
/// at open, until the sink has caught up once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkStats {
    /// The component id.
    pub id: String,
    /// Its books.
    pub account: Account,
    /// Configured no more; its entries are kept.
    pub orphan: bool,
    /// Records not settled.
    pub backlog_records: u64,
    /// Raw bytes not settled.
    pub backlog_bytes: u64,
    /// Age of the oldest entry in flight; zero when none is.
    pub oldest_age: Duration,
    /// Entries read and not settled.
    pub in_flight: usize,
    /// Bytes of its spill log.
    pub spill_bytes: u64,
    /// Records in its dead-letter log.
    pub dead_records: u64,
    /// Bytes of its dead-letter log.
    pub dead_bytes: u64,
    /// The sink's budget is used up.
    pub over_budget: bool,
}

/// What a group added.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Appended {
    pub entries: u64,
    pub records: u64,
    pub bytes_raw: u64,
    pub bytes_stored: u64,
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Trouble {
    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().clone()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.lock().is_none()
    }

    /// Notes that an append failed.
    pub(crate) fn begin(&self, reason: &dyn std::fmt::Display) {
        let before = self.0.lock().replace(reason.to_string());
        if before.is_none() {
            tracing::error!(%reason, "journal failing: nothing is acknowledged until it is written");
        }
    }

    /// Notes that one would succeed.
    pub(crate) fn end(&self) {
        if self.0.lock().take().is_some() {
            tracing::info!("journal is written again");
        }
    }
}

impl Counters {
    pub(crate) fn synced(&self, took: Duration) {
        add(&self.syncs, 1);
        add(&self.sync_nanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn abandoned(&self) {
        add(&self.abandoned, 1);
    }

    pub(crate) fn corrupt(&self, blocks: u64) {
        add(&self.corrupt_blocks, blocks);
    }

    pub(crate) fn torn(&self, tails: u64) {
        add(&self.torn_tails, tails);
    }

    pub(crate) fn quarantined(&self, bytes: u64) {
        add(&self.quarantined_bytes, bytes);
    }

    pub(crate) fn read_failed(&self) {
        add(&self.read_errors, 1);
    }

    pub(crate) fn refused(&self) {
        add(&self.refused_full, 1);
    }

    pub(crate) fn appended(&self, group: Appended) {
        add(&self.appended_entries, group.entries);
        add(&self.appended_records, group.records);
        add(&self.appended_bytes_raw, group.bytes_raw);
        add(&self.appended_bytes_stored, group.bytes_stored);
    }

    /// The counts as part of a snapshot.
    pub(crate) fn snapshot(&self) -> Stats {
        Stats {
            corrupt_blocks: get(&self.corrupt_blocks),
            torn_tails: get(&self.torn_tails),
            quarantined_bytes: get(&self.quarantined_bytes),
            read_errors: get(&self.read_errors),
            abandoned_segments: get(&self.abandoned),
            syncs: get(&self.syncs),
            sync_time: Duration::from_nanos(get(&self.sync_nanos)),
            appended_entries: get(&self.appended_entries),
            appended_records: get(&self.appended_records),
            appended_bytes_raw: get(&self.appended_bytes_raw),
            appended_bytes_stored: get(&self.appended_bytes_stored),
            refused_full: get(&self.refused_full),
            ..Stats::default()
        }
    }
}
