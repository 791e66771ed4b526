//! The values that expressions have.

use std::sync::Arc;

use bessemer_record::Value as Stored;
use bessemer_record::value::AnyValue;
use jiff::tz::Offset;
use jiff::{Timestamp, civil};

use crate::error::RunError;
use crate::limits::VALUE_DEPTH_MAX;

/// A moment, and the offset from UTC in which its parts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Nanoseconds since 1970.
    pub unix_nano: i128,
    /// Seconds east of Greenwich.
    pub offset_s: i32,
}

/// What an expression evaluates to.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Nil,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// Text.
    String(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list of values.
    List(Vec<Value>),
    /// Named values in their order.
    Map(Vec<(String, Value)>),
    /// A moment.
    Time(Time),
    /// Nanoseconds between two moments.
    Duration(i64),
    /// The id of a trace, a span or a profile.
    Id(Vec<u8>),
    /// Encoded messages that can only be read from one field and set to another.
    Messages(Arc<[Vec<u8>]>),
}

impl Time {
    /// A moment in UTC.
    pub fn utc(unix_nano: i128) -> Self {
        Self { unix_nano, offset_s: 0 }
    }

    /// The date and time of day at its offset.
    pub(crate) fn civil(self) -> Result<civil::DateTime, RunError> {
        let out_of_range = |_| RunError::invalid("the time is out of range");
        let timestamp = Timestamp::from_nanosecond(self.unix_nano).map_err(out_of_range)?;
        let offset = Offset::from_seconds(self.offset_s).map_err(out_of_range)?;
        Ok(offset.to_datetime(timestamp))
    }
}

impl Value {
    /// The name of its type in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Float(_) => "a float",
            Self::String(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Time(_) => "a time",
            Self::Duration(_) => "a duration",
            Self::Id(_) => "an id",
            Self::Messages(_) => "messages",
        }
    }

    /// Whether it is nothing.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    pub(crate) fn mismatch(&self, expected: &'static str) -> RunError {
        RunError::Type { expected, found: self.type_name() }
    }

    /// A copy of what stands in a record.
    pub fn read(value: AnyValue<'_>) -> Self {
        match value {
            AnyValue::Str(text) => Self::String(text.as_str().to_owned()),
            AnyValue::Int(number) => Self::Int(number),
            other => Self::from(other.to_value()),
        }
    }

    /// What a record stores of it; times, durations and ids have no form there.
    pub fn into_stored(self) -> Stored {
        self.stored(0)
    }

    fn stored(self, depth: u32) -> Stored {
        match self {
            Self::Bool(truth) => Stored::Bool(truth),
            Self::Int(number) => Stored::Int(number),
            Self::Float(number) => Stored::Double(number),
            Self::String(text) => Stored::String(text),
            Self::Bytes(bytes) => Stored::Bytes(bytes),
            Self::List(values) if depth < VALUE_DEPTH_MAX => {
                Stored::Array(values.into_iter().map(|value| value.stored(depth + 1)).collect())
            }
            Self::Map(entries) if depth < VALUE_DEPTH_MAX => {
                let entries = entries.into_iter();
                Stored::Map(entries.map(|(key, value)| (key, value.stored(depth + 1))).collect())
            }
            _ => Stored::Null,
        }
    }

    /// Whether it has a form in a record.
    pub(crate) fn is_storable(&self) -> bool {
        !matches!(self, Self::Time(_) | Self::Duration(_) | Self::Id(_) | Self::Messages(_))
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            Self::Bytes(bytes) | Self::Id(bytes) => bytes.len(),
            Self::List(values) => values.iter().map(|value| value.size() + 8).sum(),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| key.len() + value.size() + 8).sum()
            }
            Self::Messages(messages) => messages.iter().map(Vec::len).sum(),
            _ => 8,
        }
    }

    /// The value of a key of a map.
    pub(crate) fn entry<'v>(entries: &'v [(String, Self)], key: &str) -> Option<&'v Self> {
        entries.iter().find(|(found, _)| found == key).map(|(_, value)| value)
    }

    /// Sets the value of a key of a map.
    pub(crate) fn put(entries: &mut Vec<(String, Self)>, key: &str, value: Self) {
        match entries.iter_mut().find(|(found, _)| found == key) {
            Some((_, slot)) => *slot = value,
            None => entries.push((key.to_owned(), value)),
        }
    }
}

impl From<Stored> for Value {
    fn from(value: Stored) -> Self {
        match value {
            Stored::Null => Self::Nil,
            Stored::Bool(truth) => Self::Bool(truth),
            Stored::Int(number) => Self::Int(number),
            Stored::Double(number) => Self::Float(number),
            Stored::String(text) => Self::String(text),
            Stored::Bytes(bytes) => Self::Bytes(bytes),
            Stored::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Stored::Map(entries) => {
                Self::Map(entries.into_iter().map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}
