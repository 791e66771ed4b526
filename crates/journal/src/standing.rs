//! What the journal knows of a sink and of a single number: for a ledger.

use std::io;
use std::ops::Range;

use bytes::Bytes;

use crate::account::{Account, NOTE_BYTES_MAX};
use crate::catalog::{Catalog, Segment};
use crate::core::Core;
use crate::cursor::Cursor;
use crate::entry::Lane;
use crate::seal::is_damaged;
use crate::seen::{Seen, seen};

/// Where a sink stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The component id.
    pub id: String,
    /// Its books.
    pub account: Account,
    /// Records not settled.
    pub queued: u64,
    /// By lane, urgent first.
    pub lanes: [LaneStanding; 2],
    /// What was kept with [`crate::Journal::note`].
    pub note: Bytes,
}

/// Where a sink stands in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStanding {
    /// Which lane.
    pub lane: Lane,
    /// All of the sink's numbers below this are settled, or in segments whose key is missing.
    pub low: u64,
    /// Numbers settled above it, those next to it only.
    pub settled: Vec<Range<u64>>,
}

/// What is known of one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// It was not given yet.
    Future,
    /// Its segment was deleted, so whoever it was for has settled it, or it was never given.
    Gone,
    /// No segment has it that can be read, some segment is damaged, and these sinks may still want it.
    Unreadable(Vec<String>),
    /// In an entry that can be read.
    Entry {
        /// The numbers of the entry.
        numbers: Range<u64>,
        /// Its lane.
        lane: Lane,
        /// When it was appended.
        appended_unix_nanos: u64,
        /// Who it is for, and where it stands there.
        sinks: Vec<(String, Place)>,
    },
}

/// Where a number stands with a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Not read yet.
    Queued,
    /// Read and not settled.
    InFlight,
    /// Done with.
    Settled,
}

impl Core {
    pub(crate) fn standings(&self) -> Vec<Standing> {
        let cursors = self.cursors.lock();
        let all = self.sinks.iter().zip(&cursors.lanes).zip(&cursors.books);
        let standings = all.map(|((sink, lanes), books)| {
            let [urgent, normal] = lanes;
            Standing {
                id: sink.spec.id.clone(),
                account: books.account.unwrap_or_default(),
                queued: sink.backlog.records(),
                lanes: [(Lane::Urgent, urgent), (Lane::Normal, normal)].map(standing),
                note: books.note.clone(),
            }
        });
        standings.collect()
    }

    /// Keeps a note beside a sink's cursor; false when it is too long.
    pub(crate) fn note(&self, sink: usize, note: Bytes) -> bool {
        if note.len() > NOTE_BYTES_MAX {
            return false;
        }
        let mut cursors = self.cursors.lock();
        if let Some(books) = cursors.books.get_mut(sink)
            && books.note != note
        {
            books.note = note;
            cursors.noted = true;
        }
        true
    }

    /// Finds a number. Reads the disk.
    pub(crate) fn whereabouts(&self, number: u64) -> io::Result<Whereabouts> {
        if number >= self.visible_end() {
            return Ok(Whereabouts::Future);
        }
        for catalog in std::iter::once(&self.main).chain(self.sinks.iter().map(|sink| &sink.spill))
        {
            if let Some((segment, entry)) = self.find(catalog, number)? {
                return Ok(self.of_entry(number, &segment, &entry));
            }
        }
        let cursors = self.cursors.lock();
        let done = |cursor: &Cursor| {
            let saved = cursor.save();
            number < saved.low || saved.settled.iter().any(|range| range.contains(&number))
        };
        let all = self.sinks.iter().zip(&cursors.lanes);
        let open = all.filter(|(_, lanes)| !lanes.iter().all(done));
        let open: Vec<String> = open.map(|(sink, _)| sink.spec.id.clone()).collect();
        drop(cursors);
        // A sink need not have passed a number that was never for it, or never given.
        let is_gone = open.is_empty() || !self.may_be_damaged(number)?;
        Ok(if is_gone { Whereabouts::Gone } else { Whereabouts::Unreadable(open) })
    }

    /// Whether the segment of a number that no entry has may have been damaged: the one that covers it
    /// is, or some segment is in quarantine.
    fn may_be_damaged(&self, number: u64) -> io::Result<bool> {
        match self.env.disk.list(&self.options.dir.join("quarantine")) {
            Ok(files) if !files.is_empty() => return Ok(true),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let catalogs = std::iter::once(&self.main).chain(self.sinks.iter().map(|sink| &sink.spill));
        for catalog in catalogs {
            let covering = catalog.with(|mut all| all.find(|it| covers(it, number)).cloned());
            if let Some(segment) = covering
                && (segment.damaged > 0 || is_damaged(&self.env, &segment)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn find(&self, catalog: &Catalog, number: u64) -> io::Result<Option<(Segment, Seen)>> {
        let Some(segment) = catalog.with(|mut all| all.find(|it| covers(it, number)).cloned())
        else {
            return Ok(None);
        };
        let entries = seen(&self.env, &segment, &(number..number.saturating_add(1)));
        let entries = match entries {
            // Deleted since it was found: then all that it held is settled.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let entry = entries.into_iter().find(|entry| entry.numbers.contains(&number));
        Ok(entry.map(|entry| (segment, entry)))
    }

    fn of_entry(&self, number: u64, segment: &Segment, entry: &Seen) -> Whereabouts {
        let bits: Vec<u8> = entry.routes.bits().collect();
        let components = segment.header.components.iter();
        let wanted = components.filter(|(bit, _)| bits.contains(bit));
        let mut cursors = self.cursors.lock();
        let sinks = wanted.map(|(_, id)| {
            let sink = self.sinks.iter().position(|sink| sink.spec.id == *id);
            let cursor = sink.and_then(|sink| cursors.cursor(sink, entry.lane));
            (id.clone(), cursor.map_or(Place::Settled, |cursor| cursor.place(number)))
        });
        Whereabouts::Entry {
            numbers: entry.numbers.clone(),
            lane: entry.lane,
            appended_unix_nanos: entry.appended_unix_nanos,
            sinks: sinks.collect(),
        }
    }
}

fn covers(segment: &Segment, number: u64) -> bool {
    (segment.header.first..segment.end).contains(&number)
}

fn standing((lane, cursor): (Lane, &Cursor)) -> LaneStanding {
    let saved = cursor.save();
    LaneStanding { lane, low: saved.low, settled: saved.settled }
}
