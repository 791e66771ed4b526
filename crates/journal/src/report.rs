//! What opening found, for the log and for people.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use crate::catalog::Catalog;
use crate::core::Sink;

/// What opening a journal found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The identity of the journal.
    pub incarnation: u64,
    /// The number of the next record.
    pub next_sequence: u64,
    /// Segments of the main log.
    pub segments: usize,
    /// Bytes of the main log and the spill logs.
    pub bytes: u64,
    /// Incomplete ends of segments, in all logs.
    pub torn_tails: Vec<TornTail>,
    /// Blocks that do not match their checksums, in the segments that were scanned.
    pub corrupt_blocks: u64,
    /// Records that were there and are not.
    pub lost: Vec<Lost>,
    /// Files left where they are, and why.
    pub parked: Vec<Parked>,
    /// Sinks that are configured no more but have entries.
    pub orphans: Vec<Orphan>,
    /// Sinks whose cursor could not be read and that start at their oldest entry.
    pub cursors_lost: Vec<String>,
}

impl OpenReport {
    /// Fills in what the main log and the sinks hold, once their backlogs are counted.
    pub(crate) fn finish(&mut self, main: &Catalog, sinks: &[Sink], next: u64) {
        self.next_sequence = next;
        self.segments = main.with(|segments| segments.count());
        self.bytes = main.bytes() + sinks.iter().map(|sink| sink.spill.bytes()).sum::<u64>();
        let queued = sinks.iter().filter(|sink| sink.orphan).map(|sink| Orphan {
            id: sink.spec.id.clone(),
            records: sink.backlog.records.load(Ordering::Relaxed),
            bytes: sink.backlog.bytes.load(Ordering::Relaxed),
        });
        self.orphans = queued.filter(|orphan| orphan.records > 0).collect();
    }
}

/// Bytes behind the last complete block of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment's id.
    pub segment: u64,
    /// How many bytes, at least.
    pub bytes: u64,
}

/// Record numbers that were written and cannot be found: a missing or damaged segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The numbers.
    pub records: Range<u64>,
}

/// A file that is not served, and not touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Where it is.
    pub path: PathBuf,
    /// What kind of reason keeps it from being served.
    pub cause: Cause,
    /// Why it is not served, in words.
    pub reason: String,
    /// The id of the key that brings it back, if a key is what is missing.
    pub key: Option<String>,
}

/// Why a file is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is none of this log: another journal's, a copy, or no segment at all.
    Stranger,
    /// Its key is missing, or does not fit.
    Locked,
    /// A newer build wrote it.
    Newer,
    /// What can be read of it is not what was written.
    Damaged,
}

/// What is queued for a sink that is configured no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its component id.
    pub id: String,
    /// Records queued for it.
    pub records: u64,
    /// Raw bytes queued for it.
    pub bytes: u64,
}
