//! The lock of a directory: who holds it, and how it is taken.
//!
//! The lock is the kernel's and ends with the process that holds it, however that ends. The number
//! in the file is for people: one that a killed process left, or that belongs to a stranger by now,
//! keeps nobody out.

use std::io;
use std::path::Path;

use crate::disk::{Disk, LockGuard, OpenMode, read_full};
use crate::error::OpenError;

/// Bytes of a lock file that are looked at.
const OWNER_BYTES_MAX: usize = 32;

/// Takes the lock of the journal in `dir`.
pub(crate) fn take(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn LockGuard>, OpenError> {
    let path = dir.join("lock");
    disk.lock(&path).map_err(|source| {
        if source.kind() == io::ErrorKind::WouldBlock {
            OpenError::Locked { dir: dir.to_path_buf(), owner: noted_owner(disk, &path) }
        } else {
            OpenError::Io { path, source }
        }
    })
}

/// The process that the lock file names, whether or not it is there.
pub(crate) fn noted_owner(disk: &dyn Disk, path: &Path) -> Option<u32> {
    let file = disk.open(path, OpenMode::Read).ok()?;
    let mut bytes = [0; OWNER_BYTES_MAX];
    let count = read_full(&*file, 0, &mut bytes).ok()?;
    std::str::from_utf8(bytes.get(..count)?).ok()?.trim().parse().ok()
}
