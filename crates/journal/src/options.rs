//! What a journal is opened with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::keys::KeySource;

/// How blocks are made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// LZ4, or as they are where that gains less than a sixteenth.
    #[default]
    Lz4,
    /// Zstandard at level 1: smaller than LZ4 at several times its cost.
    Zstd,
    /// As they are.
    None,
}

/// What happens to a sink's entries when its budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Appends routed to it are refused; this is where isolation between sinks ends.
    #[default]
    Block,
    /// Appends go on; [`crate::Journal::is_over_budget`] asks the caller to dead-letter the oldest.
    /// Once the sink's dead-letter log takes nothing more, appends are refused as well.
    DeadLetter,
}

/// Settings of a journal. Sizes are bytes on disk unless said otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory, used by one process at a time.
    pub dir: PathBuf,
    /// Size at which a segment is closed; at most an eighth of the budget is used.
    pub segment_bytes: u64,
    /// Limit of the main log and all spill logs together; then appends are refused.
    pub budget_bytes: u64,
    /// Limit of each sink's dead-letter log; then dead letters are refused.
    pub dead_budget_bytes: u64,
    /// Settled segments kept for replay, as long as the budget allows.
    pub retention_bytes: u64,
    /// Settled segments kept for replay until their newest entry is this old.
    pub retention_age: Duration,
    /// Share of the budget, in percent, that a sink may be behind before its entries are copied to
    /// a log of its own. 100 turns that off.
    pub spill_after_percent: u8,
    /// How blocks are made smaller.
    pub compression: Compression,
    /// Whether an append waits for `fdatasync`. Off, a power cut loses what was acknowledged.
    pub sync: bool,
    /// Whether space for a whole segment is reserved when it is created.
    pub preallocate: bool,
    /// Newest entries kept in memory for readers near the end.
    pub cache_bytes: usize,
    /// Appended bytes that may wait for the writer; then `append` waits.
    pub queue_bytes: usize,
    /// Appended bytes after which the writer stops gathering and syncs.
    pub group_bytes: usize,
    /// Longest time between a settlement and the sync of its cursor.
    pub cursor_sync_interval: Duration,
    /// Where the keys come from that everything written is sealed with; none seals nothing. What was
    /// written before stays readable either way, as long as its key is found.
    pub keys: Option<Arc<dyn KeySource>>,
}

/// A sink of the journal: an exporter, or a stage that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSpec {
    /// Its component id, by which its cursors and routes are found again; at most 120 bytes.
    pub id: String,
    /// Limit of the raw bytes of entries it has not settled; none by default.
    pub budget: Option<u64>,
    /// What happens at that limit.
    pub when_full: WhenFull,
}

impl Options {
    /// The defaults, in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 128 << 20,
            budget_bytes: 10 << 30,
            dead_budget_bytes: 1 << 30,
            retention_bytes: 0,
            retention_age: Duration::ZERO,
            spill_after_percent: 25,
            compression: Compression::Lz4,
            sync: true,
            preallocate: true,
            cache_bytes: 16 << 20,
            queue_bytes: 64 << 20,
            group_bytes: 16 << 20,
            cursor_sync_interval: Duration::from_secs(1),
            keys: None,
        }
    }

    pub(crate) fn spill_after_bytes(&self) -> u64 {
        match self.spill_after_percent {
            100.. => u64::MAX,
            percent => self.budget_bytes / 100 * u64::from(percent),
        }
    }
}

impl SinkSpec {
    /// A sink without a budget of its own.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), budget: None, when_full: WhenFull::Block }
    }
}
