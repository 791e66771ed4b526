//! Money, in whole millionths of the currency of the price table. No floats.

use serde::{Deserialize, Serialize};

/// An amount: millionths of a dollar unless the prices say otherwise.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub u64);
