//! What was seen a moment ago, bounded in number and in time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;

use super::content::Key;

/// Records by when their first one came.
#[derive(Debug)]
pub(super) struct Window {
    nanos: u64,
    entries_max: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    first: HashMap<Key, u64>,
    /// The same in the order they came.
    order: VecDeque<(u64, Key)>,
    /// The last of them, as many as were not taken to be stored.
    unstored: usize,
}

impl Window {
    pub(super) fn new(length: Duration, entries_max: u64) -> Self {
        Self {
            nanos: u64::try_from(length.as_nanos()).unwrap_or(u64::MAX),
            entries_max: usize::try_from(entries_max).unwrap_or(usize::MAX),
            seen: Mutex::default(),
        }
    }

    /// Whether one came within the window before `now`.
    pub(super) fn has(&self, key: Key, now: u64) -> bool {
        self.seen.lock().first.get(&key).is_some_and(|first| self.is_within(*first, now))
    }

    pub(super) fn length_nanos(&self) -> u64 {
        self.nanos
    }

    /// What came since this was last asked.
    pub(super) fn take_unstored(&self) -> Vec<(u64, Key)> {
        let mut seen = self.seen.lock();
        let count = std::mem::take(&mut seen.unstored).min(seen.order.len());
        let stored = seen.order.len() - count;
        seen.order.range(stored..).copied().collect()
    }

    /// Enters what was stored by an earlier process, oldest first.
    pub(super) fn restore(&self, entries: impl IntoIterator<Item = (u64, Key)>, now: u64) {
        let mut seen = self.seen.lock();
        for (at, key) in entries {
            if self.is_within(at, now) && seen.order.len() < self.entries_max {
                seen.first.insert(key, at);
                seen.order.push_back((at, key));
            }
        }
    }

    /// A clock that was set back must not make old records new.
    fn is_within(&self, first: u64, now: u64) -> bool {
        now.abs_diff(first) < self.nanos
    }

    /// Enters records that passed; what does not fit is forgotten, so its equals pass.
    pub(super) fn remember(&self, keys: HashSet<Key>, now: u64) {
        let mut seen = self.seen.lock();
        let Seen { first, order, unstored } = &mut *seen;
        while let Some((at, key)) = order.front().copied() {
            if self.is_within(at, now) {
                break;
            }
            order.pop_front();
            if first.get(&key) == Some(&at) {
                first.remove(&key);
            }
        }
        for key in keys {
            if order.len() >= self.entries_max {
                break;
            }
            if first.get(&key).is_none_or(|at| !self.is_within(*at, now)) {
                first.insert(key, now);
                order.push_back((now, key));
                *unstored += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(entries_max: u64) -> Window {
        Window::new(Duration::from_nanos(10), entries_max)
    }

    #[test]
    fn what_was_seen_is_known_until_the_window_ends() {
        let window = window(10);
        assert!(!window.has(Key(1), 100));
        window.remember(HashSet::from([Key(1)]), 100);
        assert!(window.has(Key(1), 109));
        assert!(!window.has(Key(1), 110), "the window is over");
        window.remember(HashSet::from([Key(1)]), 110);
        assert!(window.has(Key(1), 119));
    }

    #[test]
    fn what_came_is_given_out_to_be_stored_once_and_can_be_entered_again() {
        let window = window(10);
        window.remember(HashSet::from([Key(1)]), 100);
        assert_eq!(window.take_unstored(), [(100, Key(1))]);
        assert!(window.take_unstored().is_empty());
        window.remember(HashSet::from([Key(2)]), 105);
        let again = Window::new(Duration::from_nanos(10), 10);
        again
            .restore([(100, Key(1)), (105, Key(2))].into_iter().chain(window.take_unstored()), 112);
        assert!(again.has(Key(2), 112) && !again.has(Key(1), 112));
        assert!(again.take_unstored().is_empty(), "it is stored already");
    }

    #[test]
    fn no_more_than_the_limit_is_remembered_and_room_comes_back() {
        let window = window(2);
        window.remember((0..5).map(Key).collect(), 100);
        let known = (0..5).filter(|key| window.has(Key(*key), 101)).count();
        assert_eq!(known, 2);
        window.remember(HashSet::from([Key(9)]), 120);
        assert!(window.has(Key(9), 121));
        assert_eq!(window.seen.lock().order.len(), 1);
    }
}
