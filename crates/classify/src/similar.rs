//! Which texts are like another: vectors of their words, and a store that finds the nearest.
//!
//! A text becomes counts of its words, of pairs of neighbors, and of four letters in a row, each in the
//! bucket of its hash. No model and no network: what two texts share must stand in both. How much a
//! bucket says depends on how rare it is among what is stored (TF-IDF), so weights are made when a
//! question is asked, and a store that grows needs no second pass over what it has.

use std::collections::{BTreeMap, HashMap};

use xxhash_rust::xxh3::xxh3_64;

use crate::templates::mask::WILD;

/// Buckets of a vector.
const BUCKETS: u64 = 1 << 20;
/// Features of one text at most.
const FEATURES_MAX: usize = 512;
/// What a word, a pair of words, and four letters count.
const WORD: f32 = 1.0;
const PAIR: f32 = 0.7;
const LETTERS: f32 = 0.3;
/// Letters in a row that are a feature.
const RUN: usize = 4;

/// A text as counts of its features, by bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vector(Vec<(u32, f32)>);

impl Vector {
    /// The vector of a text; what varies in a template says nothing.
    pub fn of(text: &str) -> Self {
        let lower = text.to_lowercase().replace(WILD, " ");
        let words: Vec<&str> = lower
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| word.len() > 1 && !word.bytes().all(|byte| byte.is_ascii_digit()))
            .collect();
        let mut counts: BTreeMap<u32, f32> = BTreeMap::new();
        let mut count = |kind: &str, feature: &str, weight: f32| {
            let hash = xxh3_64(format!("{kind}{feature}").as_bytes()) % BUCKETS;
            if counts.len() < FEATURES_MAX {
                *counts.entry(u32::try_from(hash).unwrap_or_default()).or_default() += weight;
            }
        };
        for word in &words {
            count("w ", word, WORD);
        }
        for pair in words.windows(2) {
            count("p ", &pair.join(" "), PAIR);
        }
        for word in &words {
            let letters: Vec<char> = word.chars().collect();
            for run in letters.windows(RUN) {
                count("l ", &run.iter().collect::<String>(), LETTERS);
            }
        }
        Self(counts.into_iter().map(|(bucket, count)| (bucket, count.ln_1p())).collect())
    }
}

/// What keeps vectors by number and finds the nearest.
pub trait VectorStore: Send + Sync {
    /// Keeps a vector, in place of an earlier one of the same number.
    fn put(&mut self, id: u64, vector: Vector);

    /// Forgets a vector.
    fn remove(&mut self, id: u64);

    /// The nearest, best first, with the cosine from 0 to 1: at most `limit`, none below `least`.
    fn nearest(&self, vector: &Vector, limit: usize, least: f32) -> Vec<(u64, f32)>;
}

/// Compares with every vector, in memory.
#[derive(Debug, Default)]
pub struct Exact {
    vectors: BTreeMap<u64, Vector>,
    /// In how many vectors a bucket is.
    spread: HashMap<u32, u32>,
}

impl Exact {
    /// How much a bucket says.
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm is small")]
    fn rarity(&self, bucket: u32) -> f32 {
        let within = self.spread.get(&bucket).copied().unwrap_or_default();
        let all = u32::try_from(self.vectors.len()).unwrap_or(u32::MAX);
        let share = (f64::from(all) + 1.0) / (f64::from(within) + 1.0);
        (1.0 + share.ln()) as f32
    }

    fn length(&self, vector: &Vector) -> f32 {
        let square = |(bucket, weight): &(u32, f32)| (weight * self.rarity(*bucket)).powi(2);
        vector.0.iter().map(square).sum::<f32>().sqrt()
    }

    fn product(&self, one: &Vector, other: &Vector) -> f32 {
        let (mut left, mut right) = (one.0.iter().peekable(), other.0.iter().peekable());
        let mut sum = 0.0;
        while let (Some((first, weight)), Some((second, counter))) = (left.peek(), right.peek()) {
            match first.cmp(second) {
                std::cmp::Ordering::Less => {
                    left.next();
                }
                std::cmp::Ordering::Greater => {
                    right.next();
                }
                std::cmp::Ordering::Equal => {
                    sum += weight * counter * self.rarity(*first).powi(2);
                    left.next();
                    right.next();
                }
            }
        }
        sum
    }
}

impl VectorStore for Exact {
    fn put(&mut self, id: u64, vector: Vector) {
        self.remove(id);
        for (bucket, _) in &vector.0 {
            *self.spread.entry(*bucket).or_default() += 1;
        }
        self.vectors.insert(id, vector);
    }

    fn remove(&mut self, id: u64) {
        for (bucket, _) in self.vectors.remove(&id).unwrap_or_default().0 {
            if let Some(count) = self.spread.get_mut(&bucket) {
                *count -= 1;
                if *count == 0 {
                    self.spread.remove(&bucket);
                }
            }
        }
    }

    fn nearest(&self, vector: &Vector, limit: usize, least: f32) -> Vec<(u64, f32)> {
        let length = self.length(vector);
        let mut all: Vec<(u64, f32)> = self
            .vectors
            .iter()
            .map(|(id, other)| {
                let lengths = length * self.length(other);
                let cosine =
                    if lengths > 0.0 { self.product(vector, other) / lengths } else { 0.0 };
                (*id, cosine.min(1.0))
            })
            .filter(|(_, cosine)| *cosine >= least)
            .collect();
        all.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        all.truncate(limit);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn store(texts: &[&str]) -> Exact {
        let mut store = Exact::default();
        for (id, text) in (0..).zip(texts) {
            store.put(id, Vector::of(text));
        }
        store
    }

    #[test]
    fn what_happened_alike_is_nearer_than_what_shares_common_words() {
        let store = store(&[
            "connection to database <*> lost after <*> ms",
            "database connections of pool <*> are lost",
            "printer <*> opened after <*> ms",
            "user <*> logged in",
            "disk <*> is full",
        ]);
        let question = Vector::of("lost the connection to database orders");
        let ids: Vec<u64> =
            store.nearest(&question, 3, 0.0).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids[..2], [0, 1]);
        assert!(store.nearest(&Vector::of("quota of tenant reached"), 3, 0.3).is_empty());
        assert!(store.nearest(&Vector::of(""), 3, 0.1).is_empty());
    }

    proptest! {
        /// Promise: whatever was put and removed before, a stored text is the nearest to itself, and
        /// cosines are in order and within bounds.
        #[test]
        fn a_text_is_nearest_to_itself_whatever_went_before(
            texts in proptest::collection::btree_set("[a-z]{3,6} [a-z]{3,6} [a-z]{3,6}", 2..12),
            removed in 0_u64..12,
        ) {
            let mut all = Exact::default();
            for (id, text) in (0..).zip(&texts) {
                all.put(id, Vector::of("another text before"));
                all.put(id, Vector::of(text));
            }
            all.remove(removed);
            for (id, text) in (0_u64..).zip(&texts).filter(|(id, _)| *id != removed) {
                let found = all.nearest(&Vector::of(text), 5, 0.0);
                prop_assert_eq!(found[0].0, id);
                prop_assert!(found[0].1 > 0.999);
                prop_assert!(found.windows(2).all(|pair| pair[0].1 >= pair[1].1));
                prop_assert!(found.iter().all(|(_, cosine)| (0.0..=1.0).contains(cosine)));
            }
            let left: Vec<u64> = (0..texts.len() as u64).filter(|id| *id != removed).collect();
            for id in left {
                all.remove(id);
            }
            prop_assert!(all.spread.is_empty() && all.vectors.is_empty());
        }
    }
}
