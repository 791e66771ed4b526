//! YAML as text: into a tree of values that know where they stand, and back.
//!
//! One document of YAML 1.2 with its core schema; anchors, aliases and merge keys are resolved,
//! within limits. What a configuration means by it is not decided here. JSON is read by the same
//! reader: it is YAML, and so it gets the same places.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

mod builder;
mod parse;
mod scalar;
mod write;

pub(crate) use parse::parse;
pub(crate) use write::write;

/// Collections inside collections that are read.
pub(crate) const DEPTH_MAX: usize = 64;
/// Values of one text, with what its aliases stand for.
const VALUES_MAX: usize = 200_000;
/// Bytes of text in those values.
const VALUE_BYTES_MAX: usize = crate::source::TEXT_BYTES_MAX;
