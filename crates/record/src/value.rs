//! Attribute values and bodies: the owned form that settings and edits carry, and the borrowed form
//! that is read in place.

mod any;
mod text;

pub use any::{AnyValue, Array, Map};
pub(crate) use any::{DEPTH_MAX, KeyValue};
pub use text::Text;

use crate::wire::{FIXED64, LEN, VARINT};
use crate::wire::{put_len_delimited, put_tag, put_varint, varint_len};

/// An owned attribute value, as OTLP's `AnyValue` can hold it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value set.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// Text.
    String(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list of values.
    Array(Vec<Value>),
    /// A list of named values; order and duplicates are kept.
    Map(Vec<(String, Value)>),
}

/// Appends the fields of the `AnyValue` message (without a length in front).
pub fn encode_any_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Bool(truth) => {
            put_tag(out, 2, VARINT);
            out.push(u8::from(*truth));
        }
        Value::Int(number) => {
            put_tag(out, 3, VARINT);
            put_varint(out, number.cast_unsigned());
        }
        Value::Double(number) => {
            put_tag(out, 4, FIXED64);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::String(text) => put_len_delimited(out, 1, text.as_bytes()),
        Value::Bytes(bytes) => put_len_delimited(out, 7, bytes),
        Value::Array(values) => {
            put_tag(out, 5, LEN);
            put_varint(
                out,
                values.iter().map(|value| prefixed(any_value_len(value))).sum::<usize>() as u64,
            );
            for value in values {
                put_tag(out, 1, LEN);
                put_varint(out, any_value_len(value) as u64);
                encode_any_value(value, out);
            }
        }
        Value::Map(entries) => {
            put_tag(out, 6, LEN);
            put_varint(
                out,
                entries
                    .iter()
                    .map(|(key, value)| prefixed(key_value_len(key, value)))
                    .sum::<usize>() as u64,
            );
            for (key, value) in entries {
                put_tag(out, 1, LEN);
                put_varint(out, key_value_len(key, value) as u64);
                encode_key_value(key, value, out);
            }
        }
    }
}

/// Appends the fields of the `KeyValue` message (without a length in front).
pub fn encode_key_value(key: &str, value: &Value, out: &mut Vec<u8>) {
    put_len_delimited(out, 1, key.as_bytes());
    put_tag(out, 2, LEN);
    put_varint(out, any_value_len(value) as u64);
    encode_any_value(value, out);
}

/// The bytes that [`encode_any_value`] appends.
pub fn any_value_len(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 2,
        Value::Int(number) => 1 + varint_len(number.cast_unsigned()),
        Value::Double(_) => 9,
        Value::String(text) => prefixed(text.len()),
        Value::Bytes(bytes) => prefixed(bytes.len()),
        Value::Array(values) => {
            prefixed(values.iter().map(|value| prefixed(any_value_len(value))).sum())
        }
        Value::Map(entries) => {
            prefixed(entries.iter().map(|(key, value)| prefixed(key_value_len(key, value))).sum())
        }
    }
}

fn key_value_len(key: &str, value: &Value) -> usize {
    prefixed(key.len()) + prefixed(any_value_len(value))
}

/// The length of a field with a one-byte tag, its length prefix included.
fn prefixed(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}
