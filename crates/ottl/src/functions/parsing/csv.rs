//! `ParseCSV`: one row with its header.

use crate::error::RunError;
use crate::functions::{Call, Literals, Prepared};
use crate::pattern::literal;
use crate::value::Value;

pub(super) fn check(literals: &Literals<'_>) -> Result<Prepared, String> {
    for at in [2, 3] {
        let is_given = matches!(literals.get(at), Some(Some(_)));
        if is_given && literal(literals, at).chars().count() != 1 {
            return Err("a delimiter is one character".to_owned());
        }
    }
    match literal(literals, 4) {
        "" | "strict" | "lazyQuotes" | "ignoreQuotes" => Ok(Prepared::Nothing),
        _ => Err("mode is strict, lazyQuotes or ignoreQuotes".to_owned()),
    }
}

pub(super) fn parse(call: &Call<'_>) -> Result<Value, RunError> {
    let first = |text: &str| text.chars().next().unwrap_or(',');
    let delimiter = first(call.text_or(2, ","));
    let header_delimiter = if call.is_given(3) { first(call.text(3)) } else { delimiter };
    if call.text(1).is_empty() {
        return Err(RunError::invalid("the header is empty"));
    }
    let headers: Vec<&str> = call.text(1).split(header_delimiter).collect();
    let row = call.text(0).trim_matches(['\n', '\r']);
    let fields = match call.text_or(4, "strict") {
        "ignoreQuotes" => row.split(delimiter).map(str::to_owned).collect(),
        mode => fields(row, delimiter, mode == "lazyQuotes")?,
    };
    if fields.len() != headers.len() {
        let message = format!("the row has {} fields, the header {}", fields.len(), headers.len());
        return Err(RunError::invalid(message));
    }
    let mut entries = Vec::with_capacity(fields.len());
    for (header, field) in headers.into_iter().zip(fields) {
        Value::put(&mut entries, header, Value::String(field));
    }
    Ok(Value::Map(entries))
}

fn fields(row: &str, delimiter: char, is_lazy: bool) -> Result<Vec<String>, RunError> {
    let wrong = |what: &str| RunError::invalid(format!("the row is wrong: {what}"));
    let mut fields = Vec::new();
    let mut chars = row.chars().peekable();
    loop {
        let mut field = String::new();
        if chars.next_if_eq(&'"').is_none() {
            while let Some(char) = chars.next_if(|char| *char != delimiter) {
                if char == '"' && !is_lazy {
                    return Err(wrong("a quote stands in a field without quotes"));
                }
                field.push(char);
            }
        } else {
            quoted(&mut chars, delimiter, is_lazy, &mut field).map_err(wrong)?;
        }
        fields.push(field);
        if chars.next().is_none() {
            return Ok(fields);
        }
    }
}

fn quoted(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    delimiter: char,
    is_lazy: bool,
    field: &mut String,
) -> Result<(), &'static str> {
    loop {
        match chars.next() {
            None if is_lazy => return Ok(()),
            None => return Err("a quoted field has no end"),
            Some('"') => {
                if chars.next_if_eq(&'"').is_some() {
                    field.push('"');
                } else if chars.peek().is_none_or(|next| *next == delimiter) {
                    return Ok(());
                } else if is_lazy {
                    field.push('"');
                } else {
                    return Err("something follows a quoted field");
                }
            }
            Some(char) => field.push(char),
        }
    }
}
