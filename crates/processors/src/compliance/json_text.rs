//! JSON inside a text: its strings and numbers changed in place, every other byte as it was.

use std::ops::Range;

use bessemer_record::edit::Change;
use serde::de::IgnoredAny;

/// Asks `see` about keys (with an empty key) and values (with their key).
///
/// Nothing if the text is no JSON object or list; otherwise the changed text, if it changed.
pub(super) fn rewrite(text: &str, see: &mut dyn FnMut(&str, &str) -> Change) -> Option<Change> {
    let is_structure = text.trim_start().starts_with(['{', '[']);
    if !is_structure || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return None;
    }
    let mut out = String::new();
    let mut copied = 0;
    let mut key = String::new();
    let mut at = 0;
    while let Some(token) = next_token(text.as_bytes(), at) {
        at = token.end;
        let raw = text.get(token.clone()).unwrap_or_default();
        let value: std::borrow::Cow<'_, str> = if raw.starts_with('"') {
            serde_json::from_str::<String>(raw).unwrap_or_default().into()
        } else {
            raw.into()
        };
        let is_key = raw.starts_with('"') && is_followed_by_colon(text.as_bytes(), at);
        let change = see(if is_key { "" } else { &key }, &value);
        if is_key {
            key = value.into_owned();
        }
        let new = match change {
            Change::Keep => continue,
            Change::Text(new) => serde_json::Value::String(new).to_string(),
            // A key must stay a string and a list its length.
            Change::Remove if is_key => "\"\"".to_owned(),
            Change::Remove => "null".to_owned(),
        };
        out.push_str(text.get(copied..token.start).unwrap_or_default());
        out.push_str(&new);
        copied = token.end;
    }
    if copied == 0 {
        return Some(Change::Keep);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(Change::Text(out))
}

/// The next string, with its quotes, or number of a valid JSON text.
fn next_token(text: &[u8], from: usize) -> Option<Range<usize>> {
    let is_start = |byte: &u8| matches!(byte, b'"' | b'-' | b'0'..=b'9');
    let start = from + text.get(from..)?.iter().position(is_start)?;
    let rest = text.get(start..)?;
    if rest.first() == Some(&b'"') {
        let mut is_escaped = false;
        let end = rest.iter().skip(1).position(|byte| {
            let closes = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            closes
        })?;
        return Some(start..start + end + 2);
    }
    let is_part = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    let len = rest.iter().take_while(|byte| is_part(byte)).count();
    Some(start..start + len)
}

fn is_followed_by_colon(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}
