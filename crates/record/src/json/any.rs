//! Values as plain JSON: what a person, a database or an API expects, without OTLP's type names.

use super::text::{write_base64, write_double, write_integer, write_text};
use crate::value::{AnyValue, DEPTH_MAX};

/// Appends a value as plain JSON: text as a string, integers as numbers, bytes in base64, maps as
/// objects, no value as `null`.
///
/// Map keys that stand twice are written twice.
pub fn write_any_value(value: AnyValue<'_>, out: &mut Vec<u8>) {
    nested(value, 0, out);
}

fn nested(value: AnyValue<'_>, depth: u32, out: &mut Vec<u8>) {
    if depth >= DEPTH_MAX {
        out.extend_from_slice(b"null");
        return;
    }
    match value {
        AnyValue::Empty => out.extend_from_slice(b"null"),
        AnyValue::Str(text) => write_text(text.as_bytes(), out),
        AnyValue::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
        AnyValue::Int(number) => write_integer(number, out),
        AnyValue::Double(number) => write_double(number, out),
        AnyValue::Bytes(bytes) => write_base64(bytes, out),
        AnyValue::Array(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                nested(value, depth + 1, out);
            }
            out.push(b']');
        }
        AnyValue::Map(entries) => {
            out.push(b'{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(key.as_bytes(), out);
                out.push(b':');
                nested(value, depth + 1, out);
            }
            out.push(b'}');
        }
    }
}
