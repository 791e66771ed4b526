//! Files of the disk in memory, with what of them is not yet durable.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::PathBuf;

use super::{Call, DiskFile, Fault, MemDisk, OFF_ERRNO, SECTOR_BYTES};

/// The content of a file and what a power cut could undo.
#[derive(Clone)]
pub(super) struct Inode {
    pub(super) data: Vec<u8>,
    pub(super) durable_len: usize,
    /// What the drive holds of sectors that were written since the last sync.
    pub(super) dirty: BTreeMap<usize, Vec<u8>>,
    /// The same for sectors whose sync failed: read as written, never durable.
    pub(super) lost: BTreeMap<usize, Vec<u8>>,
    pub(super) linked: bool,
}

pub(super) struct MemFile {
    pub(super) disk: MemDisk,
    pub(super) inode: u64,
    pub(super) path: PathBuf,
}

impl Inode {
    pub(super) fn durable(data: Vec<u8>) -> Self {
        let (dirty, lost) = (BTreeMap::new(), BTreeMap::new());
        Self { durable_len: data.len(), data, dirty, lost, linked: true }
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let held = self.lost.remove(&sector).unwrap_or_else(|| self.sector(sector));
            self.dirty.entry(sector).or_insert(held);
        }
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        if let Some(place) = self.data.get_mut(offset..end) {
            place.copy_from_slice(bytes);
        }
    }

    fn sector(&self, sector: usize) -> Vec<u8> {
        let start = (sector * SECTOR_BYTES).min(self.data.len());
        let end = (start + SECTOR_BYTES).min(self.data.len());
        let mut held = self.data.get(start..end).unwrap_or_default().to_vec();
        held.resize(SECTOR_BYTES, 0);
        held
    }
}

impl MemFile {
    fn with<T>(&self, act: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        state.inodes.get_mut(&self.inode).map(act).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn room(&self) -> u64 {
        let state = self.disk.state.lock();
        state.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used()))
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
        let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|inode| {
            let fits = inode.data.len().saturating_add(room).saturating_sub(offset);
            if fits == 0 && !bytes.is_empty() {
                return Err(io::Error::from_raw_os_error(28));
            }
            bytes.truncate(fits);
            inode.write(offset, &bytes);
            Ok(bytes.len())
        })?
    }

    fn pread(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.enter(Call::Read, &self.path)?;
        self.with(|inode| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(inode.data.len());
            let count = buffer.len().min(inode.data.len() - start);
            let found = inode.data.get(start..start + count).unwrap_or_default();
            if let Some(place) = buffer.get_mut(..count) {
                place.copy_from_slice(found);
            }
            count
        })
    }

    fn fdatasync(&self) -> io::Result<()> {
        let entered = self.disk.enter(Call::Sync, &self.path);
        if entered.as_ref().is_err_and(|error| error.raw_os_error() == Some(OFF_ERRNO)) {
            return entered.map(drop);
        }
        self.with(|inode| {
            let dirty = std::mem::take(&mut inode.dirty);
            match &entered {
                Ok(_) => inode.durable_len = inode.data.len(),
                Err(_) => inode.lost.extend(dirty),
            }
        })?;
        entered.map(drop)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.disk.enter(Call::Allocate, &self.path)?;
        let room = self.room();
        self.with(|inode| {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let grown = len.saturating_sub(inode.data.len()) as u64;
            if grown > room {
                return Err(io::Error::from_raw_os_error(28));
            }
            if grown > 0 {
                inode.data.resize(len, 0);
            }
            Ok(())
        })?
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.enter(Call::Truncate, &self.path)?;
        self.with(|inode| inode.data.resize(usize::try_from(len).unwrap_or(usize::MAX), 0))
    }

    fn size(&self) -> io::Result<u64> {
        self.with(|inode| inode.data.len() as u64)
    }

    fn is_linked(&self) -> io::Result<bool> {
        self.with(|inode| inode.linked)
    }
}
