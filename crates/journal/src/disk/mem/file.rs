//! Files of the disk in memory, with what of them is not yet durable.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use super::pages::Pages;
use super::{Call, DiskFile, Fault, MemDisk, OFF_ERRNO, SECTOR_BYTES};

/// What a drive holds of a sector.
pub(super) type Sector = [u8; SECTOR_BYTES];

/// The content of a file and what a power cut could undo.
#[derive(Clone)]
pub(super) struct Inode {
    pub(super) data: Pages,
    pub(super) durable_len: usize,
    /// What the drive holds of sectors that were written since the last sync.
    pub(super) dirty: BTreeMap<usize, Arc<Sector>>,
    /// The same for sectors whose sync failed: read as written, never durable.
    pub(super) lost: BTreeMap<usize, Arc<Sector>>,
    pub(super) linked: bool,
}

pub(super) struct MemFile {
    pub(super) disk: MemDisk,
    pub(super) inode: u64,
    pub(super) path: Arc<Path>,
}

impl Inode {
    pub(super) fn durable(data: Pages) -> Self {
        let (dirty, lost) = (BTreeMap::new(), BTreeMap::new());
        Self { durable_len: data.len(), data, dirty, lost, linked: true }
    }

    /// Whether a power cut leaves it as it is.
    pub(super) fn is_durable(&self) -> bool {
        self.dirty.is_empty() && self.lost.is_empty() && self.durable_len == self.data.len()
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let lost = self.lost.remove(&sector);
            let data = &self.data;
            self.dirty.entry(sector).or_insert_with(|| lost.unwrap_or_else(|| held(data, sector)));
        }
        self.data.write(offset, bytes);
    }

    fn sync(&mut self, succeeds: bool) {
        let dirty = std::mem::take(&mut self.dirty);
        if succeeds {
            self.durable_len = self.data.len();
        } else {
            self.lost.extend(dirty);
        }
    }
}

impl Drop for MemFile {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if let Some(handles) = state.open.get_mut(&self.inode) {
            *handles -= 1;
            if *handles == 0 {
                state.open.remove(&self.inode);
            }
        }
    }
}

fn held(data: &Pages, sector: usize) -> Arc<Sector> {
    let mut held = [0; SECTOR_BYTES];
    data.read(sector * SECTOR_BYTES, &mut held);
    Arc::new(held)
}

impl MemFile {
    fn look<T>(&self, act: impl FnOnce(&Inode) -> T) -> io::Result<T> {
        let state = self.disk.state.lock();
        let inode = state.inodes.get(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        Ok(act(inode))
    }

    fn change<T>(&self, act: impl FnOnce(&mut Inode, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        let room = state.room();
        let inode = state.inodes.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        let result = act(Arc::make_mut(inode), room);
        state.note();
        result
    }
}

impl DiskFile for MemFile {
    fn pwrite(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let fault = self.disk.enter(Call::Write, &self.path)?;
        let mut bytes = Vec::with_capacity(slices.iter().map(|slice| slice.len()).sum());
        for slice in slices {
            bytes.extend_from_slice(slice);
        }
        if fault == Some(Fault::Short) {
            bytes.truncate(bytes.len().div_ceil(2));
        }
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.change(|inode, room| {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let fits = inode.data.len().saturating_add(room).saturating_sub(offset);
            if fits == 0 && !bytes.is_empty() {
                return Err(io::Error::from_raw_os_error(28));
            }
            bytes.truncate(fits);
            inode.write(offset, &bytes);
            Ok(bytes.len())
        })
    }

    fn pread(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.enter(Call::Read, &self.path)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.look(|inode| inode.data.read(offset, buffer))
    }

    fn fdatasync(&self) -> io::Result<()> {
        let entered = self.disk.enter(Call::Sync, &self.path);
        if entered.as_ref().is_err_and(|error| error.raw_os_error() == Some(OFF_ERRNO)) {
            return entered.map(drop);
        }
        self.disk.delay();
        self.change(|inode, _| {
            inode.sync(entered.is_ok());
            entered.map(drop)
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.disk.enter(Call::Allocate, &self.path)?;
        self.change(|inode, room| {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let grown = len.saturating_sub(inode.data.len()) as u64;
            if grown > room {
                return Err(io::Error::from_raw_os_error(28));
            }
            if grown > 0 {
                inode.data.resize(len);
            }
            Ok(())
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.enter(Call::Truncate, &self.path)?;
        self.change(|inode, _| {
            inode.data.resize(usize::try_from(len).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.look(|inode| inode.data.len() as u64)
    }

    fn is_linked(&self) -> io::Result<bool> {
        self.look(|inode| inode.linked)
    }
}
