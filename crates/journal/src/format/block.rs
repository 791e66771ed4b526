//! The block header: what a reader must know to pass a block, or to read it safely.

use bytes::{Buf, BufMut};

use super::{
    BLOCK_HEADER_BYTES, BLOCK_HEADER_LEN, META_BYTES_MAX, PAYLOAD_BYTES_MAX, advance, block_start,
    bytes_at, group_start,
};
use crate::cipher::{MAC_BYTES, TAG_BYTES};
use crate::entry::Routes;
use crate::guard::Guard;

pub(crate) const MAGIC: [u8; 4] = *b"BSMB";
/// What a head takes beside the meta, and what a dead letter adds to it.
const PLAIN_BYTES_SPARE: usize = 8 << 10;
/// The header without magic, checksums, tag and code: what the tag of the payload is bound to.
const CLEAR: std::ops::Range<usize> = 12..96;
const CODE_AT: usize = BLOCK_HEADER_LEN - MAC_BYTES;
const FLAG_UNIFORM: u8 = 1;
const FLAG_GROUP_END: u8 = 2;

/// What was done to the body of a block to make it smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    None = 0,
    Lz4 = 1,
    /// Since version 2.
    Zstd = 2,
}

/// The header of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    /// CRC32C of plain and body as stored.
    pub payload_crc: u32,
    /// Bytes of plain and body as stored.
    pub stored_bytes: u32,
    /// Bytes of the part that is never compressed: head and meta of a large entry.
    pub plain_bytes: u32,
    /// Bytes of the body once decompressed.
    pub raw_bytes: u32,
    pub entries: u32,
    pub codec: Codec,
    /// All entries have the routes and the lane that the header names.
    pub uniform: bool,
    /// The last block of its group: the next starts in a sector of its own.
    pub group_end: bool,
    /// Bit 0: an urgent entry is inside; bit 1: a normal one.
    pub lanes: u8,
    /// The number of the first record, and the number after the last.
    pub first: u64,
    pub end: u64,
    /// How many records; less than `end - first` where numbers are left out.
    pub records: u64,
    pub appended_unix_nanos: u64,
    /// The union of the routes of all entries.
    pub routes: Routes,
    /// Authenticates the payload of a sealed block, and this header with it.
    pub tag: [u8; TAG_BYTES],
}

impl BlockHeader {
    /// The header as written at `offset` of the segment that `guard` stands for.
    pub(crate) fn encode(&self, guard: &Guard, offset: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_slice(&MAGIC);
        out.put_u32_le(0);
        out.put_u32_le(self.payload_crc);
        self.encode_clear(out);
        out.put_slice(&self.tag);
        let code = guard.header_code(offset, out.get(start + 8..).unwrap_or_default());
        out.put_slice(&code);
        let crc = checksum(guard.seed, offset, out.get(start + 8..).unwrap_or_default());
        if let Some(place) = out.get_mut(start + 4..start + 8) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
    }

    /// The part of the header that says what the block is.
    pub(crate) fn encode_clear(&self, out: &mut Vec<u8>) {
        for number in [self.stored_bytes, self.plain_bytes, self.raw_bytes, self.entries] {
            out.put_u32_le(number);
        }
        let flags =
            u8::from(self.uniform) * FLAG_UNIFORM + u8::from(self.group_end) * FLAG_GROUP_END;
        out.put_slice(&[self.codec as u8, flags, self.lanes, 0]);
        for number in [self.first, self.end, self.records, self.appended_unix_nanos] {
            out.put_u64_le(number);
        }
        for word in self.routes.0 {
            out.put_u64_le(word);
        }
    }

    /// The header found at `offset`, unless it is not one that was written there.
    pub(crate) fn decode(bytes: &[u8], guard: &Guard, offset: u64) -> Option<Self> {
        if bytes_at(bytes, 0)? != MAGIC {
            return None;
        }
        let crc = u32::from_le_bytes(bytes_at(bytes, 4)?);
        let tail = bytes.get(8..BLOCK_HEADER_LEN)?;
        if checksum(guard.seed, offset, tail) != crc
            || !guard.is_header_code(offset, bytes.get(8..CODE_AT)?, bytes_at(bytes, CODE_AT)?)
        {
            return None;
        }
        let payload_crc = u32::from_le_bytes(bytes_at(bytes, 8)?);
        let tag = bytes_at(bytes, CLEAR.end)?;
        Self::decode_clear(bytes.get(CLEAR)?, payload_crc, tag).filter(Self::is_plausible)
    }

    fn decode_clear(mut clear: &[u8], payload_crc: u32, tag: [u8; TAG_BYTES]) -> Option<Self> {
        let mut word = || clear.try_get_u32_le().ok();
        let (stored_bytes, plain_bytes, raw_bytes, entries) = (word()?, word()?, word()?, word()?);
        let mut byte = || clear.try_get_u8().ok();
        let (codec, flags, lanes, _) = (byte()?, byte()?, byte()?, byte()?);
        let mut number = || clear.try_get_u64_le().ok();
        let (first, end, records, appended_unix_nanos) =
            (number()?, number()?, number()?, number()?);
        let routes = Routes([number()?, number()?, number()?, number()?]);
        Some(Self {
            payload_crc,
            stored_bytes,
            plain_bytes,
            raw_bytes,
            entries,
            codec: Codec::of(codec)?,
            uniform: flags & FLAG_UNIFORM != 0,
            group_end: flags & FLAG_GROUP_END != 0,
            lanes,
            first,
            end,
            records,
            appended_unix_nanos,
            routes,
            tag,
        })
    }

    /// Where the data of a block at `offset` ends.
    pub(crate) fn data_end(&self, offset: u64) -> u64 {
        advance(offset + BLOCK_HEADER_BYTES, u64::from(self.stored_bytes))
    }

    /// Where the block after one at `offset` starts.
    pub(crate) fn next_start(&self, offset: u64) -> u64 {
        let end = self.data_end(offset);
        if self.group_end { group_start(end) } else { block_start(end) }
    }

    // A checksum can match by chance after damage; sizes decide allocations, so they are bounded.
    fn is_plausible(&self) -> bool {
        let plain_max = META_BYTES_MAX + PLAIN_BYTES_SPARE;
        self.raw_bytes as usize <= PAYLOAD_BYTES_MAX + plain_max
            && self.plain_bytes as usize <= plain_max
            && self.plain_bytes <= self.stored_bytes
            && self.stored_bytes - self.plain_bytes <= self.raw_bytes
            && self.first < self.end
            && self.records <= self.end - self.first
    }
}

impl Codec {
    fn of(byte: u8) -> Option<Self> {
        [Self::None, Self::Lz4, Self::Zstd].into_iter().find(|codec| *codec as u8 == byte)
    }
}

fn checksum(seed: u32, offset: u64, tail: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &offset.to_le_bytes()), tail)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::format::{Kind, Seal, SegmentHeader, VERSION};
    use crate::keys::Key;

    fn header() -> BlockHeader {
        BlockHeader {
            payload_crc: 1,
            stored_bytes: 300,
            plain_bytes: 20,
            raw_bytes: 900,
            entries: 2,
            codec: Codec::Zstd,
            uniform: false,
            group_end: true,
            lanes: 3,
            first: 10,
            end: 15,
            records: 4,
            appended_unix_nanos: 77,
            routes: Routes([1, 2, 3, 4]),
            tag: [8; TAG_BYTES],
        }
    }

    fn guard(id: u64, sealed: bool) -> Guard {
        let seal = Seal { key_id: "k".into(), wrapped: Bytes::new(), tag: [0; TAG_BYTES] };
        let mut header = SegmentHeader {
            version: VERSION,
            kind: Kind::Main,
            incarnation: 1,
            id,
            first: 0,
            previous_end: 0,
            created_unix_nanos: 0,
            salt: [3; 16],
            components: Vec::new(),
            seal: sealed.then_some(seal),
        };
        if sealed {
            return Guard::seal(&mut header, &Key::new([1; 32])).unwrap();
        }
        Guard::plain(&header)
    }

    #[test]
    fn a_header_is_read_where_it_was_written_and_nowhere_else() {
        for sealed in [false, true] {
            let mut bytes = Vec::new();
            header().encode(&guard(5, sealed), 65552, &mut bytes);
            assert_eq!(bytes.len(), BLOCK_HEADER_LEN);
            let decode = |id, offset| BlockHeader::decode(&bytes, &guard(id, sealed), offset);
            assert_eq!(decode(5, 65552), Some(header()));
            assert_eq!(decode(5, 65560), None);
            assert_eq!(decode(6, 65552), None);
        }
    }

    #[test]
    fn no_flipped_bit_is_accepted() {
        for guard in [guard(5, false), guard(5, true)] {
            let mut bytes = Vec::new();
            header().encode(&guard, 65552, &mut bytes);
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(BlockHeader::decode(&flipped, &guard, 65552), None, "bit {bit}");
            }
        }
    }

    /// Promise: in a sealed segment a checksum that was made to match is not enough.
    #[test]
    fn a_changed_header_with_a_matching_checksum_is_refused_when_sealed() {
        for (guard, accepted) in [(guard(5, false), true), (guard(5, true), false)] {
            let mut bytes = Vec::new();
            header().encode(&guard, 16, &mut bytes);
            bytes[64] ^= 1;
            let crc = checksum(guard.seed, 16, &bytes[8..]);
            bytes[4..8].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(BlockHeader::decode(&bytes, &guard, 16).is_some(), accepted);
        }
    }

    #[test]
    fn a_size_beyond_the_limit_is_refused_even_with_a_matching_checksum() {
        let mut bytes = Vec::new();
        let guard = guard(5, false);
        BlockHeader { raw_bytes: u32::MAX, ..header() }.encode(&guard, 16, &mut bytes);
        assert_eq!(BlockHeader::decode(&bytes, &guard, 16), None);
    }

    #[test]
    fn sizes_and_numbers_are_believed_up_to_their_limits_and_not_beyond() {
        let plain_max = u32::try_from(META_BYTES_MAX + PLAIN_BYTES_SPARE).unwrap();
        let raw_max = u32::try_from(PAYLOAD_BYTES_MAX).unwrap() + plain_max;
        let largest = BlockHeader {
            stored_bytes: raw_max + plain_max,
            plain_bytes: plain_max,
            raw_bytes: raw_max,
            ..header()
        };
        let is_plausible = |header: BlockHeader| header.is_plausible();
        assert!(is_plausible(largest.clone()));
        let stored_bytes = largest.stored_bytes + 1;
        assert!(!is_plausible(BlockHeader { stored_bytes, ..largest.clone() }));
        let raw_bytes = raw_max + 1;
        assert!(!is_plausible(BlockHeader { raw_bytes, ..largest.clone() }));
        let plain_bytes = plain_max + 1;
        assert!(!is_plausible(BlockHeader { plain_bytes, ..largest.clone() }));
        assert!(is_plausible(BlockHeader { stored_bytes: 20, ..header() }));
        assert!(!is_plausible(BlockHeader { stored_bytes: 19, ..header() }));
        assert!(!is_plausible(BlockHeader { end: 10, records: 0, ..header() }));
        assert!(is_plausible(BlockHeader { records: 5, ..header() }));
        assert!(!is_plausible(BlockHeader { records: 6, ..header() }));
    }
}
