//! The file that cursors live in: preallocated areas of three slots, each with generation and CRC.
//!
//! Two slots are what torn writes ask for: one that is durable and one that is written. The third
//! lets settlements go on while the second is being synced. A slot is overwritten only when a newer
//! one of its area is durable. A file whose sync failed is not synced again: a new one takes its
//! name.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Saved;
use crate::account::Books;
use crate::disk::{DiskFile, OpenMode, is_full, read_full, reserve, write_all};
use crate::entry::Lane;
use crate::format::{VERSION, VERSION_PLAIN};
use crate::log::Env;

mod seal;
mod slot;

use seal::{Opened, SlotOpener, SlotSeal};
use slot::{ReadSlot, decode, decode_header, encode, encode_header};

const SLOT_BYTES: u64 = 4096;
const SLOTS: usize = 3;
/// Most areas of a file: sinks, orphans, their spill and dead-letter logs.
const AREAS_MAX: u64 = 4096;

/// What is kept of one sink, or of one log that is read by nobody but tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SavedArea {
    pub id: String,
    /// No number below this will be given again.
    pub floor: u64,
    pub lanes: [Saved; 2],
    pub books: Books,
}

/// The areas found in a file, and the journal it belongs to.
#[derive(Debug, Default)]
pub(crate) struct Areas {
    pub incarnation: Option<u64>,
    /// Of the file; zero when there is none.
    version: u8,
    /// There is a file, and its header is not what was written.
    pub header_damaged: bool,
    /// Areas that were written to and of which no slot can be read.
    pub damaged: usize,
    found: Vec<Option<(usize, u64, SavedArea)>>,
}

/// The file and what of it is durable.
pub(crate) struct CursorFile {
    env: Env,
    path: PathBuf,
    incarnation: u64,
    /// None while the last one is poisoned, or could not be created yet.
    file: Option<Arc<dyn DiskFile>>,
    /// What slots are sealed with, once one was.
    seal: Option<SlotSeal>,
    areas: Vec<Area>,
}

/// Why the file was not read. Without it all that was delivered would be delivered again.
#[derive(Debug)]
pub(crate) enum CursorsError {
    Io(io::Error),
    Version(u8),
    /// The reason names the key.
    Locked(String),
}

#[derive(Default)]
struct Area {
    saved: SavedArea,
    generation: u64,
    /// What is in memory is in no slot.
    unwritten: bool,
    written: Option<Slot>,
    syncing: Option<Slot>,
    durable: Option<Slot>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Slot {
    number: usize,
    lows: [u64; 2],
    floor: u64,
}

/// A sync that was begun: the file to sync while no lock is held.
pub(crate) struct SyncTicket {
    file: Arc<dyn DiskFile>,
}

impl SyncTicket {
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.fdatasync()
    }
}

impl From<io::Error> for CursorsError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Areas {
    /// Reads what can be read of the file at `path`.
    pub(crate) fn read(env: &Env, path: &Path) -> Result<Self, CursorsError> {
        let file = match env.disk.open(path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = vec![0; usize::try_from(SLOT_BYTES).unwrap_or_default()];
        let mut areas = Self { version: VERSION_PLAIN, ..Self::default() };
        if read_full(&*file, 0, &mut bytes).is_ok()
            && let Some((incarnation, version)) = decode_header(&bytes)
        {
            if version > VERSION {
                return Err(CursorsError::Version(version));
            }
            (areas.incarnation, areas.version) = (Some(incarnation), version);
        }
        areas.header_damaged = areas.incarnation.is_none();
        let mut opener = SlotOpener::new(env.keys.as_deref());
        let count = (file.size()?.saturating_sub(SLOT_BYTES)).div_ceil(SLOT_BYTES * SLOTS as u64);
        for area in 0..count.min(AREAS_MAX) {
            areas.read_area(&*file, usize::try_from(area).unwrap_or_default(), &mut opener)?;
        }
        Ok(areas)
    }

    // Takes the newest slot of an area that can be read.
    fn read_area(
        &mut self,
        file: &dyn DiskFile,
        area: usize,
        opener: &mut SlotOpener<'_>,
    ) -> Result<(), CursorsError> {
        let mut bytes = vec![0; usize::try_from(SLOT_BYTES).unwrap_or_default()];
        let mut best: Option<(usize, ReadSlot)> = None;
        let mut locked = None;
        let mut used = false;
        for slot in 0..SLOTS {
            let offset = slot_offset(area, slot);
            let count = read_full(file, offset, &mut bytes).unwrap_or_default();
            used |= bytes.iter().take(count).any(|byte| *byte != 0);
            let read = match opener.open(offset, bytes.get(..count).unwrap_or_default())? {
                Opened::Slot(bytes) => decode(&bytes),
                Opened::Newer(version) => return Err(CursorsError::Version(version)),
                Opened::Locked(reason) => {
                    locked = Some(reason);
                    None
                }
                Opened::Damaged => None,
            };
            let Some(read) = read else { continue };
            let incarnation = *self.incarnation.get_or_insert(read.incarnation);
            let newer = best.as_ref().is_none_or(|(_, best)| best.generation < read.generation);
            if read.incarnation == incarnation && newer {
                best = Some((slot, read));
            }
        }
        if let Some(reason) = locked.filter(|_| best.is_none()) {
            return Err(CursorsError::Locked(reason));
        }
        self.damaged += usize::from(used && best.is_none());
        self.found.push(best.map(|(slot, read)| (slot, read.generation, read.saved)));
        Ok(())
    }

    /// What was saved under an id.
    pub(crate) fn get(&self, id: &str) -> Option<&SavedArea> {
        self.all().find(|saved| saved.id == id)
    }

    /// All that was saved.
    pub(crate) fn all(&self) -> impl Iterator<Item = &SavedArea> {
        self.found.iter().flatten().map(|(_, _, saved)| saved)
    }
}

impl CursorFile {
    /// Opens the file for the areas of `wanted`, on top of what was found in it. A file of another
    /// journal is replaced.
    pub(crate) fn open(
        env: Env,
        path: PathBuf,
        incarnation: u64,
        found: Areas,
        wanted: Vec<SavedArea>,
    ) -> Self {
        let (file, areas, seal) = (None, Vec::new(), None);
        let mut file = Self { env, path, incarnation, file, seal, areas };
        // A file that is to be sealed from now on, or no more, is written anew.
        if found.incarnation == Some(incarnation)
            && found.version == file.version()
            && let Ok(existing) = file.env.disk.open(&file.path, OpenMode::Write)
            && existing.fdatasync().is_ok()
        {
            file.file = Some(existing);
            file.areas = found.found.into_iter().map(Area::found).collect();
        }
        for area in &mut file.areas {
            if !wanted.iter().any(|saved| saved.id == area.saved.id) {
                area.release();
            }
        }
        for saved in wanted {
            file.claim(saved);
        }
        if file.file.is_none() {
            file.replace();
        }
        file
    }

    // Takes the area that has the id, else one whose id nobody wants, else a new one.
    fn claim(&mut self, saved: SavedArea) {
        if let Some(area) = self.areas.iter_mut().find(|area| area.saved.id == saved.id) {
            area.unwritten |= area.saved != saved;
            area.saved = saved;
            return;
        }
        if let Some(area) = self.areas.iter_mut().find(|area| area.saved.id.is_empty()) {
            (area.saved, area.unwritten) = (saved, true);
            return;
        }
        self.areas.push(Area { saved, unwritten: true, ..Area::default() });
    }

    /// The number of the area of an id; creates it if need be.
    pub(crate) fn area(&mut self, id: &str) -> usize {
        if let Some(area) = self.areas.iter().position(|area| area.saved.id == id) {
            return area;
        }
        self.claim(SavedArea { id: id.into(), ..SavedArea::default() });
        self.areas.len() - 1
    }

    /// What an area holds.
    pub(crate) fn saved(&self, area: usize) -> SavedArea {
        self.areas.get(area).map(|area| area.saved.clone()).unwrap_or_default()
    }

    /// The number that an area remembers as the next.
    pub(crate) fn floor(&self, area: usize) -> u64 {
        self.areas.get(area).map_or(u64::MAX, |area| area.saved.floor)
    }

    /// Writes an area, not yet durable. When that fails it is written again at the next sync.
    pub(crate) fn write(&mut self, area: usize, floor: u64, lanes: [Saved; 2]) {
        let Some(place) = self.areas.get_mut(area) else { return };
        (place.saved.floor, place.saved.lanes) = (floor, lanes);
        place.unwritten = true;
        self.flush(area);
    }

    /// Sets what is written with an area from now on.
    pub(crate) fn enter(&mut self, area: usize, books: Books) {
        if let Some(place) = self.areas.get_mut(area) {
            place.saved.books = books;
        }
    }

    fn version(&self) -> u8 {
        if self.env.keys.is_some() { VERSION } else { VERSION_PLAIN }
    }

    fn flush(&mut self, number: usize) {
        let Some(area) = self.areas.get_mut(number).filter(|_| self.file.is_some()) else { return };
        let slot = area.free_slot();
        let written = self.encode_slot(number, slot).and_then(|bytes| {
            let Some(file) = &self.file else { return Ok(()) };
            write_all(&**file, slot_offset(number, slot), &mut [IoSlice::new(&bytes)])
        });
        let Some(area) = self.areas.get_mut(number) else { return };
        match written {
            Ok(()) => {
                area.unwritten = false;
                area.written = Some(area.saved.in_slot(slot));
            }
            Err(error) => {
                area.written = None;
                self.env.warn("cursor not written, tried again", &area.saved.id, &error);
                if !is_full(&error) {
                    self.file = None;
                }
            }
        }
    }

    // The next generation of an area, as it stands in a slot.
    fn encode_slot(&mut self, number: usize, slot: usize) -> io::Result<Vec<u8>> {
        let Some(area) = self.areas.get_mut(number) else { return Ok(Vec::new()) };
        area.generation += 1;
        let bytes = encode(&area.saved, area.generation, self.incarnation);
        let Some(keys) = &self.env.keys else { return Ok(bytes) };
        let key = keys.latest()?;
        let seal = match self.seal.take_if(|seal| seal.is_by(&key)) {
            Some(seal) => seal,
            None => SlotSeal::begin(&self.env, key)?,
        };
        self.seal.insert(seal).seal(slot_offset(number, slot), bytes)
    }

    // Slots under a key that is current no more are written again, so that it can be given up.
    fn follow_key(&mut self) {
        let Some(Ok(key)) = self.env.keys.as_ref().map(|keys| keys.latest()) else { return };
        if self.seal.as_ref().is_some_and(|seal| !seal.is_by(&key)) {
            self.seal = None;
            self.areas.iter_mut().for_each(|area| area.unwritten = true);
        }
    }

    /// Whether something is not durable yet.
    pub(crate) fn is_dirty(&self) -> bool {
        self.file.is_none() || self.areas.iter().any(Area::is_dirty)
    }

    /// Prepares a sync of all that was written; none when there is nothing to sync.
    pub(crate) fn begin_sync(&mut self) -> Option<SyncTicket> {
        self.follow_key();
        if !self.is_dirty() {
            return None;
        }
        if self.file.is_none() {
            self.replace();
            return None;
        }
        for number in 0..self.areas.len() {
            if self.areas.get(number).is_some_and(|area| area.unwritten) {
                self.flush(number);
            }
        }
        for area in self.areas.iter_mut().filter(|area| area.is_dirty()) {
            area.syncing = area.written;
        }
        self.file.clone().map(|file| SyncTicket { file })
    }

    /// Takes note of how the sync went.
    pub(crate) fn finish_sync(&mut self, result: &io::Result<()>) {
        for area in &mut self.areas {
            let synced = area.syncing.take();
            if synced.is_some() && result.is_ok() {
                area.durable = synced;
            }
        }
        if let Err(error) = result {
            self.env.warn(
                "cursor file not synced, replaced by a new one",
                &self.path.display(),
                error,
            );
            self.file = None;
        }
    }

    /// The lowest unsettled number of each lane that is sure to be found after a power cut.
    pub(crate) fn durable_lows(&self, area: usize) -> [u64; 2] {
        self.areas.get(area).and_then(|area| area.durable).map_or([0; 2], |slot| slot.lows)
    }

    /// The number below which none is given again, as is sure to be found after a power cut.
    pub(crate) fn durable_floor(&self, area: usize) -> u64 {
        self.areas.get(area).and_then(|area| area.durable).map_or(0, |slot| slot.floor)
    }

    // Writes all areas to a new file and gives it the name.
    fn replace(&mut self) {
        match self.create() {
            Ok(file) => {
                self.file = Some(file);
                for area in &mut self.areas {
                    let slot = area.saved.in_slot(0);
                    area.unwritten = false;
                    (area.written, area.syncing, area.durable) = (Some(slot), None, Some(slot));
                }
            }
            Err(error) => {
                let kind = "cursor file not created, nothing is deleted";
                self.env.warn(kind, &self.path.display(), &error);
            }
        }
    }

    fn create(&mut self) -> io::Result<Arc<dyn DiskFile>> {
        let disk = Arc::clone(&self.env.disk);
        let new = self.path.with_extension("new");
        match disk.unlink(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.open(&new, OpenMode::CreateNew)?;
        // As long as it takes, rounded up so that some more sinks need no more space.
        let areas = self.areas.len().next_multiple_of(16);
        reserve(&*file, slot_offset(areas, 0))?;
        let header = encode_header(self.incarnation, self.version());
        write_all(&*file, 0, &mut [IoSlice::new(&header)])?;
        for number in 0..self.areas.len() {
            let bytes = self.encode_slot(number, 0)?;
            write_all(&*file, slot_offset(number, 0), &mut [IoSlice::new(&bytes)])?;
        }
        file.fdatasync()?;
        disk.rename(&new, &self.path)?;
        disk.sync_dir(self.path.parent().unwrap_or(Path::new(".")))?;
        Ok(file)
    }
}

impl Area {
    fn found(found: Option<(usize, u64, SavedArea)>) -> Self {
        let Some((number, generation, saved)) = found else { return Self::default() };
        let slot = Some(saved.in_slot(number));
        Self { generation, written: slot, durable: slot, saved, ..Self::default() }
    }

    // Gives the area to whoever comes next. Its slots keep their generations; their numbers are not
    // those of the next owner.
    fn release(&mut self) {
        self.saved = SavedArea::default();
        for slot in [&mut self.written, &mut self.durable].into_iter().flatten() {
            (slot.lows, slot.floor) = ([0; 2], 0);
        }
    }

    fn is_dirty(&self) -> bool {
        self.unwritten || self.written != self.durable
    }

    fn free_slot(&self) -> usize {
        let taken = |number: &usize| {
            [self.durable, self.syncing].iter().flatten().any(|slot| slot.number == *number)
        };
        let again = self.written.map(|slot| slot.number).filter(|number| !taken(number));
        again.or_else(|| (0..SLOTS).find(|number| !taken(number))).unwrap_or_default()
    }
}

impl SavedArea {
    fn in_slot(&self, number: usize) -> Slot {
        let [urgent, normal] = &self.lanes;
        Slot { number, lows: [urgent.passed, normal.passed], floor: self.floor }
    }

    /// What was saved of a lane.
    pub(crate) fn lane(&self, lane: Lane) -> &Saved {
        let [urgent, normal] = &self.lanes;
        match lane {
            Lane::Urgent => urgent,
            Lane::Normal => normal,
        }
    }
}

fn slot_offset(area: usize, slot: usize) -> u64 {
    SLOT_BYTES * (1 + (area * SLOTS + slot) as u64)
}
