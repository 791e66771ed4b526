//! The fast check of one item: straight-line code for the encodings that every client writes.
//!
//! UTF-8 is not looked at string by string. While a [`Scan`] passes a message it adds up the bytes
//! outside ASCII that it can explain: in varints, fixed-width numbers and ids. If one linear count
//! over the same range finds no more than these, all text is ASCII. Only where the counts differ a
//! second pass (`VERIFY`) validates each string. Attributes in the usual encoding are checked with
//! two eight-byte loads and no look at their text.
//!
//! `None` says: not proven. Whatever is unusual but legal is left to [`super::exact`].

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions fit 32 bits, as the walk sees to; bytes are cut out on purpose"
)]
#![expect(
    clippy::inline_always,
    reason = "a call in the loop over fields, or a tally in memory, costs a third more"
)]

use super::exact;
use super::facts::{Extent, Facts, body_of, facts_of_any, key_bit, key_of, severity_of};
use super::fields::Tally;
use super::input::Input;
use crate::limits::Limits;
use crate::schema::{self, Kind, Message};
use crate::signal::Signal;
use crate::wire::read_varint;

/// Passes over messages of one batch.
pub(super) struct Scan<'a> {
    pub(super) input: Input<'a>,
    limits: &'a Limits,
    signal: Signal,
    /// Bytes outside ASCII that are no text.
    pub(super) explained: u64,
    /// What the current span or metric has.
    keys: u64,
    records: u32,
    /// A known field came in an unusual encoding, so the facts are not complete.
    irregular: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(signal: Signal, bytes: &'a [u8], limits: &'a Limits) -> Self {
        let input = Input { bytes };
        Self { input, limits, signal, explained: 0, keys: 0, records: 0, irregular: false }
    }

    /// Checks the log record, span or metric in `start..end` and finds its facts.
    #[inline(always)]
    pub(super) fn item<const VERIFY: bool>(
        &mut self,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<Facts> {
        let facts = if self.signal == Signal::Logs {
            self.log_record::<VERIFY>(start, end, tally)?
        } else {
            self.other_item::<VERIFY>(start, end)?
        };
        if self.irregular {
            self.irregular = false;
            let item = self.input.slice(start, end)?;
            return Some(facts_of_any(self.signal, item, start as usize));
        }
        Some(facts)
    }

    #[inline(never)]
    fn other_item<const VERIFY: bool>(&mut self, start: u32, end: u32) -> Option<Facts> {
        let records = u32::from(self.signal == Signal::Traces);
        (self.keys, self.records) = (0, records);
        self.message::<VERIFY>(schema::item(self.signal), start, end)?;
        Some(Facts { keys: self.keys, records: self.records, ..Facts::default() })
    }

    /// Checks a log record: first the fields that most have, in the order in which encoders write
    /// them, so that each branch is predictable; then whatever is left.
    #[inline(always)]
    fn log_record<const VERIFY: bool>(
        &mut self,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<Facts> {
        let input = self.input;
        let mut facts = Facts { records: 1, ..Facts::default() };
        tally.keys = 0;
        let mut position = start;
        if start < end && input.byte(start)? == 0x09 {
            position = input.fixed64(start + 1, end, tally)?;
        }
        if let Some((severity, next)) = input.short_severity::<VERIFY>(position, end) {
            facts.severity = severity;
            position = next;
        }
        if let Some((text, next)) = input.short_body::<VERIFY>(position, end, tally) {
            facts.body = text;
            position = next;
        }
        loop {
            while let Some(next) = input.short_attribute::<VERIFY>(0x32, position, end, tally) {
                position = next;
            }
            if position >= end {
                break;
            }
            position = self.log_field::<VERIFY>(position, end, &mut facts)?;
        }
        facts.keys |= tally.keys;
        Some(facts)
    }

    /// Checks one field of a log record.
    #[inline(never)]
    fn log_field<const VERIFY: bool>(
        &mut self,
        start: u32,
        end: u32,
        facts: &mut Facts,
    ) -> Option<u32> {
        let input = self.input;
        let mut tally = Tally::default();
        let value = start + 1;
        let next = match input.byte(start)? {
            0x32 => {
                let (next, key) = self.attribute::<VERIFY>(value, end)?;
                facts.keys |= key;
                next
            }
            0x09 | 0x59 => input.fixed64(value, end, &mut tally)?,
            0x10 => {
                let (severity, len) = read_varint(input.slice(value, end)?)?;
                facts.severity = severity_of(severity);
                input.varint(value, end, &mut tally)?;
                value + len as u32
            }
            0x1A | 0x62 => input.text::<VERIFY>(value, end, &mut tally)?,
            0x2A => self.body(value, end, &mut facts.body)?,
            0x38 => input.varint(value, end, &mut tally)?,
            0x45 => input.fixed32(value, end, &mut tally)?,
            0x4A | 0x52 => input.blob(value, end, &mut tally)?,
            _ => self.unusual(schema::item(Signal::Logs), start, end)?,
        };
        self.explained += tally.explained;
        Some(next)
    }

    /// Checks a message by its table. Never called for values, the only messages that nest freely,
    /// so the call depth has a bound.
    pub(super) fn message<const VERIFY: bool>(
        &mut self,
        message: &'static Message,
        start: u32,
        end: u32,
    ) -> Option<()> {
        let input = self.input;
        let mut tally = Tally::default();
        let mut position = start;
        while position < end {
            let tag = input.byte(position)?;
            let Some((field, value)) = input.field_of(message, tag, position) else {
                position = self.unusual(message, position, end)?;
                continue;
            };
            tally.explained += u64::from(value - position) - 1;
            position = match field.kind {
                Kind::Attribute | Kind::KeyValue => {
                    let (next, key) =
                        self.any_attribute::<VERIFY>(tag, position, end, &mut tally)?;
                    tally.keys |= if matches!(field.kind, Kind::Attribute) { key } else { 0 };
                    next
                }
                Kind::Varint => input.varint(value, end, &mut tally)?,
                Kind::Fixed32 => input.fixed32(value, end, &mut tally)?,
                Kind::Fixed64 => input.fixed64(value, end, &mut tally)?,
                Kind::Text => input.text::<VERIFY>(value, end, &mut tally)?,
                Kind::Bytes => input.blob(value, end, &mut tally)?,
                Kind::Fixed64s => input.fixed64s(value, end, &mut tally)?,
                Kind::Varints => input.varints(value, end, &mut tally)?,
                Kind::Point(inner) | Kind::Message(inner) => {
                    self.records += u32::from(matches!(field.kind, Kind::Point(_)));
                    let (start, end) = input.content(value, end, &mut tally)?;
                    self.message::<VERIFY>(inner, start, end)?;
                    end
                }
                Kind::AnyValue => return None,
            };
        }
        self.explained += tally.explained;
        self.keys |= tally.keys;
        Some(())
    }

    /// Checks the attribute whose tag is at `start`; returns its end and the bit of its key.
    #[inline(always)]
    fn any_attribute<const VERIFY: bool>(
        &mut self,
        tag: u8,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<(u32, u64)> {
        let mut inner = Tally::default();
        match self.input.short_attribute::<VERIFY>(tag, start, end, &mut inner) {
            Some(next) => {
                tally.explained += inner.explained;
                Some((next, inner.keys))
            }
            None => self.attribute::<VERIFY>(start + 1, end),
        }
    }

    /// Checks an attribute of any size and value whose length is at `start`; returns its end and
    /// the bit of its key.
    #[inline(never)]
    fn attribute<const VERIFY: bool>(&mut self, start: u32, end: u32) -> Option<(u32, u64)> {
        let input = self.input;
        let mut tally = Tally::default();
        let (start, end) = input.content(start, end, &mut tally)?;
        self.explained += tally.explained;
        let mut inner = Tally::default();
        if let Some(key) = input.plain_pair::<VERIFY>(start, end, &mut inner) {
            self.explained += inner.explained;
            return Some((end, key_bit(key)));
        }
        let range = (start as usize, end as usize);
        if !exact::accepts(input.bytes, range, &schema::KEY_VALUE, self.limits) {
            return None;
        }
        self.explained += input.high_bytes(start, end);
        Some((end, key_bit(key_of(input.slice(start, end)?))))
    }

    /// Checks a body of any size and value whose length is at `start`.
    #[inline(never)]
    fn body(&mut self, start: u32, end: u32, text: &mut Extent) -> Option<u32> {
        let input = self.input;
        let mut tally = Tally::default();
        let (start, end) = input.content(start, end, &mut tally)?;
        let range = (start as usize, end as usize);
        if !exact::accepts(input.bytes, range, &schema::ANY_VALUE, self.limits) {
            return None;
        }
        self.explained += tally.explained + input.high_bytes(start, end);
        body_of(input.slice(start, end)?, start as usize, text);
        Some(end)
    }

    /// Leaves the field at `start`, which is unknown or unusually encoded, to the exact check.
    #[cold]
    fn unusual(&mut self, message: &'static Message, start: u32, end: u32) -> Option<u32> {
        let bytes = self.input.bytes;
        let (number, ..) = exact::tag(bytes, start as usize)?;
        let range = (start as usize, end as usize);
        let next = exact::field_end(bytes, range, message, self.limits)? as u32;
        self.explained += self.input.high_bytes(start, next);
        self.irregular |= message.field(number).is_some();
        Some(next)
    }
}
