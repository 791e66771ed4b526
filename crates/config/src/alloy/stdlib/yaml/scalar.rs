//! Keys and plain scalars.

use serde_json::{Number, Value as Json};

use super::Line;

/// The key of a line and what follows its colon, if it is one of a mapping.
pub(super) fn split_key(line: Line<'_>) -> Result<Option<(String, &str)>, String> {
    let text = line.text;
    if text.starts_with("? ") {
        return Err(line.fail("complex keys are not supported"));
    }
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    if let Some(quote) = quote {
        let Some((key, length)) = quoted(text, quote) else {
            return Ok(None);
        };
        let rest = text.get(length..).unwrap_or_default().trim_start();
        let value = rest.strip_prefix(':').filter(|rest| rest.is_empty() || rest.starts_with(' '));
        return Ok(value.map(|value| (key, value.trim())));
    }
    if text.starts_with(['[', '{', '#', '|', '>']) {
        return Ok(None);
    }
    let text = without_comment(text);
    let end = text.find(": ").or_else(|| text.ends_with(':').then(|| text.len() - 1));
    let Some(end) = end else { return Ok(None) };
    let key = text.get(..end).unwrap_or_default().trim();
    let value = line.text.get(end + 1..).unwrap_or_default().trim();
    Ok(Some((key.to_owned(), value)))
}

/// A text up to the comment behind it.
pub(super) fn without_comment(text: &str) -> &str {
    let comment = if text.starts_with('#') { Some(0) } else { text.find(" #") };
    text.get(..comment.unwrap_or(text.len())).unwrap_or(text).trim_end()
}

/// A quoted text at the start: what it means, and its length with the quotes.
pub(super) fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, next)) = characters.next() {
        match next {
            '\\' if quote == '"' => out.push(escape(&mut characters)?),
            _ if next == quote => {
                if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') {
                    characters.next();
                    out.push('\'');
                } else {
                    return Some((out, at + 1));
                }
            }
            _ => out.push(next),
        }
    }
    None
}

fn escape(characters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let (_, next) = characters.next()?;
    let digits = match next {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        '0' => return Some('\0'),
        'e' => return Some('\u{1b}'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        other => return Some(other),
    };
    let code: String = characters.take(digits).map(|(_, digit)| digit).collect();
    u32::from_str_radix(&code, 16).ok().and_then(char::from_u32)
}

/// A plain scalar with the type that its text has.
pub(super) fn plain(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return Json::Bool(true),
        "false" | "False" | "FALSE" => return Json::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Json::String(text.to_owned()), Json::Number)
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1
        || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    let digits = unsigned.replace('_', "");
    let based = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(prefix, base)| {
        digits.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, base).ok())
    });
    let is_negative = text.starts_with('-');
    let signed = |number: i64| if is_negative { -number } else { number };
    if let Some(number) = based.or_else(|| digits.parse::<i64>().ok()) {
        return Some(Number::from(signed(number)));
    }
    let is_float = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let float: f64 = digits.parse().ok().filter(|_| is_float)?;
    Number::from_f64(if is_negative { -float } else { float })
}
