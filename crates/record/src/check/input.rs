//! The bytes of a batch, as the fast check reads them: at 32-bit positions, by words.
//!
//! `None` says that a read does not fit in the message that ends at `end`.

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions fit 32 bits, as the walk sees to; bytes are cut out on purpose"
)]
#![expect(
    clippy::inline_always,
    reason = "a call in the loop over fields, or a tally in memory, costs a third more"
)]

use super::text::{high_bytes, is_utf8};
use crate::wire::read_varint;

/// The bytes of a batch. Copied into registers by the loops that read it.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Input<'a> {
    #[inline(always)]
    pub(super) fn byte(self, position: u32) -> Option<u8> {
        self.bytes.get(position as usize).copied()
    }

    /// Eight bytes, which may reach beyond the message but not beyond the batch.
    #[inline(always)]
    pub(super) fn word(self, start: u32) -> Option<u64> {
        let start = start as usize;
        Some(u64::from_le_bytes(*self.bytes.get(start..start + 8)?.first_chunk()?))
    }

    #[inline(always)]
    pub(super) fn slice(self, start: u32, end: u32) -> Option<&'a [u8]> {
        self.bytes.get(start as usize..end as usize)
    }

    /// Reads the length at `start`: where the content begins and ends.
    #[inline(always)]
    pub(super) fn len(self, start: u32, end: u32) -> Option<(u32, u32)> {
        let (content, content_end) = match self.word(start).and_then(short_len) {
            Some((len, size)) => (start + size, start + size + len),
            None => self.any_len(start, end),
        };
        (content_end <= end).then_some((content, content_end))
    }

    /// Does the same near the end of the batch and for long lengths; ends at `u32::MAX` if there is
    /// none, because a pair travels in registers and an option of it does not.
    #[cold]
    fn any_len(self, start: u32, end: u32) -> (u32, u32) {
        let bytes = self.slice(start, end).unwrap_or_default();
        let Some((len, size)) = read_varint(bytes) else { return (start, u32::MAX) };
        let content = start + size as u32;
        let content_end = u64::from(content).saturating_add(len);
        (content, u32::try_from(content_end).unwrap_or(u32::MAX))
    }

    /// The end of the varint at `start`.
    #[inline(always)]
    pub(super) fn varint_end(self, start: u32, end: u32) -> Option<u32> {
        let first = self.byte(start)?;
        let next = if first < 0x80 { start + 1 } else { self.long_varint_end(start, end) };
        (next <= end).then_some(next)
    }

    fn long_varint_end(self, start: u32, end: u32) -> u32 {
        let varint = self.slice(start, end).and_then(read_varint);
        varint.map_or(u32::MAX, |(_, len)| start + len as u32)
    }

    pub(super) fn is_text(self, start: u32, end: u32) -> bool {
        self.slice(start, end).is_some_and(is_utf8)
    }

    #[inline(never)]
    pub(super) fn high_bytes(self, start: u32, end: u32) -> u64 {
        high_bytes(self.slice(start, end).unwrap_or_default())
    }
}

/// The length that a word begins with, and its size, if that is one or two bytes.
///
/// Both take the same instructions: which it is cannot be predicted where lengths are about 128.
#[inline(always)]
pub(super) fn short_len(word: u64) -> Option<(u32, u32)> {
    let word = word as u32;
    let more = word >> 7 & 1;
    let len = (word & 0x7F) | (word >> 1 & 0x3F80 & more.wrapping_neg());
    // The top bit of both bytes: a third follows.
    (word & word >> 8 & 0x80 == 0).then_some((len, 1 + more))
}
