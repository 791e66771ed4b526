//! The bytes of the cursor file: its header and its slots, each with a CRC32C of its own.

use std::ops::Range;

use bytes::{Buf, BufMut, Bytes};

use super::SavedArea;
use crate::account::{Account, Books, NOTE_BYTES_MAX};
use crate::cursor::{RANGES_MAX, Saved};
use crate::format::{VERSION_PLAIN, bytes_at};

const HEADER_MAGIC: &[u8; 8] = b"BSMCURS\n";
const SLOT_MAGIC: u32 = 0x544F_4C53;
/// Most bytes of an area's id: a component id and a prefix.
const ID_BYTES_MAX: usize = 160;
const BOOKS_VERSION: u8 = 1;

/// The header of the file of a journal.
pub(super) fn encode_header(incarnation: u64, version: u8) -> Vec<u8> {
    let mut out = HEADER_MAGIC.to_vec();
    out.put_slice(&[version, 0, 0, 0]);
    out.put_u64_le(incarnation);
    let crc = crc32c::crc32c(&out);
    out.put_u32_le(crc);
    out
}

/// The journal that a header belongs to and the version it has, if it is one.
pub(super) fn decode_header(bytes: &[u8]) -> Option<(u64, u8)> {
    let crc = u32::from_le_bytes(bytes_at(bytes, 20)?);
    let fixed = bytes.get(..20)?;
    let known = fixed.starts_with(HEADER_MAGIC) && crc32c::crc32c(fixed) == crc;
    let incarnation = u64::from_le_bytes(bytes_at(fixed, 12)?);
    known.then_some((incarnation, *fixed.get(HEADER_MAGIC.len())?))
}

/// What a slot holds.
pub(super) struct ReadSlot {
    pub generation: u64,
    pub incarnation: u64,
    pub saved: SavedArea,
}

/// A slot as written.
pub(super) fn encode(saved: &SavedArea, generation: u64, incarnation: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024);
    body.put_u32_le(SLOT_MAGIC);
    body.put_slice(&[VERSION_PLAIN, 0, 0, 0]);
    for number in [generation, incarnation, saved.floor] {
        body.put_u64_le(number);
    }
    body.put_u16_le(u16::try_from(saved.id.len()).unwrap_or(u16::MAX));
    body.put_slice(saved.id.as_bytes());
    for lane in &saved.lanes {
        body.put_u64_le(lane.low);
        let ranges = lane.settled.iter().take(RANGES_MAX);
        body.put_u16_le(u16::try_from(ranges.len()).unwrap_or_default());
        for range in ranges {
            body.put_u64_le(range.start);
            body.put_u64_le(range.end);
        }
    }
    encode_books(&saved.books, &mut body);
    let mut out = Vec::with_capacity(body.len() + 8);
    out.put_u32_le(crc32c::crc32c(&body));
    out.put_u32_le(u32::try_from(body.len()).unwrap_or(u32::MAX));
    out.put_slice(&body);
    out
}

/// Reads a slot; none when its bytes are not what was written.
pub(super) fn decode(bytes: &[u8]) -> Option<ReadSlot> {
    let crc = u32::from_le_bytes(bytes_at(bytes, 0)?);
    let len = u32::from_le_bytes(bytes_at(bytes, 4)?) as usize;
    let mut body = bytes.get(8..len.checked_add(8)?)?;
    if crc32c::crc32c(body) != crc || body.try_get_u32_le().ok()? != SLOT_MAGIC {
        return None;
    }
    let version: [u8; 4] = bytes_at(body, 0)?;
    body.advance(version.len());
    let mut number = || body.try_get_u64_le().ok();
    let (generation, incarnation, floor) = (number()?, number()?, number()?);
    let id_len = usize::from(body.try_get_u16_le().ok()?).min(ID_BYTES_MAX);
    let (id, rest) = body.split_at_checked(id_len)?;
    let id = String::from_utf8(id.to_vec()).ok()?;
    body = rest;
    let lanes = [decode_lane(&mut body)?, decode_lane(&mut body)?];
    let books = decode_books(body);
    let saved = SavedArea { id, floor, lanes, books };
    (version == [VERSION_PLAIN, 0, 0, 0]).then_some(ReadSlot { generation, incarnation, saved })
}

// Behind the lanes, where a build that keeps no books does not look.
fn encode_books(books: &Books, body: &mut Vec<u8>) {
    let Some(account) = books.account else { return };
    body.put_u8(BOOKS_VERSION);
    for count in [account.routed, account.delivered, account.dead, account.dropped] {
        body.put_u64_le(count);
    }
    let note = books.note.get(..NOTE_BYTES_MAX).unwrap_or(&books.note);
    body.put_u16_le(u16::try_from(note.len()).unwrap_or_default());
    body.put_slice(note);
}

// No books where there are none, or of a kind that only newer builds know.
fn decode_books(mut body: &[u8]) -> Books {
    let mut read = || {
        let version = body.try_get_u8().ok()?;
        let mut count = || body.try_get_u64_le().ok();
        let (routed, delivered) = (count()?, count()?);
        let (dead, dropped) = (count()?, count()?);
        let account = Account { routed, delivered, dead, dropped };
        let len = usize::from(body.try_get_u16_le().ok()?);
        let note = Bytes::copy_from_slice(body.get(..len)?);
        (version == BOOKS_VERSION).then_some(Books { account: Some(account), note })
    };
    read().unwrap_or_default()
}

fn decode_lane(body: &mut &[u8]) -> Option<Saved> {
    let low = body.try_get_u64_le().ok()?;
    let count = body.try_get_u16_le().ok()?;
    let mut settled: Vec<Range<u64>> = Vec::new();
    for _ in 0..count {
        let range = body.try_get_u64_le().ok()?..body.try_get_u64_le().ok()?;
        // Ascending and apart, or it is not what a cursor wrote.
        let after = settled.last().map_or(low, |last| last.end);
        if range.start <= after || range.end <= range.start {
            return None;
        }
        settled.push(range);
    }
    Some(Saved { low, settled, passed: low })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_slot_fits_and_no_flipped_bit_is_accepted() {
        let settled = (0..RANGES_MAX as u64).map(|n| n * 10 + 5..n * 10 + 7).collect();
        let lane = Saved { low: 1, settled, passed: 1 };
        let account = Account { routed: u64::MAX, delivered: 1, dead: 2, dropped: 3 };
        let note = vec![7; NOTE_BYTES_MAX].into();
        let books = Books { account: Some(account), note };
        let id = "x".repeat(125);
        let saved = SavedArea { id, floor: 9, lanes: [lane.clone(), lane], books };
        let bytes = encode(&saved, 3, 4);
        // What a seal adds with the longest key names is 1,165 bytes.
        assert!(bytes.len() + 1165 <= 4096, "{}", bytes.len());
        let read = decode(&bytes).unwrap();
        assert_eq!((read.generation, read.incarnation, read.saved), (3, 4, saved));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_none(), "bit {bit}");
        }
    }
    #[test]
    fn a_slot_without_books_reads_as_one_and_books_of_the_future_are_left_alone() {
        let plain = SavedArea { id: "x".into(), floor: 9, ..SavedArea::default() };
        let read = decode(&encode(&plain, 1, 2)).unwrap();
        assert_eq!(read.saved.books, Books::default());
        let mut future = vec![BOOKS_VERSION + 1];
        future.extend_from_slice(&[0; 34]);
        assert_eq!(decode_books(&future), Books::default());
    }
}
