//! Converters of maps.

use super::{Call, Function, Kind, may, need};
use crate::error::RunError;
use crate::functions::{Literals, Prepared};
use crate::json;
use crate::pattern;
use crate::text;
use crate::value::Value;

pub(super) const LIST: &[Function] = &[
    Function::converter("Keys", &[need("target", Kind::Map)], keys),
    Function::converter("Values", &[need("target", Kind::Map)], values),
    Function::converter(
        "SliceToMap",
        &[need("target", Kind::List), may("key_path", Kind::Words), may("value_path", Kind::Words)],
        slice_to_map,
    ),
    Function::converter(
        "ToKeyValueString",
        &[
            need("target", Kind::Map),
            may("delimiter", Kind::Word),
            may("pair_delimiter", Kind::Word),
            may("sort_output", Kind::Flag),
        ],
        to_key_value_string,
    )
    .preparing(check_delimiters),
];

type Made = Result<Value, RunError>;

fn keys(call: &Call<'_>) -> Made {
    Ok(Value::List(call.map(0).iter().map(|(key, _)| Value::from(key.as_str())).collect()))
}

fn values(call: &Call<'_>) -> Made {
    Ok(Value::List(call.map(0).iter().map(|(_, value)| value.clone()).collect()))
}

fn slice_to_map(call: &Call<'_>) -> Made {
    let mut entries = Vec::new();
    for (at, item) in call.list(0).iter().enumerate() {
        let key = if call.is_given(1) {
            match walk(item, call.texts(1))? {
                Value::String(key) => key.clone(),
                other => return Err(other.mismatch("a string as the key")),
            }
        } else {
            at.to_string()
        };
        let value = if call.is_given(2) { walk(item, call.texts(2))? } else { item };
        Value::put(&mut entries, &key, value.clone());
    }
    Ok(Value::Map(entries))
}

fn walk(item: &Value, path: impl Iterator<Item = impl AsRef<str>>) -> Result<&Value, RunError> {
    let mut value = item;
    for key in path {
        let Value::Map(entries) = value else { return Err(value.mismatch("a map")) };
        let key = key.as_ref();
        value = Value::entry(entries, key)
            .ok_or_else(|| RunError::invalid(format!("an item has no key {key:?}")))?;
    }
    Ok(value)
}

/// The two delimiters of pairs must differ and not be empty.
pub(super) fn check_delimiters(literals: &Literals<'_>) -> Result<Prepared, String> {
    let given = |at: usize, default| match literals.get(at) {
        Some(Some(_)) => pattern::literal(literals, at),
        _ => default,
    };
    let (delimiter, pair) = (given(1, "="), given(2, " "));
    if delimiter.is_empty() || pair.is_empty() {
        return Err("a delimiter cannot be empty".to_owned());
    }
    if delimiter == pair {
        return Err("the two delimiters are the same".to_owned());
    }
    Ok(Prepared::Nothing)
}

fn to_key_value_string(call: &Call<'_>) -> Made {
    let (delimiter, pair) = (call.text_or(1, "="), call.text_or(2, " "));
    let mut entries: Vec<_> = call.map(0).iter().collect();
    if call.bool_or(3, false) {
        entries.sort_by(|left, right| left.0.cmp(&right.0));
    }
    let quoted = |text: &str| {
        if text.contains(delimiter) || text.contains(pair) {
            format!("\"{}\"", text.replace('"', "\\\""))
        } else {
            text.replace('"', "\\\"")
        }
    };
    let pairs = entries.into_iter().map(|(key, value)| {
        let value = match value {
            Value::List(_) | Value::Map(_) => json::write(value),
            other => text::plain(other),
        };
        format!("{}{delimiter}{}", quoted(key), quoted(&value))
    });
    Ok(Value::String(pairs.collect::<Vec<_>>().join(pair)))
}
