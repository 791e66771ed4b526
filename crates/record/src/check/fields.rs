//! Fields in their usual encodings, as the fast check passes them.

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions fit 32 bits, as the walk sees to; bytes are cut out on purpose"
)]
#![expect(
    clippy::inline_always,
    reason = "a call in the loop over fields, or a tally in memory, costs a third more"
)]

use super::facts::{Extent, key_bit_of};
use super::input::{Input, short_len};
use super::text::high_bytes_of_word;
use crate::schema::{Field, Message};

/// The tag of a `KeyValue`'s key and of an `AnyValue`'s string.
const TAG_TEXT: u8 = 0x0A;
const TAG_VALUE: u8 = 0x12;
const TAG_BOOL: u8 = 0x10;
const TAG_INT: u8 = 0x18;
const TAG_DOUBLE: u8 = 0x21;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// What follows a key if the value is text: 12, the length of the value, 0A, the length of the
/// text.
///
/// With R bytes left of the pair the lengths are R - 4 and R - 6: this plus `R * LENGTHS`.
const TEXT_AFTER_KEY: u32 = 0x000A_0012_u32.wrapping_sub(0x0600_0400);
const LENGTHS: u32 = 0x0100_0100;

/// What the loop over a message adds up in registers: never lent to a function that is not inlined.
#[derive(Default)]
pub(super) struct Tally {
    /// Bytes outside ASCII that are no text.
    pub(super) explained: u64,
    /// The bits of the attributes' keys.
    pub(super) keys: u64,
}

/// The fields in their usual encodings; each returns the position after it.
impl<'a> Input<'a> {
    /// The field of the message whose tag is at `start` in one or two bytes, and where its value
    /// is.
    #[inline(always)]
    pub(super) fn field_of(
        self,
        message: &Message,
        tag: u8,
        start: u32,
    ) -> Option<(&'static Field, u32)> {
        if let Some(field) = message.field_by_tag(tag) {
            return Some((field, start + 1));
        }
        let word = self.word(start)? as u32;
        let tag = (word & 0x7F) | (word >> 1 & 0x3F80);
        let field = message.field_by_long_tag(tag)?;
        (word & 0x8080 == 0x80).then_some((field, start + 2))
    }

    /// Checks a severity number and text: `10 number 1A len text`.
    #[inline(always)]
    pub(super) fn short_severity<const VERIFY: bool>(
        self,
        start: u32,
        end: u32,
    ) -> Option<(u8, u32)> {
        let word = self.word(start)?;
        let next = start + 4 + (word >> 24 & 0x7F) as u32;
        let usual = word & 0x80FF_80FF == 0x001A_0010 && next <= end;
        (usual && (!VERIFY || self.is_text(start + 4, next))).then_some(((word >> 8) as u8, next))
    }

    /// Checks a body that is text of less than 16 KiB: `2A len 0A len text`; returns the text.
    #[inline(always)]
    pub(super) fn short_body<const VERIFY: bool>(
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
    pub(super) fn short_attribute<const VERIFY: bool>(
        self,
        tag: u8,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<u32> {
        let word = self.word(start)?;
        let head = word as u32;
        if head & 0x80FF_80FF != u32::from(TAG_TEXT) << 16 | u32::from(tag) {
            return None;
        }
        let pair_len = u32::from((head >> 8) as u8);
        let key_len = head >> 24;
        let next = start + 2 + pair_len;
        let key_end = start + 4 + key_len;
        // From the last byte of the key on: it, 12, len, type, and text length or number.
        let tail = self.word(key_end - 1)?;
        let rest_len = pair_len.wrapping_sub(key_len);
        if next > end || rest_len.wrapping_sub(6) >= 0x80 {
            return None;
        }
        let expected = rest_len.wrapping_mul(LENGTHS).wrapping_add(TEXT_AFTER_KEY);
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
        tally.keys |= key_bit_of(u64::from(key_len), word >> 32 & 0xFF, tail & 0xFF);
        Some(next)
    }

    /// Checks a number that begins at `start`, after `12 len type`; returns its bytes outside
    /// ASCII.
    #[inline(always)]
    fn short_number(self, before: u32, start: u32, rest_len: u32) -> Option<u64> {
        if before & 0xFFFF != u32::from(TAG_VALUE) | (rest_len - 4) << 8 {
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
    pub(super) fn plain_pair<const VERIFY: bool>(
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
    pub(super) fn text<const VERIFY: bool>(
        self,
        start: u32,
        end: u32,
        tally: &mut Tally,
    ) -> Option<u32> {
        let (start, end) = self.content(start, end, tally)?;
        (!VERIFY || self.is_text(start, end)).then_some(end)
    }

    /// Passes bytes of any content; ids of 8 and 16 bytes are the usual ones.
    #[inline(always)]
    pub(super) fn blob(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let (start, end) = self.content(start, end, tally)?;
        tally.explained += match end - start {
            8 => high_bytes_of_word(self.word(start)?),
            16 => high_bytes_of_word(self.word(start)?) + high_bytes_of_word(self.word(start + 8)?),
            _ => self.high_bytes(start, end),
        };
        Some(end)
    }

    #[inline(always)]
    pub(super) fn fixed64s(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let (start, end) = self.content(start, end, tally)?;
        tally.explained += self.high_bytes(start, end);
        (end - start).is_multiple_of(8).then_some(end)
    }

    #[inline(always)]
    pub(super) fn varints(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let (mut position, end) = self.content(start, end, tally)?;
        while position < end {
            position = self.varint(position, end, tally)?;
        }
        Some(end)
    }

    #[inline(always)]
    pub(super) fn fixed64(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        tally.explained += high_bytes_of_word(self.word(start)?);
        (start + 8 <= end).then_some(start + 8)
    }

    #[inline(always)]
    pub(super) fn fixed32(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let bytes: [u8; 4] = *self.slice(start, start + 4)?.first_chunk()?;
        tally.explained += high_bytes_of_word(u64::from(u32::from_le_bytes(bytes)));
        (start + 4 <= end).then_some(start + 4)
    }

    #[inline(always)]
    pub(super) fn varint(self, start: u32, end: u32, tally: &mut Tally) -> Option<u32> {
        let next = self.varint_end(start, end)?;
        tally.explained += u64::from(next - start) - 1;
        Some(next)
    }

    /// Passes a length: where the content begins and ends.
    #[inline(always)]
    pub(super) fn content(self, start: u32, end: u32, tally: &mut Tally) -> Option<(u32, u32)> {
        let (content, content_end) = self.len(start, end)?;
        tally.explained += u64::from(content - start) - 1;
        Some((content, content_end))
    }
}
