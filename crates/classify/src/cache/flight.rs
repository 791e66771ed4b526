//! One flight per key: while somebody asks about a key, nobody else does.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// The keys that are being asked about. Clones share them.
#[derive(Debug)]
pub struct Flights<K: Hash + Eq> {
    keys: Arc<Mutex<HashSet<K>>>,
    keys_max: usize,
}

impl<K: Hash + Eq> Clone for Flights<K> {
    fn clone(&self) -> Self {
        Self { keys: Arc::clone(&self.keys), keys_max: self.keys_max }
    }
}

impl<K: Hash + Eq + Clone> Flights<K> {
    /// At most `keys_max` at a time.
    pub fn new(keys_max: usize) -> Self {
        Self { keys: Arc::default(), keys_max }
    }

    /// Begins to ask about `key`; nothing if somebody does already, or too many are on their way.
    pub fn lead(&self, key: &K) -> Option<Flight<K>> {
        let mut keys = self.keys.lock();
        if keys.len() >= self.keys_max || !keys.insert(key.clone()) {
            return None;
        }
        Some(Flight { keys: Arc::clone(&self.keys), key: key.clone() })
    }
}

/// A key that is being asked about, until this is dropped.
#[derive(Debug)]
pub struct Flight<K: Hash + Eq> {
    keys: Arc<Mutex<HashSet<K>>>,
    key: K,
}

impl<K: Hash + Eq> Drop for Flight<K> {
    fn drop(&mut self) {
        self.keys.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_led_by_one_at_a_time() {
        let flights = Flights::new(2);
        let first = flights.lead(&"a").unwrap();
        assert!(flights.clone().lead(&"a").is_none());
        let second = flights.lead(&"b").unwrap();
        assert!(flights.lead(&"c").is_none());
        drop((first, second));
        assert!(flights.lead(&"a").is_some());
    }
}
