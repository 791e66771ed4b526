//! How long the engine waits before it tries a delivery again: exponential with jitter, without
//! an end, never less than the destination asked for.

use std::time::Duration;

use bessemer_runtime::Random;

/// The first wait.
pub(crate) const FIRST: Duration = Duration::from_millis(500);
/// The longest wait of our own.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
/// The longest wish of a destination that is honoured.
pub(crate) const WISH_MAX: Duration = Duration::from_mins(5);

/// The wait before try number `tries + 1`.
pub(crate) fn wait(tries: u32, wish: Option<Duration>, random: &dyn Random) -> Duration {
    let doubled = FIRST
        .saturating_mul(1_u32.checked_shl(tries.saturating_sub(1).min(16)).unwrap_or(u32::MAX));
    let ceiling = doubled.min(LONGEST);
    let own = random.between(ceiling / 2, ceiling);
    wish.map_or(own, |wish| wish.min(WISH_MAX).max(own.min(wish + FIRST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_runtime::SystemRandom;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_are_bounded_and_honour_the_destination(tries in 1_u32..1000, wish in 0_u64..1_000_000_000, seed: u64) {
            let random = SystemRandom::seeded(seed);
            let own = wait(tries, None, &random);
            prop_assert!(own >= FIRST / 2 && own <= LONGEST);
            let wish = Duration::from_secs(wish);
            let wished = wait(tries, Some(wish), &random);
            prop_assert!(wished >= wish.min(WISH_MAX));
            prop_assert!(wished <= WISH_MAX.max(LONGEST));
        }
    }
}
