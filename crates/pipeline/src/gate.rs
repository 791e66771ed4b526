//! A gate decides, before any work is done on a batch, whether it may enter at all.

use std::time::Duration;

use crate::meta::Meta;

/// A processor that can only let a whole batch in or turn it away.
pub trait Gate: Send + Sync + 'static {
    /// Admits a batch of `bytes`, or says why not.
    fn admit(&self, meta: &Meta, bytes: usize) -> Result<(), Overload>;
}

/// Why a gate turned a batch away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overload {
    /// For now: the client should come back after this time.
    Wait {
        /// How long.
        retry_after: Duration,
        /// Why, for people.
        reason: String,
    },
    /// For good: sending the same again will not help.
    Never {
        /// Why, for people.
        reason: String,
    },
}
