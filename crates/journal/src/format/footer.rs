//! The footer of a sealed segment: what an open must know of it without reading its blocks.

use bytes::{Buf, BufMut};

use super::bytes_at;
use crate::summary::{Summary, Tally};

const MAGIC: &[u8; 8] = b"BSMFOOT\n";
/// Bytes of the fixed end of a footer, which is also the end of the file.
pub(crate) const TRAILER_BYTES: usize = 16;
/// Most bytes of a footer: 512 rows of 18 bytes, the fixed fields and the trailer.
pub(crate) const FOOTER_BYTES_MAX: usize = 512 * 18 + 64 + TRAILER_BYTES;

/// The footer of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Offset behind the last block.
    pub data_end: u64,
    /// The number after the last record.
    pub end: u64,
    pub last_unix_nanos: u64,
    /// Damaged blocks known when the segment was sealed.
    pub damaged: u32,
    pub summary: Summary,
}

impl Footer {
    /// The footer as written, its checksum bound to the segment by `seed`.
    pub(crate) fn encode(&self, seed: u32) -> Vec<u8> {
        let mut out = Vec::new();
        for number in [self.data_end, self.end, self.last_unix_nanos, self.summary.total_bytes] {
            out.put_u64_le(number);
        }
        out.put_u32_le(self.damaged);
        let rows: Vec<_> = self.summary.rows().collect();
        out.put_u16_le(u16::try_from(rows.len()).unwrap_or(u16::MAX));
        for (bit, lane, tally) in rows {
            out.put_slice(&[bit, lane]);
            out.put_u64_le(tally.records);
            out.put_u64_le(tally.bytes);
        }
        let crc = crc32c::crc32c_append(seed, &out);
        out.put_u32_le(u32::try_from(out.len()).unwrap_or(u32::MAX));
        out.put_u32_le(crc);
        out.put_slice(MAGIC);
        out
    }

    /// Reads the footer whose body is `body` and whose trailer is `trailer`.
    pub(crate) fn decode(mut body: &[u8], trailer: &[u8], seed: u32) -> Option<Self> {
        let crc = u32::from_le_bytes(bytes_at(trailer, 4)?);
        if crc32c::crc32c_append(seed, body) != crc {
            return None;
        }
        let mut number = || body.try_get_u64_le().ok();
        let (data_end, end, last_unix_nanos) = (number()?, number()?, number()?);
        let total_bytes = number()?;
        let damaged = body.try_get_u32_le().ok()?;
        let mut summary = Summary::default();
        summary.total_bytes = total_bytes;
        for _ in 0..body.try_get_u16_le().ok()? {
            let (bit, lane) = (body.try_get_u8().ok()?, body.try_get_u8().ok()?);
            let records = body.try_get_u64_le().ok()?;
            let bytes = body.try_get_u64_le().ok()?;
            summary.set(bit, lane, Tally { records, bytes });
        }
        Some(Self { data_end, end, last_unix_nanos, damaged, summary })
    }
}

/// The length of the footer body that `trailer` announces, unless it is no trailer.
pub(crate) fn trailer_body_len(trailer: &[u8]) -> Option<usize> {
    let len = u32::from_le_bytes(bytes_at(trailer, 0)?) as usize;
    (trailer.get(8..16)? == MAGIC && len <= FOOTER_BYTES_MAX).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_reads_back_equal_and_no_flipped_bit_is_accepted() {
        let mut summary = Summary::default();
        summary.set(0, 1, Tally { records: 3, bytes: 900 });
        summary.set(255, 0, Tally { records: 1, bytes: 7 });
        let footer = Footer { data_end: 70_000, end: 44, last_unix_nanos: 8, damaged: 1, summary };
        let bytes = footer.encode(3);
        let read = |bytes: &[u8]| {
            let (body, trailer) = bytes.split_at(bytes.len() - TRAILER_BYTES);
            (trailer_body_len(trailer)? == body.len()).then(|| Footer::decode(body, trailer, 3))?
        };
        assert_eq!(read(&bytes), Some(footer));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&flipped), None, "bit {bit}");
        }
    }
}
