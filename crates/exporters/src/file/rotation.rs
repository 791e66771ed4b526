//! Sets a full file aside under a name with its time, and removes old ones.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::writer::sync_directory;

/// When a file is set aside, and which of those set aside are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rotation {
    /// Megabytes (2^20 bytes) of a file at most.
    pub max_megabytes: u64,
    /// Days that a file set aside is kept; zero for ever.
    pub max_days: u64,
    /// Files set aside that are kept; zero for all.
    pub max_backups: usize,
    /// Set for compatibility; names carry the time in UTC.
    pub localtime: bool,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { max_megabytes: 100, max_days: 0, max_backups: 100, localtime: false }
    }
}

impl Rotation {
    /// Whether `more` bytes would not fit any more; a file holds at least one line.
    pub(super) fn is_due(&self, bytes: u64, more: u64) -> bool {
        bytes > 0 && bytes + more > self.max_megabytes.max(1) << 20
    }

    /// Renames the file to `name-TIME.extension` and removes what is too old or too many.
    pub(super) fn set_aside(&self, path: &Path, now: u64) -> io::Result<()> {
        let mut target = backup_name(path, now, 0);
        let mut count = 0;
        while target.exists() {
            count += 1;
            target = backup_name(path, now, count);
        }
        std::fs::rename(path, &target)?;
        sync_directory(path)?;
        self.prune(path, now)
    }

    fn prune(&self, path: &Path, now: u64) -> io::Result<()> {
        let mut backups = backups(path)?;
        backups.sort();
        backups.reverse();
        let oldest = (self.max_days > 0).then(|| {
            UNIX_EPOCH
                + Duration::from_nanos(now)
                    .saturating_sub(Duration::from_secs(self.max_days * 86_400))
        });
        for (index, backup) in backups.iter().enumerate() {
            let is_surplus = self.max_backups > 0 && index >= self.max_backups;
            if is_surplus || is_older(backup, oldest) {
                std::fs::remove_file(backup)?;
            }
        }
        Ok(())
    }
}

fn is_older(path: &Path, oldest: Option<SystemTime>) -> bool {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    matches!((oldest, modified), (Some(oldest), Ok(modified)) if modified < oldest)
}

fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let extension = text(path.extension());
    let dotted = if extension.is_empty() { extension } else { format!(".{extension}") };
    (text(path.file_stem()), dotted)
}

fn backup_name(path: &Path, now: u64, count: u32) -> PathBuf {
    let (stem, extension) = parts(path);
    let time = Timestamp::from_nanosecond(i128::from(now)).unwrap_or_default();
    let time = time.strftime("%Y-%m-%dT%H-%M-%S.%3f");
    // A count sorts behind the name without it, in the order in which files were set aside.
    let suffix = if count == 0 { String::new() } else { format!("_{count:06}") };
    path.with_file_name(format!("{stem}-{time}{suffix}{extension}"))
}

fn backups(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (stem, extension) = parts(path);
    let prefix = format!("{stem}-2");
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name.ends_with(&extension) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
