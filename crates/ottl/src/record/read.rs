//! Reading the value of a path.

use std::borrow::Cow;
use std::sync::Arc;

use bessemer_record::edit::{Field, field, fields};
use bessemer_record::value::AnyValue;

use super::{METRIC_DATA, Record, index, index_value, metric_kind, schema_place};
use crate::context::Context;
use crate::error::RunError;
use crate::expression::Path;
use crate::paths::Shape;
use crate::program::Environment;
use crate::text;
use crate::value::{Time, Value};

/// The names of the kinds of a span.
pub(super) const KINDS: [(&str, &str); 6] = [
    ("Unspecified", "SPAN_KIND_UNSPECIFIED"),
    ("Internal", "SPAN_KIND_INTERNAL"),
    ("Server", "SPAN_KIND_SERVER"),
    ("Client", "SPAN_KIND_CLIENT"),
    ("Producer", "SPAN_KIND_PRODUCER"),
    ("Consumer", "SPAN_KIND_CONSUMER"),
];

impl Record<'_> {
    /// The value of a path.
    pub(crate) fn get(&self, path: &Path, environment: &Environment) -> Result<Value, RunError> {
        self.step()?;
        if let (Shape::Attributes, Some(key)) = (path.entry.shape, path.only_key()) {
            return Ok(self.attribute_of(path, key));
        }
        let keys = self.keys(&path.keys, environment)?;
        match path.entry.shape {
            Shape::Cache => self.cached(&keys),
            Shape::Attributes => self.attribute(path, &keys),
            Shape::TraceState => self.trace_state(path, &keys),
            Shape::Whole => Ok(self.whole(path)),
            Shape::MetricType => {
                let kind = metric_kind(self.message(Context::Metric));
                Ok(Value::Int(kind.map_or(0, |kind| integer(kind as u64 + 1))))
            }
            Shape::DataPoints => Ok(self.data_points()),
            Shape::Position => Ok(Value::Int(integer(self.position as u64))),
            Shape::Schema => {
                let url = self.parts.get(schema_place(path.context)).map(|part| &*part.bytes);
                Ok(Value::from(String::from_utf8_lossy(url.unwrap_or_default()).into_owned()))
            }
            _ => {
                let Some((inside, number)) = self.locate(path) else { return Ok(Value::Nil) };
                index_value(self.value_at(path, (inside, number)), &keys)
            }
        }
    }

    fn value_at(&self, path: &Path, (inside, number): (u32, u32)) -> Value {
        let holder = || self.holder(path, inside);
        match path.entry.shape {
            Shape::Messages => Value::Messages(repeated(holder(), number)),
            shape @ (Shape::Counts | Shape::Doubles | Shape::Varints) => {
                Value::List(packed(holder(), number, shape))
            }
            shape => value(self.field(path, inside, number), shape),
        }
    }

    /// The attributes that a path leads to, in place.
    pub(crate) fn attributes(&self, path: &Path) -> impl Iterator<Item = (&[u8], AnyValue<'_>)> {
        let place = self.locate(path);
        let opened = self.opened(path.context).zip(place);
        let opened = opened.filter(|(opened, place)| *place == (0, opened.list()));
        let walked = place.filter(|_| opened.is_none());
        let walked = walked.map(|(inside, number)| pairs(self.holder(path, inside), number));
        let read = |(key, value)| (key, AnyValue::new(value));
        let opened = opened.into_iter().flat_map(|(opened, _)| opened.attributes()).map(read);
        opened.chain(walked.into_iter().flatten().map(parts))
    }

    fn cached(&self, keys: &[Cow<'_, Value>]) -> Result<Value, RunError> {
        let Some((first, rest)) = keys.split_first() else {
            return Ok(Value::Map(self.cache.clone()));
        };
        let key = text_key(first)?;
        let Some(value) = Value::entry(&self.cache, key) else { return Ok(Value::Nil) };
        Ok(index(value, rest)?.cloned().unwrap_or_default())
    }

    fn attribute_of(&self, path: &Path, key: &str) -> Value {
        let Some(place) = self.locate(path) else { return Value::Nil };
        self.attribute_at(path, place, key.as_bytes()).map(Value::read).unwrap_or_default()
    }

    /// Whether some text among the attributes of a path is longer than `len_max` bytes; none if the
    /// path is no attributes.
    pub(crate) fn has_longer_text(&self, path: &Path, len_max: usize) -> Option<bool> {
        let (inside, number) = self.attributes_of(path)?;
        let is_longer =
            |pair| matches!(parts(pair).1, AnyValue::Str(text) if text.as_bytes().len() > len_max);
        Some(pairs(self.holder(path, inside), number).any(is_longer))
    }

    /// Where the attributes are that a path names as a whole.
    pub(super) fn attributes_of(&self, path: &Path) -> Option<(u32, u32)> {
        let is_whole = path.entry.shape == Shape::Attributes && path.keys.is_empty();
        self.locate(path).filter(|_| is_whole)
    }

    fn attribute(&self, path: &Path, keys: &[Cow<'_, Value>]) -> Result<Value, RunError> {
        let Some(place) = self.locate(path) else { return Ok(Value::Nil) };
        let Some((first, rest)) = keys.split_first() else {
            let entries = self.attributes(path);
            let read =
                |(key, value)| (String::from_utf8_lossy(key).into_owned(), Value::read(value));
            return Ok(Value::Map(entries.map(read).collect()));
        };
        let key = text_key(first)?;
        let value = self.attribute_at(path, place, key.as_bytes());
        let value = value.map(Value::read).unwrap_or_default();
        if value.is_nil() {
            return Ok(value);
        }
        index_value(value, rest)
    }

    fn trace_state(&self, path: &Path, keys: &[Cow<'_, Value>]) -> Result<Value, RunError> {
        let Some((inside, number)) = self.locate(path) else { return Ok(Value::Nil) };
        let state = string(self.holder(path, inside), number);
        let Some(key) = keys.first() else { return Ok(Value::String(state)) };
        let key = text_key(key)?;
        let mut entries = state.split(',').filter_map(|entry| entry.trim().split_once('='));
        let found = entries.find(|(found, _)| *found == key).map(|(_, value)| value);
        Ok(Value::from(found.unwrap_or_default()))
    }

    fn whole(&self, path: &Path) -> Value {
        Value::Messages(Arc::from([self.message(path.context).to_vec()]))
    }

    fn data_points(&self) -> Value {
        let metric = self.message(Context::Metric);
        let Some(number) = metric_kind(metric).and_then(|kind| METRIC_DATA.get(kind)) else {
            return Value::Nil;
        };
        let data = field(metric, *number).and_then(Field::bytes).unwrap_or_default();
        Value::Messages(repeated(data, 1))
    }
}

pub(super) fn text_key(key: &Value) -> Result<&str, RunError> {
    match key {
        Value::String(key) => Ok(key),
        other => Err(other.mismatch("a string as the key")),
    }
}

fn repeated(message: &[u8], number: u32) -> Arc<[Vec<u8>]> {
    let found = fields(message).filter(|(found, _)| *found == number);
    found.filter_map(|(_, field)| Some(field.bytes()?.to_vec())).collect()
}

/// The encoded attributes of a message.
pub(super) fn pairs(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    let found = fields(message).filter(move |(found, _)| *found == number);
    found.filter_map(|(_, field)| field.bytes())
}

/// The key and the value of an encoded attribute.
fn parts(pair: &[u8]) -> (&[u8], AnyValue<'_>) {
    let (key, value) = short_parts(pair).unwrap_or_else(|| {
        let part = |number| field(pair, number).and_then(Field::bytes).unwrap_or_default();
        (part(1), part(2))
    });
    (key, AnyValue::new(value))
}

/// The same where the pair is a short key and a short value, as almost all are.
fn short_parts(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x0a, len, rest @ ..] = pair else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*len)).filter(|_| *len < 0x80)?;
    let [0x12, len, value @ ..] = rest else { return None };
    (*len < 0x80 && value.len() == usize::from(*len)).then_some((key, value))
}

pub(super) fn pair_key(pair: &[u8]) -> &[u8] {
    parts(pair).0
}

/// The first attribute with a key.
pub(super) fn find<'m>(message: &'m [u8], number: u32, key: &[u8]) -> Option<AnyValue<'m>> {
    pairs(message, number).map(parts).find(|(found, _)| *found == key).map(|(_, value)| value)
}

pub(super) fn string(message: &[u8], number: u32) -> String {
    let bytes = field(message, number).and_then(Field::bytes).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

fn value(found: Option<Field<'_>>, shape: Shape) -> Value {
    let bytes = || found.and_then(Field::bytes).unwrap_or_default();
    match shape {
        Shape::Any => Value::read(AnyValue::new(bytes())),
        Shape::AnyText => Value::from(text::plain(&Value::read(AnyValue::new(bytes())))),
        Shape::Text => Value::from(String::from_utf8_lossy(bytes()).into_owned()),
        Shape::Id(len) => Value::Id(id(bytes(), len)),
        Shape::IdText(len) => Value::from(text::hex(&id(bytes(), len))),
        Shape::Message => Value::Messages(Arc::from([bytes().to_vec()])),
        shape => scalar(found, shape),
    }
}

fn scalar(found: Option<Field<'_>>, shape: Shape) -> Value {
    let bits = match found {
        Some(Field::Varint(bits) | Field::Fixed64(bits)) => bits,
        Some(Field::Fixed32(bits)) => u64::from(bits),
        Some(Field::Bytes(_)) | None => 0,
    };
    match shape {
        Shape::Time => Value::Time(Time::utc(i128::from(bits))),
        Shape::Bool => Value::Bool(bits != 0),
        Shape::Double | Shape::ValueDouble => Value::Float(f64::from_bits(bits)),
        Shape::Zigzag => Value::Int((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()),
        Shape::KindText | Shape::KindOldText => {
            let kind = KINDS.get(usize::try_from(bits).unwrap_or_default()).unwrap_or(&KINDS[0]);
            Value::from(if shape == Shape::KindText { kind.0 } else { kind.1 })
        }
        _ => Value::Int(bits.cast_signed()),
    }
}

fn integer(number: u64) -> i64 {
    number.cast_signed()
}

/// An id with its full length; an absent one is all zeros.
fn id(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut id = bytes.to_vec();
    id.resize(len, 0);
    id
}

fn packed(message: &[u8], number: u32, shape: Shape) -> Vec<Value> {
    let one = |bits: u64| match shape {
        Shape::Doubles => Value::Float(f64::from_bits(bits)),
        _ => Value::Int(bits.cast_signed()),
    };
    let mut values = Vec::new();
    for (found, content) in fields(message).filter(|(found, _)| *found == number) {
        debug_assert_eq!(found, number);
        match content {
            Field::Bytes(bytes) if shape == Shape::Varints => {
                values.extend(varints(bytes).map(one));
            }
            Field::Bytes(bytes) => {
                let (chunks, _) = bytes.as_chunks::<8>();
                values.extend(chunks.iter().map(|chunk| one(u64::from_le_bytes(*chunk))));
            }
            Field::Varint(bits) | Field::Fixed64(bits) => values.push(one(bits)),
            Field::Fixed32(_) => {}
        }
    }
    values
}

fn varints(mut bytes: &[u8]) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let len = bytes.iter().position(|byte| *byte < 0x80)? + 1;
        let (number, rest) = bytes.split_at_checked(len)?;
        bytes = rest;
        let bits = number.iter().enumerate().take(10);
        Some(bits.fold(0, |sum, (at, byte)| sum | (u64::from(byte & 0x7F) << (7 * at).min(63))))
    })
}
