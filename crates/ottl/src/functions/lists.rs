//! Converters of lists.

use std::cmp::Ordering;

use super::{Call, Function, Kind, may, need};
use crate::compare::{Comparison, compare};
use crate::error::RunError;
use crate::functions::{Literals, Prepared};
use crate::pattern;
use crate::text;
use crate::value::Value;

pub(super) const LIST: &[Function] = &[
    Function::converter("Coalesce", &[need("values", Kind::List)], coalesce),
    Function::converter(
        "ContainsValue",
        &[need("target", Kind::List), need("item", Kind::Any)],
        contains_value,
    ),
    Function::converter("Index", &[need("target", Kind::Any), need("value", Kind::Any)], index),
    Function::converter("Len", &[need("target", Kind::Any)], len),
    Function::converter("Sort", &[need("target", Kind::Any), may("order", Kind::Word)], sort)
        .preparing(check_order),
];

type Made = Result<Value, RunError>;

fn coalesce(call: &Call<'_>) -> Made {
    Ok(call.list(0).iter().find(|value| !value.is_nil()).cloned().unwrap_or_default())
}

fn position(values: &[Value], wanted: &Value) -> Option<usize> {
    values.iter().position(|value| compare(value, Comparison::Equal, wanted))
}

fn contains_value(call: &Call<'_>) -> Made {
    Ok(Value::Bool(position(call.list(0), call.value(1)).is_some()))
}

fn index(call: &Call<'_>) -> Made {
    let found = match (call.value(0), call.value(1)) {
        (Value::String(text), Value::String(part)) => text.find(part.as_str()),
        (Value::List(values), wanted) => position(values, wanted),
        (other, _) => return Err(other.mismatch("a string or a list")),
    };
    Ok(Value::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

fn len(call: &Call<'_>) -> Made {
    let len = match call.value(0) {
        Value::String(text) => text.len(),
        Value::List(values) => values.len(),
        Value::Map(entries) => entries.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Messages(messages) => messages.len(),
        other => return Err(other.mismatch("a string, a list or a map")),
    };
    Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX)))
}

fn check_order(literals: &Literals<'_>) -> Result<Prepared, String> {
    match pattern::literal(literals, 1) {
        "" | "asc" | "desc" => Ok(Prepared::Nothing),
        _ => Err("order is asc or desc".to_owned()),
    }
}

fn sort(call: &Call<'_>) -> Made {
    let Value::List(values) = call.value(0) else {
        return Err(call.value(0).mismatch("a list"));
    };
    let mut sorted = values.clone();
    let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_));
    let is_plain = |value: &Value| matches!(value, Value::String(_) | Value::Bool(_));
    if let Some(other) = values.iter().find(|value| !is_number(value) && !is_plain(value)) {
        return Err(other.mismatch("a list of numbers, strings and bools"));
    }
    if values.iter().all(is_number) {
        sorted.sort_by(|left, right| {
            if compare(left, Comparison::Less, right) {
                Ordering::Less
            } else if compare(left, Comparison::Greater, right) {
                Ordering::Greater
            } else {
                Ordering::Equal
            }
        });
    } else {
        sorted.sort_by_cached_key(text::plain);
    }
    if call.text(1) == "desc" {
        sorted.reverse();
    }
    Ok(Value::List(sorted))
}
