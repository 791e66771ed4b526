//! Text: counting bytes outside ASCII and validating UTF-8.

/// The lowest bit of each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;

/// Every second byte of a word.
const EVEN: u64 = 0x00FF_00FF_00FF_00FF;

/// Counts the bytes that are not ASCII.
///
/// One linear pass without branches, which the compiler turns into vector instructions: much
/// cheaper than looking at each of many short strings.
pub(super) fn high_bytes(bytes: &[u8]) -> u64 {
    // Each byte of the sum counts at most one a word, so a block of 255 words cannot overflow it.
    let (words, rest) = bytes.as_chunks::<8>();
    let mut total = rest.iter().map(|&byte| u64::from(byte >> 7)).sum();
    for block in words.chunks(255) {
        let sum = block.iter().map(|word| u64::from_le_bytes(*word) >> 7 & ONES);
        let sum = sum.fold(0, u64::wrapping_add);
        total += ((sum & EVEN) + (sum >> 8 & EVEN)).wrapping_mul(0x0001_0001_0001_0001) >> 48;
    }
    total
}

/// Counts the bytes of a word that are not ASCII.
#[inline]
pub(super) fn high_bytes_of_word(word: u64) -> u64 {
    (word >> 7 & ONES).wrapping_mul(ONES) >> 56
}

/// The position of the first byte that is not UTF-8.
pub(super) fn invalid_utf8(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < 64 {
        return std::str::from_utf8(bytes).err().map(|error| error.valid_up_to());
    }
    simdutf8::compat::from_utf8(bytes).err().map(|error| error.valid_up_to())
}

/// Whether the bytes are UTF-8.
#[inline]
pub(super) fn is_utf8(bytes: &[u8]) -> bool {
    if bytes.len() < 64 {
        return bytes.is_ascii() || std::str::from_utf8(bytes).is_ok();
    }
    simdutf8::basic::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_every_byte_outside_ascii_at_any_length() {
        for len in 0..20_000_usize {
            if len > 300 && len % 997 != 0 {
                continue;
            }
            let bytes: Vec<u8> =
                (0..len).map(|index| index.to_le_bytes()[0].wrapping_mul(37)).collect();
            let expected = bytes.iter().filter(|byte| !byte.is_ascii()).count() as u64;
            assert_eq!(high_bytes(&bytes), expected, "{len} bytes");
        }
        assert_eq!(high_bytes(&vec![0xFF; 100_000]), 100_000);
        assert_eq!(high_bytes_of_word(u64::MAX), 8);
        assert_eq!(high_bytes_of_word(0x80_7F_80_7F_00_FF_01_80), 4);
    }

    #[test]
    fn names_the_first_byte_that_is_not_utf8() {
        for len in [0, 5, 63, 64, 200] {
            let mut bytes = vec![b'a'; len];
            assert_eq!(invalid_utf8(&bytes), None);
            assert!(is_utf8(&bytes));
            bytes.extend_from_slice(b"\xC3\xA4\xC3(");
            assert_eq!(invalid_utf8(&bytes), Some(len + 2));
            assert!(!is_utf8(&bytes));
        }
    }
}
