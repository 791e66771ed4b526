//! What clients claimed and what was acknowledged to them, and whether the engine kept its word.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bessemer_journal::{
    Finding, Inspector, Journal, Lane, MemDisk, Options, Severity, SinkIndex, SinkSpec, Standing,
};
use bessemer_pipeline::LedgerQuery;
use bessemer_pipeline::ledger::State;
use bessemer_runtime::{Clock, SystemRandom};
use parking_lot::Mutex;

use crate::net::Destination;
use crate::{records, stages};

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
    /// The same by record number.
    queued_numbers: BTreeSet<u64>,
    dead_numbers: BTreeSet<u64>,
    /// What the ledger says of some record numbers.
    states: BTreeMap<u64, State>,
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

/// Whether the journal itself says that something it wrote cannot be read: then records are lost, and
/// unaccounted for. Here only those that were never acknowledged, which is checked elsewhere. What was
/// said in one life is `known` in the next, whose segments may be gone.
pub(crate) fn is_damaged(known: &Cell<bool>, disk: &MemDisk, dir: &Path) -> bool {
    let quarantined = disk.files().iter().any(|path| path.starts_with(dir.join("quarantine")));
    let copy = Arc::new(disk.after_kill());
    let found = || Inspector::new(copy, None, dir).check().expect("a journal can be checked");
    let damaged = |finding: &Finding| finding.severity == Severity::Damage;
    known.set(known.get() || quarantined || found().findings.iter().any(damaged));
    known.get()
}

/// Reads what `disk` holds, as the next process would find it. The books balance unless the journal
/// itself reports damage.
pub(crate) fn held(
    disk: &MemDisk,
    clock: &Arc<dyn Clock>,
    options: &Options,
    ids: &[&'static str],
    damaged: &Cell<bool>,
) -> BTreeMap<&'static str, Held> {
    let sinks: Vec<SinkSpec> = ids.iter().map(|id| SinkSpec::new(*id)).collect();
    let random = Arc::new(SystemRandom::seeded(1));
    let copy = Arc::new(disk.after_kill());
    let opened = Journal::open_stepped(copy, Arc::clone(clock), random, options.clone(), &sinks);
    let (journal, _engine, _) = opened.expect("what a crash left can be opened");
    let books = journal.standings();
    for standing in &books {
        let open = standing.account.unaccounted(standing.queued);
        let holds = open == 0 || is_damaged(damaged, disk, &options.dir);
        assert!(holds, "the books of a destination: {standing:?}");
    }
    let answers = answers(&journal, clock);
    let mut all = BTreeMap::new();
    for (number, id) in ids.iter().enumerate() {
        let states = answers.get(*id).cloned().unwrap_or_default();
        let mut held = Held { states, ..Held::default() };
        for lane in Lane::ALL {
            let sink = SinkIndex(u8::try_from(number).unwrap());
            let mut reader = journal.reader(sink, lane);
            while let Some(stored) = reader.try_next() {
                let numbers = stored.sequence..;
                let unsettled = numbers.zip(records::ids(&stored.payload)).filter(|(number, _)| {
                    !stored.settled.iter().any(|range| range.contains(number))
                });
                for (number, id) in unsettled {
                    held.queued.push(id);
                    held.queued_numbers.insert(number);
                }
                // On a copy: a reader pauses when too many holes lie behind it.
                let end = stored.sequence + u64::from(stored.items);
                journal.settle(sink, lane, stored.sequence..end);
            }
        }
        for letter in journal.dead_letters(id).into_iter().flatten() {
            let letter = letter.unwrap().letter;
            held.dead_numbers.extend(letter.records.clone());
            held.dead.extend(records::ids(&letter.payload));
        }
        let (booked, found) = (journal_books(&books, id), held.queued.len() as u64);
        let holds = booked == Some(found) || is_damaged(damaged, disk, &options.dir);
        assert!(holds, "queued by the books of {id}: {booked:?}, found {found}");
        all.insert(*id, held);
    }
    all
}

/// Record numbers that the ledger is asked for in one look at a disk.
const ASKED: u64 = 24;

/// What the ledger says of record numbers, some of all that were given, by destination.
fn answers(journal: &Journal, clock: &Arc<dyn Clock>) -> BTreeMap<String, BTreeMap<u64, State>> {
    let ledger = bessemer_pipeline::Ledger::of(journal.clone(), Arc::clone(clock));
    let next = journal.stats().next_sequence;
    let mut all: BTreeMap<String, BTreeMap<u64, State>> = BTreeMap::new();
    let step = usize::try_from(next / ASKED).unwrap().max(1);
    for number in (0..next).rev().step_by(step) {
        let query = LedgerQuery { record: Some(number), ..LedgerQuery::default() };
        let record = ledger.page(&query).unwrap().record.unwrap();
        for place in record.destinations {
            all.entry(place.destination).or_default().insert(number, place.state);
        }
    }
    all
}

fn journal_books(books: &[Standing], id: &str) -> Option<u64> {
    books.iter().find(|standing| standing.id == id).map(|standing| standing.queued)
}

/// Asserts that the ledger says what is so.
fn check_answers(destination: &Destination, held: &Held) {
    let seen = destination.seen.lock();
    let id = destination.id;
    for (number, state) in &held.states {
        let is_queued = held.queued_numbers.contains(number);
        let is_dead = held.dead_numbers.contains(number);
        let is_taken = seen.numbers.get(number).is_some_and(|id| seen.taken.contains_key(id));
        let so = match state {
            State::Queued | State::Attempt => is_queued,
            State::Delivered => !is_queued && is_taken,
            State::Refused | State::Dead => !is_queued && is_dead,
            // Of a segment that is gone it is not known whether a number was given at all.
            State::Settled => !is_queued && !is_dead,
            State::Unreadable => false,
        };
        assert!(so, "{id}: the ledger calls {number} {state:?}: {held:?}");
    }
}

/// Asserts the promises that hold at any moment, also between two lives.
pub(crate) fn check(
    ledger: &Ledger,
    net: &[Arc<Destination>],
    held: &BTreeMap<&'static str, Held>,
) {
    let notes = ledger.notes.lock();
    let staged = held.get(stages::ID);
    for destination in net {
        let held = &held[destination.id];
        check_answers(destination, held);
        let seen = destination.seen.lock();
        let mut safe: BTreeSet<u64> = held.queued.iter().chain(&held.dead).copied().collect();
        safe.extend(seen.taken.keys());
        if let Some(stage) = staged {
            safe.extend(stage.queued.iter().chain(&stage.dead));
        }
        let lost: Vec<&u64> = notes.acked.difference(&safe).collect();
        assert!(lost.is_empty(), "acknowledged and lost to {}: {lost:?}", destination.id);
        let invented: Vec<&u64> = safe.difference(&notes.claimed).collect();
        assert!(invented.is_empty(), "never sent: {invented:?}");
        let rejected: Vec<&u64> = safe.intersection(&notes.rejected).collect();
        assert!(rejected.is_empty(), "refused and yet kept: {rejected:?}");
    }
}
