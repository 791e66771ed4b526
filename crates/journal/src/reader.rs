//! What a sink reads by: the entries routed to it in one lane, in order, once they are durable.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Lookup;
use crate::core::Core;
use crate::cursor::Cursor;
use crate::entry::{Entry, Lane, SinkIndex, Stored};
use crate::walk::{Batch, Walk, Wanted};

/// Time between tries to read a place that the disk fails on.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Reads the entries of one sink in one lane. A sink and lane have one reader: a second one takes
/// over, and the first gets nothing more.
pub struct Reader {
    core: Arc<Core>,
    sink: usize,
    /// None for a sink that is configured no more: nothing new comes for it.
    index: Option<SinkIndex>,
    lane: Lane,
    epoch: u64,
    /// The version of the tail that the last search began with.
    seen: u64,
    ready: VecDeque<Entry>,
    /// All that is wanted below this number was read from disk, and is in `ready` at the latest.
    passed: u64,
    walk: Walk,
}

/// What a reader can do next.
enum Step {
    Serve(Entry),
    /// Read from disk at this position.
    Disk(u64),
    /// Wait for more to be appended.
    Tail,
    /// Wait for what is in flight to be settled.
    Room,
    Closed,
}

impl Reader {
    pub(crate) fn new(core: Arc<Core>, sink: usize, lane: Lane) -> Self {
        let epoch = core.cursors.lock().cursor(sink, lane).map_or(0, Cursor::rewind);
        if let Some(sink) = core.sinks.get(sink) {
            // Whoever waited for room finds that it was replaced.
            sink.room(lane).notify_one();
        }
        let orphan = core.sinks.get(sink).is_none_or(|sink| sink.orphan);
        let index = u8::try_from(sink).ok().filter(|_| !orphan).map(SinkIndex);
        let (ready, walk) = (VecDeque::new(), Walk::default());
        Self { core, sink, index, lane, epoch, seen: 0, ready, passed: 0, walk }
    }

    /// The next entry; waits for one. `None` when the journal was closed or the reader replaced.
    ///
    /// It is in flight until [`crate::Journal::settle`] is told of it. Waits as well while too much
    /// is in flight for a cursor to describe.
    pub async fn next(&mut self) -> Option<Stored> {
        loop {
            match self.step() {
                Step::Serve(entry) => {
                    if let Some(stored) = self.serve(entry) {
                        return Some(stored);
                    }
                }
                Step::Disk(position) => {
                    if self.read_beside(position).await.is_err() {
                        self.core.env.clock.sleep(RETRY_AFTER).await;
                    }
                }
                Step::Tail => self.core.tail.changed(self.seen).await,
                Step::Room => self.core.sinks.get(self.sink)?.room(self.lane).notified().await,
                Step::Closed => return None,
            }
        }
    }

    /// The next entry, if there is one now. Reads the disk where it stands.
    pub fn try_next(&mut self) -> Option<Stored> {
        loop {
            match self.step() {
                Step::Serve(entry) => {
                    if let Some(stored) = self.serve(entry) {
                        return Some(stored);
                    }
                }
                Step::Disk(position) => {
                    let batch = read(&self.core, self.wanted(), &mut self.walk, position).ok()?;
                    self.take(batch);
                }
                Step::Tail | Step::Room | Step::Closed => return None,
            }
        }
    }

    fn wanted(&self) -> Wanted {
        Wanted { sink: self.sink, lane: Some(self.lane) }
    }

    fn step(&mut self) -> Step {
        if self.core.is_closed() {
            return Step::Closed;
        }
        // Seen before the search, so that what is appended after it wakes the wait.
        self.seen = self.core.tail.version();
        let (position, has_room) = {
            let mut cursors = self.core.cursors.lock();
            let cursor = cursors.cursor(self.sink, self.lane);
            let Some(cursor) = cursor.filter(|cursor| cursor.epoch() == self.epoch) else {
                return Step::Closed;
            };
            (cursor.position(), cursor.has_room())
        };
        if !has_room {
            return Step::Room;
        }
        if let Some(entry) = self.ready.pop_front() {
            return Step::Serve(entry);
        }
        let position = if position < self.passed {
            self.core.skip_to(self.sink, self.lane, self.epoch, self.passed);
            self.passed
        } else {
            position
        };
        let found = {
            let cache = self.core.cache.lock();
            match self.index {
                Some(index) => cache.find(position, index, self.lane),
                None if position < cache.start() => Lookup::Older,
                None => Lookup::Nothing(cache.end()),
            }
        };
        match found {
            Lookup::Hit(entry) => Step::Serve(entry),
            Lookup::Older => Step::Disk(position),
            Lookup::Nothing(end) => {
                self.core.skip_to(self.sink, self.lane, self.epoch, end);
                // An open file keeps its space though it is deleted.
                self.walk = Walk::default();
                Step::Tail
            }
        }
    }

    fn serve(&self, entry: Entry) -> Option<Stored> {
        let settled = self.core.give(self.sink, self.epoch, &entry)?;
        Some(Stored {
            sequence: entry.sequence,
            incarnation: self.core.incarnation,
            items: entry.items,
            lane: entry.lane,
            meta: entry.meta,
            payload: entry.payload,
            appended_at_unix_nanos: entry.appended_unix_nanos,
            settled,
        })
    }

    fn take(&mut self, batch: Batch) {
        self.passed = batch.position;
        self.ready.extend(batch.entries);
    }

    // The disk may take its time; the tasks of the runtime may not wait for it.
    async fn read_beside(&mut self, position: u64) -> io::Result<()> {
        let wanted = self.wanted();
        let mut walk = std::mem::take(&mut self.walk);
        let core = Arc::clone(&self.core);
        let (walk, batch) = if core.read_inline {
            let batch = read(&core, wanted, &mut walk, position);
            (walk, batch)
        } else {
            let read = tokio::task::spawn_blocking(move || {
                let batch = read(&core, wanted, &mut walk, position);
                (walk, batch)
            });
            read.await.map_err(io::Error::other)?
        };
        self.walk = walk;
        self.take(batch?);
        Ok(())
    }
}

// Below `spilled_to` a sink's entries are in its spill log, from there on in the main log. Limits
// are looked at before the logs are: what is added meanwhile is for the next read.
fn read(core: &Core, wanted: Wanted, walk: &mut Walk, position: u64) -> io::Result<Batch> {
    loop {
        let in_cache = core.cache.lock().start();
        let spilled_to = core.spilled_to(wanted.sink);
        let mut from = position;
        if let Some(sink) = core.sinks.get(wanted.sink).filter(|_| position < spilled_to) {
            let batch = walk.read(&core.env, &sink.spill, wanted, position)?;
            if !batch.at_end {
                return Ok(batch);
            }
            from = from.max(spilled_to);
        }
        let mut batch = walk.read(&core.env, &core.main, wanted, from)?;
        if core.spilled_to(wanted.sink) > spilled_to {
            // What was to be read may have moved under our feet, and its segment be deleted.
            *walk = Walk::default();
            continue;
        }
        if batch.at_end {
            batch.position = batch.position.max(in_cache);
        }
        return Ok(batch);
    }
}
