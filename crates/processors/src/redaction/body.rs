//! Bodies of log records: keys at every depth of a map are judged like those of attributes.

use bessemer_record::Value;
use bessemer_record::value::{AnyValue, encode_any_value};

use super::Report;
use super::rules::{Fate, Rules};
use super::sanitize::Sanitizers;
use crate::attributes::text::text_of;

/// What is done to the texts of a body.
pub(super) struct Texts<'t> {
    pub(super) rules: &'t Rules,
    pub(super) sanitizers: &'t Sanitizers,
    /// The database that the attributes of the record name.
    pub(super) system: Option<String>,
}

impl Texts<'_> {
    /// What replaces a text; none if it stays.
    fn changed(&self, fate: Fate, text: &str) -> Option<String> {
        let masked = self.rules.masked(fate, text);
        if fate == Fate::Masked || self.sanitizers.is_idle() {
            return masked;
        }
        let system = self.system.as_deref();
        let clean = self.sanitizers.body(system, masked.as_deref().unwrap_or(text));
        clean.or(masked)
    }
}

/// The body with everything redacted; none if it stays as it is.
pub(super) fn redacted(
    texts: &Texts<'_>,
    body: AnyValue<'_>,
    report: &mut Report,
) -> Option<Value> {
    if let AnyValue::Map(_) | AnyValue::Array(_) = body {
        let mut value = body.to_value();
        let is_changed = nested(texts, &mut value, "", report);
        return is_changed.then_some(value);
    }
    let text = text_of(body);
    if texts.rules.is_allowed(&text) {
        return None;
    }
    let masked = texts.changed(Fate::Looked, &text)?;
    report.masked.push("body".to_owned());
    Some(Value::String(masked))
}

/// Redacts a value inside a body; `path` is what leads to it. Returns whether it changed.
fn nested(texts: &Texts<'_>, value: &mut Value, path: &str, report: &mut Report) -> bool {
    match value {
        Value::Map(entries) => map(texts, entries, path, report),
        Value::Array(values) => {
            let mut is_changed = false;
            for (index, value) in values.iter_mut().enumerate() {
                is_changed |= nested(texts, value, &joined(path, &format!("[{index}]")), report);
            }
            is_changed
        }
        Value::Null => false,
        Value::Bool(_) | Value::Int(_) | Value::Double(_) | Value::String(_) | Value::Bytes(_) => {
            leaf(texts, Fate::Looked, value, path, report)
        }
    }
}

fn map(
    texts: &Texts<'_>,
    entries: &mut Vec<(String, Value)>,
    path: &str,
    report: &mut Report,
) -> bool {
    let before = entries.len();
    let mut is_changed = false;
    entries.retain_mut(|(key, value)| {
        let path = joined(path, key);
        match texts.rules.fate(key) {
            Fate::Ignored => report.ignored.push(path),
            Fate::Redacted => {
                report.redacted.push(path);
                return false;
            }
            Fate::Masked => is_changed |= leaf(texts, Fate::Masked, value, &path, report),
            Fate::Looked => is_changed |= nested(texts, value, &path, report),
        }
        true
    });
    is_changed || entries.len() < before
}

fn leaf(texts: &Texts<'_>, fate: Fate, value: &mut Value, path: &str, report: &mut Report) -> bool {
    let mut bytes = Vec::new();
    encode_any_value(value, &mut bytes);
    let text = text_of(AnyValue::new(&bytes));
    if fate == Fate::Looked && texts.rules.is_allowed(&text) {
        report.allowed.push(path.to_owned());
        return false;
    }
    let Some(masked) = texts.changed(fate, &text) else { return false };
    report.masked.push(path.to_owned());
    *value = Value::String(masked);
    true
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
