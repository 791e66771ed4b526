//! The leaves of JSON text: strings, numbers, hexadecimal digits and base64, appended to a buffer.

#![expect(clippy::indexing_slicing, reason = "indices are digits or remainders of table sizes")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Appends a string in quotes. The bytes are UTF-8.
pub fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { break };
        write_escape(byte, out);
        rest = after;
    }
    out.push(b'"');
}

/// The number of bytes at the start that are neither quote, backslash nor control character.
pub(super) fn plain_len(text: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut len = 0;
    for chunk in text.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (EACH * u64::from(b'"'));
        let backslash = word ^ (EACH * u64::from(b'\\'));
        let special = (word.wrapping_sub(EACH * 0x20) & !word)
            | (quote.wrapping_sub(EACH) & !quote)
            | (backslash.wrapping_sub(EACH) & !backslash);
        // The lowest bit set is exact: borrows only reach the bytes above it.
        let special = special & (EACH << 7);
        if special != 0 {
            return len + special.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let tail = text.get(len..).unwrap_or_default();
    len + tail.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count()
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            write_digits(&[byte], out);
        }
    }
}

/// Appends bytes as lower-case hexadecimal digits in quotes.
pub fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    write_digits(bytes, out);
    out.push(b'"');
}

fn write_digits(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Appends bytes in base64 with padding, in quotes.
pub fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    // Four characters for each three bytes begun.
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written.ok(), Some(out.len() - start), "base64 has its length");
    out.push(b'"');
}

/// Appends a decimal number.
pub fn write_integer(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    write_unsigned(number.unsigned_abs(), out);
}

/// Appends a decimal number.
pub fn write_unsigned(mut number: u64, out: &mut Vec<u8>) {
    const PAIRS: &[u8; 200] = b"\
        0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
        5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while number >= 10 {
        let pair = usize::try_from(number % 100).unwrap_or_default() * 2;
        number /= 100;
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if number > 0 || start == digits.len() {
        start -= 1;
        #[expect(clippy::cast_possible_truncation, reason = "below ten")]
        let digit = number as u8;
        digits[start] = b'0' + digit;
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends the shortest decimal number that reads back as the same; what JSON has no number for, as
/// the string that proto3 JSON names it by.
pub fn write_double(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        // Writing to memory does not fail.
        serde_json::to_writer(out, &number).unwrap_or_default();
    } else if number.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if number > 0.0 {
        out.extend_from_slice(b"\"Infinity\"");
    } else {
        out.extend_from_slice(b"\"-Infinity\"");
    }
}
