//! What the main log still holds of a sink, settled or not: what retention kept, read again.
//!
//! A history moves no cursor and holds no segment: what is deleted while it reads is passed over.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::core::Core;
use crate::cursor::Cursor;
use crate::entry::{Entry, Stored};
use crate::walk::{Walk, Wanted};

/// Reads the entries of a sink again, in the order of their numbers. Blocks on the disk. After an
/// error the same place is read again.
pub struct History {
    core: Arc<Core>,
    sink: usize,
    walk: Walk,
    position: u64,
    end: u64,
    ready: std::vec::IntoIter<Entry>,
}

/// An entry that is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The entry; all of it, whatever was settled of it.
    pub entry: Stored,
    /// Whether the sink is done with all of it; if not, it will be served, or is in flight.
    pub is_settled: bool,
}

impl History {
    /// The entries of a sink that have records in `numbers`; none when no sink has this id.
    pub(crate) fn new(core: &Arc<Core>, sink: &str, numbers: Range<u64>) -> Option<Self> {
        let sink = core.sinks.iter().position(|known| known.spec.id == sink)?;
        let end = numbers.end.min(core.visible_end());
        let (core, walk, ready) = (Arc::clone(core), Walk::default(), Vec::new().into_iter());
        Some(Self { core, sink, walk, position: numbers.start, end, ready })
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.position >= self.end {
            return Ok(false);
        }
        let wanted = Wanted { sink: self.sink, lane: None };
        let batch = self.walk.read(&self.core.env, &self.core.main, wanted, self.position)?;
        self.position = batch.position;
        self.ready = batch.entries.into_iter();
        Ok(!batch.at_end)
    }

    fn past(&self, entry: Entry) -> Past {
        let numbers = entry.sequence..entry.end();
        let is_settled = {
            let mut cursors = self.core.cursors.lock();
            let cursor: Option<&mut Cursor> = cursors.cursor(self.sink, entry.lane);
            cursor.is_some_and(|cursor| cursor.is_settled(&numbers))
        };
        let entry = Stored {
            sequence: entry.sequence,
            incarnation: self.core.incarnation,
            items: entry.items,
            lane: entry.lane,
            meta: entry.meta,
            payload: entry.payload,
            appended_at_unix_nanos: entry.appended_unix_nanos,
            settled: Vec::new(),
        };
        Past { entry, is_settled }
    }
}

impl Iterator for History {
    type Item = io::Result<Past>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.next() {
                if entry.sequence >= self.end {
                    return None;
                }
                return Some(Ok(self.past(entry)));
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
