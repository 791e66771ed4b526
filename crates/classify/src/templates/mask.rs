//! What of a body is variable: one pass over its bytes, without allocation once the buffer is warm.
//!
//! A chunk is a run of bytes that are neither white space nor one of `"'()[]{}<>,;=|`, without the
//! marks `:.!?` at its end. A chunk is variable if it holds a digit or begins a path (`/`, two of
//! them); a chunk `0` is not, since it means that nothing happened. In the masked text every
//! variable chunk is `<*>` and everything else stands as it was.

use xxhash_rust::xxh3::xxh3_64;

/// What stands for a variable chunk.
pub const WILD: &str = "<*>";
/// Bytes of a body that are masked at most.
pub const BODY_BYTES_MAX: usize = 1024;

/// Writes the masked text of a body into `masked` and returns its shape: a hash that two bodies
/// share only if their masked texts and the letters within their variable chunks agree. Letters of
/// numbers, addresses and hexadecimal identifiers do not count.
pub fn mask(body: &[u8], masked: &mut Vec<u8>) -> u64 {
    masked.clear();
    let body = body.get(..body.len().min(BODY_BYTES_MAX)).unwrap_or_default();
    let mut letters = 0;
    let mut chunk = Chunk::default();
    for (at, byte) in body.iter().enumerate() {
        let kind = kind_of(*byte);
        if kind & SEPARATOR == 0 {
            chunk.slashes += u32::from(*byte == b'/');
            chunk.kinds |= kind;
        } else {
            let own = body.get(chunk.start..at).unwrap_or_default();
            letters = chunk.write(own, letters, masked);
            masked.push(*byte);
            chunk = Chunk { start: at + 1, ..Chunk::default() };
        }
    }
    let own = body.get(chunk.start..).unwrap_or_default();
    letters = chunk.write(own, letters, masked);
    xxh3_64(masked) ^ letters
}

/// What stands between chunks.
const SEPARATOR: u8 = 1;
const DIGIT: u8 = 2;
/// What numbers, addresses and hexadecimal identifiers do not have.
const FOREIGN: u8 = 4;

/// The kind of each byte.
#[expect(clippy::indexing_slicing, reason = "a constant is made when this is compiled")]
const KINDS: [u8; 256] = {
    let mut kinds = [FOREIGN; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let own = byte as u8;
        kinds[byte] = match own {
            b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b'(' | b')' | b'[' | b']' | b'{'
            | b'}' | b'<' | b'>' | b',' | b';' | b'=' | b'|' => SEPARATOR,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' | b'x' | b'X' | b':' | b'.' | b'-' | b'+' | b'/' => 0,
            _ => FOREIGN,
        };
        byte += 1;
    }
    kinds
};

#[inline]
fn kind_of(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(FOREIGN)
}

/// What is known of the chunk that is being read.
#[derive(Debug, Clone, Copy, Default)]
struct Chunk {
    start: usize,
    kinds: u8,
    slashes: u32,
}

impl Chunk {
    /// Writes the chunk, which is `own`, as it stands in the masked text.
    #[inline]
    fn write(self, own: &[u8], letters: u64, masked: &mut Vec<u8>) -> u64 {
        let may_vary = self.kinds & DIGIT != 0 || self.slashes > 1;
        if !may_vary {
            masked.extend_from_slice(own);
            return letters;
        }
        let (own, marks) = split_marks(own);
        let is_path = self.slashes > 1 && own.first() == Some(&b'/');
        let letters = if is_path || (self.kinds & DIGIT != 0 && own != b"0") {
            masked.extend_from_slice(WILD.as_bytes());
            if self.kinds & FOREIGN == 0 { letters } else { with_letters(letters, own) }
        } else {
            masked.extend_from_slice(own);
            letters
        };
        masked.extend_from_slice(marks);
        letters
    }
}

fn split_marks(run: &[u8]) -> (&[u8], &[u8]) {
    let is_mark = |byte: &u8| matches!(byte, b':' | b'.' | b'!' | b'?');
    let end = run.iter().rposition(|byte| !is_mark(byte)).map_or(0, |last| last + 1);
    run.split_at(end)
}

/// Takes in the letters of a chunk that is more than a number.
fn with_letters(letters: u64, chunk: &[u8]) -> u64 {
    let own = chunk.iter().filter(|byte| byte.is_ascii_alphabetic());
    own.fold(letters.rotate_left(17) ^ 0x9e37, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(body: &str) -> String {
        let mut out = Vec::new();
        mask(body.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn shape(body: &str) -> u64 {
        mask(body.as_bytes(), &mut Vec::new())
    }

    /// The same by an expression that finds chunks.
    fn naive(body: &str) -> String {
        let chunk = regex::Regex::new("[^ \t\r\n\"'()\\[\\]{}<>,;=|]+").unwrap();
        let replace = |found: &regex::Captures<'_>| {
            let chunk = found[0].trim_end_matches([':', '.', '!', '?']);
            let is_path = chunk.starts_with('/') && chunk.matches('/').count() > 1;
            let has_digit = chunk.contains(|character: char| character.is_ascii_digit());
            let is_variable = is_path || (has_digit && chunk != "0");
            let kept = if is_variable { WILD } else { chunk };
            format!("{kept}{}", found[0].strip_prefix(chunk).unwrap())
        };
        chunk.replace_all(body, replace).into_owned()
    }

    #[test]
    fn numbers_addresses_and_paths_are_variable() {
        for (body, expected) in [
            ("took 12 ms, id=77a: done.", "took <*> ms, id=<*>: done."),
            ("10.0.0.1:80 -> [::1]", "<*> -> [<*>]"),
            ("read /etc/passwd at 12:00:01", "read <*> at <*>"),
            ("either/or failed=0", "either/or failed=0"),
            ("", ""),
        ] {
            assert_eq!(masked(body), expected, "{body}");
        }
    }

    #[test]
    fn a_word_inside_a_variable_chunk_is_part_of_the_shape() {
        assert_eq!(shape("id 4f2a done"), shape("id 77bc done"));
        assert_eq!(shape("took 5 ms"), shape("took 55555 ms"));
        assert_ne!(shape("task_12_failed"), shape("task_12_done"));
        assert_eq!(masked("task_12_failed"), masked("task_12_done"));
        assert_ne!(shape("errors=0"), shape("errors=7"));
    }

    proptest! {
        #[test]
        fn one_pass_masks_as_an_expression_does(body in "[a-c0-2 /:.=\\[\\]\"\u{e9}]{0,60}") {
            prop_assert_eq!(masked(&body), naive(&body));
        }

        #[test]
        fn masking_a_masked_text_changes_nothing(body in "\\PC{0,120}") {
            let once = masked(&body);
            prop_assert_eq!(masked(&once), once);
        }
    }
}
