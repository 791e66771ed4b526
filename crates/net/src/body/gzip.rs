//! The frame around a deflate stream in a gzip member, RFC 1952.
//!
//! Read here rather than by the decoder because members can follow each other and a decoder can be
//! reset, and so reused, only for the bare stream.

/// Checksum and size behind the stream.
pub(super) const TRAILER_BYTES: usize = 8;
const FIXED_BYTES: usize = 10;
/// Names and comments beyond this are not what a telemetry client sends.
const HEADER_MAX: usize = 64 << 10;

const HAS_HEADER_CRC: u8 = 1 << 1;
const HAS_EXTRA: u8 = 1 << 2;
const HAS_NAME: u8 = 1 << 3;
const HAS_COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xe0;

const SHORT: &str = "the body ends in a gzip header";

/// Bytes of the member's header at the start of `rest`.
pub(super) fn header_bytes(rest: &[u8]) -> Result<usize, &'static str> {
    let rest = rest.get(..rest.len().min(HEADER_MAX)).unwrap_or_default();
    let fixed = rest.first_chunk::<FIXED_BYTES>().ok_or(SHORT)?;
    let [0x1f, 0x8b, 8, flags, ..] = *fixed else {
        return Err("no gzip header");
    };
    if flags & RESERVED != 0 {
        return Err("reserved gzip flags are set");
    }
    let mut at = FIXED_BYTES;
    if flags & HAS_EXTRA != 0 {
        let size = rest.get(at..).and_then(|tail| tail.first_chunk::<2>()).ok_or(SHORT)?;
        at += 2 + usize::from(u16::from_le_bytes(*size));
    }
    for present in [flags & HAS_NAME, flags & HAS_COMMENT] {
        if present != 0 {
            let text = rest.get(at..).ok_or(SHORT)?;
            at += text.iter().position(|byte| *byte == 0).ok_or(SHORT)? + 1;
        }
    }
    if flags & HAS_HEADER_CRC != 0 {
        at += 2;
    }
    if at > rest.len() { Err(SHORT) } else { Ok(at) }
}

/// Compares the trailer at the start of `rest` with what was inflated.
pub(super) fn check_trailer(rest: &[u8], crc: u32, size: usize) -> Result<(), &'static str> {
    let trailer = rest.first_chunk::<TRAILER_BYTES>().ok_or("the body ends in a gzip trailer")?;
    let [a, b, c, d, size_le @ ..] = *trailer;
    if u32::from_le_bytes([a, b, c, d]) != crc {
        return Err("the gzip checksum does not match");
    }
    // The field is the size modulo 2^32.
    if u64::from(u32::from_le_bytes(size_le)) != size as u64 & 0xffff_ffff {
        return Err("the gzip size does not match");
    }
    Ok(())
}

/// The last member's size as its trailer claims it.
pub(super) fn claimed_size(encoded: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*encoded.last_chunk::<4>()?)).ok()
}
