//! What clients claimed and what was acknowledged to them, and whether the engine kept its word.

use std::collections::{BTreeMap, BTreeSet};

use bessemer_journal::{Journal, Lane, MemDisk, Options, SinkIndex, SinkSpec};
use bessemer_runtime::{Clock, SystemRandom};
use parking_lot::Mutex;
use std::sync::Arc;

use crate::net::Destination;
use crate::records;

/// What clients know.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) notes: Mutex<Notes>,
}

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) next: u64,
    /// All that was ever sent.
    pub(crate) claimed: BTreeSet<u64>,
    pub(crate) acked: BTreeSet<u64>,
    /// What was refused for good on the way in.
    pub(crate) rejected: BTreeSet<u64>,
}

/// What a disk holds for one destination.
#[derive(Default, Debug)]
pub(crate) struct Held {
    pub(crate) queued: Vec<u64>,
    pub(crate) dead: Vec<u64>,
}

impl Ledger {
    /// New ids for a batch of this size.
    pub(crate) fn claim(&self, size: u64) -> std::ops::Range<u64> {
        let mut notes = self.notes.lock();
        let ids = notes.next..notes.next + size;
        notes.next += size;
        notes.claimed.extend(ids.clone());
        ids
    }

    pub(crate) fn ack(&self, ids: std::ops::Range<u64>) {
        self.notes.lock().acked.extend(ids);
    }

    pub(crate) fn acked(&self) -> BTreeSet<u64> {
        self.notes.lock().acked.clone()
    }
}

/// Reads what `disk` holds, as the next process would find it.
pub(crate) fn held(
    disk: &MemDisk,
    clock: Arc<dyn Clock>,
    options: &Options,
    ids: &[&'static str],
) -> BTreeMap<&'static str, Held> {
    let sinks: Vec<SinkSpec> = ids.iter().map(|id| SinkSpec::new(*id)).collect();
    let random = Arc::new(SystemRandom::seeded(1));
    let copy = Arc::new(disk.after_kill());
    let opened = Journal::open_stepped(copy, clock, random, options.clone(), &sinks);
    let (journal, _engine, _) = opened.expect("what a crash left can be opened");
    let mut all = BTreeMap::new();
    for (number, id) in ids.iter().enumerate() {
        let mut held = Held::default();
        for lane in Lane::ALL {
            let sink = SinkIndex(u8::try_from(number).unwrap());
            let mut reader = journal.reader(sink, lane);
            while let Some(stored) = reader.try_next() {
                let numbers = stored.sequence..;
                let unsettled = numbers.zip(records::ids(&stored.payload)).filter(|(number, _)| {
                    !stored.settled.iter().any(|range| range.contains(number))
                });
                held.queued.extend(unsettled.map(|(_, id)| id));
                // On a copy: a reader pauses when too many holes lie behind it.
                let end = stored.sequence + u64::from(stored.items);
                journal.settle(sink, lane, stored.sequence..end);
            }
        }
        for letter in journal.dead_letters(id).into_iter().flatten() {
            held.dead.extend(records::ids(&letter.unwrap().letter.payload));
        }
        all.insert(*id, held);
    }
    all
}

/// Asserts the promises that hold at any moment, also between two lives.
pub(crate) fn check(
    ledger: &Ledger,
    net: &[Arc<Destination>],
    held: &BTreeMap<&'static str, Held>,
) {
    let notes = ledger.notes.lock();
    for destination in net {
        let held = &held[destination.id];
        let seen = destination.seen.lock();
        let mut safe: BTreeSet<u64> = held.queued.iter().chain(&held.dead).copied().collect();
        safe.extend(seen.taken.keys());
        let lost: Vec<&u64> = notes.acked.difference(&safe).collect();
        assert!(lost.is_empty(), "acknowledged and lost to {}: {lost:?}", destination.id);
        let invented: Vec<&u64> = safe.difference(&notes.claimed).collect();
        assert!(invented.is_empty(), "never sent: {invented:?}");
        let rejected: Vec<&u64> = safe.intersection(&notes.rejected).collect();
        assert!(rejected.is_empty(), "refused and yet kept: {rejected:?}");
    }
}
