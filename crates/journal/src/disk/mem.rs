//! A disk in memory that fails as told: errors at chosen calls, no space, power cuts.
//!
//! What is modelled: sectors of 512 bytes that were written but not synced may be kept, reverted,
//! zeroed or turned to garbage by a power cut, each on its own; likewise lengths and, in order but
//! each on its own, created, renamed and removed names. A failed `fdatasync` leaves its sectors
//! readable but never durable, as Linux does. Not modelled: a drive that lies about its cache.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile, LockGuard, OpenMode};

mod file;
mod pages;
mod power;

use file::Inode;
use pages::Pages;
pub use power::{Fate, Image, Unit, chance};

/// Bytes that a power cut keeps or loses together.
pub const SECTOR_BYTES: usize = 512;

/// The kinds of calls, to aim faults at and to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// Opening an existing file.
    Open,
    /// Creating a file.
    Create,
    /// Writing.
    Write,
    /// Reading.
    Read,
    /// `fdatasync`.
    Sync,
    /// Syncing a directory.
    SyncDir,
    /// Reserving space.
    Allocate,
    /// Cutting a file.
    Truncate,
    /// Renaming.
    Rename,
    /// Removing a name.
    Unlink,
    /// Listing a directory, creating one.
    Directory,
}

/// What a faulty call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Fails with `EIO`.
    Io,
    /// Fails with `ENOSPC`.
    Full,
    /// Fails with `EDQUOT`.
    Quota,
    /// Writes half of what it was given; other calls succeed.
    Short,
    /// Fails with `EINTR`.
    Interrupted,
    /// Nothing happens any more: what was not synced stays that way. For power cuts at a call.
    Off,
}

/// The inode of all directories.
const DIRECTORY: u64 = 0;

/// What calls to a disk that is off return.
const OFF_ERRNO: i32 = 19;

/// Which calls fail.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Calls of this kind; of every kind when `None`.
    pub call: Option<Call>,
    /// How many of them succeed first.
    pub after: u64,
    /// How many fail then.
    pub times: u64,
    /// How.
    pub fault: Fault,
}

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemDisk {
    state: Arc<Mutex<State>>,
}

type Names = BTreeMap<Arc<Path>, u64>;

#[derive(Clone, Default)]
struct State {
    inodes: BTreeMap<u64, Arc<Inode>>,
    names: Names,
    durable_names: Names,
    pending: Vec<NameChange>,
    locks: BTreeSet<PathBuf>,
    /// How many handles a file has.
    open: BTreeMap<u64, usize>,
    next_inode: u64,
    capacity: Option<u64>,
    rules: Vec<Rule>,
    calls: u64,
    trace: Option<Vec<(Call, PathBuf)>>,
    images: Option<Vec<Image>>,
    delay: Option<Arc<dyn Fn() + Send + Sync>>,
}

#[derive(Clone)]
enum NameChange {
    Link(Arc<Path>, u64),
    Rename(Arc<Path>, Arc<Path>, u64),
    Unlink(Arc<Path>),
}

impl MemDisk {
    /// An empty disk without limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule for calls from now on.
    pub fn fail(&self, rule: Rule) {
        self.state.lock().rules.push(rule);
    }

    /// Forgets all rules.
    pub fn heal(&self) {
        self.state.lock().rules.clear();
    }

    /// Limits the sum of all file lengths; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// How many calls were made, failed ones included.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// Records calls from now on, and forgets what was recorded.
    pub fn record(&self) {
        self.state.lock().trace = Some(Vec::new());
    }

    /// The calls recorded since [`MemDisk::record`], in order, with their paths.
    pub fn recorded(&self) -> Vec<(Call, PathBuf)> {
        self.state.lock().trace.clone().unwrap_or_default()
    }

    /// Keeps an image of the disk after every call from now on that changed something.
    pub fn keep_images(&self) {
        self.state.lock().images = Some(Vec::new());
    }

    /// The images kept since they were last taken, in order.
    pub fn take_images(&self) -> Vec<Image> {
        self.state.lock().images.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Runs `act` in every `fdatasync`: a slow disk, when it lets time pass.
    pub fn delay_syncs(&self, act: Arc<dyn Fn() + Send + Sync>) {
        self.state.lock().delay = Some(act);
    }

    /// The names of all files.
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.state.lock();
        let files = state.names.iter().filter(|(_, inode)| **inode != DIRECTORY);
        files.map(|(path, _)| path.to_path_buf()).collect()
    }

    /// The bytes of a file.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        Some(state.inodes.get(state.names.get(path)?)?.data.to_vec())
    }

    /// Replaces the bytes of a file, durably, as damage would; creates it if need be.
    pub fn overwrite(&self, path: &Path, bytes: impl AsRef<[u8]>) {
        let mut state = self.state.lock();
        let inode = state.link(path);
        state.durable_names.insert(path.into(), inode);
        state.inodes.insert(inode, Arc::new(Inode::durable(Pages::of(bytes.as_ref()))));
    }

    /// Removes a file, durably, as a mishap would.
    pub fn remove(&self, path: &Path) {
        let mut state = self.state.lock();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    fn enter(&self, call: Call, path: &Path) -> io::Result<Option<Fault>> {
        self.state.lock().enter(call, path)
    }

    fn delay(&self) {
        let delay = self.state.lock().delay.clone();
        if let Some(act) = delay {
            act();
        }
    }
}

impl State {
    fn enter(&mut self, call: Call, path: &Path) -> io::Result<Option<Fault>> {
        self.calls += 1;
        if let Some(trace) = &mut self.trace {
            trace.push((call, path.into()));
        }
        let matching = |rule: &&mut Rule| rule.call.is_none_or(|wanted| wanted == call);
        let mut struck = None;
        for rule in self.rules.iter_mut().filter(matching) {
            if rule.after > 0 {
                rule.after -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                struck = struck.or(Some(rule.fault));
            }
        }
        match struck {
            Some(Fault::Io) => Err(io::Error::from_raw_os_error(5)),
            Some(Fault::Quota) => Err(io::Error::from_raw_os_error(122)),
            Some(Fault::Full) => Err(io::Error::from_raw_os_error(28)),
            Some(Fault::Off) => Err(io::Error::from_raw_os_error(OFF_ERRNO)),
            Some(Fault::Interrupted) => Err(io::ErrorKind::Interrupted.into()),
            other => Ok(other),
        }
    }

    fn used(&self) -> u64 {
        let held = self
            .inodes
            .iter()
            .filter(|(number, inode)| inode.linked || self.open.contains_key(number));
        held.map(|(_, inode)| inode.data.len() as u64).sum()
    }

    fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()))
    }

    // After a change.
    fn note(&mut self) {
        if self.images.is_some() {
            let image = self.image();
            self.images.get_or_insert_default().push(image);
        }
    }

    fn link(&mut self, path: &Path) -> u64 {
        if let Some(inode) = self.names.get(path) {
            return *inode;
        }
        self.next_inode += 1;
        let inode = self.next_inode;
        self.inodes.insert(inode, Arc::new(Inode::durable(Pages::default())));
        self.names.insert(path.into(), inode);
        inode
    }

    // Handles to a file without a name read what was there; its space comes back with the last.
    fn release(&mut self, inode: u64) {
        if !self.names.values().any(|held| *held == inode) {
            self.inodes.entry(inode).and_modify(|inode| Arc::make_mut(inode).linked = false);
        }
    }
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, path.display().to_string())
}

impl Disk for MemDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let create = mode == OpenMode::CreateNew;
        self.enter(if create { Call::Create } else { Call::Open }, path)?;
        let mut state = self.state.lock();
        let inode = match (state.names.get(path).copied(), create) {
            (Some(_), true) => return Err(io::ErrorKind::AlreadyExists.into()),
            (None, false) => return Err(missing(path)),
            (Some(inode), false) => inode,
            (None, true) => {
                let inode = state.link(path);
                state.pending.push(NameChange::Link(path.into(), inode));
                state.note();
                inode
            }
        };
        *state.open.entry(inode).or_default() += 1;
        drop(state);
        Ok(Arc::new(file::MemFile { disk: self.clone(), inode, path: path.into() }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.enter(Call::Directory, path)?;
        let mut state = self.state.lock();
        // The root is always there.
        let above = path.ancestors().filter(|above| above.parent().is_some());
        let missing = above.filter(|above| !state.names.contains_key(*above));
        let missing: Vec<Arc<Path>> = missing.map(Arc::from).collect();
        for dir in missing.into_iter().rev() {
            state.names.insert(Arc::clone(&dir), DIRECTORY);
            state.pending.push(NameChange::Link(dir, DIRECTORY));
            state.note();
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.enter(Call::Directory, dir)?;
        let state = self.state.lock();
        let below = state.names.keys().filter_map(|path| path.strip_prefix(dir).ok());
        let mut names: Vec<PathBuf> = below
            .filter_map(|rest| rest.components().next())
            .map(|part| part.as_os_str().into())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.enter(Call::Rename, from)?;
        let mut state = self.state.lock();
        let inode = state.names.remove(from).ok_or_else(|| missing(from))?;
        let replaced = state.names.insert(to.into(), inode);
        state.pending.push(NameChange::Rename(from.into(), to.into(), inode));
        if let Some(replaced) = replaced {
            state.release(replaced);
        }
        state.note();
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.enter(Call::Unlink, path)?;
        let mut state = self.state.lock();
        let inode = state.names.remove(path).ok_or_else(|| missing(path))?;
        state.pending.push(NameChange::Unlink(path.into()));
        state.release(inode);
        state.note();
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.enter(Call::SyncDir, dir)?;
        let mut state = self.state.lock();
        let pending = std::mem::take(&mut state.pending);
        let (done, rest) = pending.into_iter().partition(|change| change.concerns(dir));
        state.pending = rest;
        let done: Vec<NameChange> = done;
        for change in &done {
            change.apply(&mut state.durable_names);
        }
        if !done.is_empty() {
            state.note();
        }
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.state.lock().room())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        if !self.state.lock().locks.insert(path.into()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemLock { disk: self.clone(), path: path.into() }))
    }
}

struct MemLock {
    disk: MemDisk,
    path: PathBuf,
}

impl LockGuard for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        self.disk.state.lock().locks.remove(&self.path);
    }
}
