//! What the index holds of one item, and the slow way to find it.

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions fit 32 bits, as the walk refuses larger batches"
)]

use crate::signal::Signal;
use crate::wire::{Reader, WireValue};

use super::fast::Scan;
use super::fields::Tally;
use crate::limits::Limits;

/// A range of bytes. Batches stay below 4 GiB, so 32 bits do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Extent {
    /// The range; the check has refused batches in which it would not fit.
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The number of bytes.
    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The bytes.
    #[inline]
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// What the index holds of a log record, span or metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    /// The text of the body, if it is text.
    pub(crate) body: Extent,
    /// One bit for each attribute: [`key_bit`].
    pub(crate) keys: u64,
    /// Data points of a metric, else 1.
    pub(crate) records: u32,
    /// The severity number of a log record; 0 if unset or unknown.
    pub(crate) severity: u8,
}

/// The bit that an attribute's key sets; other keys may share it.
#[inline]
pub(crate) fn key_bit(key: &[u8]) -> u64 {
    let first = key.first().copied().unwrap_or(AFTER_KEY);
    let last = key.last().copied().unwrap_or(0);
    key_bit_of(key.len() as u64, u64::from(first), u64::from(last))
}

/// What stands where an empty key would begin: the tag of its value.
const AFTER_KEY: u8 = 0x12;

/// Length, first and last byte differ between most keys of a record, and all are at hand when the
/// check passes a key, without another look at it. The first byte of an empty key is what follows
/// it, the last one its length.
#[inline]
pub(super) fn key_bit_of(len: u64, first: u64, last: u64) -> u64 {
    1 << ((8 * len + 5 * first + last) & 63)
}

/// Finds the facts of one item; `None` if it is not well formed.
pub(crate) fn facts(signal: Signal, item: &[u8]) -> Option<Facts> {
    let limits = Limits { record_bytes_max: usize::MAX, depth_max: u32::MAX, ..Limits::default() };
    let end = u32::try_from(item.len()).ok()?;
    Scan::new(signal, item, &limits).item::<true>(0, end, &mut Tally::default())
}

/// Finds the facts of a well-formed item in any encoding.
pub(super) fn facts_of_any(signal: Signal, item: &[u8], start: usize) -> Facts {
    let mut facts = Facts { records: 1, ..Facts::default() };
    let mut reader = Reader::new(item);
    match signal {
        Signal::Logs => {
            while let Some((number, value)) = reader.next() {
                match (number, value) {
                    (2, WireValue::Varint(severity)) => facts.severity = severity_of(severity),
                    (5, WireValue::Bytes(body)) => {
                        let at = start + reader.offset() - body.len();
                        body_of(body, at, &mut facts.body);
                    }
                    (6, WireValue::Bytes(pair)) => facts.keys |= key_bit(key_of(pair)),
                    _ => {}
                }
            }
        }
        Signal::Traces => facts.keys = keys_of(item, 9),
        Signal::Metrics => {
            facts.records = 0;
            for (number, value) in reader {
                let (Some(attributes), Some(data)) = (point_attributes(number), value.bytes())
                else {
                    continue;
                };
                for (_, point) in Reader::new(data).filter(|(number, _)| *number == 1) {
                    facts.records += 1;
                    facts.keys |= keys_of(point.bytes().unwrap_or_default(), attributes);
                }
            }
        }
    }
    facts
}

/// The number of the attributes field in the data points of this field of a metric.
pub(crate) fn point_attributes(data: u32) -> Option<u32> {
    match data {
        5 | 7 | 11 => Some(7),
        9 => Some(9),
        10 => Some(1),
        _ => None,
    }
}

/// The severity number in this varint; 0 if it is none.
pub(super) fn severity_of(varint: u64) -> u8 {
    // Enumerations are 32 bits wide; decoders drop the rest.
    u8::try_from(varint as u32).unwrap_or(0)
}

/// Keeps in `text` what one more occurrence of the body at `start` makes of it.
pub(super) fn body_of(body: &[u8], start: usize, text: &mut Extent) {
    let mut reader = Reader::new(body);
    while let Some((number, value)) = reader.next() {
        match (number, value) {
            (1, WireValue::Bytes(string)) => {
                let end = start + reader.offset();
                *text = Extent::new(end - string.len(), end);
            }
            (2..=8, _) => *text = Extent::default(),
            _ => {}
        }
    }
}

/// The key of a `KeyValue` message.
#[inline]
pub(crate) fn key_of(pair: &[u8]) -> &[u8] {
    key_and_value(pair).0
}

/// The key of a `KeyValue` message and its `AnyValue` message.
#[inline]
pub(crate) fn key_and_value(pair: &[u8]) -> (&[u8], &[u8]) {
    // What nearly every client writes: both once, in this order, of less than 128 bytes.
    if let Some((&[0x0A, key_len], rest)) = pair.split_first_chunk()
        && key_len < 0x80
        && let Some((key, rest)) = rest.split_at_checked(usize::from(key_len))
        && let Some((&[0x12, value_len], value)) = rest.split_first_chunk()
        && usize::from(value_len) == value.len()
        && value_len < 0x80
    {
        return (key, value);
    }
    any_key_and_value(pair)
}

fn any_key_and_value(pair: &[u8]) -> (&[u8], &[u8]) {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    for (number, field) in Reader::new(pair) {
        match (number, field) {
            (1, WireValue::Bytes(bytes)) => key = bytes,
            (2, WireValue::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    (key, value)
}

fn keys_of(message: &[u8], attributes: u32) -> u64 {
    Reader::new(message)
        .filter(|(number, _)| *number == attributes)
        .filter_map(|(_, pair)| pair.bytes())
        .fold(0, |keys, pair| keys | key_bit(key_of(pair)))
}
