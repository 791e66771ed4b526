//! Sets of attributes that a program adds to records, encoded once when the program is built.
//!
//! Protobuf lets a repeated field stand anywhere in a message, so adding attributes to a record is
//! appending bytes to it: a tail. Sets that are only known while programs run, such as one for each
//! template of a log, are learned later, a limited number of them.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a program has far less than 2^32 sets of attributes"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::check::key_bit;
use crate::value::{Value, encode_key_value};
use crate::wire::put_len_delimited;

/// Sets that can be learned while programs run; none is ever forgotten, since a draft may name it.
pub const LEARNED_MAX: usize = 1 << 15;

/// Names one set of attributes in a [`Tails`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TailId(u32);

impl TailId {
    pub(crate) const NONE: Self = Self(0);

    /// The number of the set; numbers are small and dense.
    pub fn index(self) -> u32 {
        self.0
    }
}

/// The sets of attributes that one program can add.
#[derive(Debug)]
pub struct Tails {
    /// The first is empty and stands for no tail.
    entries: Vec<Tail>,
    /// Made when the first set is learned.
    learned: OnceLock<Box<[OnceLock<Tail>]>>,
    learned_next: AtomicUsize,
}

/// One set of attributes.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The bits of all keys.
    pub(crate) keys: u64,
    pairs: Vec<Pair>,
    log: Box<[u8]>,
    span: Box<[u8]>,
}

/// A key, and the `KeyValue` message that holds it.
type Pair = (Box<[u8]>, Box<[u8]>);

impl Tail {
    fn new(attributes: &[(String, Value)]) -> Self {
        let mut pairs: Vec<Pair> = Vec::new();
        for (key, value) in attributes {
            let mut pair = Vec::new();
            encode_key_value(key, value, &mut pair);
            pairs.retain(|(earlier, _)| **earlier != *key.as_bytes());
            pairs.push((key.as_bytes().into(), pair.into()));
        }
        let keys = pairs.iter().fold(0, |keys, (key, _)| keys | key_bit(key));
        let mut tail = Self { keys, pairs, ..Self::default() };
        tail.log = tail.fields(LOG_ATTRIBUTES).into();
        tail.span = tail.fields(SPAN_ATTRIBUTES).into();
        tail
    }

    /// The attributes as fields of this number.
    pub(crate) fn fields(&self, number: u32) -> Vec<u8> {
        let mut fields = Vec::new();
        for (_, pair) in &self.pairs {
            put_len_delimited(&mut fields, number, pair);
        }
        fields
    }

    /// The attributes as fields of a log record.
    pub(crate) fn log(&self) -> &[u8] {
        &self.log
    }

    /// The attributes as fields of a span.
    pub(crate) fn span(&self) -> &[u8] {
        &self.span
    }

    /// Whether the set has this key.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.pair(key).is_some()
    }

    /// The `KeyValue` of this key.
    pub(crate) fn pair(&self, key: &[u8]) -> Option<&[u8]> {
        self.pairs.iter().find(|(name, _)| **name == *key).map(|(_, pair)| &**pair)
    }
}

/// The number of a log record's attributes.
pub(crate) const LOG_ATTRIBUTES: u32 = 6;
/// The number of a span's attributes.
pub(crate) const SPAN_ATTRIBUTES: u32 = 9;

impl Tails {
    /// A registry without any set, for programs that add nothing.
    pub fn none() -> Arc<Self> {
        TailsBuilder::default().build()
    }

    /// Adds a set while programs run; `None` when [`LEARNED_MAX`] are there. The same set twice has
    /// two names. Of a key given twice the last counts.
    pub fn learn(&self, attributes: &[(String, Value)]) -> Option<TailId> {
        let learned =
            self.learned.get_or_init(|| (0..LEARNED_MAX).map(|_| OnceLock::new()).collect());
        let next = |at: usize| (at < LEARNED_MAX).then_some(at + 1);
        let at = self.learned_next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        learned.get(at)?.set(Tail::new(attributes)).ok()?;
        Some(TailId((self.entries.len() + at) as u32))
    }

    /// The set with this number, as [`TailId::index`] gave it; `None` where there is none.
    #[inline]
    pub fn named(&self, index: u32) -> Option<TailId> {
        let id = TailId(index);
        self.get(id).map(|_| id)
    }

    #[inline]
    pub(crate) fn get(&self, id: TailId) -> Option<&Tail> {
        let index = id.0 as usize;
        match self.entries.get(index) {
            Some(tail) => Some(tail),
            None => self.learned.get()?.get(index.checked_sub(self.entries.len())?)?.get(),
        }
    }
}

/// Collects the sets of attributes while a program is built.
#[derive(Debug, Default)]
pub struct TailsBuilder {
    sets: Vec<Vec<(String, Value)>>,
}

impl TailsBuilder {
    /// Registers a set; the same set twice has one name. Of a key given twice the last counts.
    pub fn add(&mut self, attributes: &[(String, Value)]) -> TailId {
        let known = self.sets.iter().position(|set| set == attributes);
        let index = known.unwrap_or_else(|| {
            self.sets.push(attributes.to_vec());
            self.sets.len() - 1
        });
        TailId(index as u32 + 1)
    }

    /// Encodes all sets.
    pub fn build(self) -> Arc<Tails> {
        let tails = self.sets.iter().map(|set| Tail::new(set));
        Arc::new(Tails {
            entries: std::iter::once(Tail::default()).chain(tails).collect(),
            learned: OnceLock::new(),
            learned_next: AtomicUsize::new(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: i64) -> Vec<(String, Value)> {
        vec![("key".to_owned(), Value::Int(value))]
    }

    #[test]
    fn a_learned_set_is_found_beside_those_known_from_the_start() {
        let mut builder = TailsBuilder::default();
        let first = builder.add(&one(1));
        let tails = builder.build();
        let learned = tails.learn(&one(2)).unwrap();
        for (id, value) in [(first, 1), (learned, 2)] {
            assert_eq!(tails.get(id).unwrap().log(), Tail::new(&one(value)).log());
        }
    }

    #[test]
    fn no_more_sets_are_learned_than_allowed() {
        let tails = Tails::none();
        assert!((0..LEARNED_MAX).all(|_| tails.learn(&[]).is_some()));
        assert_eq!(tails.learn(&[]), None);
    }
}
