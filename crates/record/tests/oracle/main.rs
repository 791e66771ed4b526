//! What this crate says of a batch without decoding it equals what prost says after decoding it.
//!
//! Requests are drawn by [`generate`] and compared in encoded form, where a NaN equals itself.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "numbers are drawn to cover their range"
)]

#[cfg(test)]
mod collect;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod json;
#[cfg(test)]
mod views;

use proptest::prelude::*;

/// The bytes that a request is drawn from, printed on one line.
struct Seed(Vec<u8>);

impl std::fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:02x?}", self.0)
    }
}

fn seed() -> impl Strategy<Value = Seed> {
    prop::collection::vec(any::<u8>(), 0..1_500).prop_map(Seed)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 64, ..ProptestConfig::default() }
}
