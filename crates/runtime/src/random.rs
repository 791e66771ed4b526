//! The one source of randomness, so that a seed replays a run.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Uniform random numbers; not for keys or nonces.
pub trait Random: Send + Sync + 'static {
    /// The next 64 uniform bits.
    fn next_u64(&self) -> u64;

    /// A duration in `[low, high)`; `low` when the range is empty.
    fn between(&self, low: Duration, high: Duration) -> Duration {
        let width = high.saturating_sub(low).as_nanos();
        if width == 0 {
            return low;
        }
        let offset = u128::from(self.next_u64()) % width;
        low + Duration::from_nanos(u64::try_from(offset).unwrap_or(u64::MAX))
    }
}

/// A splitmix64 generator seeded by the operating system, or by hand.
#[derive(Debug)]
pub struct SystemRandom {
    state: AtomicU64,
}

impl Default for SystemRandom {
    fn default() -> Self {
        // The standard library seeds its hasher from the operating system.
        Self::seeded(RandomState::new().build_hasher().finish())
    }
}

impl SystemRandom {
    /// A generator whose whole sequence follows from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }
}

impl Random for SystemRandom {
    fn next_u64(&self) -> u64 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.state.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_sequences() {
        let (left, right) = (SystemRandom::seeded(7), SystemRandom::seeded(7));
        assert!((0..100).all(|_| left.next_u64() == right.next_u64()));
    }

    #[test]
    fn between_stays_in_its_range() {
        let random = SystemRandom::seeded(1);
        let (low, high) = (Duration::from_millis(5), Duration::from_millis(9));
        for _ in 0..1000 {
            let drawn = random.between(low, high);
            assert!(drawn >= low && drawn < high);
        }
        assert_eq!(random.between(high, low), high);
    }
}
