//! What a power cut may leave of a disk in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bessemer_runtime::Random;
use parking_lot::Mutex;

use super::file::{Inode, Sector};
use super::{DIRECTORY, MemDisk, NameChange, Names, SECTOR_BYTES, State};

/// What a power cut decides about, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A created, renamed or removed name whose directory was not synced.
    Name,
    /// A sector that was written and not synced.
    Sector,
    /// The length of a file that was not synced.
    Length,
}

/// What becomes of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// As written.
    Kept,
    /// As it was before.
    Reverted,
    /// A sector of zeros; a length half way; for a name as [`Fate::Reverted`].
    Zeroed,
    /// A sector of repetitions of this word; otherwise as [`Fate::Zeroed`].
    Garbage(u64),
}

/// A disk as it was at one moment. Cheap to keep: it shares its pages.
#[derive(Clone)]
pub struct Image {
    state: State,
}

impl Image {
    /// How many units a power cut now would decide about.
    pub fn units(&self) -> usize {
        let undecided = |inode: &Arc<Inode>| {
            inode.dirty.len() + usize::from(inode.durable_len != inode.data.len())
        };
        self.state.pending.len() + self.state.inodes.values().map(undecided).sum::<usize>()
    }

    /// The disk as the next process finds it after this one was killed: nothing written is lost.
    #[must_use]
    pub fn after_kill(&self) -> MemDisk {
        MemDisk::with(self.state.clone())
    }

    /// The disk after a power cut whose outcome `decide` chooses, asked once per unit, always in
    /// the same order.
    #[must_use]
    pub fn after_power_cut(&self, decide: &mut dyn FnMut(Unit) -> Fate) -> MemDisk {
        MemDisk::with(self.state.power_cut(decide))
    }
}

impl MemDisk {
    fn with(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The disk as it is now.
    #[must_use]
    pub fn image(&self) -> Image {
        self.state.lock().image()
    }

    /// The disk as the next process finds it after this one was killed: nothing written is lost.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        self.image().after_kill()
    }

    /// The disk after a power cut, as one of the outcomes that `random` chooses between.
    #[must_use]
    pub fn after_power_cut(&self, random: &dyn Random) -> Self {
        self.image().after_power_cut(&mut |unit| chance(unit, random))
    }
}

/// A fate by chance.
pub fn chance(unit: Unit, random: &dyn Random) -> Fate {
    let drawn = random.next_u64();
    match (unit, drawn % 60) {
        (Unit::Name, 0..30) | (Unit::Length, 0..20) | (Unit::Sector, 0..24) => Fate::Kept,
        (Unit::Sector, 36..48) | (Unit::Length, 40..) => Fate::Zeroed,
        (Unit::Sector, 48..) => Fate::Garbage(drawn),
        _ => Fate::Reverted,
    }
}

impl NameChange {
    pub(super) fn concerns(&self, dir: &Path) -> bool {
        let path = match self {
            Self::Link(path, _) | Self::Unlink(path) | Self::Rename(_, path, _) => path,
        };
        path.parent() == Some(dir)
    }

    pub(super) fn apply(&self, names: &mut Names) {
        match self {
            Self::Link(path, inode) => {
                names.insert(Arc::clone(path), *inode);
            }
            // It names a file, not whatever had the old name in what reached the disk.
            Self::Rename(from, to, inode) => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(Arc::clone(to), *inode);
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
        }
    }
}

impl State {
    pub(super) fn image(&self) -> Image {
        let state = Self {
            inodes: self.inodes.clone(),
            durable_names: self.durable_names.clone(),
            pending: self.pending.clone(),
            names: self.names.clone(),
            next_inode: self.next_inode,
            capacity: self.capacity,
            ..Self::default()
        };
        Image { state }
    }

    pub(super) fn power_cut(&self, decide: &mut dyn FnMut(Unit) -> Fate) -> Self {
        let mut names = self.durable_names.clone();
        let mut gone = Vec::new();
        for change in &self.pending {
            if decide(Unit::Name) == Fate::Kept {
                change.apply(&mut names);
            } else if let NameChange::Link(dir, DIRECTORY) = change {
                gone.push(dir);
            }
        }
        names.retain(|path, _| !gone.iter().any(|dir| path.starts_with(dir)));
        let mut inodes = BTreeMap::new();
        for inode in names.values() {
            if let Some(content) = self.inodes.get(inode) {
                inodes.insert(*inode, content.after_power_cut(decide));
            }
        }
        Self {
            inodes,
            durable_names: names.clone(),
            names,
            next_inode: self.next_inode,
            capacity: self.capacity,
            ..Self::default()
        }
    }
}

impl Inode {
    fn after_power_cut(self: &Arc<Self>, decide: &mut dyn FnMut(Unit) -> Fate) -> Arc<Self> {
        if self.is_durable() && self.linked {
            return Arc::clone(self);
        }
        let mut data = self.data.clone();
        let mut restore = |sector: usize, bytes: &Sector| {
            let start = sector * SECTOR_BYTES;
            let count = SECTOR_BYTES.min(self.data.len().saturating_sub(start));
            data.write(start.min(self.data.len()), bytes.get(..count).unwrap_or_default());
        };
        for (sector, held) in &self.lost {
            restore(*sector, held);
        }
        for (sector, held) in &self.dirty {
            match decide(Unit::Sector) {
                Fate::Kept => {}
                Fate::Reverted => restore(*sector, held),
                Fate::Zeroed => restore(*sector, &[0; SECTOR_BYTES]),
                Fate::Garbage(word) => restore(*sector, &garbage(word)),
            }
        }
        if self.durable_len != self.data.len() {
            data.resize(match decide(Unit::Length) {
                Fate::Kept => self.data.len(),
                Fate::Reverted => self.durable_len,
                Fate::Zeroed | Fate::Garbage(_) => self.durable_len.midpoint(self.data.len()),
            });
        }
        Arc::new(Self::durable(data))
    }
}

fn garbage(word: u64) -> Sector {
    let mut sector = [0; SECTOR_BYTES];
    for place in sector.as_chunks_mut::<8>().0 {
        *place = word.to_le_bytes();
    }
    sector
}
