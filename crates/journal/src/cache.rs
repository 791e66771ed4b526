//! The newest entries, as they were appended, for readers near the end.

use std::collections::VecDeque;

use crate::entry::{Entry, Lane, SinkIndex};

/// What an entry takes beside its bytes.
const ENTRY_OVERHEAD_BYTES: u64 = 160;

/// The newest entries, bounded in bytes.
pub(crate) struct Cache {
    entries: VecDeque<Entry>,
    bytes: u64,
    bytes_max: u64,
    /// All visible entries from this number on are here.
    start: u64,
    /// The number after the last of them.
    end: u64,
}

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The next entry of its own.
    Hit(Entry),
    /// Nothing of its own before this number, which nothing visible follows.
    Nothing(u64),
    /// The position is older than the cache.
    Older,
}

impl Cache {
    pub(crate) fn new(bytes_max: usize, start: u64) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, bytes_max: bytes_max as u64, start, end: start }
    }

    /// Adds entries in order and lets the oldest go.
    pub(crate) fn push(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.end = entry.end();
            self.bytes += entry.bytes() + ENTRY_OVERHEAD_BYTES;
            self.entries.push_back(entry);
        }
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.bytes() + ENTRY_OVERHEAD_BYTES;
            self.start = oldest.end();
        }
    }

    /// The next entry from `position` on for a sink and lane.
    pub(crate) fn find(&self, position: u64, sink: SinkIndex, lane: Lane) -> Lookup {
        if position < self.start {
            return Lookup::Older;
        }
        let from = self.entries.partition_point(|entry| entry.end() <= position);
        let own = |entry: &&Entry| entry.lane == lane && entry.routes.contains(sink);
        match self.entries.range(from..).find(own) {
            Some(entry) => Lookup::Hit(entry.clone()),
            None => Lookup::Nothing(self.end),
        }
    }

    /// The number after the newest entry.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Older entries than this must be read from disk.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::entry::Routes;

    fn entry(sequence: u64, sink: u8, len: usize) -> Entry {
        Entry {
            sequence,
            items: 10,
            routes: Routes::to([SinkIndex(sink)]),
            lane: Lane::Normal,
            meta: Bytes::new(),
            payload: vec![0; len].into(),
            appended_unix_nanos: 0,
        }
    }

    #[test]
    fn the_oldest_go_first_and_readers_of_them_are_sent_to_the_disk() {
        let mut cache = Cache::new(1000, 100);
        cache.push([entry(100, 0, 300), entry(110, 1, 300), entry(120, 0, 300)]);
        let find =
            |cache: &Cache, position, sink| cache.find(position, SinkIndex(sink), Lane::Normal);
        assert_eq!(cache.start(), 110);
        assert_eq!(find(&cache, 105, 0), Lookup::Older);
        assert_eq!(find(&cache, 110, 0), Lookup::Hit(entry(120, 0, 300)));
        assert_eq!(find(&cache, 125, 0), Lookup::Hit(entry(120, 0, 300)));
        assert_eq!(find(&cache, 115, 1), Lookup::Hit(entry(110, 1, 300)));
        assert_eq!(find(&cache, 120, 1), Lookup::Nothing(130));
        assert_eq!(cache.find(110, SinkIndex(0), Lane::Urgent), Lookup::Nothing(130));
    }

    #[test]
    fn an_entry_larger_than_the_cache_is_not_kept() {
        let mut cache = Cache::new(1000, 0);
        cache.push([entry(0, 0, 5000)]);
        assert_eq!(cache.find(0, SinkIndex(0), Lane::Normal), Lookup::Older);
        assert_eq!(cache.find(10, SinkIndex(0), Lane::Normal), Lookup::Nothing(10));
        assert_eq!((cache.start(), cache.end()), (10, 10));
    }

    #[test]
    fn what_fills_the_cache_to_the_byte_is_kept_and_what_left_gives_room() {
        let each = 200 + ENTRY_OVERHEAD_BYTES;
        let mut cache = Cache::new(usize::try_from(3 * each).unwrap(), 0);
        for n in 0..20 {
            cache.push([entry(n * 10, 0, 200)]);
            assert_eq!((cache.start(), cache.end()), (n.saturating_sub(2) * 10, n * 10 + 10));
        }
    }
}
