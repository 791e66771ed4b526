//! The fast check of one item: straight-line code for the encodings that every client writes.
//!
//! UTF-8 is not looked at string by string. While a [`Scan`] passes a message it adds up the bytes
//! outside ASCII that it can explain: in varints, fixed-width numbers and ids. If one linear count
//! over the same range finds no more than these, all text is ASCII. Only where the counts differ a
//! second pass (`VERIFY`) validates each string. Attributes in the usual encoding are checked with
//! two eight-byte loads and no look at their text.
//!
//! `None` says: not proven. Whatever is unusual but legal is left to [`super::exact`].

use super::exact;
use super::facts::{
    Extent, Facts, body_of, facts_of_any, key_bit, key_bit_of, key_of, severity_of,
};
use super::input::{Input, short_len};
use super::text::high_bytes_of_word;
use crate::limits::Limits;
use crate::schema::{self, Kind, Message};
use crate::signal::Signal;
use crate::wire::read_varint;

/// The tag of a `KeyValue`'s key and of an `AnyValue`'s string.
const TAG_TEXT: u8 = 0x0A;
const TAG_VALUE: u8 = 0x12;
const TAG_BOOL: u8 = 0x10;
const TAG_INT: u8 = 0x18;
const TAG_DOUBLE: u8 = 0x21;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Passes over messages of one batch.
pub(super) struct Scan<'a> {
    pub(super) input: Input<'a>,
    limits: &'a Limits,
    signal: Signal,
    /// Bytes outside ASCII that are no text.
    pub(super) explained: u64,
    facts: Facts,
    /// A known field came in an unusual encoding, so the facts are not complete.
    irregular: bool,
}

/// What the loop over a message adds up in registers: never lent to a function that is not inlined.
#[derive(Default)]
struct Tally {
    explained: u64,
    keys: u64,
}

impl<'a> Scan<'a> {
    pub(super) fn new(signal: Signal, bytes: &'a [u8], limits: &'a Limits) -> Self {
        let (input, facts) = (Input { bytes }, Facts::default());
        Self { input, limits, signal, explained: 0, facts, irregular: false }
    }

    /// Checks the log record, span or metric in `start..end` and finds its facts.
    #[inline]
    pub(super) fn item<const VERIFY: bool>(&mut self, start: u32, end: u32) -> Option<Facts> {
        self.facts = Facts { records: 1, ..Facts::default() };
        match self.signal {
            Signal::Logs => self.log_record::<VERIFY>(start, end)?,
            Signal::Traces => self.message::<VERIFY>(schema::item(self.signal), start, end)?,
            Signal::Metrics => {
                self.facts.records = 0;
                self.message::<VERIFY>(schema::item(self.signal), start, end)?;
            }
        }
        if self.irregular {
            self.irregular = false;
            let item = self.input.slice(start, end)?;
            self.facts = facts_of_any(self.signal, item, start as usize);
        }
        Some(self.facts)
    }

    /// Checks a log record: first the fields that most have, in the order in which encoders write
    /// them, so that each branch is predictable; then whatever is left.
    fn log_record<const VERIFY: bool>(&mut self, start: u32, end: u32) -> Option<()> {
        let input = self.input;
        let mut tally = Tally::default();
        let mut position = start;
        if start < end && input.byte(start)? == 0x09 {
            position = input.fixed64(start + 1, end, &mut tally)?;
        }
        if let Some((severity, next)) = input.short_severity::<VERIFY>(position, end) {
            self.facts.severity = severity;
            position = next;
        }
        if let Some((text, next)) = input.short_body::<VERIFY>(position, end, &mut tally) {
            self.facts.body = text;
            position = next;
        }
        loop {
            while let Some(next) = input.short_attribute::<VERIFY>(0x32, position, end, &mut tally)
            {
                position = next;
            }
            if position >= end {
                break;
            }
            let value = position + 1;
            position = match input.byte(position)? {
                0x32 => self.long_attribute::<VERIFY>(value, end)?,
                0x09 | 0x59 => input.fixed64(value, end, &mut tally)?,
                0x10 => self.severity(value, end)?,
                0x1A | 0x62 => input.text::<VERIFY>(value, end, &mut tally)?,
                0x2A => self.body(value, end)?,
                0x38 => input.varint(value, end, &mut tally)?,
                0x45 => input.fixed32(value, end, &mut tally)?,
                0x4A | 0x52 => input.blob(value, end, &mut tally)?,
                _ => self.unusual(schema::item(Signal::Logs), position, end)?,
            };
        }
        self.settle(&tally);
        Some(())
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
            let Some(field) = message.field_by_tag(tag) else {
                position = self.unusual(message, position, end)?;
                continue;
            };
            let value = position + 1;
            position = match field.kind {
                Kind::Attribute => {
                    match input.short_attribute::<VERIFY>(tag, position, end, &mut tally) {
                        Some(next) => next,
                        None => self.long_attribute::<VERIFY>(value, end)?,
                    }
                }
                Kind::KeyValue => {
                    let keys = (self.facts.keys, tally.keys);
                    let next = self.long_attribute::<VERIFY>(value, end)?;
                    (self.facts.keys, tally.keys) = keys;
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
                    self.facts.records += u32::from(matches!(field.kind, Kind::Point(_)));
                    let (start, end) = input.content(value, end, &mut tally)?;
                    self.message::<VERIFY>(inner, start, end)?;
                    end
                }
                Kind::AnyValue => return None,
            };
        }
        self.settle(&tally);
        Some(())
    }

    #[inline(always)]
    fn settle(&mut self, tally: &Tally) {
        self.explained += tally.explained;
        self.facts.keys |= tally.keys;
    }

    /// Checks an attribute of any size and value whose length is at `start`.
    #[inline(never)]
    fn long_attribute<const VERIFY: bool>(&mut self, start: u32, end: u32) -> Option<u32> {
        let input = self.input;
        let mut tally = Tally::default();
        let (start, end) = input.content(start, end, &mut tally)?;
        self.explained += tally.explained;
        let mut inner = Tally::default();
        if let Some(key) = input.plain_pair::<VERIFY>(start, end, &mut inner) {
            self.explained += inner.explained;
            self.facts.keys |= key_bit(key);
            return Some(end);
        }
        let range = (start as usize, end as usize);
        if !exact::accepts(input.bytes, range, &schema::KEY_VALUE, self.limits) {
            return None;
        }
        self.explained += input.high_bytes(start, end);
        self.facts.keys |= key_bit(key_of(input.slice(start, end)?));
        Some(end)
    }

    /// Checks a body of any size and value whose length is at `start`.
    #[inline(never)]
    fn body(&mut self, start: u32, end: u32) -> Option<u32> {
        let input = self.input;
        let mut tally = Tally::default();
        let (start, end) = input.content(start, end, &mut tally)?;
        let range = (start as usize, end as usize);
        if !exact::accepts(input.bytes, range, &schema::ANY_VALUE, self.limits) {
            return None;
        }
        self.explained += tally.explained + input.high_bytes(start, end);
        body_of(input.slice(start, end)?, start as usize, &mut self.facts.body);
        Some(end)
    }

    #[inline(never)]
    fn severity(&mut self, start: u32, end: u32) -> Option<u32> {
        let varint = self.input.slice(start, end)?;
        let (severity, len) = read_varint(varint)?;
        self.facts.severity = severity_of(severity);
        self.explained += len as u64 - 1;
        Some(start + len as u32)
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

/// The fields in their usual encodings; each returns the position after it.
impl<'a> Input<'a> {
    /// Checks a severity number and text: `10 number 1A len text`.
    #[inline(always)]
    fn short_severity<const VERIFY: bool>(self, start: u32, end: u32) -> Option<(u8, u32)> {
        let word = self.word(start)?;
        let next = start + 4 + (word >> 24 & 0x7F) as u32;
        let usual = word & 0x80FF_80FF == 0x001A_0010 && next <= end;
        (usual && (!VERIFY || self.is_text(start + 4, next))).then_some(((word >> 8) as u8, next))
    }

    /// Checks a body that is text of less than 16 KiB: `2A len 0A len text`; returns the text.
    #[inline(always)]
    fn short_body<const VERIFY: bool>(
        self,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<(Extent, u32)> {
        let word = self.word(start)?;
        let (len, size) = short_len(word >> 8)?;
        let value = word >> (8 + 8 * size);
        let (text_len, text_size) = short_len(value >> 8)?;
        let text = start + 2 + size + text_size;
        let next = start + 1 + size + len;
        let usual = word as u8 == 0x2A
            && value as u8 == TAG_TEXT
            && next <= end
            && text + text_len == next
            && (!VERIFY || self.is_text(text, next));
        if !usual {
            return None;
        }
        tally.explained += u64::from(size + text_size - 2);
        Some((Extent { start: text, end: next }, next))
    }

    /// Checks an attribute of less than 128 bytes with a plain value: `tag len 0A len key 12 len
    /// type value`.
    #[inline(always)]
    fn short_attribute<const VERIFY: bool>(
        self,
        tag: u8,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<u32> {
        let head = self.word(start)? as u32;
        if head & 0x80FF_80FF != u32::from(TAG_TEXT) << 16 | u32::from(tag) {
            return None;
        }
        // Loaded on its own: everything after waits for it.
        let pair_len = u32::from(self.byte(start + 1)?);
        let key_len = head >> 24;
        let next = start + 2 + pair_len;
        let key_end = start + 4 + key_len;
        // From the last byte of the key on: it, 12, len, type, and text length or number.
        let tail = self.word(key_end - 1)?;
        let rest_len = pair_len.wrapping_sub(key_len);
        if next > end || rest_len.wrapping_sub(6) >= 0x80 {
            return None;
        }
        // What follows the key if the value is text: 12, rest - 4, 0A, rest - 6.
        const TEXT: u32 = 0xFA0A_FC12 - 0x0001_0000;
        let expected = rest_len.wrapping_mul(0x0100_0100).wrapping_add(TEXT);
        if (tail >> 8) as u32 == expected {
            if VERIFY && !self.is_text(key_end + 4, next) {
                return None;
            }
        } else {
            tally.explained += self.short_number((tail >> 8) as u32, key_end + 3, rest_len)?;
        }
        if VERIFY && !self.is_text(start + 4, key_end) {
            return None;
        }
        tally.keys |= key_bit_of(u64::from(key_len), tail & 0xFF);
        Some(next)
    }

    /// Checks a number that begins at `start`, after `12 len type`; returns its bytes outside ASCII.
    #[inline(always)]
    fn short_number(self, before: u32, start: u32, rest_len: u32) -> Option<u64> {
        if before & 0xFFFF != u32::from(TAG_VALUE) | rest_len - 4 << 8 {
            return None;
        }
        let word = self.word(start)?;
        let len = rest_len - 5;
        let kind = (before >> 16) as u8;
        if kind == TAG_INT || kind == TAG_BOOL {
            // All bytes but the last have the top bit.
            let within = u64::MAX >> (64_u32.wrapping_sub(8 * len) & 63);
            let expected = HIGH_BITS & (within >> 8);
            return (len <= 8 && word & within & HIGH_BITS == expected)
                .then_some(u64::from(len) - 1);
        }
        (kind == TAG_DOUBLE && len == 8).then(|| high_bytes_of_word(word))
    }

    /// Checks key, then plain value; returns the key.
    #[inline(always)]
    fn plain_pair<const VERIFY: bool>(
        self,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<&'a [u8]> {
        if start == end || self.byte(start)? != TAG_TEXT {
            return None;
        }
        let (key, key_end) = self.content(start + 1, end, tally)?;
        if VERIFY && !self.is_text(key, key_end) {
            return None;
        }
        if key_end < end {
            if self.byte(key_end)? != TAG_VALUE {
                return None;
            }
            let (value, value_end) = self.content(key_end + 1, end, tally)?;
            if value_end != end || self.plain_value::<VERIFY>(value, end, tally)? != end {
                return None;
            }
        }
        self.slice(key, key_end)
    }

    /// Checks a value that is empty or one string or number.
    #[inline(always)]
    fn plain_value<const VERIFY: bool>(
        self,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<u32> {
        if start == end {
            return Some(end);
        }
        match self.byte(start)? {
            TAG_TEXT => self.text::<VERIFY>(start + 1, end, tally),
            TAG_BOOL | TAG_INT => self.varint(start + 1, end, tally),
            TAG_DOUBLE => self.fixed64(start + 1, end, tally),
            _ => None,
        }
    }

    #[inline(always)]
    fn text<const VERIFY: bool>(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let (start, end) = self.content(start, end, tally)?;
        (!VERIFY || self.is_text(start, end)).then_some(end)
    }

    /// Passes bytes of any content; ids of 8 and 16 bytes are the usual ones.
    #[inline(always)]
    fn blob(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let (start, end) = self.content(start, end, tally)?;
        tally.explained += match end - start {
            8 => high_bytes_of_word(self.word(start)?),
            16 => high_bytes_of_word(self.word(start)?) + high_bytes_of_word(self.word(start + 8)?),
            _ => self.high_bytes(start, end),
        };
        Some(end)
    }

    #[inline(always)]
    fn fixed64s(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let (start, end) = self.content(start, end, tally)?;
        tally.explained += self.high_bytes(start, end);
        (end - start).is_multiple_of(8).then_some(end)
    }

    #[inline(always)]
    fn varints(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let (mut position, end) = self.content(start, end, tally)?;
        while position < end {
            position = self.varint(position, end, tally)?;
        }
        Some(end)
    }

    #[inline(always)]
    fn fixed64(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        tally.explained += high_bytes_of_word(self.word(start)?);
        (start + 8 <= end).then_some(start + 8)
    }

    #[inline(always)]
    fn fixed32(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let bytes: [u8; 4] = *self.slice(start, start + 4)?.first_chunk()?;
        tally.explained += high_bytes_of_word(u64::from(u32::from_le_bytes(bytes)));
        (start + 4 <= end).then_some(start + 4)
    }

    #[inline(always)]
    fn varint(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let next = self.varint_end(start, end)?;
        tally.explained += u64::from(next - start) - 1;
        Some(next)
    }

    /// Passes a length: where the content begins and ends.
    #[inline(always)]
    fn content(self, start: u32, end: u32, tally: &mut Tally) -> Option<(u32, u32)> {
        let (content, content_end) = self.len(start, end)?;
        tally.explained += u64::from(content - start) - 1;
        Some((content, content_end))
    }
}
