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
    let mut letters = 0_u64;
    let mut rest = body;
    while let Some(first) = rest.first() {
        let length = rest.iter().position(|byte| is_separator(*byte) != is_separator(*first));
        let (run, behind) = rest.split_at(length.unwrap_or(rest.len()));
        rest = behind;
        if is_separator(*first) {
            masked.extend_from_slice(run);
            continue;
        }
        let (chunk, marks) = split_marks(run);
        if is_variable(chunk) {
            masked.extend_from_slice(WILD.as_bytes());
            letters = with_letters(letters, chunk);
        } else {
            masked.extend_from_slice(chunk);
        }
        masked.extend_from_slice(marks);
    }
    xxh3_64(masked) ^ letters
}

/// What stands between chunks.
const fn is_separator(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t'
            | b'\r'
            | b'\n'
            | b'"'
            | b'\''
            | b'('
            | b')'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'<'
            | b'>'
            | b','
            | b';'
            | b'='
            | b'|'
    )
}

fn split_marks(run: &[u8]) -> (&[u8], &[u8]) {
    let is_mark = |byte: &u8| matches!(byte, b':' | b'.' | b'!' | b'?');
    let end = run.iter().rposition(|byte| !is_mark(byte)).map_or(0, |last| last + 1);
    run.split_at(end)
}

fn is_variable(chunk: &[u8]) -> bool {
    let slashes = chunk.iter().filter(|byte| **byte == b'/').take(2).count();
    (chunk.first() == Some(&b'/') && slashes == 2)
        || (chunk != b"0" && chunk.iter().any(u8::is_ascii_digit))
}

fn with_letters(letters: u64, chunk: &[u8]) -> u64 {
    let is_of_number = |byte: &u8| {
        byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X' | b':' | b'.' | b'-' | b'+' | b'/')
    };
    if chunk.iter().all(is_of_number) {
        return letters;
    }
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
