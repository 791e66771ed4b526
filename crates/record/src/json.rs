//! OTLP in JSON: in and out between JSON text and the protobuf bytes of a batch, and values as plain
//! JSON for people and databases.
//!
//! The encoding is the proto3 JSON mapping with OTLP's changes: trace and span ids are hexadecimal,
//! enumerations are integers only, keys are lowerCamelCase only, unknown keys are ignored.
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
//!
//! Choices where the specification leaves room: of a key that stands twice in an object, and of the
//! members of one `oneof`, the last one counts and what stood before is dropped; `null` is the default
//! value, but not an element of an array; integers are written without fraction and exponent, as
//! number or string; a lone surrogate escape is an error, since UTF-8 cannot hold it; ids of any even
//! number of digits pass, as they do in protobuf.

mod any;
mod error;
mod normal;
mod read;
mod schema;
mod text;
mod token;
mod write;

pub use any::write_any_value;
pub use error::{JsonError, JsonErrorKind};
pub use read::from_otlp_json;
pub use text::{write_base64, write_double, write_hex, write_integer, write_text, write_unsigned};
pub use token::validate;

use crate::Checked;

/// Appends a batch as OTLP JSON, on one line.
pub fn write_json(batch: &Checked, out: &mut Vec<u8>) {
    // JSON is two to three times as long as protobuf; growing in small steps would copy it all over.
    out.reserve(batch.bytes().len() * 2);
    write::message(schema::request(batch.signal()), batch.bytes(), 0, out);
}

/// Writes a batch as OTLP JSON, on one line.
pub fn to_otlp_json(batch: &Checked) -> Vec<u8> {
    let mut out = Vec::new();
    write_json(batch, &mut out);
    out
}

#[cfg(test)]
mod tests;
