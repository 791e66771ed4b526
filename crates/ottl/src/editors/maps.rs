//! Editors of maps.

use std::collections::HashSet;

use crate::error::RunError;
use crate::functions::{Call, Edit, Literals, Prepared};
use crate::record::Record;
use crate::value::Value;

type Done = Result<(), RunError>;

/// Reads the target, lets a function change it and writes it if it did.
fn change(
    call: &Call<'_>,
    record: &mut Record<'_>,
    edit: impl FnOnce(&mut Vec<(String, Value)>) -> bool,
) -> Done {
    let mut entries = call.read_map(record)?;
    if edit(&mut entries) { call.write_target(record, Value::Map(entries)) } else { Ok(()) }
}

fn retain(call: &Call<'_>, record: &mut Record<'_>, is_kept: impl Fn(&str) -> bool) -> Done {
    if call.retain_attributes(record, &is_kept)? {
        return Ok(());
    }
    change(call, record, |entries| {
        let before = entries.len();
        entries.retain(|(key, _)| is_kept(key));
        entries.len() != before
    })
}

pub(super) fn delete_key(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let key = call.text(1);
    retain(call, record, |found| found != key)
}

pub(super) fn delete_key_in_place(
    edit: &Edit<'_>,
    record: &mut Record<'_>,
) -> Result<bool, RunError> {
    let Some((path, key)) = edit.target().zip(edit.literal_text(1)) else { return Ok(false) };
    record.step()?;
    let Some(mut list) = record.own_list(path) else { return Ok(false) };
    list.remove(key.as_bytes());
    Ok(true)
}

pub(super) fn delete_keys(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let keys: HashSet<&str> = call.texts(1).collect();
    retain(call, record, |found| !keys.contains(found))
}

pub(super) fn keep_keys(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let keys: HashSet<&str> = call.texts(1).collect();
    retain(call, record, |found| keys.contains(found))
}

pub(super) fn delete_matching_keys(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let regex = call.regex()?;
    retain(call, record, |key| !regex.is_match(key))
}

pub(super) fn keep_matching_keys(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let regex = call.regex()?;
    retain(call, record, |key| regex.is_match(key))
}

fn number(literals: &Literals<'_>, at: usize) -> Option<i64> {
    match literals.get(at) {
        Some(Some(Value::Int(number))) => Some(*number),
        _ => None,
    }
}

fn checked(is_right: bool, problem: &str) -> Result<Prepared, String> {
    if is_right { Ok(Prepared::Nothing) } else { Err(problem.to_owned()) }
}

pub(super) fn check_limit(literals: &Literals<'_>) -> Result<Prepared, String> {
    let limit = number(literals, 1).unwrap_or_default();
    let priority = match literals.get(2) {
        Some(Some(Value::List(keys))) => keys.len(),
        _ => 0,
    };
    checked(limit >= 0, "limit cannot be negative")?;
    let fits = usize::try_from(limit).is_ok_and(|limit| priority <= limit);
    checked(fits, "there are more priority keys than the limit")
}

pub(super) fn check_length(literals: &Literals<'_>) -> Result<Prepared, String> {
    checked(number(literals, 1).is_some_and(|limit| limit >= 0), "limit cannot be negative")
}

pub(super) fn check_depth(literals: &Literals<'_>) -> Result<Prepared, String> {
    checked(number(literals, 2).is_none_or(|depth| depth >= 0), "depth cannot be negative")
}

pub(super) fn check_strategy(literals: &Literals<'_>) -> Result<Prepared, String> {
    let strategy = match literals.get(2) {
        Some(Some(Value::String(strategy))) => strategy.as_str(),
        _ => "",
    };
    let is_known = matches!(strategy, "insert" | "update" | "upsert");
    checked(is_known, "strategy is insert, update or upsert")
}

pub(super) fn limit(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let limit = usize::try_from(call.int_or(1, 0)).unwrap_or_default();
    let priority: HashSet<&str> = call.texts(2).collect();
    change(call, record, |entries| {
        if entries.len() <= limit {
            return false;
        }
        let present = entries.iter().filter(|(key, _)| priority.contains(key.as_str())).count();
        let mut room = limit.saturating_sub(present);
        entries.retain(|(key, _)| {
            let is_kept = priority.contains(key.as_str()) || room > 0;
            room -= usize::from(is_kept && !priority.contains(key.as_str()));
            is_kept
        });
        true
    })
}

pub(super) fn truncate_all(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let limit = usize::try_from(call.int_or(1, 0)).unwrap_or_default();
    if !call.may_truncate(record, limit)? {
        return Ok(());
    }
    change(call, record, |entries| {
        let mut is_changed = false;
        for (_, value) in entries {
            let Value::String(text) = value else { continue };
            if text.len() > limit {
                text.truncate(text.floor_char_boundary(limit));
                is_changed = true;
            }
        }
        is_changed
    })
}

pub(super) fn truncate_all_in_place(
    edit: &Edit<'_>,
    record: &mut Record<'_>,
) -> Result<bool, RunError> {
    let limit = usize::try_from(edit.literal_int(1).unwrap_or_default()).unwrap_or_default();
    let Some(path) = edit.target() else { return Ok(false) };
    record.step()?;
    let Some(mut list) = record.own_list(path) else { return Ok(false) };
    list.truncate(limit);
    Ok(true)
}

pub(super) fn merge_maps(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let strategy = call.text(2);
    change(call, record, |entries| {
        for (key, value) in call.map(1) {
            let is_present = Value::entry(entries, key).is_some();
            let is_wanted = match strategy {
                "insert" => !is_present,
                "update" => is_present,
                _ => true,
            };
            if is_wanted {
                Value::put(entries, key, value.clone());
            }
        }
        true
    })
}

pub(super) fn flatten(call: &Call<'_>, record: &mut Record<'_>) -> Done {
    let depth = u64::try_from(call.int_or(2, i64::MAX)).unwrap_or(u64::MAX);
    if depth == 0 {
        return Ok(());
    }
    let mut flat = Flat { entries: Vec::new(), depth, is_careful: call.bool_or(3, false) };
    let prefix = call.text(1);
    change(call, record, |entries| {
        flat.map(std::mem::take(entries), prefix, 0);
        *entries = flat.entries;
        true
    })
}

/// A map without nested ones.
struct Flat {
    entries: Vec<(String, Value)>,
    depth: u64,
    /// Whether a key that is there gets a number instead of a new value.
    is_careful: bool,
}

impl Flat {
    fn map(&mut self, entries: Vec<(String, Value)>, prefix: &str, level: u64) {
        for (key, value) in entries {
            let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            self.value(&key, value, level);
        }
    }

    fn value(&mut self, key: &str, value: Value, level: u64) {
        match value {
            Value::Map(inner) if level < self.depth => self.map(inner, key, level + 1),
            Value::List(items) if level < self.depth => {
                for (at, item) in items.into_iter().enumerate() {
                    self.value(&format!("{key}.{at}"), item, level + 1);
                }
            }
            value => self.put(key, value),
        }
    }

    fn put(&mut self, key: &str, value: Value) {
        if !self.is_careful || Value::entry(&self.entries, key).is_none() {
            return Value::put(&mut self.entries, key, value);
        }
        for number in 0..=self.entries.len() {
            let key = format!("{key}.{number}");
            if Value::entry(&self.entries, &key).is_none() {
                self.entries.push((key, value));
                return;
            }
        }
    }
}
