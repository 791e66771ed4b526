//! What travels through Bessemer: OTLP batches that are checked once and never decoded.
//!
//! A batch stays the protobuf bytes it arrived as. [`Checked`] is the proof that those bytes are
//! well formed; views read fields in place and cannot fail; a [`Draft`] holds an index of the
//! records and what processors did to them, and writes each destination's batch by copying
//! untouched ranges. No async and no I/O here.

pub mod check;
pub mod draft;
pub mod edit;
pub mod json;
pub mod limits;
pub mod message;
#[cfg(test)]
mod oracle;
mod schema;
pub mod signal;
pub mod split;
pub mod tail;
pub mod value;
pub mod view;
mod wire;

pub use check::{CheckError, CheckErrorKind, Checked};
pub use draft::{Draft, Emitted, Folded, Item};
pub use limits::Limits;
pub use signal::Signal;
pub use tail::{TailId, Tails, TailsBuilder};
pub use value::Value;
