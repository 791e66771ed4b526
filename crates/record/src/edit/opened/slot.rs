//! The fields of a message as places in its bytes.

use std::ops::Range;

use crate::check::Extent;
use crate::wire::{Reader, WireValue};

/// Messages beyond this have no parts: positions are 32 bits wide. No batch is as large.
const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

/// Where the bytes of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Message,
    Made,
    Nowhere,
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) number: u32,
    /// Of an attribute: what is compared before its key is; else 0.
    pub(super) mark: u32,
    pub(super) origin: Origin,
    /// What it takes of the message as it was; of a new one nothing, at its end.
    pub(super) was: Extent,
    pub(super) field: Extent,
    pub(super) key: Extent,
    pub(super) value: Extent,
}

pub(super) fn take_apart(message: &[u8], list: u32, slots: &mut Vec<Slot>) {
    if message.len() > MESSAGE_BYTES_MAX {
        return;
    }
    let mut fields = Reader::new(message);
    let mut start = 0;
    while let Some((number, value)) = fields.next() {
        let extent = Extent::new(start, fields.offset());
        start = fields.offset();
        let slot = match value {
            WireValue::Group(_) => continue,
            WireValue::Bytes(pair) if number == list => Slot::attribute(number, pair, extent),
            WireValue::Bytes(_)
            | WireValue::Varint(_)
            | WireValue::Fixed64(_)
            | WireValue::Fixed32(_) => Slot::field(number, Origin::Message, extent),
        };
        slots.push(slot);
    }
}

impl Slot {
    pub(super) fn field(number: u32, origin: Origin, field: Extent) -> Self {
        let none = Extent::default();
        Self { number, mark: 0, origin, was: field, field, key: none, value: none }
    }

    pub(super) fn attribute(number: u32, pair: &[u8], field: Extent) -> Self {
        let start = field.end as usize - pair.len();
        let (key, value) = key_and_value(pair);
        let place = |part: Range<usize>| Extent::new(start + part.start, start + part.end);
        let mark = mark(pair.get(key.clone()).unwrap_or_default());
        let (key, value) = (place(key), place(value));
        Self { number, mark, origin: Origin::Message, was: field, field, key, value }
    }
}

/// Where the key of a `KeyValue` message and its `AnyValue` message are.
#[inline]
pub(super) fn key_and_value(pair: &[u8]) -> (Range<usize>, Range<usize>) {
    // What nearly every client writes: both once, in this order, of less than 128 bytes.
    if let [0x0A, key_len, rest @ ..] = pair
        && let Some([0x12, value_len, value @ ..]) = rest.get(usize::from(*key_len)..)
        && *key_len < 0x80
        && *value_len < 0x80
        && value.len() == usize::from(*value_len)
    {
        let key_end = 2 + usize::from(*key_len);
        return (2..key_end, key_end + 2..pair.len());
    }
    let mut found = (0..0, 0..0);
    let mut fields = Reader::new(pair);
    while let Some((number, field)) = fields.next() {
        let WireValue::Bytes(bytes) = field else { continue };
        let range = fields.offset() - bytes.len()..fields.offset();
        match number {
            1 => found.0 = range,
            // An empty second occurrence sets nothing, so it must not hide the first.
            2 if !range.is_empty() => found.1 = range,
            _ => {}
        }
    }
    found
}

/// Tells most keys apart: length, first and last byte. Never 0.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the length is cut to the bits it has here")]
pub(super) fn mark(key: &[u8]) -> u32 {
    let byte = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default());
    (key.len() as u32 & 0x7FFF) | 0x8000 | byte(key.first()) << 16 | byte(key.last()) << 24
}
