//! The check on arrival: the only way bytes become a batch.
//!
//! Accepts what any protobuf decoder with the OTLP definitions accepts, within [`Limits`], and
//! names the byte and the field of what it refuses. Two parts share the work: `walk` goes through
//! a batch once, fast, and indexes it on the way; where it meets something it cannot vouch for it
//! asks `exact`, which is slower, knows every encoding and writes the error.

mod error;
mod exact;
mod facts;
mod fast;
mod fields;
mod input;
mod text;
mod walk;

use bytes::Bytes;

use crate::limits::Limits;
use crate::signal::Signal;

pub use error::{CheckError, CheckErrorKind};
pub(crate) use facts::{Extent, Facts, facts, key_and_value, key_bit, key_of, point_attributes};
pub(crate) use walk::{Part, Visitor, walk};

/// An OTLP export request in protobuf that is known to be well formed. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    signal: Signal,
    bytes: Bytes,
    records: u32,
}

impl Checked {
    /// Checks a batch that came from outside.
    pub fn check(signal: Signal, bytes: Bytes, limits: &Limits) -> Result<Self, CheckError> {
        let mut counter = Counter(0);
        walk(signal, &bytes, limits, &mut counter)?;
        Ok(Self { signal, bytes, records: counter.0 })
    }

    /// Vouches for bytes that this process wrote from checked ones.
    ///
    /// Reading wrong bytes is safe: what cannot be read is absent.
    pub fn trusted(signal: Signal, bytes: Bytes, records: u32) -> Self {
        Self { signal, bytes, records }
    }

    /// The kind of telemetry.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// The export request.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The export request, given away.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The number of log records, spans or data points.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Whether there is no record in it.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }
}

struct Counter(u32);

impl Visitor for Counter {
    fn item(&mut self, _message: Extent, facts: Facts) {
        self.0 = self.0.saturating_add(facts.records);
    }
}

#[cfg(test)]
mod tests;
