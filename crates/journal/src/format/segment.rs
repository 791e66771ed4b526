//! The segment header: which journal, which record numbers, which component each route bit means.

use bytes::{Buf, BufMut, Bytes};

use super::{COMPONENT_ID_BYTES_MAX, PAGE_BYTES, SEGMENT_HEADER_BYTES_MAX, VERSION, VERSION_PLAIN};
use crate::cipher::TAG_BYTES;
use crate::keys::SALT_BYTES;

const MAGIC: &[u8; 8] = b"BSMJRNL\n";
const FIXED_BYTES: usize = 128;
const CRC_AT: std::ops::Range<usize> = 16..20;

/// What a log is for; a segment copied from one directory to another is recognized by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Entries of all sinks.
    Main = 1,
    /// Entries of one slow sink, under their numbers in the main log.
    Spill = 2,
    /// Dead letters of one sink, numbered by themselves.
    Dead = 3,
}

/// The header of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The oldest version that has all that the segment uses, so that older builds read the rest.
    pub version: u8,
    pub kind: Kind,
    pub incarnation: u64,
    pub id: u64,
    /// The number of the first record; what an older segment holds from here on is void.
    pub first: u64,
    /// Where the log ended as its writer knew: a smaller end found later means lost records.
    pub previous_end: u64,
    pub created_unix_nanos: u64,
    pub salt: [u8; SALT_BYTES],
    /// Component ids by route bit.
    pub components: Vec<(u8, String)>,
    /// How the segment is sealed, if it is.
    pub seal: Option<Seal>,
}

/// What must be known to open a sealed segment, beside the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    pub key_id: String,
    /// The key, if its source wraps one for every segment.
    pub wrapped: Bytes,
    /// Authenticates the whole header.
    pub tag: [u8; TAG_BYTES],
}

/// Why the bytes of a segment header were not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("not a journal segment")]
    Magic,
    #[error(
        "segment format version {0}, this build reads up to {VERSION}; a newer build serves it"
    )]
    Version(u8),
    #[error("segment header does not match its checksum")]
    Damaged,
}

impl SegmentHeader {
    /// What binds the checksums of pages and blocks to this segment.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.salt), &self.id.to_le_bytes())
    }

    /// The route bit of a component in this segment.
    pub(crate) fn bit_of(&self, component: &str) -> Option<u8> {
        self.components.iter().find(|(_, id)| id == component).map(|(bit, _)| *bit)
    }

    /// The header as written.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let bare = self.encode_bare();
        let (start, tail) = bare.split_at(CRC_AT.start);
        let tag = self.seal.as_ref().map(|seal| &seal.tag[..]).unwrap_or_default();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bare), tag);
        [start, &crc.to_le_bytes(), tail, tag].concat()
    }

    /// The header without its checksum and its tag, which is what the tag is made of.
    pub(crate) fn encode_bare(&self) -> Vec<u8> {
        let mut tail = Vec::with_capacity(FIXED_BYTES);
        tail.put_u32_le(u32::try_from(PAGE_BYTES).unwrap_or_default());
        for number in [self.incarnation, self.id, self.first, self.previous_end] {
            tail.put_u64_le(number);
        }
        tail.put_u64_le(self.created_unix_nanos);
        tail.put_slice(&self.salt);
        tail.put_bytes(0, 16);
        tail.put_u16_le(u16::try_from(self.components.len()).unwrap_or(u16::MAX));
        tail.put_bytes(0, FIXED_BYTES - CRC_AT.end - tail.len());
        for (bit, id) in &self.components {
            debug_assert!(id.len() <= COMPONENT_ID_BYTES_MAX);
            tail.put_u8(*bit);
            tail.put_u8(u8::try_from(id.len()).unwrap_or(u8::MAX));
            tail.put_slice(id.as_bytes());
        }
        let mut tag_bytes = 0;
        if let Some(seal) = &self.seal {
            tag_bytes = TAG_BYTES;
            tail.put_u8(u8::try_from(seal.key_id.len()).unwrap_or(u8::MAX));
            tail.put_slice(seal.key_id.as_bytes());
            tail.put_u16_le(u16::try_from(seal.wrapped.len()).unwrap_or(u16::MAX));
            tail.put_slice(&seal.wrapped);
        }
        let mut out = Vec::with_capacity(CRC_AT.start + tail.len());
        out.put_slice(MAGIC);
        out.put_slice(&[self.version, self.kind as u8, u8::from(self.seal.is_some()), 0]);
        let len = CRC_AT.end + tail.len() + tag_bytes;
        out.put_u32_le(u32::try_from(len).unwrap_or(u32::MAX));
        out.put_slice(&tail);
        out
    }

    /// Reads one copy of the header from `bytes`, which may be longer.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let damaged = HeaderError::Damaged;
        let start = bytes.get(..CRC_AT.start).ok_or(HeaderError::Magic)?;
        if !start.starts_with(MAGIC) {
            return Err(HeaderError::Magic);
        }
        let mut fields = start.get(MAGIC.len()..).ok_or(damaged)?;
        let mut byte = || fields.try_get_u8().map_err(|_| damaged);
        let (version, kind, sealed, _) = (byte()?, byte()?, byte()?, byte()?);
        let len = fields.try_get_u32_le().map_err(|_| damaged)? as usize;
        let mut crc = bytes.get(CRC_AT).ok_or(damaged)?;
        let crc = crc.try_get_u32_le().map_err(|_| damaged)?;
        if len > SEGMENT_HEADER_BYTES_MAX {
            return Err(damaged);
        }
        let tail = bytes.get(CRC_AT.end..len).ok_or(damaged)?;
        if crc32c::crc32c_append(crc32c::crc32c(start), tail) != crc {
            return Err(damaged);
        }
        if !(VERSION_PLAIN..=VERSION).contains(&version) {
            return Err(HeaderError::Version(version));
        }
        let kind = match kind {
            1 => Kind::Main,
            2 => Kind::Spill,
            3 => Kind::Dead,
            _ => return Err(damaged),
        };
        let mut tail = tail;
        let mut header = Self::decode_tail(kind, version, &mut tail).ok_or(damaged)?;
        if sealed == 1 && version > VERSION_PLAIN {
            header.seal = Some(Seal::decode(tail).ok_or(damaged)?);
        }
        Ok(header)
    }

    fn decode_tail(kind: Kind, version: u8, tail: &mut &[u8]) -> Option<Self> {
        let total = tail.len();
        let page_bytes = tail.try_get_u32_le().ok()?;
        let mut number = || tail.try_get_u64_le().ok();
        let (incarnation, id, first) = (number()?, number()?, number()?);
        let (previous_end, created_unix_nanos) = (number()?, number()?);
        let mut salt = [0; SALT_BYTES];
        tail.try_copy_to_slice(&mut salt).ok()?;
        *tail = tail.get(16..)?;
        let count = tail.try_get_u16_le().ok()?;
        let consumed = total - tail.len();
        *tail = tail.get((FIXED_BYTES - CRC_AT.end).checked_sub(consumed)?..)?;
        let mut components = Vec::with_capacity(usize::from(count).min(super::SINKS_MAX));
        for _ in 0..count {
            let bit = tail.try_get_u8().ok()?;
            let len = usize::from(tail.try_get_u8().ok()?);
            let (id, rest) = tail.split_at_checked(len)?;
            components.push((bit, String::from_utf8(id.to_vec()).ok()?));
            *tail = rest;
        }
        (u64::from(page_bytes) == PAGE_BYTES).then_some(Self {
            version,
            kind,
            incarnation,
            id,
            first,
            previous_end,
            created_unix_nanos,
            salt,
            components,
            seal: None,
        })
    }
}

impl Seal {
    fn decode(mut tail: &[u8]) -> Option<Self> {
        let len = usize::from(tail.try_get_u8().ok()?);
        let (id, rest) = tail.split_at_checked(len)?;
        tail = rest;
        let len = usize::from(tail.try_get_u16_le().ok()?);
        let (wrapped, tag) = tail.split_at_checked(len)?;
        Some(Self {
            key_id: String::from_utf8(id.to_vec()).ok()?,
            wrapped: Bytes::copy_from_slice(wrapped),
            tag: tag.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KEY_ID_BYTES_MAX, WRAPPED_KEY_BYTES_MAX};

    fn header(components: usize) -> SegmentHeader {
        SegmentHeader {
            version: VERSION_PLAIN,
            kind: Kind::Main,
            incarnation: 7,
            id: 3,
            first: 100,
            previous_end: 99,
            created_unix_nanos: 5,
            salt: [9; 16],
            components: (0..components)
                .map(|n| (u8::try_from(n).unwrap(), format!("{n:0120}")))
                .collect(),
            seal: None,
        }
    }

    fn sealed(components: usize) -> SegmentHeader {
        let seal = Seal {
            key_id: "k".repeat(KEY_ID_BYTES_MAX),
            wrapped: vec![3; WRAPPED_KEY_BYTES_MAX].into(),
            tag: [4; TAG_BYTES],
        };
        SegmentHeader { version: VERSION, seal: Some(seal), ..header(components) }
    }

    #[test]
    fn the_largest_header_fits_and_reads_back_equal() {
        for header in [header(256), sealed(256)] {
            let encoded = header.encode();
            assert!(encoded.len() <= SEGMENT_HEADER_BYTES_MAX, "{}", encoded.len());
            assert_eq!(SegmentHeader::decode(&encoded), Ok(header));
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_is_accepted() {
        for encoded in [header(2).encode(), sealed(2).encode()] {
            for bit in 0..encoded.len() * 8 {
                let mut flipped = encoded.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
            }
            for cut in 0..encoded.len() {
                assert!(SegmentHeader::decode(&encoded[..cut]).is_err(), "cut {cut}");
            }
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut encoded = header(0).encode();
        encoded[8] = VERSION + 1;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&encoded[..16]), &encoded[20..]);
        encoded[CRC_AT].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&encoded), Err(HeaderError::Version(VERSION + 1)));
    }
}
