//! `ParseKeyValue`.

use crate::error::RunError;
use crate::functions::Call;
use crate::value::Value;

pub(super) fn parse(call: &Call<'_>) -> Result<Value, RunError> {
    let text = call.text(0);
    if text.is_empty() {
        return Err(RunError::invalid("there is no text with pairs"));
    }
    let delimiter = call.text_or(1, "=");
    let mut entries = Vec::new();
    for pair in split(text, call.text_or(2, " "))? {
        let (key, value) = pair
            .split_once(delimiter)
            .ok_or_else(|| RunError::invalid(format!("{pair:?} is no pair")))?;
        let value = Value::from(unquoted(value.trim()));
        Value::put(&mut entries, unquoted(key.trim()), value);
    }
    Ok(Value::Map(entries))
}

/// Splits at a delimiter outside of quotes; what is between two delimiters may not be empty.
fn split<'t>(text: &'t str, delimiter: &str) -> Result<Vec<&'t str>, RunError> {
    let mut parts = Vec::new();
    let mut quote = None;
    let (mut start, mut skip) = (0, 0);
    for (at, char) in text.char_indices() {
        if at < skip {
            continue;
        }
        match (quote, char) {
            (Some(open), char) if open == char => quote = None,
            (None, '"' | '\'') => quote = Some(char),
            (None, _) if text.get(at..).is_some_and(|rest| rest.starts_with(delimiter)) => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + delimiter.len();
                skip = start;
            }
            _ => {}
        }
    }
    if quote.is_some() {
        return Err(RunError::invalid("a quoted value has no end"));
    }
    parts.push(text.get(start..).unwrap_or_default());
    Ok(parts.into_iter().filter(|part| !part.is_empty()).collect())
}

fn unquoted(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}
