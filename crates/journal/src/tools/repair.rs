//! Takes out of the way what cannot be read. Nothing is deleted, nothing is written to.
//!
//! A segment with a damaged block stays: its other blocks are served, and it goes to quarantine by
//! itself when they are settled. So does the newest segment of a log, readable or not, because its
//! name says which numbers were given.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{Inspector, LogFiles, ToolError};
use crate::blocks::{Seen, walk};
use crate::lock;
use crate::quarantine;
use crate::recover::{Readable, id_in};
use crate::report::Cause;

/// What a repair did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repair {
    /// Files that are in quarantine now.
    pub moved: Vec<Moved>,
    /// Damaged files that stay where they are, and why.
    pub left: Vec<(PathBuf, String)>,
}

/// A file that was moved to quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Where it was.
    pub from: PathBuf,
    /// Where it is.
    pub to: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl Inspector {
    /// Moves what cannot be read at all to `quarantine/`, under the lock of the journal.
    pub fn repair(&self) -> Result<Repair, ToolError> {
        // Before the lock, which makes a file: there must be a journal to lock.
        self.listing()?;
        let _lock = lock::take(&*self.env.disk, &self.dir)?;
        let listing = self.listing()?;
        let mut repair = Repair::default();
        for log in &listing.logs {
            self.repair_log(log, &mut repair)?;
        }
        let areas = &listing.areas;
        if areas.header_damaged && areas.all().next().is_none() {
            let problem = "nothing in it can be read; every sink starts at its oldest record";
            self.quarantine(&self.dir.join("cursors"), problem, &mut repair)?;
        }
        Ok(repair)
    }

    fn repair_log(&self, log: &LogFiles, repair: &mut Repair) -> Result<(), ToolError> {
        let damaged = log.inventory.parked.iter().filter(|parked| parked.cause == Cause::Damaged);
        let mut found: Vec<(&Path, String)> =
            damaged.map(|parked| (parked.path.as_path(), parked.reason.clone())).collect();
        for (readable, bound) in log.segments() {
            let (whole, broken) = self.blocks(readable, bound).map_err(self.failed())?;
            match (whole, broken) {
                (_, 0) => {}
                (0, _) => found.push((&readable.path, "no block of it can be read".into())),
                (_, broken) => {
                    let why = format!("{broken} damaged blocks; the others are served first");
                    repair.left.push((readable.path.clone(), why));
                }
            }
        }
        let newest = log.inventory.next_id - 1;
        for (path, problem) in found {
            let name = Path::new(path.file_name().unwrap_or_default());
            if id_in(name) == Some(newest) {
                let why = format!("{problem}; it is the newest, by which numbers go on");
                repair.left.push((path.to_path_buf(), why));
            } else {
                self.quarantine(path, &problem, repair)?;
            }
        }
        Ok(())
    }

    fn blocks(&self, readable: &Readable, bound: u64) -> io::Result<(u64, u64)> {
        let (mut whole, mut broken) = (0, 0);
        walk(&self.env, readable, bound, &mut |seen| {
            match seen {
                Seen::Entries(..) => whole += 1,
                Seen::Damage(_) => broken += 1,
            }
            ControlFlow::Continue(())
        })?;
        Ok((whole, broken))
    }

    fn quarantine(&self, path: &Path, problem: &str, repair: &mut Repair) -> Result<(), ToolError> {
        let quarantine = self.dir.join("quarantine");
        let disk = &*self.env.disk;
        let put = || {
            let to = quarantine::put(disk, &quarantine, path)?;
            disk.sync_dir(&quarantine)?;
            disk.sync_dir(path.parent().unwrap_or(&self.dir))?;
            disk.sync_dir(&self.dir)?;
            Ok(to)
        };
        let to = put().map_err(|source| ToolError::Io { path: path.to_path_buf(), source })?;
        repair.moved.push(Moved { from: path.to_path_buf(), to, problem: problem.into() });
        Ok(())
    }
}
