//! From text to tokens with positions.

use crate::error::CompileError;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A name that starts with a lowercase letter, keywords included.
    Lower(String),
    /// A name that starts with an uppercase letter.
    Upper(String),
    /// Digits.
    Int(String),
    /// Digits with a point.
    Float(f64),
    /// A string without its quotes and escapes.
    Text(String),
    /// `0x` and digits.
    Bytes(Vec<u8>),
    /// An operator or a punctuation mark.
    Mark(&'static str),
    /// The end of the text.
    End,
}

/// A token and where it starts.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
}

/// Longer marks first.
const MARKS: [&str; 20] = [
    "==", "!=", "<=", ">=", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ".", ":", "+", "-",
    "*", "/",
];

/// Splits a text; the last token is [`Kind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, CompileError> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let rest = source.get(at..).unwrap_or_default();
        let start = at + (rest.len() - rest.trim_start().len());
        let rest = source.get(start..).unwrap_or_default();
        if rest.is_empty() {
            found.push(Token { kind: Kind::End, start });
            return Ok(found);
        }
        let (kind, len) = token(rest, start)?;
        at = start + len;
        found.push(Token { kind, start });
    }
}

fn token(rest: &str, start: usize) -> Result<(Kind, usize), CompileError> {
    let bytes = rest.as_bytes();
    let first = bytes.first().copied().unwrap_or_default();
    if first == b'"' {
        return text(rest, start);
    }
    if first.is_ascii_alphabetic() {
        let len = span(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let name = rest.get(..len).unwrap_or_default().to_owned();
        let is_lower = first.is_ascii_lowercase();
        return Ok((if is_lower { Kind::Lower(name) } else { Kind::Upper(name) }, len));
    }
    if rest.starts_with("0x") {
        return hexadecimal(rest, start);
    }
    let second = bytes.get(1).copied().unwrap_or_default();
    if first.is_ascii_digit() || (first == b'.' && second.is_ascii_digit()) {
        return number(rest, start);
    }
    let mark = MARKS.iter().find(|mark| rest.starts_with(**mark));
    let Some(mark) = mark else {
        let found = rest.chars().next().unwrap_or_default();
        return Err(CompileError::new(start, format!("unexpected {found:?}")));
    };
    Ok((Kind::Mark(mark), mark.len()))
}

fn span(rest: &str, is_part: impl Fn(u8) -> bool) -> usize {
    rest.bytes().take_while(|byte| is_part(*byte)).count()
}

fn digits(rest: &str, from: usize) -> usize {
    span(rest.get(from..).unwrap_or_default(), |byte| byte.is_ascii_digit())
}

fn number(rest: &str, start: usize) -> Result<(Kind, usize), CompileError> {
    let whole = digits(rest, 0);
    let is_point = rest.get(whole..).is_some_and(|rest| rest.starts_with('.'));
    let fraction = if is_point { digits(rest, whole + 1) } else { 0 };
    if fraction == 0 {
        return Ok((Kind::Int(rest.get(..whole).unwrap_or_default().to_owned()), whole));
    }
    let mut len = whole + 1 + fraction;
    let exponent = rest.get(len..).unwrap_or_default();
    if exponent.starts_with(['e', 'E']) {
        let sign = usize::from(exponent.get(1..).is_some_and(|rest| rest.starts_with(['+', '-'])));
        let more = digits(exponent, 1 + sign);
        len += if more > 0 { 1 + sign + more } else { 0 };
    }
    let text = rest.get(..len).unwrap_or_default();
    let value = text.parse().map_err(|_| CompileError::new(start, "not a number"))?;
    Ok((Kind::Float(value), len))
}

fn hexadecimal(rest: &str, start: usize) -> Result<(Kind, usize), CompileError> {
    let len = span(rest.get(2..).unwrap_or_default(), |byte| byte.is_ascii_hexdigit());
    let digits = rest.get(2..2 + len).unwrap_or_default();
    if len == 0 || len % 2 != 0 {
        return Err(CompileError::new(start, "bytes need an even number of hexadecimal digits"));
    }
    let bytes = digits.as_bytes().chunks(2).filter_map(|pair| {
        u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16).ok()
    });
    Ok((Kind::Bytes(bytes.collect()), len + 2))
}

fn text(rest: &str, start: usize) -> Result<(Kind, usize), CompileError> {
    let mut out = Vec::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => {
                let text = String::from_utf8(out);
                let text = text.map_err(|_| CompileError::new(start, "the string is not UTF-8"))?;
                return Ok((Kind::Text(text), at + 1));
            }
            '\\' => escape(&mut chars, start + at, &mut out)?,
            '\n' => return Err(CompileError::new(start + at, "a line ends in a string")),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err(CompileError::new(start, "the string has no end"))
}

fn escape(
    chars: &mut impl Iterator<Item = (usize, char)>,
    at: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompileError> {
    let escaped = chars.next().map(|(_, char)| char).unwrap_or_default();
    let simple = match escaped {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        '"' => Some(b'"'),
        _ => None,
    };
    if let Some(byte) = simple {
        out.push(byte);
        return Ok(());
    }
    let bad = || CompileError::new(at, "unknown escape in a string; write \\\\ for a backslash");
    let (len, radix, head) = match escaped {
        'x' => (2, 16, 0),
        'u' => (4, 16, 0),
        'U' => (8, 16, 0),
        '0'..='7' => (2, 8, escaped.to_digit(8).unwrap_or_default()),
        _ => return Err(bad()),
    };
    let mut code = head;
    for _ in 0..len {
        let digit = chars.next().and_then(|(_, char)| char.to_digit(radix)).ok_or_else(bad)?;
        code = code.checked_mul(radix).and_then(|code| code.checked_add(digit)).ok_or_else(bad)?;
    }
    if matches!(escaped, 'u' | 'U') {
        let char = char::from_u32(code).ok_or_else(bad)?;
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.push(u8::try_from(code).map_err(|_| bad())?);
    }
    Ok(())
}
