//! The journal in a data directory that nobody runs on, opened to be looked at.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bessemer_config::SystemEnvironment;
use bessemer_journal::{Journal, Options, RealDisk};
use bessemer_runtime::{Clock, SystemRandom};

use crate::arguments::Keys;
use crate::keys;

/// Opens it without changing anything; refuses one that a process runs on.
pub(super) fn open(storage: &Path, keys: &Keys, clock: Arc<dyn Clock>) -> anyhow::Result<Journal> {
    let dir = storage.join("journal");
    refuse_live(&dir)?;
    let keys = keys::source(keys, &SystemEnvironment)?;
    let options = Options { keys, ..Options::new(dir) };
    let random = Arc::new(SystemRandom::default());
    let (journal, _) = Journal::read_only(Arc::new(RealDisk), clock, random, options)?;
    Ok(journal)
}

// What a process changes under our hands would be read wrongly, and it can be asked itself.
fn refuse_live(journal: &Path) -> anyhow::Result<()> {
    if !journal.is_dir() {
        bail!("there is no journal in {}", journal.display());
    }
    let lock = match File::open(journal.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("the lock of the journal cannot be read"),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            bail!("a process runs on {}; ask it with --server", journal.display())
        }
        Err(TryLockError::Error(error)) => Err(error).context("the lock cannot be asked"),
    }
}
