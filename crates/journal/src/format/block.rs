//! The block header: what a reader must know to pass a block, or to read it safely.

use bytes::{Buf, BufMut};

use super::{
    BLOCK_HEADER_BYTES, BLOCK_HEADER_LEN, META_BYTES_MAX, PAYLOAD_BYTES_MAX, advance, block_start,
    bytes_at, group_start,
};
use crate::entry::Routes;

pub(crate) const MAGIC: [u8; 4] = *b"BSMB";
/// What a head takes beside the meta, and what a dead letter adds to it.
const PLAIN_BYTES_SPARE: usize = 8 << 10;
const FLAG_UNIFORM: u8 = 1;
const FLAG_GROUP_END: u8 = 2;

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
    pub compressed: bool,
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
}

impl BlockHeader {
    /// The header as written at `offset` of the segment that `seed` stands for.
    pub(crate) fn encode(&self, seed: u32, offset: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_slice(&MAGIC);
        out.put_u32_le(0);
        for number in [self.payload_crc, self.stored_bytes, self.plain_bytes, self.raw_bytes] {
            out.put_u32_le(number);
        }
        out.put_u32_le(self.entries);
        let flags =
            u8::from(self.uniform) * FLAG_UNIFORM + u8::from(self.group_end) * FLAG_GROUP_END;
        out.put_slice(&[u8::from(self.compressed), flags, self.lanes, 0]);
        for number in [self.first, self.end, self.records, self.appended_unix_nanos] {
            out.put_u64_le(number);
        }
        for word in self.routes.0 {
            out.put_u64_le(word);
        }
        out.resize(start + BLOCK_HEADER_LEN, 0);
        let crc = checksum(seed, offset, out.get(start + 8..).unwrap_or_default());
        if let Some(place) = out.get_mut(start + 4..start + 8) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
    }

    /// The header found at `offset`, unless it is not one that was written there.
    pub(crate) fn decode(bytes: &[u8], seed: u32, offset: u64) -> Option<Self> {
        if bytes_at(bytes, 0)? != MAGIC {
            return None;
        }
        let crc = u32::from_le_bytes(bytes_at(bytes, 4)?);
        let mut tail = bytes.get(8..BLOCK_HEADER_LEN)?;
        if checksum(seed, offset, tail) != crc {
            return None;
        }
        let mut word = || tail.try_get_u32_le().ok();
        let (payload_crc, stored_bytes) = (word()?, word()?);
        let (plain_bytes, raw_bytes, entries) = (word()?, word()?, word()?);
        let (codec, flags, lanes) = (tail.get_u8(), tail.get_u8(), tail.get_u8());
        tail.advance(1);
        let mut number = || tail.try_get_u64_le().ok();
        let (first, end, records, appended_unix_nanos) =
            (number()?, number()?, number()?, number()?);
        let routes = Routes([number()?, number()?, number()?, number()?]);
        let header = Self {
            payload_crc,
            stored_bytes,
            plain_bytes,
            raw_bytes,
            entries,
            compressed: codec == 1,
            uniform: flags & FLAG_UNIFORM != 0,
            group_end: flags & FLAG_GROUP_END != 0,
            lanes,
            first,
            end,
            records,
            appended_unix_nanos,
            routes,
        };
        (codec <= 1 && header.is_plausible()).then_some(header)
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

fn checksum(seed: u32, offset: u64, tail: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &offset.to_le_bytes()), tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BlockHeader {
        BlockHeader {
            payload_crc: 1,
            stored_bytes: 300,
            plain_bytes: 20,
            raw_bytes: 900,
            entries: 2,
            compressed: true,
            uniform: false,
            group_end: true,
            lanes: 3,
            first: 10,
            end: 15,
            records: 4,
            appended_unix_nanos: 77,
            routes: Routes([1, 2, 3, 4]),
        }
    }

    #[test]
    fn a_header_is_read_where_it_was_written_and_nowhere_else() {
        let mut bytes = Vec::new();
        header().encode(5, 65552, &mut bytes);
        assert_eq!(bytes.len(), BLOCK_HEADER_LEN);
        assert_eq!(BlockHeader::decode(&bytes, 5, 65552), Some(header()));
        assert_eq!(BlockHeader::decode(&bytes, 5, 65560), None);
        assert_eq!(BlockHeader::decode(&bytes, 6, 65552), None);
    }

    #[test]
    fn no_flipped_bit_is_accepted() {
        let mut bytes = Vec::new();
        header().encode(5, 65552, &mut bytes);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(BlockHeader::decode(&flipped, 5, 65552), None, "bit {bit}");
        }
    }

    #[test]
    fn a_size_beyond_the_limit_is_refused_even_with_a_matching_checksum() {
        let mut bytes = Vec::new();
        BlockHeader { raw_bytes: u32::MAX, ..header() }.encode(5, 16, &mut bytes);
        assert_eq!(BlockHeader::decode(&bytes, 5, 16), None);
    }
}
