//! Indexes into maps and lists, to read and to write.

use std::borrow::Cow;

use crate::error::RunError;
use crate::value::Value;

/// Elements that setting an index beyond the end of a list may add.
const GROWTH_MAX: usize = 1000;

/// Reads what indexes lead to; an absent key of a map is nothing.
pub(crate) fn index<'v>(
    mut value: &'v Value,
    keys: &[Cow<'_, Value>],
) -> Result<Option<&'v Value>, RunError> {
    for key in keys {
        match step(value, key)? {
            Some(inner) => value = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// Reads what indexes lead to, as a value of its own.
pub(crate) fn index_value(value: Value, keys: &[Cow<'_, Value>]) -> Result<Value, RunError> {
    if keys.is_empty() {
        return Ok(value);
    }
    Ok(index(&value, keys)?.cloned().unwrap_or_default())
}

fn step<'v>(value: &'v Value, key: &Value) -> Result<Option<&'v Value>, RunError> {
    match (value, key) {
        (Value::Map(entries), Value::String(key)) => Ok(Value::entry(entries, key)),
        (Value::List(values), Value::Int(at)) => {
            let found = usize::try_from(*at).ok().and_then(|at| values.get(at));
            found.map(Some).ok_or_else(|| out_of_bounds(*at, values.len()))
        }
        _ => Err(refused(value, key)),
    }
}

fn out_of_bounds(at: i64, len: usize) -> RunError {
    RunError::invalid(format!("index {at} is out of bounds of a list of {len}"))
}

fn refused(value: &Value, key: &Value) -> RunError {
    let message = format!("{} cannot be indexed by {}", value.type_name(), key.type_name());
    RunError::invalid(message)
}

/// Sets what indexes lead to; maps and lists are made where there is nothing.
pub(super) fn set_index(
    slot: &mut Value,
    keys: &[Cow<'_, Value>],
    new: Value,
) -> Result<(), RunError> {
    let Some((key, rest)) = keys.split_first() else {
        *slot = new;
        return Ok(());
    };
    match key.as_ref() {
        Value::String(key) => {
            if !matches!(slot, Value::Map(_) | Value::Nil) {
                return Err(refused(slot, &Value::from(key.as_str())));
            }
            set_entry(slot, key, rest, new)
        }
        Value::Int(at) => set_index(element(slot, *at)?, rest, new),
        other => Err(refused(slot, other)),
    }
}

fn set_entry(
    slot: &mut Value,
    key: &str,
    rest: &[Cow<'_, Value>],
    new: Value,
) -> Result<(), RunError> {
    if !matches!(slot, Value::Map(_)) {
        *slot = Value::Map(Vec::new());
    }
    let Value::Map(entries) = slot else { return Ok(()) };
    if let Some((_, value)) = entries.iter_mut().find(|(found, _)| found == key) {
        return set_index(value, rest, new);
    }
    let mut value = Value::Nil;
    set_index(&mut value, rest, new)?;
    entries.push((key.to_owned(), value));
    Ok(())
}

fn element(slot: &mut Value, at: i64) -> Result<&mut Value, RunError> {
    if !matches!(slot, Value::List(_) | Value::Nil) {
        return Err(refused(slot, &Value::Int(at)));
    }
    let is_new = slot.is_nil();
    if is_new {
        *slot = Value::List(Vec::new());
    }
    let Value::List(values) = slot else { return Err(out_of_bounds(at, 0)) };
    let len = values.len();
    let index = usize::try_from(at).map_err(|_| out_of_bounds(at, len))?;
    if is_new && index < GROWTH_MAX {
        values.resize_with(index + 1, Value::default);
    }
    values.get_mut(index).ok_or_else(|| out_of_bounds(at, len))
}
