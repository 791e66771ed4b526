//! Finds features by their keys: a filter that fits into the fastest memory turns most unknown ones
//! away, then a bucket holds about one key.

/// Buckets in which keys are looked up.
const BUCKETS: usize = 1 << 14;
const BUCKET_SHIFT: u32 = 32 - BUCKETS.ilog2();
/// Words of the filter, of 64 bits each; one unknown key in thirteen passes when the model is full.
const FILTER_WORDS: usize = 1 << 11;
const FILTER_SHIFT: u32 = 32 - FILTER_WORDS.ilog2();

/// Keys in ascending order, each known by its place.
#[derive(Debug, Clone)]
pub(super) struct Table {
    keys: Vec<u32>,
    /// Where the keys of each bucket begin, and the end of the last.
    starts: Vec<u32>,
    filter: Vec<u64>,
}

impl Table {
    /// Of keys in ascending order.
    pub(super) fn new(keys: Vec<u32>) -> Self {
        let mut starts = vec![0; BUCKETS + 1];
        let mut filter = vec![0; FILTER_WORDS];
        for key in &keys {
            if let Some(count) = starts.get_mut((key >> BUCKET_SHIFT) as usize + 1) {
                *count += 1;
            }
            if let Some(word) = filter.get_mut((key >> FILTER_SHIFT) as usize) {
                *word |= bit_of(*key);
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Self { keys, starts, filter }
    }

    pub(super) fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// The place of a key.
    #[inline]
    pub(super) fn find(&self, key: u32) -> Option<usize> {
        if self.filter.get((key >> FILTER_SHIFT) as usize)? & bit_of(key) == 0 {
            return None;
        }
        let bucket = (key >> BUCKET_SHIFT) as usize;
        let (start, end) = (*self.starts.get(bucket)?, *self.starts.get(bucket + 1)?);
        let mut keys = self.keys.get(start as usize..end as usize)?.iter();
        Some(start as usize + keys.position(|known| *known == key)?)
    }
}

/// The bit of a key in its word of the filter.
#[inline]
fn bit_of(key: u32) -> u64 {
    1 << (key >> (FILTER_SHIFT - 6) & 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_are_found_where_they_stand_and_no_others(
            keys in prop::collection::btree_set(any::<u32>(), 0..200),
            others in prop::collection::vec(any::<u32>(), 0..200),
        ) {
            let keys: Vec<u32> = keys.into_iter().collect();
            let table = Table::new(keys.clone());
            for key in keys.iter().chain(&others) {
                prop_assert_eq!(table.find(*key), keys.binary_search(key).ok());
            }
        }
    }
}
