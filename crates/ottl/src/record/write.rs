//! Setting the value of a path. A value of a type that the field cannot hold changes nothing.

use std::borrow::Cow;

use bessemer_record::Value as Stored;
use bessemer_record::edit::{Field, Occurrence, Twins, edit_occurrences, field, replace_fields};
use bessemer_record::value::{encode_any_value, encode_key_value};

use super::keys::set_index;
use super::read::{KINDS, pair_key, pairs, string, text_key};
use super::{METRIC_DATA, Record, metric_kind, schema_place};
use crate::context::Context;
use crate::error::RunError;
use crate::expression::Path;
use crate::paths::Shape;
use crate::program::Environment;
use crate::value::Value;

/// Contents of a field, which may be made here.
enum Contents {
    /// The field is left out: it has its default.
    Absent,
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Vec<u8>),
    Repeated(Vec<Vec<u8>>),
}

impl Record<'_> {
    /// Sets the value of a path.
    pub(crate) fn set(
        &mut self,
        path: &Path,
        value: Value,
        environment: &Environment,
    ) -> Result<(), RunError> {
        self.step()?;
        let value = self.bounded(value)?;
        let keys = self.keys(&path.keys, environment)?;
        match path.entry.shape {
            Shape::Cache => self.set_cached(&keys, value),
            Shape::Attributes => self.set_attribute(path, &keys, value),
            Shape::TraceState if !keys.is_empty() => self.set_trace_state(path, &keys, &value),
            Shape::Whole => {
                self.set_whole(path, &value);
                Ok(())
            }
            Shape::DataPoints => {
                self.set_data_points(value);
                Ok(())
            }
            Shape::MetricType => Ok(()),
            Shape::Position => Err(RunError::invalid("the place of an event cannot be set")),
            Shape::Schema => {
                if let Value::String(url) = value {
                    self.replace_part(schema_place(path.context), url.into_bytes());
                }
                Ok(())
            }
            Shape::Any if !keys.is_empty() => {
                let mut whole = self.get(&path.without_keys(), environment)?;
                if !matches!(whole, Value::Map(_) | Value::List(_)) {
                    return Err(whole.mismatch("a map or a list to index"));
                }
                set_index(&mut whole, &keys, value)?;
                self.set_field(path, whole)
            }
            _ => self.set_field(path, value),
        }
    }

    fn set_cached(&mut self, keys: &[Cow<'_, Value>], value: Value) -> Result<(), RunError> {
        if keys.is_empty() {
            if let Value::Map(entries) = value {
                self.cache = entries;
            }
            return Ok(());
        }
        keys.first().map_or(Ok(""), |key| text_key(key))?;
        let mut cache = Value::Map(std::mem::take(&mut self.cache));
        let outcome = set_index(&mut cache, keys, value);
        if let Value::Map(entries) = cache {
            self.cache = entries;
        }
        outcome
    }

    fn set_attribute(
        &mut self,
        path: &Path,
        keys: &[Cow<'_, Value>],
        value: Value,
    ) -> Result<(), RunError> {
        let Some((inside, number)) = self.locate(path) else { return Ok(()) };
        let Some((first, rest)) = keys.split_first() else {
            let Value::Map(entries) = value else { return Ok(()) };
            self.put_attributes(path, entries);
            return Ok(());
        };
        let key = text_key(first)?;
        let mut value = value;
        if !rest.is_empty() || !value.is_storable() {
            let present = self.attribute_at(path, (inside, number), key.as_bytes());
            if rest.is_empty() && present.is_some() {
                return Ok(());
            }
            if !rest.is_empty() {
                let mut whole = present.map_or(Value::Nil, Value::read);
                set_index(&mut whole, rest, value)?;
                value = whole;
            }
        }
        let value = value.into_stored();
        if let Some(opened) = self.opened_at(path, inside) {
            let encode = |out: &mut Vec<u8>| encode_any_value(&value, out);
            let is_changed = opened.set(key.as_bytes(), Twins::Kept, encode);
            self.edits += u32::from(is_changed);
            return Ok(());
        }
        self.splice_attribute(path, (inside, number), key, &value);
        Ok(())
    }

    /// Sets an attribute in a message that is not taken apart.
    fn splice_attribute(
        &mut self,
        path: &Path,
        (inside, number): (u32, u32),
        key: &str,
        value: &Stored,
    ) {
        let holder = self.holder(path, inside);
        let mut pair = Vec::with_capacity(key.len() + 32);
        encode_key_value(key, value, &mut pair);
        let mut message = Vec::with_capacity(holder.len() + pair.len() + 8);
        let mut is_set = false;
        let decide = |found: &[u8]| {
            if is_set || pair_key(found) != key.as_bytes() {
                return Occurrence::Kept;
            }
            is_set = true;
            Occurrence::Replaced(&pair)
        };
        edit_occurrences(holder, number, decide, &mut message);
        if !is_set {
            Field::Bytes(&pair).put(number, &mut message);
        }
        self.replace_holder(path.context, inside, message);
    }

    /// Leaves out the attributes whose keys are not kept; returns whether the path is attributes.
    pub(crate) fn retain_attributes(
        &mut self,
        path: &Path,
        is_kept: &dyn Fn(&str) -> bool,
    ) -> bool {
        if let Some(mut list) = self.own_list(path) {
            list.retain(is_kept);
            return true;
        }
        let Some((inside, number)) = self.attributes_of(path) else { return false };
        let is_out = |pair: &[u8]| !std::str::from_utf8(pair_key(pair)).is_ok_and(is_kept);
        let holder = self.holder(path, inside);
        if !pairs(holder, number).any(is_out) {
            return true;
        }
        let mut message = Vec::with_capacity(holder.len());
        let decide =
            |pair: &[u8]| if is_out(pair) { Occurrence::Removed } else { Occurrence::Kept };
        edit_occurrences(holder, number, decide, &mut message);
        self.replace_holder(path.context, inside, message);
        true
    }

    /// Puts a message where it was read as the holder of a field.
    fn replace_holder(&mut self, of: Context, inside: u32, message: Vec<u8>) {
        if inside == 0 {
            return self.replace(of, message);
        }
        if let Some(opened) = self.open(of) {
            let is_changed = opened.put(inside, &[], Some(Field::Bytes(&message)));
            self.edits += u32::from(is_changed);
            return;
        }
        let message = replaced(self.message(of), inside, &[], &Contents::Bytes(message));
        self.replace(of, message);
    }

    fn put_attributes(&mut self, path: &Path, entries: Vec<(String, Value)>) {
        let pairs = entries.into_iter().map(|(key, value)| {
            let mut pair = Vec::new();
            encode_key_value(&key, &value.into_stored(), &mut pair);
            pair
        });
        let pairs = Contents::Repeated(pairs.collect());
        self.put(path, &pairs, &[]);
    }

    fn set_trace_state(
        &mut self,
        path: &Path,
        keys: &[Cow<'_, Value>],
        value: &Value,
    ) -> Result<(), RunError> {
        let (Some((inside, number)), Value::String(value)) = (self.locate(path), value) else {
            return Ok(());
        };
        let key = keys.first().map_or(Ok(""), |key| text_key(key))?;
        let state = string(self.holder(path, inside), number);
        let others = state.split(',').map(str::trim).filter(|entry| {
            !entry.is_empty() && entry.split_once('=').is_none_or(|(found, _)| found != key)
        });
        let mut entries = vec![format!("{key}={value}")];
        entries.extend(others.map(str::to_owned));
        self.put(path, &Contents::Bytes(entries.join(",").into_bytes()), &[]);
        Ok(())
    }

    fn set_whole(&mut self, path: &Path, value: &Value) {
        if let Value::Messages(messages) = value
            && let [message] = messages.as_ref()
        {
            self.replace(path.context, message.clone());
        }
    }

    fn set_data_points(&mut self, value: Value) {
        let Value::Messages(points) = value else { return };
        let metric = self.message(Context::Metric);
        let Some(number) = metric_kind(metric).and_then(|kind| METRIC_DATA.get(kind)) else {
            return;
        };
        let data = field(metric, *number).and_then(Field::bytes).unwrap_or_default();
        let data = replaced(data, 1, &[], &Contents::Repeated(points.to_vec()));
        let metric = replaced(metric, *number, &[], &Contents::Bytes(data));
        self.replace(Context::Metric, metric);
    }

    fn set_field(&mut self, path: &Path, value: Value) -> Result<(), RunError> {
        let without: &[u32] = match path.entry.shape {
            Shape::ValueInt => &[4],
            Shape::ValueDouble => &[6],
            _ => &[],
        };
        if let Some(contents) = contents(path.entry.shape, value)? {
            self.put(path, &contents, without);
        }
        Ok(())
    }

    fn put(&mut self, path: &Path, contents: &Contents, without: &[u32]) {
        let Some((inside, number)) = self.locate(path) else { return };
        let Some(opened) = self.opened_at(path, inside) else {
            let message = replaced(self.holder(path, inside), number, without, contents);
            return self.replace_holder(path.context, inside, message);
        };
        let is_changed = with_fields(contents, |contents| match contents {
            [] => opened.put(number, without, None),
            [content] => opened.put(number, without, Some(*content)),
            contents => opened.put_all(number, without, contents),
        });
        self.edits += u32::from(is_changed);
    }
}

fn replaced(message: &[u8], number: u32, without: &[u32], contents: &Contents) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    with_fields(contents, |contents| replace_fields(message, number, without, contents, &mut out));
    out
}

/// Hands contents over as fields of a message.
fn with_fields<R>(contents: &Contents, put: impl FnOnce(&[Field<'_>]) -> R) -> R {
    match contents {
        Contents::Absent => put(&[]),
        Contents::Varint(bits) => put(&[Field::Varint(*bits)]),
        Contents::Fixed64(bits) => put(&[Field::Fixed64(*bits)]),
        Contents::Fixed32(bits) => put(&[Field::Fixed32(*bits)]),
        Contents::Bytes(bytes) => put(&[Field::Bytes(bytes)]),
        Contents::Repeated(messages) => {
            let fields: Vec<_> = messages.iter().map(|bytes| Field::Bytes(bytes)).collect();
            put(&fields)
        }
    }
}

/// What a field holds for a value; none if it cannot hold such a value.
fn contents(shape: Shape, value: Value) -> Result<Option<Contents>, RunError> {
    Ok(Some(match (shape, value) {
        (Shape::Any, value) if !value.is_storable() => return Ok(None),
        (Shape::Any, value) => Contents::Bytes(any(&value.into_stored())),
        (Shape::AnyText, Value::String(text)) => Contents::Bytes(any(&Stored::String(text))),
        (Shape::Text | Shape::TraceState, Value::String(text)) if text.is_empty() => {
            Contents::Absent
        }
        (Shape::Text | Shape::TraceState, Value::String(text)) => {
            Contents::Bytes(text.into_bytes())
        }
        (Shape::Id(len), Value::Id(id)) if id.len() == len => identifier(id),
        (Shape::IdText(len), Value::String(digits)) => identifier(digits_of(&digits, len)?),
        (Shape::Time, Value::Time(time)) => {
            fixed64(i64::try_from(time.unix_nano).unwrap_or_default().cast_unsigned())
        }
        (Shape::Nanos | Shape::Count, Value::Int(number)) => fixed64(number.cast_unsigned()),
        (Shape::ValueInt, Value::Int(number)) => Contents::Fixed64(number.cast_unsigned()),
        (Shape::Double | Shape::ValueDouble, Value::Float(number)) => {
            Contents::Fixed64(number.to_bits())
        }
        (Shape::Unsigned(_), Value::Int(number)) => varint(number.cast_unsigned() & 0xFFFF_FFFF),
        (Shape::Signed32, Value::Int(number)) => varint(wrapped(number).cast_unsigned()),
        (Shape::Zigzag, Value::Int(number)) => {
            let number = wrapped(number);
            varint(((number << 1) ^ (number >> 63)).cast_unsigned())
        }
        (Shape::Fixed32, Value::Int(number)) => {
            match u32::try_from(number.cast_unsigned() & 0xFFFF_FFFF).unwrap_or_default() {
                0 => Contents::Absent,
                bits => Contents::Fixed32(bits),
            }
        }
        (Shape::Bool, Value::Bool(truth)) => varint(u64::from(truth)),
        (Shape::KindText | Shape::KindOldText, Value::String(name)) => {
            let kind = KINDS.iter().position(|kind| kind.0 == name || kind.1 == name);
            varint(kind.unwrap_or_default() as u64)
        }
        (Shape::Messages | Shape::Message, Value::Messages(messages)) => {
            Contents::Repeated(messages.to_vec())
        }
        (Shape::Counts | Shape::Doubles | Shape::Varints, Value::List(values)) => {
            let Some(bytes) = packed(shape, &values) else { return Ok(None) };
            if bytes.is_empty() { Contents::Absent } else { Contents::Bytes(bytes) }
        }
        _ => return Ok(None),
    }))
}

fn any(value: &Stored) -> Vec<u8> {
    let mut out = Vec::new();
    encode_any_value(value, &mut out);
    out
}

fn varint(bits: u64) -> Contents {
    if bits == 0 { Contents::Absent } else { Contents::Varint(bits) }
}

fn fixed64(bits: u64) -> Contents {
    if bits == 0 { Contents::Absent } else { Contents::Fixed64(bits) }
}

/// The low 32 bits as a signed number.
#[expect(clippy::cast_possible_truncation, reason = "the field has 32 bits")]
fn wrapped(number: i64) -> i64 {
    i64::from(number as i32)
}

fn identifier(id: Vec<u8>) -> Contents {
    if id.iter().all(|byte| *byte == 0) { Contents::Absent } else { Contents::Bytes(id) }
}

fn digits_of(digits: &str, len: usize) -> Result<Vec<u8>, RunError> {
    let bytes = crate::text::from_hex(digits);
    bytes.filter(|bytes| bytes.len() == len).ok_or_else(|| {
        RunError::invalid(format!("an id of {len} bytes needs {} hexadecimal digits", len * 2))
    })
}

fn packed(shape: Shape, values: &[Value]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for value in values {
        match (shape, value) {
            (Shape::Doubles, Value::Float(number)) => out.extend(number.to_le_bytes()),
            (Shape::Counts, Value::Int(number)) => out.extend(number.to_le_bytes()),
            (Shape::Varints, Value::Int(number)) => put_varint(&mut out, number.cast_unsigned()),
            _ => return None,
        }
    }
    Some(out)
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits are cut out")]
fn put_varint(out: &mut Vec<u8>, mut bits: u64) {
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}
