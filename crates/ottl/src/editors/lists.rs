//! Editors of lists.

use crate::error::RunError;
use crate::functions::Call;
use crate::record::Record;
use crate::value::Value;

pub(super) fn append(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    if !call.is_given(1) && !call.is_given(2) {
        return Err(RunError::invalid("append needs value or values"));
    }
    let mut list = match call.read_target(record)? {
        Value::Nil => Vec::new(),
        Value::List(values) => values,
        scalar @ (Value::Map(_) | Value::Messages(_)) => return Err(scalar.mismatch("a list")),
        scalar => vec![scalar],
    };
    match call.value(1) {
        Value::List(values) => list.extend(values.iter().cloned()),
        Value::Nil => {}
        value => list.push(value.clone()),
    }
    list.extend(call.list(2).iter().cloned());
    call.write_target(record, Value::List(list))
}

pub(super) fn delete_index(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let Value::List(mut list) = call.read_target(record)? else {
        return Err(RunError::invalid("the target is no list"));
    };
    let start = call.int_or(1, 0);
    let end = call.int_or(2, start.saturating_add(1));
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let range = range.filter(|(start, end)| start < end && *end <= list.len());
    let Some((start, end)) = range else {
        let message = format!("{start} to {end} is no part of a list of {}", list.len());
        return Err(RunError::invalid(message));
    };
    list.drain(start..end);
    call.write_target(record, Value::List(list))
}
