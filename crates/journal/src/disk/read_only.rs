//! A disk that nothing is changed on: for tools that look at a directory nobody runs on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Disk, DiskFile, LockGuard, OpenMode};

/// Reads as another disk does and refuses all else. It takes no lock.
pub struct ReadOnlyDisk(pub Arc<dyn Disk>);

struct NoLock;

impl LockGuard for NoLock {}

impl Disk for ReadOnlyDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        match mode {
            OpenMode::Read => self.0.open(path, mode),
            OpenMode::Write | OpenMode::CreateNew => Err(refused()),
        }
    }

    /// Says yes: a directory that is not there reads as an empty one.
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.list(dir)
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn unlink(&self, _: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.0.free_bytes(dir)
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn LockGuard>> {
        Ok(Box::new(NoLock))
    }
}

fn refused() -> io::Error {
    io::ErrorKind::ReadOnlyFilesystem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemDisk;

    #[test]
    fn nothing_is_written_renamed_or_removed() {
        let (inner, path) = (MemDisk::new(), Path::new("/d/file"));
        inner.create_dir_all(Path::new("/d")).unwrap();
        inner.overwrite(path, b"kept");
        let disk = ReadOnlyDisk(Arc::new(inner.clone()));
        assert!(disk.open(path, OpenMode::Write).is_err());
        assert!(disk.open(Path::new("/d/new"), OpenMode::CreateNew).is_err());
        assert!(disk.rename(path, Path::new("/d/other")).is_err() && disk.unlink(path).is_err());
        assert_eq!(inner.read(path).as_deref(), Some(&b"kept"[..]));
        let free = |disk: &dyn Disk| disk.free_bytes(Path::new("/d")).unwrap();
        assert_eq!(free(&disk), free(&inner));
    }
}
