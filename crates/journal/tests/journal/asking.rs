//! A disk that asks a test before some calls: to do something first, or to refuse them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bessemer_journal::disk::LockGuard;
use bessemer_journal::{Disk, DiskFile, MemDisk, OpenError, OpenMode, OpenReport};

use crate::harness::{Live, World};

/// What is about to be done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    OpenToRead,
    SyncDir,
}

struct AskingDisk<F> {
    disk: MemDisk,
    ask: F,
}

impl<F> Disk for AskingDisk<F>
where
    F: Fn(Asked, &Path) -> io::Result<()> + Send + Sync + 'static,
{
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        if mode == OpenMode::Read {
            (self.ask)(Asked::OpenToRead, path)?;
        }
        self.disk.open(path, mode)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.disk.unlink(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        (self.ask)(Asked::SyncDir, dir)?;
        self.disk.sync_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_bytes(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        self.disk.lock(path)
    }
}

impl World {
    /// Opens the journal on its disk, which asks before some calls.
    pub(crate) fn try_open_asking<F>(&self, ask: F) -> Result<(Live, OpenReport), OpenError>
    where
        F: Fn(Asked, &Path) -> io::Result<()> + Send + Sync + 'static,
    {
        self.try_open_on(Arc::new(AskingDisk { disk: self.disk.clone(), ask }))
    }
}
