//! Bodies of log records: keys at every depth of a map are judged like those of attributes.

use bessemer_record::Value;
use bessemer_record::value::{AnyValue, encode_any_value};

use super::Report;
use super::rules::{Fate, Rules};
use crate::attributes::text::text_of;

/// The body with everything redacted; none if it stays as it is.
pub(super) fn redacted(rules: &Rules, body: AnyValue<'_>, report: &mut Report) -> Option<Value> {
    if let AnyValue::Map(_) | AnyValue::Array(_) = body {
        let mut value = body.to_value();
        let is_changed = nested(rules, &mut value, "", report);
        return is_changed.then_some(value);
    }
    let text = text_of(body);
    if rules.is_allowed(&text) {
        return None;
    }
    let masked = rules.masked(Fate::Looked, &text)?;
    report.masked.push("body".to_owned());
    Some(Value::String(masked))
}

/// Redacts a value inside a body; `path` is what leads to it. Returns whether it changed.
fn nested(rules: &Rules, value: &mut Value, path: &str, report: &mut Report) -> bool {
    match value {
        Value::Map(entries) => map(rules, entries, path, report),
        Value::Array(values) => {
            let mut is_changed = false;
            for (index, value) in values.iter_mut().enumerate() {
                is_changed |= nested(rules, value, &joined(path, &format!("[{index}]")), report);
            }
            is_changed
        }
        Value::Null => false,
        Value::Bool(_) | Value::Int(_) | Value::Double(_) | Value::String(_) | Value::Bytes(_) => {
            leaf(rules, Fate::Looked, value, path, report)
        }
    }
}

fn map(rules: &Rules, entries: &mut Vec<(String, Value)>, path: &str, report: &mut Report) -> bool {
    let before = entries.len();
    let mut is_changed = false;
    entries.retain_mut(|(key, value)| {
        let path = joined(path, key);
        match rules.fate(key) {
            Fate::Ignored => report.ignored.push(path),
            Fate::Redacted => {
                report.redacted.push(path);
                return false;
            }
            Fate::Masked => is_changed |= leaf(rules, Fate::Masked, value, &path, report),
            Fate::Looked => is_changed |= nested(rules, value, &path, report),
        }
        true
    });
    is_changed || entries.len() < before
}

fn leaf(rules: &Rules, fate: Fate, value: &mut Value, path: &str, report: &mut Report) -> bool {
    let mut bytes = Vec::new();
    encode_any_value(value, &mut bytes);
    let text = text_of(AnyValue::new(&bytes));
    if fate == Fate::Looked && rules.is_allowed(&text) {
        report.allowed.push(path.to_owned());
        return false;
    }
    let Some(masked) = rules.masked(fate, &text) else { return false };
    report.masked.push(path.to_owned());
    *value = Value::String(masked);
    true
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
