//! What operators look at a journal with: by its side, while it runs or when it is dead.
//!
//! An [`Inspector`] opens files to read and nothing else: it takes no lock, creates nothing, changes
//! nothing. On a live directory it sees a moment; what is deleted or written meanwhile is looked
//! for again before it is called damage. Only [`Inspector::repair`] takes the lock, and all it
//! does is move damaged files to `quarantine/`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bessemer_runtime::{SystemClock, SystemRandom};

use crate::cursor::{Areas, CursorsError};
use crate::disk::Disk;
use crate::error::OpenError;
use crate::format::Kind;
use crate::keys::{KeySource, Keyring};
use crate::lock;
use crate::log::Env;
use crate::open::{incarnation, inventories_below};
use crate::recover::{Inventory, Readable, take_inventory};
use crate::report::Parked;

mod check;
mod dump;
mod repair;
mod stat;

pub use check::{Check, Finding, Severity};
pub use dump::Dumped;
pub use repair::{Moved, Repair};
pub use stat::{LaneStat, LogStat, SinkStat, Stat};

/// Looks at a directory that changes while it is listed.
const LISTINGS_MAX: u32 = 5;

/// Reads the directory of a journal by its side.
pub struct Inspector {
    env: Env,
    dir: PathBuf,
}

/// Why a directory was not inspected.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// Nothing there was written by a journal.
    #[error("{dir} holds no journal", dir = dir.display())]
    NoJournal {
        /// Where one was looked for.
        dir: PathBuf,
    },
    /// The directory cannot be read, or not be written when it is repaired.
    #[error("journal {path}: {source}", path = path.display())]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The lock was not given: a journal that is open is not repaired.
    #[error(transparent)]
    Lock(#[from] OpenError),
}

/// A log as it lies there.
struct LogFiles {
    /// `main`, `spill/ID` or `dead/ID`.
    name: String,
    /// Whose log it is, unless everybody's.
    sink: Option<String>,
    inventory: Inventory,
}

/// All files of a journal.
struct Listing {
    incarnation: u64,
    logs: Vec<LogFiles>,
    areas: Areas,
    /// Why the cursors could not be read, if so.
    cursors: Option<CursorsError>,
}

impl Inspector {
    /// An inspector of the journal in `dir`, which opens what is sealed by `keys`.
    pub fn new(
        disk: Arc<dyn Disk>,
        keys: Option<Arc<dyn KeySource>>,
        dir: impl Into<PathBuf>,
    ) -> Self {
        let env = Env {
            disk,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
            counters: Arc::default(),
            repeats: Arc::default(),
            keys: keys.map(|source| Arc::new(Keyring::new(source))),
        };
        Self { env, dir: dir.into() }
    }

    /// The process that the lock file names. Whether it still runs is not asked.
    pub fn owner(&self) -> Option<u32> {
        lock::noted_owner(&*self.env.disk, &self.dir.join("lock"))
    }

    fn failed(&self) -> impl Fn(io::Error) -> ToolError + use<> {
        let path = self.dir.clone();
        move |source| ToolError::Io { path: path.clone(), source }
    }

    fn listing(&self) -> Result<Listing, ToolError> {
        let names = self.env.disk.list(&self.dir).map_err(self.failed())?;
        let known = |name: &PathBuf| {
            ["main", "spill", "dead", "cursors"].map(Path::new).contains(&name.as_path())
        };
        if !names.iter().any(known) {
            return Err(ToolError::NoJournal { dir: self.dir.clone() });
        }
        let (areas, cursors) = match Areas::read(&self.env, &self.dir.join("cursors")) {
            Ok(areas) => (areas, None),
            Err(error) => (Areas::default(), Some(error)),
        };
        let mut logs = Vec::new();
        for kind in [Kind::Main, Kind::Spill, Kind::Dead] {
            logs.extend(self.logs(kind).map_err(self.failed())?);
        }
        let (main, beside): (Vec<_>, Vec<_>) = logs.iter().partition(|log| log.sink.is_none());
        let nothing = Inventory::default();
        let main = main.first().map_or(&nothing, |log| &log.inventory);
        let beside = beside.iter().map(|log| &log.inventory);
        let incarnation = incarnation(&self.env, &areas, main, beside);
        for log in &mut logs {
            log.inventory.keep_only(incarnation);
            log.inventory.readable.sort_by_key(|readable| readable.header.id);
        }
        Ok(Listing { incarnation, logs, areas, cursors })
    }

    // A segment that goes between the listing and the look at it was deleted by its journal, and a
    // header that is half there may be being written: both are gone when one looks again.
    fn logs(&self, kind: Kind) -> io::Result<Vec<LogFiles>> {
        let mut looks = 1;
        loop {
            let found = self.logs_now(kind);
            let settled = match &found {
                Ok(logs) => logs.iter().all(|log| !log.inventory.unreadable) || looks > 1,
                Err(error) => error.kind() != io::ErrorKind::NotFound,
            };
            if settled || looks >= LISTINGS_MAX {
                return found;
            }
            looks += 1;
        }
    }

    fn logs_now(&self, kind: Kind) -> io::Result<Vec<LogFiles>> {
        if kind == Kind::Main {
            let inventory = take_inventory(&self.env, &self.dir.join("main"), kind)?;
            return Ok(vec![LogFiles { name: "main".into(), sink: None, inventory }]);
        }
        let below = if kind == Kind::Dead { "dead" } else { "spill" };
        let found = inventories_below(&self.env, &self.dir, kind)?;
        let logs = found.into_iter().map(|(id, inventory)| LogFiles {
            name: format!("{below}/{id}"),
            sink: Some(id),
            inventory,
        });
        Ok(logs.collect())
    }
}

impl LogFiles {
    /// The segments, oldest first, each with the number from which on its content is void.
    fn segments(&self) -> impl Iterator<Item = (&Readable, u64)> {
        let firsts = self.inventory.readable.iter().skip(1).map(|next| next.header.first);
        self.inventory.readable.iter().zip(firsts.chain([u64::MAX]))
    }
}

impl Listing {
    fn main(&self) -> Option<&LogFiles> {
        self.logs.iter().find(|log| log.sink.is_none())
    }

    fn parked(&self) -> impl Iterator<Item = &Parked> {
        self.logs.iter().flat_map(|log| &log.inventory.parked)
    }
}
