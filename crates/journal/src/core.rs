//! The state that writer, janitor and readers share, and the rules that bind it.
//!
//! Nothing here waits or spawns: the threads, or a simulator, call in. Locks are taken one at a
//! time, except that `cursors` may be held while a catalog or the tail is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::account::{Books, Outcome};
use crate::cache::Cache;
use crate::catalog::{Catalog, Segment};
use crate::cursor::{Cursor, CursorFile, Freed, Given};
use crate::dead::DeadLog;
use crate::entry::{Entry, Lane, SinkIndex};
use crate::janitor::Chore;
use crate::log::Env;
use crate::mailbox::Mailbox;
use crate::options::{Options, SinkSpec, WhenFull};
use crate::stats::{SinkStats, Stats, Trouble};
use crate::summary::Part;
use crate::tail::Tail;

/// What all parts of an open journal share.
pub(crate) struct Core {
    pub env: Env,
    pub options: Options,
    pub incarnation: u64,
    /// Those of the configuration, then orphans.
    pub sinks: Vec<Sink>,
    pub main: Arc<Catalog>,
    pub cursors: Mutex<Cursors>,
    pub cache: Mutex<Cache>,
    /// The number after the last visible record.
    pub tail: Tail,
    pub chores: Arc<Mailbox<Chore>>,
    pub dead: Mutex<Vec<Arc<DeadLog>>>,
    pub parked_files: usize,
    pub closed: AtomicBool,
    /// The last append was refused for lack of space on the disk.
    pub starved: AtomicBool,
    /// Why the last append failed, until one could be written again.
    pub trouble: Trouble,
    /// The disk is read where the caller stands: for a simulator without threads.
    pub read_inline: bool,
}

/// A sink, configured or orphan.
pub(crate) struct Sink {
    pub spec: SinkSpec,
    pub orphan: bool,
    pub backlog: Backlog,
    pub spill: Arc<Catalog>,
    /// Its unsettled entries below this number are in the spill log.
    pub spilled_to: AtomicU64,
    /// Its dead-letter log took nothing the last time.
    pub grave_full: AtomicBool,
    /// Woken when a paused reader of the lane may go on.
    pub room: [Notify; 2],
}

/// What a sink has not settled.
#[derive(Default)]
pub(crate) struct Backlog {
    pub records: AtomicU64,
    pub bytes: AtomicU64,
}

/// The cursors of all sinks and the file they live in.
pub(crate) struct Cursors {
    pub lanes: Vec<[Cursor; 2]>,
    pub file: CursorFile,
    /// The area of each sink.
    pub areas: Vec<usize>,
    /// The books of each sink.
    pub books: Vec<Books>,
    /// A note was changed since the cursors were saved.
    pub noted: bool,
}

impl Backlog {
    pub(crate) fn add(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn subtract(&self, freed: &Freed) {
        for (counter, count) in [(&self.records, freed.records), (&self.bytes, freed.bytes)] {
            // Estimated where a segment could not be read at open: not below zero.
            let lowered = |held: u64| Some(held.saturating_sub(count));
            counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lowered).unwrap_or_default();
        }
    }

    /// Records not settled.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    fn clear(&self) {
        self.records.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }
}

impl Sink {
    pub(crate) fn new(spec: SinkSpec, orphan: bool, spill: Arc<Catalog>) -> Self {
        let spilled_to = AtomicU64::new(spill.end().unwrap_or_default());
        let room = [Notify::new(), Notify::new()];
        let (backlog, grave_full) = (Backlog::default(), AtomicBool::new(false));
        Self { spec, orphan, backlog, spill, spilled_to, grave_full, room }
    }

    pub(crate) fn room(&self, lane: Lane) -> &Notify {
        let [urgent, normal] = &self.room;
        match lane {
            Lane::Urgent => urgent,
            Lane::Normal => normal,
        }
    }

    pub(crate) fn spilled_to(&self) -> u64 {
        self.spilled_to.load(Ordering::Acquire)
    }

    pub(crate) fn is_over_budget(&self) -> bool {
        let used = self.backlog.bytes.load(Ordering::Relaxed);
        self.spec.budget.is_some_and(|budget| used >= budget)
    }

    // Where its oldest cannot be moved out of the way, the rest may not grow without bound either.
    fn is_blocked(&self) -> bool {
        let moves_on =
            self.spec.when_full == WhenFull::DeadLetter && !self.grave_full.load(Ordering::Relaxed);
        !moves_on && self.is_over_budget()
    }
}

impl Cursors {
    pub(crate) fn cursor(&mut self, sink: usize, lane: Lane) -> Option<&mut Cursor> {
        let [urgent, normal] = self.lanes.get_mut(sink)?;
        Some(match lane {
            Lane::Urgent => urgent,
            Lane::Normal => normal,
        })
    }

    /// The lowest numbers of a sink that are sure to be found after a power cut, by lane.
    pub(crate) fn durable_lows(&self, sink: usize) -> [u64; 2] {
        self.areas.get(sink).map_or([0; 2], |area| self.file.durable_lows(*area))
    }

    fn routed(&mut self, sink: usize, records: u64) {
        let account = self.books.get_mut(sink).and_then(|books| books.account.as_mut());
        account.map(|account| account.routed += records).unwrap_or_default();
    }

    fn settled(&mut self, sink: usize, records: u64, outcome: Outcome) {
        let account = self.books.get_mut(sink).and_then(|books| books.account.as_mut());
        account.map(|account| account.settle(records, outcome)).unwrap_or_default();
    }

    fn save(&mut self, sink: usize, floor: u64) {
        let (Some([urgent, normal]), Some(area)) = (self.lanes.get(sink), self.areas.get(sink))
        else {
            return;
        };
        let books = self.books.get(sink).cloned().unwrap_or_default();
        let lanes = [urgent.save(), normal.save()];
        self.file.enter(*area, books);
        self.file.write(*area, floor, lanes);
    }
}

impl Core {
    /// The number after the last visible record.
    pub(crate) fn visible_end(&self) -> u64 {
        self.tail.end()
    }

    /// Makes a synced group visible to readers.
    pub(crate) fn publish(&self, entries: Vec<Entry>, parts: impl Iterator<Item = Part>) {
        let Some(end) = entries.last().map(Entry::end) else { return };
        self.cache.lock().push(entries);
        // Under the lock, so that a sink that finds itself at the end is not told wrongly that it
        // has no backlog.
        let mut cursors = self.cursors.lock();
        for part in parts {
            for bit in part.routes.bits() {
                cursors.routed(usize::from(bit), part.tally.records);
                if let Some(sink) = self.sinks.get(usize::from(bit)) {
                    sink.backlog.add(part.tally.records, part.tally.bytes);
                }
            }
        }
        self.tail.move_to(end);
        drop(cursors);
    }

    /// Settles records of a sink: they will not be served to it again.
    pub(crate) fn settle(
        &self,
        sink: usize,
        lane: Lane,
        ranges: &[std::ops::Range<u64>],
        outcome: Outcome,
    ) {
        let mut cursors = self.cursors.lock();
        // Under the lock: the books that are saved are those of this end.
        let end = self.visible_end();
        let Some(cursor) = cursors.cursor(sink, lane) else { return };
        let before = cursor.low();
        let mut freed = Freed::default();
        for range in ranges {
            let one = cursor.settle(range.start..range.end.min(end));
            freed.records += one.records;
            freed.bytes += one.bytes;
        }
        let low = cursor.low();
        if let Some(known) = self.sinks.get(sink) {
            // A range given as a whole may span numbers of others.
            cursors.settled(sink, freed.records.min(known.backlog.records()), outcome);
            known.backlog.subtract(&freed);
            known.room(lane).notify_one();
        }
        cursors.save(sink, end);
        self.clear_backlog_if_done(&cursors, sink);
        drop(cursors);
        let passes = |segment: &Segment| segment.end > before && segment.end <= low;
        if before < low && self.main.with(|mut segments| segments.any(passes)) {
            self.chores.wake();
        }
    }

    /// Notes an entry as read by a sink; none when it was settled before or the reader replaced.
    pub(crate) fn give(
        &self,
        sink: usize,
        epoch: u64,
        entry: &Entry,
    ) -> Option<Vec<std::ops::Range<u64>>> {
        let mut cursors = self.cursors.lock();
        let cursor = cursors.cursor(sink, entry.lane).filter(|cursor| cursor.epoch() == epoch)?;
        let range = entry.sequence..entry.end();
        match cursor.give(range, entry.bytes(), entry.appended_unix_nanos) {
            Given::Settled => None,
            Given::Serve(settled) => Some(settled),
        }
    }

    /// Notes that a sink has nothing of its own in a lane below `position`.
    pub(crate) fn skip_to(&self, sink: usize, lane: Lane, epoch: u64, position: u64) {
        let mut cursors = self.cursors.lock();
        let Some(cursor) = cursors.cursor(sink, lane).filter(|cursor| cursor.epoch() == epoch)
        else {
            return;
        };
        cursor.skip_to(position);
        self.clear_backlog_if_done(&cursors, sink);
    }

    // Estimates end where a sink has caught up. Under the lock: what is published meanwhile counts.
    fn clear_backlog_if_done(&self, cursors: &Cursors, sink: usize) {
        let end = self.visible_end();
        let done = |cursor: &Cursor| cursor.in_flight() == 0 && cursor.position() >= end;
        if let (Some(lanes), Some(sink)) = (cursors.lanes.get(sink), self.sinks.get(sink))
            && lanes.iter().all(done)
        {
            sink.backlog.clear();
        }
    }

    /// Writes the cursors of all sinks, as far as they, or the end that they remember, have moved
    /// without a settlement.
    pub(crate) fn save_cursors(&self) {
        let mut cursors = self.cursors.lock();
        let end = self.visible_end();
        let noted = std::mem::take(&mut cursors.noted);
        for sink in 0..self.sinks.len() {
            let lows = cursors.lanes.get(sink).map(|lanes| lanes.each_ref().map(Cursor::low));
            let area = cursors.areas.get(sink).copied().unwrap_or(usize::MAX);
            if noted || lows != Some(cursors.durable_lows(sink)) || cursors.file.floor(area) < end {
                cursors.save(sink, end);
            }
        }
    }

    /// Makes the cursors durable. The lock is not held while the disk works.
    pub(crate) fn sync_cursors(&self) {
        let Some(ticket) = self.cursors.lock().file.begin_sync() else { return };
        let result = ticket.sync();
        self.cursors.lock().file.finish_sync(&result);
    }

    /// Whether a sink has unsettled entries in a segment of the main log, going by `lows`.
    pub(crate) fn needs(&self, segment: &Segment, sink: usize, lows: [u64; 2]) -> bool {
        let spilled_to = self.spilled_to(sink);
        Lane::ALL.into_iter().zip(lows).any(|(lane, low)| {
            segment.end > low.max(spilled_to) && segment.tally(sink, lane).records > 0
        })
    }

    /// Where the entries of a sink in the main log begin.
    pub(crate) fn spilled_to(&self, sink: usize) -> u64 {
        self.sinks.get(sink).map_or(0, Sink::spilled_to)
    }

    /// The lowest unsettled numbers of all sinks, by lane: as in memory.
    pub(crate) fn lows(&self) -> Vec<[u64; 2]> {
        self.cursors.lock().lanes.iter().map(|lanes| lanes.each_ref().map(Cursor::low)).collect()
    }

    /// The same as they would be found after a power cut.
    pub(crate) fn durable_lows(&self) -> Vec<[u64; 2]> {
        let cursors = self.cursors.lock();
        (0..self.sinks.len()).map(|sink| cursors.durable_lows(sink)).collect()
    }

    /// The number below which none is given again, as the cursors of sinks would be found after a
    /// power cut.
    pub(crate) fn durable_floor(&self) -> u64 {
        let cursors = self.cursors.lock();
        let floors = cursors.areas.iter().map(|area| cursors.file.durable_floor(*area));
        floors.max().unwrap_or_default()
    }

    /// What the budget limits.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.main.bytes() + self.sinks.iter().map(|sink| sink.spill.bytes()).sum::<u64>()
    }

    /// A sink that refuses appends because its own budget is used up.
    pub(crate) fn blocked_sink(&self, entries: &[Entry]) -> Option<&Sink> {
        let mut full = self.sinks.iter().enumerate().filter(|(_, sink)| sink.is_blocked());
        let hit = full.find(|(number, _)| {
            let index = SinkIndex(u8::try_from(*number).unwrap_or(u8::MAX));
            entries.iter().any(|entry| entry.routes.contains(index))
        });
        hit.map(|(_, sink)| sink)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Sends readers home.
    pub(crate) fn close_readers(&self) {
        self.closed.store(true, Ordering::Release);
        self.tail.wake();
        for sink in &self.sinks {
            sink.room.iter().for_each(Notify::notify_one);
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let now = self.env.clock.unix_nanos();
        let dead: Vec<_> = self.dead.lock().clone();
        let cursors = self.cursors.lock();
        let all = self.sinks.iter().zip(&cursors.lanes).zip(&cursors.books);
        let sinks = all.map(|((sink, lanes), books)| {
            let oldest = lanes.iter().filter_map(Cursor::oldest_unix_nanos).min();
            let dead = dead.iter().find(|log| log.id == sink.spec.id);
            SinkStats {
                id: sink.spec.id.clone(),
                account: books.account.unwrap_or_default(),
                orphan: sink.orphan,
                backlog_records: sink.backlog.records.load(Ordering::Relaxed),
                backlog_bytes: sink.backlog.bytes.load(Ordering::Relaxed),
                oldest_age: oldest
                    .map_or(Duration::ZERO, |at| Duration::from_nanos(now.saturating_sub(at))),
                in_flight: lanes.iter().map(Cursor::in_flight).sum(),
                spill_bytes: sink.spill.bytes(),
                dead_records: dead.map_or(0, |log| log.records()),
                dead_bytes: dead.map_or(0, |log| log.catalog.bytes()),
                over_budget: sink.is_over_budget(),
            }
        });
        Stats {
            sinks: sinks.collect(),
            segments: self.main.with(|segments| segments.count()),
            disk_bytes: self.disk_bytes(),
            budget_bytes: self.options.budget_bytes,
            next_sequence: self.visible_end(),
            parked_files: self.parked_files,
            trouble: self.trouble.get(),
            ..self.env.counters.snapshot()
        }
    }
}
