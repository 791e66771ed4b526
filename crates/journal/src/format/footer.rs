//! The footer of a sealed segment: what an open must know of it without reading its blocks.

use std::io;

use bytes::{Buf, BufMut};

use super::bytes_at;
use crate::cipher::TAG_BYTES;
use crate::guard::Guard;
use crate::keys::SALT_BYTES;
use crate::summary::{Summary, Tally};

const MAGIC: &[u8; 8] = b"BSMFOOT\n";
/// Bytes of the fixed end of a footer, which is also the end of the file.
pub(crate) const TRAILER_BYTES: usize = 16;
/// Most bytes of a footer: 512 rows of 18 bytes, the fixed fields, salt and tag, the trailer.
pub(crate) const FOOTER_BYTES_MAX: usize = 512 * 18 + 64 + SALT_BYTES + TAG_BYTES + TRAILER_BYTES;

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
    /// The footer as written, bound to the segment by `guard`. When that seals, `salt` must be one
    /// that was never used.
    pub(crate) fn encode(&self, guard: &Guard, salt: &[u8; SALT_BYTES]) -> io::Result<Vec<u8>> {
        let mut out = guard.seal_footer(self.encode_body(), salt)?;
        let crc = crc32c::crc32c_append(guard.seed, &out);
        out.put_u32_le(u32::try_from(out.len()).unwrap_or(u32::MAX));
        out.put_u32_le(crc);
        out.put_slice(MAGIC);
        Ok(out)
    }

    fn encode_body(&self) -> Vec<u8> {
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
        out
    }

    /// Reads the footer whose body is `body` and whose trailer is `trailer`.
    pub(crate) fn decode(body: &[u8], trailer: &[u8], guard: &Guard) -> Option<Self> {
        let crc = u32::from_le_bytes(bytes_at(trailer, 4)?);
        if crc32c::crc32c_append(guard.seed, body) != crc {
            return None;
        }
        let body = guard.open_footer(body)?;
        let mut body = &*body;
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
    use crate::format::{Kind, Seal, SegmentHeader, VERSION};
    use crate::keys::Key;

    fn guards() -> [Guard; 2] {
        let seal = Seal { key_id: "k".into(), wrapped: "".into(), tag: [0; TAG_BYTES] };
        let mut header = SegmentHeader {
            version: VERSION,
            kind: Kind::Main,
            incarnation: 1,
            id: 3,
            first: 0,
            previous_end: 0,
            created_unix_nanos: 0,
            salt: [3; SALT_BYTES],
            components: Vec::new(),
            seal: Some(seal),
        };
        let sealed = Guard::seal(&mut header, &Key::new([1; 32])).unwrap();
        [Guard::plain(&header), sealed]
    }

    #[test]
    fn a_footer_reads_back_equal_and_no_flipped_bit_is_accepted() {
        let mut summary = Summary::default();
        summary.set(0, 1, Tally { records: 3, bytes: 900 });
        summary.set(255, 0, Tally { records: 1, bytes: 7 });
        let footer = Footer { data_end: 70_000, end: 44, last_unix_nanos: 8, damaged: 1, summary };
        for guard in guards() {
            let bytes = footer.encode(&guard, &[7; 16]).unwrap();
            let read = |bytes: &[u8]| {
                let (body, trailer) = bytes.split_at(bytes.len() - TRAILER_BYTES);
                let whole = trailer_body_len(trailer)? == body.len();
                whole.then(|| Footer::decode(body, trailer, &guard))?
            };
            assert_eq!(read(&bytes).as_ref(), Some(&footer));
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read(&flipped), None, "bit {bit}");
            }
        }
    }
}
