//! Keys in files: one file, or a directory in which the name of a file is the id of its key.
//!
//! Files are read again whenever a segment begins, so a key that is added takes effect without a
//! restart. Write it elsewhere and rename it into place.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bessemer_journal::{CurrentKey, Key, KeyError, KeySource};
use bytes::Bytes;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::{is_id, key_of};

/// Most bytes of a key file: base64 with room for blanks.
const FILE_BYTES_MAX: u64 = 256;
/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

/// Keys in files.
#[derive(Debug)]
pub struct KeyFiles {
    path: PathBuf,
    /// What is used while the newest file cannot be read.
    last: Mutex<Option<CurrentKey>>,
}

impl KeyFiles {
    /// The file or directory at `path`, in which there must be a current key.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyError> {
        let files = Self { path: path.into(), last: Mutex::default() };
        files.current()?;
        Ok(files)
    }

    /// The files of keys that others than their owner can read or write.
    pub fn exposed(&self) -> Vec<PathBuf> {
        let files = if self.path.is_dir() {
            let ids = self.ids().unwrap_or_default();
            ids.into_iter().map(|id| self.path.join(id)).collect()
        } else {
            vec![self.path.clone()]
        };
        let is_exposed =
            |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.mode() & OTHERS != 0);
        files.into_iter().filter(is_exposed).collect()
    }

    fn newest(&self) -> Result<CurrentKey, KeyError> {
        let path = if self.path.is_dir() {
            let newest = self.ids()?.into_iter().max();
            let newest = newest.ok_or_else(|| self.unavailable(&"there is no key in it"))?;
            self.path.join(newest)
        } else {
            self.path.clone()
        };
        let id = id_of(&path).ok_or_else(|| self.unavailable(&"its name is no key id"))?;
        let key = self.read(&path)?;
        Ok(CurrentKey { id, key, wrapped: Bytes::new() })
    }

    // Hidden files and directories are how mounted secrets are swapped.
    fn ids(&self) -> Result<Vec<String>, KeyError> {
        let entries = fs::read_dir(&self.path).map_err(|error| self.unavailable(&error))?;
        let mut ids = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| self.unavailable(&error))?.path();
            ids.extend(id_of(&path).filter(|id| !id.starts_with('.') && path.is_file()));
        }
        Ok(ids)
    }

    fn read(&self, path: &Path) -> Result<Key, KeyError> {
        let bytes = read(path).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                KeyError::Unknown(id_of(path).unwrap_or_default())
            } else {
                self.unavailable(&error)
            }
        })?;
        key_of(&bytes).ok_or_else(|| {
            let name = path.display();
            self.unavailable(&format!("{name} is not 32 bytes, raw, as base64 or as hexadecimal"))
        })
    }

    fn unavailable(&self, reason: &dyn ToString) -> KeyError {
        let source_name = self.path.display().to_string();
        KeyError::Unavailable { source_name, reason: reason.to_string() }
    }
}

impl KeySource for KeyFiles {
    fn current(&self) -> Result<CurrentKey, KeyError> {
        let mut last = self.last.lock();
        match (self.newest(), &*last) {
            (Ok(newest), _) => {
                *last = Some(newest.clone());
                Ok(newest)
            }
            (Err(error), Some(last)) => {
                tracing::error!(%error, key = last.id, "newest key not read, the last one stays");
                Ok(last.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    fn find(&self, id: &str, _: &[u8]) -> Result<Key, KeyError> {
        let unknown = || KeyError::Unknown(id.into());
        if !self.path.is_dir() {
            let own = id_of(&self.path).is_some_and(|own| own == id);
            return if own { self.read(&self.path) } else { Err(unknown()) };
        }
        // An id comes from a file that others may have written: it names a file here and no path.
        if self.ids()?.iter().any(|known| known == id) {
            self.read(&self.path.join(id))
        } else {
            Err(unknown())
        }
    }
}

fn id_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str().filter(|id| is_id(id)).map(ToOwned::to_owned)
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let mode = file.metadata()?.mode();
    if mode & OTHERS != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777),
            "key file can be read by others; make it chmod 600");
    }
    // As large as it gets, so that no copy of a key is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_current(files: &KeyFiles, id: &str) {
        assert_eq!(files.current().unwrap().id, id);
        assert!(files.find(id, &[]).is_ok());
    }

    #[test]
    fn the_last_file_of_a_directory_is_current_and_a_new_one_takes_over() {
        let dir = tempfile::tempdir().unwrap();
        assert!(KeyFiles::open(dir.path()).is_err(), "a directory without keys");
        fs::write(dir.path().join("2026-10"), [1; 32]).unwrap();
        let files = KeyFiles::open(dir.path()).unwrap();
        check_current(&files, "2026-10");
        fs::write(dir.path().join("2026-11"), "ab".repeat(32)).unwrap();
        fs::write(dir.path().join(".hidden"), [1; 32]).unwrap();
        fs::create_dir(dir.path().join("3000")).unwrap();
        check_current(&files, "2026-11");
        assert!(files.find("2026-10", &[]).is_ok());
        for unknown in ["2026-12", ".hidden", "3000", "../etc/passwd", ""] {
            assert_eq!(files.find(unknown, &[]).unwrap_err(), KeyError::Unknown(unknown.into()));
        }
    }

    #[test]
    fn while_the_newest_file_is_no_key_the_last_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("1"), [1; 32]).unwrap();
        let files = KeyFiles::open(dir.path()).unwrap();
        fs::write(dir.path().join("2"), "half of a k").unwrap();
        assert_eq!(files.current().unwrap().id, "1");
        assert!(KeyFiles::open(dir.path()).is_err(), "none to fall back on");
        fs::write(dir.path().join("2"), [2; 32]).unwrap();
        assert_eq!(files.current().unwrap().id, "2");
    }

    #[test]
    fn a_single_file_is_one_key_by_the_name_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.key");
        assert_eq!(
            KeyFiles::open(&path).unwrap_err(),
            KeyError::Unknown("journal.key".into()),
            "not there"
        );
        fs::write(&path, [9; 32]).unwrap();
        let files = KeyFiles::open(&path).unwrap();
        check_current(&files, "journal.key");
        assert_eq!(files.find("other", &[]).unwrap_err(), KeyError::Unknown("other".into()));
    }
}
