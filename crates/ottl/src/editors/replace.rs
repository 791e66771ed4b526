//! Editors that replace text by glob or regular expression.

use std::borrow::Cow;

use regex::{Captures, NoExpand};

use crate::error::RunError;
use crate::functions::{Call, Edit, Literals, Prepared, Rooms};
use crate::pattern::{self, Pattern};
use crate::record::Record;
use crate::seen::Seen;
use crate::value::Value;

type Done = Result<(), RunError>;

pub(super) fn prepared_glob(literals: &Literals<'_>, at: usize) -> Result<Prepared, String> {
    let glob = pattern::glob(pattern::literal(literals, at))?;
    Ok(Prepared::Regex(Pattern::plain(glob)))
}

pub(super) fn prepared_mode(literals: &Literals<'_>) -> Result<Prepared, String> {
    if !matches!(pattern::literal(literals, 1), "key" | "value") {
        return Err("mode is key or value".to_owned());
    }
    pattern::prepared(literals, 2)
}

/// Converts a replacement with the function that an argument names, in the format behind it.
fn converted(
    call: &Call<'_>,
    record: &Record<'_>,
    function: usize,
    replacement: &str,
) -> Result<String, RunError> {
    if !call.has_function(function) {
        return Ok(replacement.to_owned());
    }
    let text = call.apply(record, function, replacement)?;
    if !call.is_given(function + 1) {
        return Ok(text);
    }
    let format = call.text(function + 1);
    match format.split_once("%s") {
        Some((head, tail)) if !tail.contains("%s") => Ok(format!("{head}{text}{tail}")),
        _ => Err(RunError::invalid("replacement_format needs one %s")),
    }
}

pub(super) fn replace_match(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let Value::String(text) = call.read_target(record)? else { return Ok(()) };
    if !call.regex()?.is_match(&text) {
        return Ok(());
    }
    let replacement = converted(call, record, 3, call.text(2))?;
    call.write_target(record, Value::String(replacement))
}

pub(super) fn replace_all_matches(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let mut entries = call.read_map(record)?;
    let regex = call.regex()?;
    let mut is_changed = false;
    for (_, value) in &mut entries {
        if matches!(value, Value::String(text) if regex.is_match(text)) {
            *value = Value::String(converted(call, record, 3, call.text(2))?);
            is_changed = true;
        }
    }
    if is_changed { call.write_target(record, Value::Map(entries)) } else { Ok(()) }
}

/// Replaces what matches; none if nothing does.
fn replaced(
    call: &Call<'_>,
    record: &Record<'_>,
    text: &str,
    replacement: usize,
) -> Result<Option<String>, RunError> {
    let regex = call.regex()?;
    if !call.has_function(replacement + 1) && !call.text(replacement).contains('$') {
        return Ok(match regex.replace_all(text, NoExpand(call.text(replacement))) {
            Cow::Borrowed(_) => None,
            Cow::Owned(new) => Some(new),
        });
    }
    if !regex.is_match(text) {
        return Ok(None);
    }
    let mut failure = None;
    let new = regex.replace_all(text, |captures: &Captures<'_>| {
        let mut expanded = String::new();
        captures.expand(call.text(replacement), &mut expanded);
        converted(call, record, replacement + 1, &expanded).unwrap_or_else(|error| {
            failure = Some(error);
            String::new()
        })
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(Some(new.into_owned())),
    }
}

/// Replaces text in the record without a copy of it, where what stands for a match is literal.
pub(super) fn replace_pattern_in_place(
    edit: &Edit<'_>,
    record: &mut Record<'_>,
) -> Result<bool, RunError> {
    let is_literal = edit.is_absent(3) && edit.is_absent(4);
    let replacement = edit.literal_text(2).filter(|text| is_literal && !text.contains('$'));
    let (Some(path), Some(new)) = (edit.target(), replacement) else { return Ok(false) };
    let Some(key) = record.own_key(path) else { return Ok(false) };
    Rooms::with(|rooms| {
        let (pattern, mut unused) = (edit.pattern()?, Vec::new());
        let Seen::Text(text) = record.see(path, edit.environment(), &mut unused)? else {
            return Ok(true);
        };
        if pattern.replace_all(text, new, &mut rooms.made) {
            rooms.encoded.clear();
            let size = Seen::Text(&rooms.made).encode(&mut rooms.encoded);
            record.fits(size.unwrap_or_default())?;
            record.set_own(key, &rooms.encoded);
        }
        Ok(true)
    })
}

pub(super) fn replace_pattern(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let Value::String(text) = call.read_target(record)? else { return Ok(()) };
    match replaced(call, record, &text, 2)? {
        Some(new) => call.write_target(record, Value::String(new)),
        None => Ok(()),
    }
}

pub(super) fn replace_all_patterns(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let entries = call.read_map(record)?;
    let is_key = call.text(1) == "key";
    let mut is_changed = false;
    let mut after = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let text = match &value {
            _ if is_key => key.as_str(),
            Value::String(text) => text.as_str(),
            _ => {
                Value::put(&mut after, &key, value);
                continue;
            }
        };
        let new = replaced(call, record, text, 3)?;
        is_changed |= new.is_some();
        match new {
            Some(new) if is_key => Value::put(&mut after, &new, value),
            Some(new) => Value::put(&mut after, &key, Value::String(new)),
            None => Value::put(&mut after, &key, value),
        }
    }
    if is_changed { call.write_target(record, Value::Map(after)) } else { Ok(()) }
}
