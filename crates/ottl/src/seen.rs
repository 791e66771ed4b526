//! Values seen where they are: in the record, in the program, or in a room for what was just made.
//!
//! Most expressions are looked at once and thrown away, so their text is not copied for that. A room
//! is a buffer of the caller, for text that stands nowhere yet.

use std::borrow::Cow;

use bessemer_record::value::{AnyValue, Text};

use crate::error::RunError;
use crate::functions::{Kind, admit};
use crate::value::Value;

/// What an expression evaluates to, borrowed.
#[derive(Debug)]
pub(crate) enum Seen<'r> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Text in UTF-8, which records are known to hold.
    Text(&'r [u8]),
    /// A list, a map or bytes of a record.
    Stored(AnyValue<'r>),
    /// Any other value; never one of those above.
    Value(Cow<'r, Value>),
}

impl<'r> From<AnyValue<'r>> for Seen<'r> {
    #[inline]
    fn from(value: AnyValue<'r>) -> Self {
        match value {
            AnyValue::Empty => Self::Nil,
            AnyValue::Str(text) => Self::Text(text.as_bytes()),
            AnyValue::Bool(truth) => Self::Bool(truth),
            AnyValue::Int(number) => Self::Int(number),
            AnyValue::Double(number) => Self::Float(number),
            nested @ (AnyValue::Bytes(_) | AnyValue::Array(_) | AnyValue::Map(_)) => {
                Self::Stored(nested)
            }
        }
    }
}

impl<'r> From<&'r Value> for Seen<'r> {
    #[inline]
    fn from(value: &'r Value) -> Self {
        match value {
            Value::Nil => Self::Nil,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Int(*number),
            Value::Float(number) => Self::Float(*number),
            Value::String(text) => Self::Text(text.as_bytes()),
            other => Self::Value(Cow::Borrowed(other)),
        }
    }
}

impl<'r> Seen<'r> {
    /// A value that was made; text moves to the room.
    pub(crate) fn made(value: Value, room: &'r mut Vec<u8>) -> Self {
        match value {
            Value::Nil => Self::Nil,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Int(number) => Self::Int(number),
            Value::Float(number) => Self::Float(number),
            Value::String(text) => {
                *room = text.into_bytes();
                Self::Text(room)
            }
            other => Self::Value(Cow::Owned(other)),
        }
    }

    /// The same as a value of its own.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(truth) => Value::Bool(truth),
            Self::Int(number) => Value::Int(number),
            Self::Float(number) => Value::Float(number),
            Self::Text(text) => Value::String(String::from_utf8_lossy(text).into_owned()),
            Self::Stored(value) => Value::read(value),
            Self::Value(value) => value.into_owned(),
        }
    }

    pub(crate) fn mismatch(&self, expected: &'static str) -> RunError {
        let found = match self {
            Self::Nil => Value::Nil.type_name(),
            Self::Bool(truth) => Value::Bool(*truth).type_name(),
            Self::Int(number) => Value::Int(*number).type_name(),
            Self::Float(number) => Value::Float(*number).type_name(),
            Self::Text(_) => Value::String(String::new()).type_name(),
            Self::Stored(value) => Value::read(*value).type_name(),
            Self::Value(value) => value.type_name(),
        };
        RunError::Type { expected, found }
    }

    /// Appends the text form, as parameters take it that take what has one; returns false for nil.
    pub(crate) fn append_text(self, out: &mut Vec<u8>) -> Result<bool, RunError> {
        match self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Nil => return Ok(false),
            other => match admit(Kind::TextLike, other.into_value())? {
                Value::String(text) => out.extend_from_slice(text.as_bytes()),
                _ => return Ok(false),
            },
        }
        Ok(true)
    }

    /// Appends the fields of the `AnyValue` message of text, a number or a truth value; returns the
    /// size of the value, or none if it is another one.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Option<usize> {
        let (value, size) = match self {
            Self::Bool(truth) => (AnyValue::Bool(*truth), 8),
            Self::Int(number) => (AnyValue::Int(*number), 8),
            Self::Float(number) => (AnyValue::Double(*number), 8),
            Self::Text(text) => (AnyValue::Str(Text::new(text)), text.len()),
            Self::Nil | Self::Stored(_) | Self::Value(_) => return None,
        };
        value.encode(out);
        Some(size)
    }
}
