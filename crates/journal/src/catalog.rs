//! The segments of one log, shared between the one that writes, those that read and the one that
//! deletes.

use std::collections::BTreeMap;
use std::collections::btree_map::Values;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::entry::Lane;
use crate::format::SegmentHeader;
use crate::guard::Guard;
use crate::summary::{Summary, Tally};

/// Damaged places that are told apart in one segment.
const DAMAGE_MAX: usize = 4096;

/// What may still happen to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Groups are written to it.
    Active,
    /// Complete and synced; gets its footer next.
    Retired,
    /// Has its footer.
    Sealed,
    /// A sync of it failed: readable up to its last good sync, never synced again.
    Poisoned,
}

/// Which segments stay, whoever needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The newest, which knows the record numbers.
    Newest,
    /// The newest, unless it ends at or below this number, which the cursors know for good.
    Above(u64),
    /// Only one that is being written.
    Active,
}

/// A segment that can be read.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub id: u64,
    pub path: PathBuf,
    pub header: Arc<SegmentHeader>,
    pub guard: Guard,
    pub stage: Stage,
    /// Readers read up to here; all before it is synced.
    pub limit: u64,
    /// Behind the last byte worth keeping, when that is more than the limit: a torn tail.
    pub nonzero_end: u64,
    /// The number after the last record.
    pub end: u64,
    /// What it takes of the budget.
    pub file_bytes: u64,
    pub last_unix_nanos: u64,
    pub summary: Summary,
    pub damaged: u32,
    /// Known by its footer only: whether its blocks can be read was never looked at here.
    pub unread: bool,
    /// Where the damage is, as far as this process came upon it.
    pub damage: Vec<u64>,
    /// The route bit of every sink, by the sink's number in this process.
    pub bits: Vec<Option<u8>>,
}

/// What a reader must know to read from a segment.
pub(crate) struct View {
    pub id: u64,
    pub path: PathBuf,
    pub guard: Guard,
    pub limit: u64,
    pub first: u64,
    pub end: u64,
    /// The route bit of the reading sink, if the segment has entries for it in its lane.
    pub bit: Option<u8>,
}

/// The segments of a log by id, which is also the order of their records.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    segments: Mutex<BTreeMap<u64, Segment>>,
}

impl Segment {
    /// Records and bytes that concern a sink.
    pub(crate) fn tally(&self, sink: usize, lane: Lane) -> Tally {
        let bit = self.bits.get(sink).copied().flatten();
        bit.map(|bit| self.summary.get(bit, lane)).unwrap_or_default()
    }
}

impl Catalog {
    pub(crate) fn new(segments: impl IntoIterator<Item = Segment>) -> Self {
        let segments = segments.into_iter().map(|segment| (segment.id, segment)).collect();
        Self { segments: Mutex::new(segments) }
    }

    /// The segment that holds `position`, or the next one after it.
    pub(crate) fn locate(&self, position: u64, sink: usize, lanes: &[Lane]) -> Option<View> {
        let segments = self.segments.lock();
        let segment = segments.values().find(|segment| segment.end > position)?;
        let concerned = lanes.iter().any(|lane| segment.tally(sink, *lane).records > 0);
        Some(View {
            id: segment.id,
            path: segment.path.clone(),
            guard: segment.guard.clone(),
            limit: segment.limit,
            first: segment.header.first,
            end: segment.end,
            bit: segment.bits.get(sink).copied().flatten().filter(|_| concerned),
        })
    }

    /// Adds a segment.
    pub(crate) fn insert(&self, segment: Segment) {
        self.segments.lock().insert(segment.id, segment);
    }

    /// Changes a segment; nothing if it is gone.
    pub(crate) fn update(&self, id: u64, change: impl FnOnce(&mut Segment)) {
        self.segments.lock().get_mut(&id).map(change).unwrap_or_default();
    }

    /// Counts a damaged place of a segment, once; false when it is known.
    pub(crate) fn note_damage(&self, id: u64, offset: u64) -> bool {
        let mut known = false;
        self.update(id, |segment| {
            known = segment.damage.contains(&offset) || segment.damage.len() >= DAMAGE_MAX;
            if !known {
                segment.damage.push(offset);
                segment.damaged += 1;
            }
        });
        // A segment that is gone has been deleted, which is no damage.
        !known && self.segments.lock().contains_key(&id)
    }

    /// Runs `read` over all segments, oldest first.
    pub(crate) fn with<T>(&self, read: impl FnOnce(Values<'_, u64, Segment>) -> T) -> T {
        read(self.segments.lock().values())
    }

    /// The oldest segments of which `free` says so, without those that must stay.
    pub(crate) fn oldest(&self, keep: Keep, mut free: impl FnMut(&Segment) -> bool) -> Vec<u64> {
        let segments = self.segments.lock();
        let newest = segments.values().next_back();
        let newest = match keep {
            Keep::Newest => newest,
            Keep::Above(known) => newest.filter(|segment| segment.end > known),
            Keep::Active => None,
        };
        let newest = newest.map(|segment| segment.id);
        let deletable = segments.values().take_while(|segment| {
            Some(segment.id) != newest && segment.stage != Stage::Active && free(segment)
        });
        deletable.map(|segment| segment.id).collect()
    }

    /// Takes a segment out.
    pub(crate) fn remove(&self, id: u64) -> Option<Segment> {
        self.segments.lock().remove(&id)
    }

    /// What the segments take of the budget.
    pub(crate) fn bytes(&self) -> u64 {
        self.with(|segments| segments.map(|segment| segment.file_bytes).sum())
    }

    /// The number after the last record of the newest segment.
    pub(crate) fn end(&self) -> Option<u64> {
        self.segments.lock().values().next_back().map(|segment| segment.end)
    }
}
