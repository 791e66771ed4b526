//! The level that survives a restart: verdicts in the state of the node.
//!
//! Bounded by number; the oldest makes way. Verdicts of another version are removed when it opens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bessemer_pipeline::state::{Change, State, StateError};
use parking_lot::Mutex;

use super::Key;

/// Verdicts that are kept at most.
pub const ENTRIES_MAX: usize = 10_000;
/// Under which they are kept.
const COMPONENT: &str = "bessemer.llm";
const PREFIX: &str = "verdict/";

/// The verdicts of one version in the state of the node.
pub struct Durable {
    state: Arc<dyn State>,
    version: u64,
    entries_max: usize,
    index: Mutex<Index>,
}

/// Which keys there are, and which came first.
#[derive(Debug, Default)]
struct Index {
    order: BTreeMap<u64, Key>,
    number: BTreeMap<Key, u64>,
    next: u64,
}

impl std::fmt::Debug for Durable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Durable").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Durable {
    /// Reads which verdicts of `version` there are, and removes all others.
    pub fn open(state: Arc<dyn State>, version: u64) -> Result<Self, StateError> {
        Self::with_room(state, version, ENTRIES_MAX)
    }

    fn with_room(
        state: Arc<dyn State>,
        version: u64,
        entries_max: usize,
    ) -> Result<Self, StateError> {
        let mut index = Index::default();
        let mut old = Vec::new();
        // One that runs two versions side by side may hold both; one more is enough to see them.
        for (key, value) in state.scan(COMPONENT, PREFIX, 2 * entries_max)? {
            let head = value.split_at_checked(16).map(|(head, _)| head.split_at(8));
            let number = head.filter(|(of, _)| number(of) == version).map(|(_, n)| number(n));
            match (number, key.strip_prefix(PREFIX)) {
                (Some(number), Some(name)) => index.enter(Key(name.to_owned()), number),
                (Some(_) | None, _) => old.push(Change::Delete(key)),
            }
        }
        if !old.is_empty() {
            state.apply(COMPONENT, &old)?;
        }
        Ok(Self { state, version, entries_max, index: Mutex::new(index) })
    }

    /// What is known under these keys, in their order.
    pub fn get(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        keys.iter().map(|key| self.read(key)).collect()
    }

    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        if !self.index.lock().number.contains_key(key) {
            return Ok(None);
        }
        let value = self.state.get(COMPONENT, &name(key))?;
        Ok(value.and_then(|value| value.split_at_checked(16).map(|(_, entry)| entry.to_vec())))
    }

    /// Keeps entries, all or none; the oldest make way in the same transaction.
    pub fn put(&self, entries: Vec<(Key, Vec<u8>)>) -> Result<(), StateError> {
        let mut index = self.index.lock();
        let mut changes = Vec::with_capacity(entries.len() + 1);
        let mut keys = Vec::with_capacity(entries.len());
        for (number, (key, entry)) in (index.next..).zip(entries) {
            let head = [self.version.to_be_bytes(), number.to_be_bytes()].concat();
            changes.push(Change::Put(name(&key), [head, entry].concat()));
            keys.push((key, number));
        }
        let known = |key: &Key| index.number.contains_key(key);
        let new: BTreeSet<&Key> =
            keys.iter().map(|(key, _)| key).filter(|key| !known(key)).collect();
        let over = (index.number.len() + new.len()).saturating_sub(self.entries_max);
        let is_kept = |key: &&Key| !keys.iter().any(|(new, _)| new == *key);
        let oldest: Vec<Key> = index.order.values().filter(is_kept).take(over).cloned().collect();
        changes.extend(oldest.iter().map(|key| Change::Delete(name(key))));
        self.state.apply(COMPONENT, &changes)?;
        for key in &oldest {
            index.leave(key);
        }
        for (key, number) in keys {
            index.enter(key, number);
        }
        Ok(())
    }

    /// Forgets one.
    pub fn remove(&self, key: &Key) -> Result<(), StateError> {
        let mut index = self.index.lock();
        self.state.apply(COMPONENT, &[Change::Delete(name(key))])?;
        index.leave(key);
        Ok(())
    }

    /// Entries that are kept.
    pub fn len(&self) -> usize {
        self.index.lock().number.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Index {
    fn enter(&mut self, key: Key, number: u64) {
        self.leave(&key);
        self.next = self.next.max(number + 1);
        self.order.insert(number, key.clone());
        self.number.insert(key, number);
    }

    fn leave(&mut self, key: &Key) {
        if let Some(number) = self.number.remove(key) {
            self.order.remove(&number);
        }
    }
}

fn name(key: &Key) -> String {
    format!("{PREFIX}{}", key.as_str())
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use bessemer_pipeline::state::{MemoryState, SqliteState};
    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> Key {
        Key(format!("{number:02x}"))
    }

    #[test]
    fn verdicts_survive_a_restart_and_another_version_finds_none() {
        let folder = tempfile::tempdir().unwrap();
        let open = |version| {
            let state = SqliteState::open(&folder.path().join("state.db")).unwrap();
            Durable::open(Arc::new(state), version).unwrap()
        };
        open(1).put(vec![(key(1), b"one".to_vec())]).unwrap();
        assert_eq!(open(1).get(&[key(1), key(2)]).unwrap(), [Some(b"one".to_vec()), None]);
        assert_eq!(open(2).get(&[key(1)]).unwrap(), [None]);
        assert!(open(1).is_empty());
    }

    #[test]
    fn a_forgotten_verdict_is_gone_from_the_disk() {
        let state: Arc<MemoryState> = Arc::default();
        let durable = Durable::open(Arc::clone(&state) as Arc<dyn State>, 1).unwrap();
        durable.put(vec![(key(1), b"one".to_vec())]).unwrap();
        durable.remove(&key(1)).unwrap();
        assert!(Durable::open(state, 1).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn the_newest_are_kept_within_the_bound_over_restarts(
            puts in proptest::collection::vec(proptest::collection::vec(0..20_u8, 1..4), 1..20),
        ) {
            let state: Arc<MemoryState> = Arc::default();
            let mut recent: Vec<u8> = Vec::new();
            for keys in puts {
                let state = Arc::clone(&state) as Arc<dyn State>;
                let durable = Durable::with_room(state, 1, 5).unwrap();
                durable.put(keys.iter().map(|one| (key(*one), vec![*one])).collect()).unwrap();
                for one in keys {
                    recent.retain(|known| *known != one);
                    recent.push(one);
                }
                recent.drain(..recent.len().saturating_sub(5));
                prop_assert_eq!(durable.len(), recent.len());
                for one in &recent {
                    prop_assert_eq!(&durable.get(&[key(*one)]).unwrap()[0], &Some(vec![*one]));
                }
            }
        }
    }
}
