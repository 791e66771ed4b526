//! The bytes of the cursor file: its header and its slots, each with a CRC32C of its own.

use std::ops::Range;

use bytes::{Buf, BufMut};

use super::SavedArea;
use crate::cursor::{RANGES_MAX, Saved};
use crate::format::{VERSION_PLAIN, bytes_at};

const HEADER_MAGIC: &[u8; 8] = b"BSMCURS\n";
const SLOT_MAGIC: u32 = 0x544F_4C53;
/// Most bytes of an area's id: a component id and a prefix.
const ID_BYTES_MAX: usize = 160;

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
    let mut body = Vec::with_capacity(256);
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
    let saved = SavedArea { id, floor, lanes };
    (version == [VERSION_PLAIN, 0, 0, 0]).then_some(ReadSlot { generation, incarnation, saved })
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
        let saved = SavedArea { id: "x".repeat(125), floor: 9, lanes: [lane.clone(), lane] };
        let bytes = encode(&saved, 3, 4);
        assert!(bytes.len() <= 4096, "{}", bytes.len());
        let read = decode(&bytes).unwrap();
        assert_eq!((read.generation, read.incarnation, read.saved), (3, 4, saved));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_none(), "bit {bit}");
        }
    }
}
