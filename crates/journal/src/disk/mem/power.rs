//! What a power cut may leave of a disk in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bessemer_runtime::Random;

use super::{Inode, NameChange, SECTOR_BYTES, State};

impl NameChange {
    pub(super) fn concerns(&self, dir: &Path) -> bool {
        let path = match self {
            Self::Link(path, _) | Self::Unlink(path) | Self::Rename(_, path) => path,
        };
        path.parent() == Some(dir)
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Link(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
        }
    }
}

impl State {
    pub(super) fn survivor(&self, names: BTreeMap<PathBuf, u64>) -> Self {
        let inodes =
            self.inodes.iter().filter(|(inode, _)| names.values().any(|held| held == *inode));
        Self {
            inodes: inodes.map(|(inode, content)| (*inode, content.clone())).collect(),
            durable_names: self.durable_names.clone(),
            pending: self.pending.clone(),
            names,
            next_inode: self.next_inode,
            capacity: self.capacity,
            ..Self::default()
        }
    }

    pub(super) fn power_cut(&self, random: &dyn Random) -> Self {
        let mut names = self.durable_names.clone();
        for change in self.pending.iter().filter(|_| random.next_u64() & 1 == 0) {
            change.apply(&mut names);
        }
        let mut after = self.survivor(names.clone());
        after.durable_names = names;
        after.pending = Vec::new();
        for inode in after.inodes.values_mut() {
            inode.power_cut(random);
        }
        after
    }
}

impl Inode {
    fn power_cut(&mut self, random: &dyn Random) {
        for (sector, held) in std::mem::take(&mut self.lost) {
            self.restore(sector, &held);
        }
        for (sector, held) in std::mem::take(&mut self.dirty) {
            match random.next_u64() % 5 {
                0 | 1 => {}
                2 => self.restore(sector, &held),
                3 => self.restore(sector, &[0; SECTOR_BYTES]),
                _ => {
                    let garbage = random.next_u64().to_le_bytes().repeat(SECTOR_BYTES / 8);
                    self.restore(sector, &garbage);
                }
            }
        }
        let len = match random.next_u64() % 3 {
            0 => self.durable_len,
            1 => self.durable_len.midpoint(self.data.len()),
            _ => self.data.len(),
        };
        self.data.resize(len.min(self.data.len().max(self.durable_len)), 0);
        self.durable_len = self.data.len();
        self.linked = true;
    }

    fn restore(&mut self, sector: usize, bytes: &[u8]) {
        let start = (sector * SECTOR_BYTES).min(self.data.len());
        let end = (start + SECTOR_BYTES).min(self.data.len());
        let place = self.data.get_mut(start..end).unwrap_or_default();
        for (to, from) in place.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
}
