//! Reading a log from disk for one sink: segment by segment, block by block, over damage.

use std::io;
use std::sync::Arc;

use crate::block;
use crate::catalog::Catalog;
use crate::disk::OpenMode;
use crate::entry::{Entry, Lane, SinkIndex};
use crate::format::{BlockHeader, DATA_START};
use crate::log::Env;
use crate::scan::{Found, Scanner};

/// Failed reads of one place before it is taken as damaged.
const ATTEMPTS_MAX: u32 = 5;

/// A reader of a log. Forgetting one costs nothing but finding the place again.
#[derive(Default)]
pub(crate) struct Walk {
    place: Option<Place>,
    /// The place is behind all blocks that end at or below this number.
    passed: u64,
    failures: u32,
}

struct Place {
    catalog: Arc<Catalog>,
    segment: u64,
    bit: u8,
    end: u64,
    scanner: Scanner,
}

/// Whose entries are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The sink's number in this process.
    pub sink: usize,
    /// Its lane; both when `None`.
    pub lane: Option<Lane>,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The entries of one block that are wanted.
    pub entries: Vec<Entry>,
    /// All wanted entries before this number have been read.
    pub position: u64,
    /// The log has nothing after that number.
    pub at_end: bool,
}

enum Next {
    Entries(Vec<Entry>),
    Passed,
    EndOfSegment,
}

impl Wanted {
    fn lanes(self) -> u8 {
        self.lane.map_or(Lane::Urgent.mask() | Lane::Normal.mask(), Lane::mask)
    }
}

impl Walk {
    /// Reads the next block that has wanted entries from `position` on. After an error the same
    /// call is to be tried again, later.
    pub(crate) fn read(
        &mut self,
        env: &Env,
        catalog: &Arc<Catalog>,
        wanted: Wanted,
        position: u64,
    ) -> io::Result<Batch> {
        if position < self.passed {
            // Not all that was read last time was used.
            self.place = None;
        }
        let mut position = position;
        loop {
            self.passed = position;
            if !self.enter(env, catalog, wanted, &mut position)? {
                return Ok(Batch { position, at_end: true, ..Batch::default() });
            }
            match self.step(env, wanted, &mut position) {
                Ok(Next::Entries(entries)) => {
                    self.failures = 0;
                    self.passed = position;
                    return Ok(Batch { entries, position, at_end: false });
                }
                Ok(Next::Passed) => self.failures = 0,
                Ok(Next::EndOfSegment) => self.place = None,
                Err(error) => self.failed(env, error)?,
            }
        }
    }

    // Makes the place one at which `position` can be found; false when there is nothing after it.
    fn enter(
        &mut self,
        env: &Env,
        catalog: &Arc<Catalog>,
        wanted: Wanted,
        position: &mut u64,
    ) -> io::Result<bool> {
        if let Some(place) = &mut self.place
            && Arc::ptr_eq(&place.catalog, catalog)
            && *position < place.end
        {
            return Ok(true);
        }
        let mut stale = self.place.take();
        loop {
            let lanes = wanted.lane.map_or(Lane::ALL.to_vec(), |lane| vec![lane]);
            let Some(view) = catalog.locate(*position, wanted.sink, &lanes) else {
                return Ok(false);
            };
            *position = view.first.max(*position);
            let Some(bit) = view.bit else {
                *position = view.end;
                continue;
            };
            // The segment being written has grown: go on where the last read ended.
            let same = |place: &mut Place| {
                Arc::ptr_eq(&place.catalog, catalog) && place.segment == view.id
            };
            if let Some(mut place) = stale.take_if(same) {
                place.end = view.end;
                place.scanner.limit = view.limit;
                self.place = Some(place);
                return Ok(true);
            }
            match env.disk.open(&view.path, OpenMode::Read) {
                Ok(file) => {
                    let scanner = Scanner::new(file, view.guard, DATA_START, view.limit);
                    let (catalog, segment) = (Arc::clone(catalog), view.id);
                    self.place = Some(Place { catalog, segment, bit, end: view.end, scanner });
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Deleted since it was located, or by a stranger: then its records are gone.
                    if catalog.note_damage(view.id, u64::MAX) {
                        env.counters.corrupt(1);
                        tracing::error!(segment = view.id, "segment file is gone, passed over");
                    }
                    *position = view.end;
                }
                Err(error) => {
                    env.counters.read_failed();
                    return Err(error);
                }
            }
        }
    }

    fn step(&mut self, env: &Env, wanted: Wanted, position: &mut u64) -> io::Result<Next> {
        let Some(place) = &mut self.place else { return Ok(Next::EndOfSegment) };
        match place.scanner.look()? {
            Found::Block(header) if header.first >= place.end => {
                *position = place.end;
                Ok(Next::EndOfSegment)
            }
            Found::Block(header) => place.read_block(env, wanted, &header, position),
            Found::Damage { next } => {
                place.damaged(env);
                place.scanner.offset = next;
                Ok(Next::Passed)
            }
            Found::End => {
                if *position < place.end {
                    place.damaged(env);
                    *position = place.end;
                }
                Ok(Next::EndOfSegment)
            }
        }
    }

    fn failed(&mut self, env: &Env, error: io::Error) -> io::Result<()> {
        env.counters.read_failed();
        self.failures += 1;
        if self.failures < ATTEMPTS_MAX {
            return Err(error);
        }
        self.failures = 0;
        let Some(place) = &mut self.place else { return Err(error) };
        tracing::error!(%error, segment = place.segment, "block not readable, passed over");
        place.damaged(env);
        place.scanner.offset = place.scanner.search_past().unwrap_or(place.scanner.limit);
        Ok(())
    }
}

impl Place {
    fn read_block(
        &mut self,
        env: &Env,
        wanted: Wanted,
        header: &BlockHeader,
        position: &mut u64,
    ) -> io::Result<Next> {
        let own = header.routes.contains(SinkIndex(self.bit)) && header.lanes & wanted.lanes() != 0;
        let mut entries = Vec::new();
        if header.end > *position && own {
            let opened = self.scanner.read(header)?;
            match opened.and_then(|opened| block::decode(header, opened)) {
                Some(decoded) => entries = decoded,
                None => self.damaged(env),
            }
        }
        self.scanner.pass(header);
        let from = *position;
        *position = from.max(header.end);
        entries.retain(|entry| {
            entry.end() > from
                && entry.routes.contains(SinkIndex(self.bit))
                && entry.lane.mask() & wanted.lanes() != 0
        });
        Ok(if entries.is_empty() { Next::Passed } else { Next::Entries(entries) })
    }

    fn damaged(&self, env: &Env) {
        if self.catalog.note_damage(self.segment, self.scanner.offset) {
            env.counters.corrupt(1);
            tracing::error!(
                segment = self.segment,
                offset = self.scanner.offset,
                "damaged block passed over; its segment will be kept in quarantine"
            );
        }
    }
}
