//! All the journal asks of a disk, so that one engine runs on a real one and on one that fails.
//!
//! Paths are those the journal was opened with. Writes past the end of a file extend it. What was
//! written survives a power cut only after `fdatasync`; that a file exists, has its name or is
//! gone, only after `sync_dir` of its directory.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub mod mem;
mod read_only;
mod real;

pub use mem::MemDisk;
pub use read_only::ReadOnlyDisk;
pub use real::RealDisk;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// A new file; an error if there is one.
    CreateNew,
}

/// Files and directories.
pub trait Disk: Send + Sync + 'static {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Creates a directory and those above it.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Names of the files and directories in a directory; none when it does not exist.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    /// Renames a file, replacing its target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name; open handles stay usable.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes a writer could still fill.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// Takes an exclusive lock that ends with the guard or the process;
    /// [`io::ErrorKind::WouldBlock`] when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>>;
}

/// A held lock.
pub trait LockGuard: Send + Sync {}

/// An open file. All methods may be called from several threads.
pub trait DiskFile: Send + Sync {
    /// Writes some of `slices` at `offset`; says how much.
    fn pwrite(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Reads some bytes at `offset`; zero at the end of the file.
    fn pread(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Makes content and length durable.
    fn fdatasync(&self) -> io::Result<()>;
    /// Reserves space up to `len` and extends the file to it; reads as zero.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Cuts the file at `len`.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// The length of the file in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Whether the file still has a name: what is synced to one without is lost.
    fn is_linked(&self) -> io::Result<bool>;
}

/// Slices given to one write; the system's limit is 1,024.
const SLICES_MAX: usize = 512;

/// Writes all of `slices`, going on after short and interrupted writes.
pub(crate) fn write_all(
    file: &dyn DiskFile,
    mut offset: u64,
    mut slices: &mut [IoSlice<'_>],
) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let some = slices.get(..SLICES_MAX).unwrap_or(slices);
        match file.pwrite(offset, some) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until `buffer` is full or the file ends; says how much.
pub(crate) fn read_full(
    file: &dyn DiskFile,
    mut offset: u64,
    mut buffer: &mut [u8],
) -> io::Result<usize> {
    let wanted = buffer.len();
    while !buffer.is_empty() {
        match file.pread(offset, buffer) {
            Ok(0) => break,
            Ok(count) => {
                offset += count as u64;
                buffer = buffer.get_mut(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wanted - buffer.len())
}

/// Reserves space for a file, where the file system can.
pub(crate) fn reserve(file: &dyn DiskFile, len: u64) -> io::Result<()> {
    let result = file.allocate(len);
    result.or_else(
        |error| {
            if error.kind() == io::ErrorKind::Unsupported { Ok(()) } else { Err(error) }
        },
    )
}

/// Whether an error says that there is no space, rather than that the disk is broken.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether an error says that the drive cannot read what it holds.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}
