//! Literals: what the quotes, escapes and digits of a text mean, and how to write a text down.

use std::fmt::Write as _;

use crate::value::Number;

/// Why an escape sequence has no meaning.
pub(crate) struct EscapeFault {
    pub(crate) message: String,
    /// Bytes that belong to the broken sequence.
    pub(crate) length: usize,
}

/// What an escape stands for: a character, or a single byte of one.
pub(crate) enum Escape {
    Character(char),
    Byte(u8),
}

/// Reads the escape sequence that `text` starts with, backslash included.
pub(crate) fn escape(text: &str) -> Result<(Escape, usize), EscapeFault> {
    let mut rest = text.chars().skip(1);
    let Some(first) = rest.next() else {
        let message = "escape sequence not terminated".to_owned();
        return Err(EscapeFault { message, length: 1 });
    };
    let simple = match first {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        '\\' | '"' => Some(first),
        _ => None,
    };
    if let Some(simple) = simple {
        return Ok((Escape::Character(simple), 2));
    }
    match first {
        '0'..='7' => coded(text, 1, 3, 8),
        'x' => coded(text, 2, 2, 16),
        'u' => coded(text, 2, 4, 16),
        'U' => coded(text, 2, 8, 16),
        _ => {
            let message = "unknown escape sequence".to_owned();
            Err(EscapeFault { message, length: 1 })
        }
    }
}

fn coded(
    text: &str,
    prefix: usize,
    digits: usize,
    base: u32,
) -> Result<(Escape, usize), EscapeFault> {
    let mut code = 0_u64;
    let mut length = prefix;
    for next in text.chars().skip(prefix).map(Some).chain(std::iter::repeat(None)).take(digits) {
        let Some(digit) = next.and_then(|next| next.to_digit(base)) else {
            let message = next.map_or_else(
                || "escape sequence not terminated".to_owned(),
                |next| format!("illegal character U+{:04X} in escape sequence", next as u32),
            );
            return Err(EscapeFault { message, length });
        };
        code = code * u64::from(base) + u64::from(digit);
        length += 1;
    }
    let invalid = || EscapeFault {
        message: "escape sequence is invalid Unicode code point".to_owned(),
        length,
    };
    let byte = digits < 4;
    let meaning = if byte {
        u8::try_from(code).map(Escape::Byte).map_err(|_| invalid())?
    } else {
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        Escape::Character(character.ok_or_else(invalid)?)
    };
    Ok((meaning, length))
}

/// The text that a string literal, quotes included, stands for.
///
/// Bytes written one by one that form no UTF-8 become replacement characters.
pub(crate) fn unquote(literal: &str) -> String {
    if let Some(raw) = literal.strip_prefix('`') {
        return raw.strip_suffix('`').unwrap_or(raw).replace('\r', "");
    }
    let Some(mut rest) = literal.get(1..literal.len().saturating_sub(1)) else {
        return String::new();
    };
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(next) = rest.chars().next() {
        let mut buffer = [0; 4];
        let length = match (next, escape(rest)) {
            ('\\', Ok((Escape::Byte(byte), length))) => {
                bytes.push(byte);
                length
            }
            ('\\', Ok((Escape::Character(character), length))) => {
                bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                length
            }
            _ => {
                bytes.extend_from_slice(next.encode_utf8(&mut buffer).as_bytes());
                next.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// A text as a string literal.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for next in text.chars() {
        match next {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() || control == '\u{feff}' => {
                // Writing to a String can not fail.
                if write!(out, "\\u{:04x}", control as u32).is_err() {
                    out.push(control);
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// The value of a whole number: a leading zero means octal, too large a one becomes a float.
pub(crate) fn whole(digits: &str) -> Number {
    let octal = digits.strip_prefix('0').filter(|rest| !rest.is_empty());
    let (digits_of, base) = octal.map_or((digits, 10), |rest| (rest, 8));
    i64::from_str_radix(digits_of, base)
        .map(Number::Int)
        .or_else(|_| u64::from_str_radix(digits_of, base).map(Number::Uint))
        .unwrap_or_else(|_| Number::Float(digits.parse().unwrap_or(f64::INFINITY)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_mean_what_they_mean_in_go() {
        assert_eq!(unquote(r#""a\tb\"\\\x41\101\u00e9\U0001F600""#), "a\tb\"\\AA\u{e9}\u{1f600}");
        assert_eq!(unquote(r#""\xc3\xa9""#), "\u{e9}");
        assert_eq!(unquote("`a\\n\r\nb`"), "a\\n\nb");
    }

    #[test]
    fn a_quoted_text_reads_back_equal() {
        for text in ["", "plain", "tab\t\"quote\" \\ \n \u{0} \u{7f} \u{85} \u{feff} \u{1f600}"] {
            assert_eq!(unquote(&quote(text)), text);
        }
    }

    #[test]
    fn whole_numbers_are_signed_unsigned_or_float_by_size() {
        assert_eq!(whole("010"), Number::Int(8));
        assert_eq!(whole("08"), Number::Int(8));
        assert!(matches!(whole("9223372036854775807"), Number::Int(i64::MAX)));
        assert!(matches!(whole("18446744073709551615"), Number::Uint(u64::MAX)));
        assert!(matches!(whole("184467440737095516159"), Number::Float(_)));
    }
}
