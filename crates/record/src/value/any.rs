//! The borrowed form of a value: an `AnyValue` message read in place.

use super::{Text, Value};
use crate::view::{Message, Repeated};
use crate::wire::{FIXED64, Reader, VARINT, WireValue, put_len_delimited, put_tag, put_varint};

/// Values nested deeper than this are read as empty. The limit of the check is far below.
pub(crate) const DEPTH_MAX: u32 = 256;

/// An attribute value or a body, borrowed from a message.
#[derive(Debug, Clone, Copy, Default)]
pub enum AnyValue<'a> {
    /// No value set, or one that only profiles may use.
    #[default]
    Empty,
    /// Text.
    Str(Text<'a>),
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// A list of values.
    Array(Array<'a>),
    /// A list of named values.
    Map(Map<'a>),
}

/// The values of an [`AnyValue::Array`].
pub type Array<'a> = Repeated<'a, AnyValue<'a>>;

impl<'a> AnyValue<'a> {
    /// Reads an `AnyValue` message.
    #[inline]
    pub fn new(message: &'a [u8]) -> Self {
        let mut value = Self::Empty;
        value.absorb(message);
        value
    }

    /// Reads one more occurrence of the message; what is set there replaces what was set before.
    #[inline]
    pub(crate) fn absorb(&mut self, message: &'a [u8]) {
        for (number, field) in Reader::new(message) {
            *self = match (number, field) {
                (1, WireValue::Bytes(bytes)) => Self::Str(Text::new(bytes)),
                (2, WireValue::Varint(number)) => Self::Bool(number != 0),
                (3, WireValue::Varint(number)) => Self::Int(number.cast_signed()),
                (4, WireValue::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
                (5, WireValue::Bytes(bytes)) => Self::Array(Repeated::new(bytes, 1)),
                (6, WireValue::Bytes(bytes)) => Self::Map(Map::new(bytes, 1)),
                (7, WireValue::Bytes(bytes)) => Self::Bytes(bytes),
                (8, WireValue::Varint(_)) => Self::Empty,
                _ => continue,
            };
        }
    }

    /// The text, if this is text.
    pub fn as_str(self) -> Option<&'a str> {
        if let Self::Str(text) = self { Some(text.as_str()) } else { None }
    }

    /// The truth value, if this is one.
    pub fn as_bool(self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(truth) } else { None }
    }

    /// The integer, if this is one.
    pub fn as_int(self) -> Option<i64> {
        if let Self::Int(number) = self { Some(number) } else { None }
    }

    /// The floating point number, if this is one.
    pub fn as_double(self) -> Option<f64> {
        if let Self::Double(number) = self { Some(number) } else { None }
    }

    /// Whether no value is set.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Copies the value out of the message.
    pub fn to_value(self) -> Value {
        self.copied(0)
    }

    fn copied(self, depth: u32) -> Value {
        if depth >= DEPTH_MAX {
            return Value::Null;
        }
        match self {
            Self::Empty => Value::Null,
            Self::Str(text) => Value::String(text.as_str().to_owned()),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Int(number) => Value::Int(number),
            Self::Double(number) => Value::Double(number),
            Self::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Self::Array(values) => {
                Value::Array(values.iter().map(|value| value.copied(depth + 1)).collect())
            }
            Self::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| (key.as_str().to_owned(), value.copied(depth + 1)))
                    .collect(),
            ),
        }
    }

    /// Appends the fields of the `AnyValue` message (without a length in front).
    pub fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => {}
            Self::Str(text) => put_len_delimited(out, 1, text.as_bytes()),
            Self::Bool(truth) => {
                put_tag(out, 2, VARINT);
                out.push(u8::from(truth));
            }
            Self::Int(number) => {
                put_tag(out, 3, VARINT);
                put_varint(out, number.cast_unsigned());
            }
            Self::Double(number) => {
                put_tag(out, 4, FIXED64);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::Bytes(bytes) => put_len_delimited(out, 7, bytes),
            Self::Array(values) => put_len_delimited(out, 5, values.as_bytes()),
            Self::Map(entries) => put_len_delimited(out, 6, entries.as_bytes()),
        }
    }

    fn equals(self, other: Self, depth: u32) -> bool {
        if depth >= DEPTH_MAX {
            return false;
        }
        match (self, other) {
            (Self::Empty, Self::Empty) => true,
            (Self::Str(left), Self::Str(right)) => left == right,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            #[expect(clippy::float_cmp, reason = "equality of values is equality of floats")]
            (Self::Double(left), Self::Double(right)) => left == right,
            (Self::Bytes(left), Self::Bytes(right)) => left == right,
            (Self::Array(left), Self::Array(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| left.equals(right, depth + 1))
            }
            (Self::Map(left), Self::Map(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|(left, right)| left.0 == right.0 && left.1.equals(right.1, depth + 1))
            }
            _ => false,
        }
    }
}

impl PartialEq for AnyValue<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.equals(*other, 0)
    }
}

impl PartialEq<Value> for AnyValue<'_> {
    fn eq(&self, other: &Value) -> bool {
        match (*self, other) {
            (Self::Empty, Value::Null) => true,
            (Self::Str(left), Value::String(right)) => left == *right.as_str(),
            (Self::Bool(left), Value::Bool(right)) => left == *right,
            (Self::Int(left), Value::Int(right)) => left == *right,
            (Self::Double(left), Value::Double(right)) => left == *right,
            (Self::Bytes(left), Value::Bytes(right)) => left == right,
            (Self::Array(left), Value::Array(right)) => left.iter().eq(right),
            (Self::Map(left), Value::Map(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|(left, right)| left.0 == *right.0.as_str() && left.1 == right.1)
            }
            _ => false,
        }
    }
}

impl PartialEq<&Value> for AnyValue<'_> {
    fn eq(&self, other: &&Value) -> bool {
        *self == **other
    }
}

impl<'a> Message<'a> for AnyValue<'a> {
    fn read(message: &'a [u8]) -> Self {
        Self::new(message)
    }
}

/// Named values: the attributes of a message, or an [`AnyValue::Map`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Map<'a>(Repeated<'a, KeyValue<'a>>);

impl<'a> Map<'a> {
    /// Takes the `KeyValue`s that stand in a message under a field number.
    pub(crate) fn new(message: &'a [u8], number: u32) -> Self {
        Self(Repeated::new(message, number))
    }

    /// The range that the entries were read from.
    pub(crate) fn entries(&mut self) -> &mut Repeated<'a, KeyValue<'a>> {
        &mut self.0
    }

    fn as_bytes(self) -> &'a [u8] {
        self.0.as_bytes()
    }

    /// The entries in the order of the message, duplicates included.
    pub fn iter(self) -> MapIter<'a> {
        MapIter(self.0.iter())
    }

    /// The value of the first entry with this key.
    pub fn get(self, key: &str) -> Option<AnyValue<'a>> {
        self.get_bytes(key.as_bytes())
    }

    /// The value of the first entry with this key.
    pub fn get_bytes(self, key: &[u8]) -> Option<AnyValue<'a>> {
        let mut entries = self.0.iter();
        entries.find(|entry| entry.key.as_bytes() == key).map(KeyValue::value)
    }

    /// The number of entries, counted by walking them.
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for Map<'a> {
    type Item = (Text<'a>, AnyValue<'a>);
    type IntoIter = MapIter<'a>;

    fn into_iter(self) -> MapIter<'a> {
        self.iter()
    }
}

/// Iterates over the entries of a [`Map`].
#[derive(Debug, Clone)]
pub struct MapIter<'a>(crate::view::RepeatedIter<'a, KeyValue<'a>>);

impl<'a> Iterator for MapIter<'a> {
    type Item = (Text<'a>, AnyValue<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|entry| (entry.key, entry.value()))
    }
}

/// A `KeyValue` message whose value is read when it is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyValue<'a> {
    pub(crate) key: Text<'a>,
    value: &'a [u8],
}

impl<'a> KeyValue<'a> {
    pub(crate) fn value(self) -> AnyValue<'a> {
        AnyValue::new(self.value)
    }
}

impl<'a> Message<'a> for KeyValue<'a> {
    #[inline]
    fn read(message: &'a [u8]) -> Self {
        let mut entry = Self::default();
        for (number, field) in Reader::new(message) {
            match (number, field) {
                (1, WireValue::Bytes(bytes)) => entry.key = Text::new(bytes),
                // An empty second occurrence sets nothing, so it must not hide the first.
                (2, WireValue::Bytes(bytes)) if !bytes.is_empty() => entry.value = bytes,
                _ => {}
            }
        }
        entry
    }
}
