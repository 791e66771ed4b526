//! What was said of a body, remembered by the hash of the body with its digits masked.
//!
//! The hash takes one pass, sixteen bytes at a time; all digits but a lone zero are one and the same
//! to it, as they are to the model. The memory is a table of fixed size in which a newer body takes
//! the place of an older one. An entry is one atomic word, so workers share the table without a lock
//! and a look-up allocates nothing.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bodies that are remembered; a power of two.
pub const REMEMBERED_MAX: usize = 1 << 16;
/// Numbers that can be remembered: 1 to this.
pub const NUMBER_MAX: u16 = (1 << NUMBER_BITS) - 1;

/// Bits of an entry that hold the number; the others hold the hash without the bits of its place.
const NUMBER_BITS: u32 = 15;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Numbers by body.
#[derive(Debug)]
pub struct Memo {
    entries: Box<[AtomicU64]>,
    /// Differs from process to process, so that nobody can prepare bodies with one hash.
    seed: u64,
}

impl Default for Memo {
    fn default() -> Self {
        Self {
            entries: (0..REMEMBERED_MAX).map(|_| AtomicU64::new(0)).collect(),
            seed: RandomState::new().build_hasher().finish(),
        }
    }
}

impl Memo {
    /// The hash of a body and of what else the number depends on.
    #[inline]
    pub fn hash(&self, body: &[u8], with: u64) -> u64 {
        masked_hash(body, self.seed ^ with)
    }

    /// The number that was remembered for a hash.
    #[inline]
    pub fn get(&self, hash: u64) -> Option<u16> {
        let entry = self.place(hash)?.load(Ordering::Relaxed);
        let number = u16::try_from(entry & u64::from(NUMBER_MAX)).unwrap_or_default();
        (number != 0 && entry >> NUMBER_BITS == tag(hash)).then_some(number)
    }

    /// Remembers a number, unless it is 0 or above [`NUMBER_MAX`].
    pub fn put(&self, hash: u64, number: u16) {
        if let Some(place) = self.place(hash).filter(|_| (1..=NUMBER_MAX).contains(&number)) {
            place.store(tag(hash) << NUMBER_BITS | u64::from(number), Ordering::Relaxed);
        }
    }

    #[inline]
    fn place(&self, hash: u64) -> Option<&AtomicU64> {
        self.entries.get(usize::try_from(hash >> 48).unwrap_or_default() % REMEMBERED_MAX)
    }
}

/// The bits of a hash that an entry holds.
#[inline]
fn tag(hash: u64) -> u64 {
    hash & (u64::MAX >> NUMBER_BITS)
}

/// The hash of a body in which all digits but lone zeros are the same. Two sums take eight bytes
/// each in turn, so that neither waits for the other.
fn masked_hash(body: &[u8], seed: u64) -> u64 {
    let (pairs, rest) = body.as_chunks::<16>();
    let (mut even, mut odd) = (seed ^ (body.len() as u64), seed.rotate_left(32));
    let mut digit_before = 0;
    for pair in pairs {
        (even, odd, digit_before) = take(*pair, even, odd, digit_before);
    }
    let mut last = [0; 16];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    (even, odd, _) = take(last, even, odd, digit_before);
    let mut hash = mix(even, odd.rotate_left(23));
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 32)
}

#[inline]
fn take(pair: [u8; 16], even: u64, odd: u64, digit_before: u64) -> (u64, u64, u64) {
    let both = u128::from_le_bytes(pair);
    let word = |shift: u32| u64::try_from(both >> shift & u128::from(u64::MAX)).unwrap_or_default();
    let (first, digit) = masked_word(word(0), digit_before);
    let (second, digit) = masked_word(word(64), digit);
    (mix(even, first), mix(odd, second), digit)
}

/// Eight bytes with their digits masked; also whether the last of them is a digit. A zero is lone
/// if no digit stands beside it within these eight bytes or before them.
fn masked_word(word: u64, digit_before: u64) -> (u64, u64) {
    let lifted = word ^ (ONES * 0x30);
    let over_nine = (lifted & !HIGH) + ONES * 0x76;
    let digits = !(over_nine | lifted) & HIGH;
    let not_zero = ((lifted & !HIGH) + ONES * 0x7f) | lifted;
    let zeros = digits & !not_zero;
    let lone = zeros & !(digits << 8 | digit_before) & !(digits >> 8);
    (word & !((digits >> 7) * 0x0f) | (lone >> 7), digits >> 56)
}

fn mix(hash: u64, masked: u64) -> u64 {
    let mixed = (hash ^ masked).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed.rotate_left(31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same byte by byte.
    fn naive(body: &[u8]) -> Vec<u8> {
        let digit = |at: usize| body.get(at).is_some_and(u8::is_ascii_digit);
        let mask = |(at, byte): (usize, &u8)| {
            let digit_before = at.checked_sub(1).is_some_and(digit);
            let digit_after = at % 8 != 7 && digit(at + 1);
            match byte {
                b'0' if !digit_before && !digit_after => b'1',
                b'0'..=b'9' => b'0',
                other => *other,
            }
        };
        body.iter().enumerate().map(mask).collect()
    }

    fn fast(body: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        let mut digit_before = 0;
        for chunk in body.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let (own, digit) = masked_word(u64::from_le_bytes(word), digit_before);
            digit_before = digit;
            masked.extend(&own.to_le_bytes()[..chunk.len()]);
        }
        masked
    }

    #[test]
    fn numbers_of_one_length_share_a_hash_and_a_lone_zero_does_not() {
        let hash = |text: &str| masked_hash(text.as_bytes(), 7);
        assert_eq!(hash("sent 1234 bytes, took 17 ms"), hash("sent 9870 bytes, took 20 ms"));
        assert_ne!(hash("failed=0"), hash("failed=7"));
        assert_ne!(hash("sent 12 bytes"), hash("sent 12 Bytes"));
        assert_ne!(hash("read 12 of 3"), hash("read 1 of 32"));
    }

    #[test]
    fn what_was_put_is_found_and_a_stranger_is_not() {
        let memo = Memo::default();
        let hash = memo.hash(b"body", 1);
        memo.put(hash, NUMBER_MAX);
        assert_eq!(memo.get(hash), Some(NUMBER_MAX));
        assert_eq!(memo.get(memo.hash(b"body", 2)), None);
        memo.put(hash, 0);
        assert_eq!(memo.get(hash), Some(NUMBER_MAX));
    }

    proptest! {
        #[test]
        fn eight_bytes_at_a_time_mask_as_one_does(body in prop::collection::vec(
            prop_oneof![Just(b'0'), b'1'..=b'9', any::<u8>()], 0..64,
        )) {
            prop_assert_eq!(fast(&body), naive(&body));
        }
    }
}
