//! Where damaged files go: they are moved, never deleted, and never over one another.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Disk;

/// Moves a file of a log to `quarantine`; says what it is called there.
pub(crate) fn put(disk: &dyn Disk, quarantine: &Path, path: &Path) -> io::Result<PathBuf> {
    disk.create_dir_all(quarantine)?;
    let log = path.parent().and_then(Path::file_name).unwrap_or_default();
    let file = path.file_name().unwrap_or_default();
    let name = format!("{}-{}", log.to_string_lossy(), file.to_string_lossy());
    // A log that was emptied counts its segments from one again, so names come back.
    let taken = disk.list(quarantine)?;
    let numbered = (2..=taken.len() + 2).map(|number| PathBuf::from(format!("{name}.{number}")));
    let free = std::iter::once(PathBuf::from(&name)).chain(numbered);
    let name = free.into_iter().find(|name| !taken.contains(name));
    let to = quarantine.join(name.ok_or(io::ErrorKind::AlreadyExists)?);
    disk.rename(path, &to)?;
    Ok(to)
}
