//! Edits: from the bytes of a message to the bytes of the changed one, without decoding either.
//!
//! Every function appends the whole message to `out`, copies untouched ranges as they are, and returns
//! whether anything changed. Attributes of a metric are those of each of its data points. A key that
//! stands twice, which OTLP forbids, is one attribute here: the first one is what counts, and an edit
//! that touches the key leaves it once.

mod field;
mod list;
mod log;
pub(crate) mod nested;
mod opened;
mod splice;
mod texts;

pub use field::{Field, Occurrence, edit_occurrences, field, fields, replace_fields};
pub use list::{List, rewrite};
pub use log::{
    set_body, set_observed_time, set_severity_number, set_severity_text, set_time, truncate_body,
};
pub use opened::{Opened, Patch, Twins};

pub use texts::{Change, Scalar, texts};

use crate::Signal;
use crate::value::{AnyValue, KeyValue, Text, Value, encode_any_value, encode_key_value};
use crate::view::Message;
use crate::wire::{WireValue, put_len_delimited};
use splice::Splice;

/// The kind of a message, which says where its attributes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A `LogRecord`.
    Log,
    /// A `Span`.
    Span,
    /// A `Span`: the attributes of its events.
    SpanEvents,
    /// A `Metric`: the attributes of its data points.
    Metric,
    /// A `Resource`.
    Resource,
    /// An `InstrumentationScope`.
    Scope,
}

impl From<Signal> for Target {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Logs => Self::Log,
            Signal::Metrics => Self::Metric,
            Signal::Traces => Self::Span,
        }
    }
}

/// Where a span keeps its events, and these their attributes.
const SPAN_EVENTS: u32 = 11;
const EVENT_LIST: u32 = 3;
/// Where the data of a metric keeps its points.
const POINTS: u32 = 1;

/// An attribute encoded once for any number of edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    key: Vec<u8>,
    entry: Vec<u8>,
}

impl Attribute {
    /// Encodes a key and an owned value.
    pub fn new(key: &str, value: &Value) -> Self {
        let mut entry = Vec::new();
        encode_key_value(key, value, &mut entry);
        Self { key: key.as_bytes().to_vec(), entry }
    }

    /// Encodes a key and a value read elsewhere.
    pub fn copied(key: &str, value: AnyValue<'_>) -> Self {
        let mut entry = Vec::new();
        put_len_delimited(&mut entry, 1, key.as_bytes());
        let content = nested::open(2, &mut entry);
        value.encode(&mut entry);
        nested::close(content, &mut entry);
        Self { key: key.as_bytes().to_vec(), entry }
    }
}

/// Adds an attribute where the key is absent.
pub fn insert(target: Target, message: &[u8], attribute: &Attribute, out: &mut Vec<u8>) -> bool {
    each_list(target, message, out, &mut |list, number, out| {
        out.extend_from_slice(list);
        let is_absent = !holds(list, number, &attribute.key);
        if is_absent {
            put_len_delimited(out, number, &attribute.entry);
        }
        is_absent
    })
}

/// Replaces the value of an attribute where the key is present.
pub fn update(target: Target, message: &[u8], attribute: &Attribute, out: &mut Vec<u8>) -> bool {
    each_list(target, message, out, &mut |list, number, out| replace(list, number, attribute, out))
}

/// Sets an attribute, whether the key is present or not.
pub fn upsert(target: Target, message: &[u8], attribute: &Attribute, out: &mut Vec<u8>) -> bool {
    each_list(target, message, out, &mut |list, number, out| {
        if !replace(list, number, attribute, out) {
            put_len_delimited(out, number, &attribute.entry);
        }
        true
    })
}

/// Removes an attribute.
pub fn delete(target: Target, message: &[u8], key: &str, out: &mut Vec<u8>) -> bool {
    let key = key.as_bytes();
    each_list(target, message, out, &mut |list, number, out| {
        let mut splice = Splice::new(list, out);
        while let Some(field) = splice.next() {
            if entry(field, number).is_some_and(|entry| entry.key.as_bytes() == key) {
                splice.take_out();
            }
        }
        splice.finish()
    })
}

/// Removes the attributes that a predicate picks by key and value.
pub fn delete_where(
    target: Target,
    message: &[u8],
    mut is_picked: impl FnMut(Text<'_>, AnyValue<'_>) -> bool,
    out: &mut Vec<u8>,
) -> bool {
    each_list(target, message, out, &mut |list, number, out| {
        let mut splice = Splice::new(list, out);
        while let Some(field) = splice.next() {
            if entry(field, number).is_some_and(|entry| is_picked(entry.key, entry.value())) {
                splice.take_out();
            }
        }
        splice.finish()
    })
}

/// Gives an attribute another key; what had that key before is removed.
pub fn rename(target: Target, message: &[u8], from: &str, to: &str, out: &mut Vec<u8>) -> bool {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    each_list(target, message, out, &mut |list, number, out| {
        if from == to || !holds(list, number, from) {
            out.extend_from_slice(list);
            return false;
        }
        let mut is_renamed = false;
        let mut splice = Splice::new(list, out);
        while let Some(field) = splice.next() {
            let Some(entry) = entry(field, number) else { continue };
            let key = entry.key.as_bytes();
            if key == from && !is_renamed {
                let out = splice.take_out();
                with_key(field.1.bytes().unwrap_or_default(), number, to, out);
                is_renamed = true;
            } else if key == from || key == to {
                splice.take_out();
            }
        }
        splice.finish()
    })
}

/// Replaces the values for which a function returns another one.
pub fn map(
    target: Target,
    message: &[u8],
    mut changed: impl FnMut(Text<'_>, AnyValue<'_>) -> Option<Value>,
    out: &mut Vec<u8>,
) -> bool {
    each_list(target, message, out, &mut |list, number, out| {
        let mut splice = Splice::new(list, out);
        while let Some(field) = splice.next() {
            let Some(entry) = entry(field, number) else { continue };
            let Some(value) = changed(entry.key, entry.value()) else { continue };
            let out = splice.take_out();
            let content = nested::open(number, out);
            put_len_delimited(out, 1, entry.key.as_bytes());
            let inner = nested::open(2, out);
            encode_any_value(&value, out);
            nested::close(inner, out);
            nested::close(content, out);
        }
        splice.finish()
    })
}

/// Cuts string values to at most this many bytes, at the border of a character.
pub fn truncate(target: Target, message: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> bool {
    map(target, message, |_, value| shortened(value, bytes_max), out)
}

/// The value cut to a length, if it is a string that is longer.
fn shortened(value: AnyValue<'_>, bytes_max: usize) -> Option<Value> {
    let text = value.as_str().filter(|text| text.len() > bytes_max)?;
    text.get(..text.floor_char_boundary(bytes_max)).map(|text| Value::String(text.to_owned()))
}

/// Edits one list of attributes: it is given the message that directly holds the list and the field
/// number of the list, appends the whole of that message, and returns whether it changed.
type EditList<'f> = dyn FnMut(&[u8], u32, &mut Vec<u8>) -> bool + 'f;

/// Copies a message while `edit` does each list of attributes in it.
fn each_list(target: Target, message: &[u8], out: &mut Vec<u8>, edit: &mut EditList<'_>) -> bool {
    let number = match target {
        Target::Log => 6,
        Target::Span => 9,
        Target::Resource => 1,
        Target::Scope => 3,
        Target::SpanEvents => return nested_lists(message, SPAN_EVENTS, EVENT_LIST, out, edit),
        Target::Metric => return each_point(message, out, edit),
    };
    edit(message, number, out)
}

fn each_point(metric: &[u8], out: &mut Vec<u8>, edit: &mut EditList<'_>) -> bool {
    let mut is_changed = false;
    let mut splice = Splice::new(metric, out);
    while let Some((number, value)) = splice.next() {
        // Gauge, sum, histogram, exponential histogram, summary: where their points keep attributes.
        let list = match number {
            5 | 7 | 11 => 7,
            9 => 9,
            10 => 1,
            _ => continue,
        };
        let WireValue::Bytes(data) = value else { continue };
        let out = splice.take_out();
        let content = nested::open(number, out);
        is_changed |= nested_lists(data, POINTS, list, out, edit);
        nested::close(content, out);
    }
    splice.finish();
    is_changed
}

/// Edits the list of every message that stands under a field number.
fn nested_lists(
    message: &[u8],
    holders: u32,
    list: u32,
    out: &mut Vec<u8>,
    edit: &mut EditList<'_>,
) -> bool {
    let mut is_changed = false;
    let mut splice = Splice::new(message, out);
    while let Some((number, value)) = splice.next() {
        let WireValue::Bytes(holder) = value else { continue };
        if number != holders {
            continue;
        }
        let out = splice.take_out();
        let content = nested::open(holders, out);
        is_changed |= edit(holder, list, out);
        nested::close(content, out);
    }
    splice.finish();
    is_changed
}

/// The field as an entry of the list, if it is one.
fn entry((found, value): (u32, WireValue<'_>), number: u32) -> Option<KeyValue<'_>> {
    value.bytes().filter(|_| found == number).map(KeyValue::read)
}

fn holds(list: &[u8], number: u32, key: &[u8]) -> bool {
    crate::wire::Reader::new(list)
        .filter_map(|field| entry(field, number))
        .any(|entry| entry.key.as_bytes() == key)
}

/// Puts the attribute where its key stands first; returns whether the key stood there.
fn replace(list: &[u8], number: u32, attribute: &Attribute, out: &mut Vec<u8>) -> bool {
    let mut is_replaced = false;
    let mut splice = Splice::new(list, out);
    while let Some(field) = splice.next() {
        let Some(entry) = entry(field, number) else { continue };
        if entry.key.as_bytes() != attribute.key {
            continue;
        }
        let out = splice.take_out();
        if !is_replaced {
            put_len_delimited(out, number, &attribute.entry);
            is_replaced = true;
        }
    }
    splice.finish()
}

/// Appends an entry with another key and everything else as it is.
fn with_key(entry: &[u8], number: u32, key: &[u8], out: &mut Vec<u8>) {
    let content = nested::open(number, out);
    put_len_delimited(out, 1, key);
    let mut splice = Splice::new(entry, out);
    while let Some((found, _)) = splice.next() {
        if found == 1 {
            splice.take_out();
        }
    }
    splice.finish();
    nested::close(content, out);
}

#[cfg(test)]
mod tests;
