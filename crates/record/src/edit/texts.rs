//! Every text of a message changed by its content, however deep it stands.
//!
//! The walk follows the schema of OTLP: names, bodies, attributes, events, links, exemplars, and the
//! lists and maps in them. Fields that the schema does not know are copied as they are.

use super::Target;
use super::splice::Splice;
use crate::schema::{self, ANY_VALUE, KEY_VALUE, Kind, Message};
use crate::signal::Signal;
use crate::value::Text;
use crate::wire::{Reader, WireValue, put_len_delimited};

/// Messages within messages at most; what stands deeper is removed rather than passed unseen.
const DEPTH_MAX: u32 = 200;

/// A value that a function is asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// The key of an attribute or of a map's entry.
    Key(&'a str),
    /// Text.
    Str(&'a str),
    /// A whole number.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// What becomes of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It stays.
    Keep,
    /// This text stands in its place.
    Text(String),
    /// It goes: with its key if it has one, alone otherwise.
    Remove,
}

/// Asks `see` about every value of a message, the nearest key with it (empty where there is none).
pub fn texts(
    target: Target,
    message: &[u8],
    see: &mut dyn FnMut(&str, Scalar<'_>) -> Change,
    out: &mut Vec<u8>,
) -> bool {
    let shape = match target {
        Target::Log => schema::item(Signal::Logs),
        Target::Span | Target::SpanEvents => schema::item(Signal::Traces),
        Target::Metric => schema::item(Signal::Metrics),
        Target::Resource => &schema::RESOURCE,
        Target::Scope => &schema::SCOPE,
    };
    Walk { see, depth: 0 }.message(shape, "", message, out)
}

/// What a nested message becomes.
enum Outcome {
    Same,
    Changed(Vec<u8>),
    Gone,
}

impl Outcome {
    fn of(is_changed: bool, message: Vec<u8>) -> Self {
        if is_changed { Self::Changed(message) } else { Self::Same }
    }
}

impl From<Change> for Outcome {
    fn from(change: Change) -> Self {
        match change {
            Change::Keep => Self::Same,
            Change::Text(new) => Self::Changed(new.into_bytes()),
            Change::Remove => Self::Gone,
        }
    }
}

struct Walk<'f> {
    see: &'f mut dyn FnMut(&str, Scalar<'_>) -> Change,
    depth: u32,
}

impl Walk<'_> {
    fn message(&mut self, shape: &Message, key: &str, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if self.depth > DEPTH_MAX {
            return true;
        }
        self.depth += 1;
        let mut splice = Splice::new(bytes, out);
        while let Some((number, value)) = splice.next() {
            let Some(field) = shape.field(number) else { continue };
            let outcome = match (field.kind, value) {
                (Kind::Text, WireValue::Bytes(text)) => {
                    (self.see)(key, Scalar::Str(Text::new(text).as_str())).into()
                }
                (kind, WireValue::Bytes(content)) => self.nested(kind, key, content),
                _ => continue,
            };
            match outcome {
                Outcome::Same => {}
                Outcome::Changed(new) => put_len_delimited(splice.take_out(), number, &new),
                Outcome::Gone => drop(splice.take_out()),
            }
        }
        self.depth -= 1;
        splice.finish()
    }

    fn nested(&mut self, kind: Kind, key: &str, content: &[u8]) -> Outcome {
        if matches!(kind, Kind::Attribute | Kind::KeyValue) {
            return self.pair(content);
        }
        if matches!(kind, Kind::AnyValue) {
            return self.value(key, content);
        }
        let Some(shape) = kind.message() else { return Outcome::Same };
        let mut out = Vec::new();
        let is_changed = self.message(shape, key, content, &mut out);
        Outcome::of(is_changed, out)
    }

    fn pair(&mut self, pair: &[u8]) -> Outcome {
        let keys = Reader::new(pair).filter(|(number, _)| *number == 1);
        let key = keys.last().and_then(|(_, key)| key.bytes()).unwrap_or_default();
        let key = Text::new(key).as_str();
        let new_key = match (self.see)("", Scalar::Key(key)) {
            Change::Keep => None,
            Change::Text(new) => Some(new),
            Change::Remove => return Outcome::Gone,
        };
        let mut out = Vec::new();
        let mut splice = Splice::new(pair, &mut out);
        while let Some((number, value)) = splice.next() {
            let Some(field) = KEY_VALUE.field(number) else { continue };
            let Some(content) = value.bytes() else { continue };
            if number == 1 {
                if let Some(new) = &new_key {
                    put_len_delimited(splice.take_out(), 1, new.as_bytes());
                }
            } else if field.kind.message().is_some() {
                match self.value(key, content) {
                    Outcome::Same => {}
                    Outcome::Changed(new) => put_len_delimited(splice.take_out(), number, &new),
                    Outcome::Gone => return Outcome::Gone,
                }
            }
        }
        let is_changed = splice.finish();
        Outcome::of(is_changed, out)
    }

    fn value(&mut self, key: &str, value: &[u8]) -> Outcome {
        if self.depth > DEPTH_MAX {
            return Outcome::Gone;
        }
        self.depth += 1;
        let mut out = Vec::new();
        let mut splice = Splice::new(value, &mut out);
        while let Some((number, field)) = splice.next() {
            let scalar = match (number, field) {
                (1, WireValue::Bytes(text)) => Scalar::Str(Text::new(text).as_str()),
                (3, WireValue::Varint(number)) => Scalar::Int(number.cast_signed()),
                (7, WireValue::Bytes(bytes)) => Scalar::Bytes(bytes),
                (_, WireValue::Bytes(content)) => {
                    let kind = ANY_VALUE.field(number).map(|field| field.kind);
                    let Some(shape) = kind.and_then(Kind::message) else { continue };
                    let mut nested = Vec::new();
                    if self.message(shape, key, content, &mut nested) {
                        put_len_delimited(splice.take_out(), number, &nested);
                    }
                    continue;
                }
                _ => continue,
            };
            match (self.see)(key, scalar) {
                Change::Keep => {}
                Change::Text(new) => put_len_delimited(splice.take_out(), 1, new.as_bytes()),
                Change::Remove => {
                    self.depth -= 1;
                    return Outcome::Gone;
                }
            }
        }
        self.depth -= 1;
        let is_changed = splice.finish();
        Outcome::of(is_changed, out)
    }
}
