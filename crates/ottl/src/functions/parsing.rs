//! Converters that take structure out of text.

mod csv;
mod pairs;

use std::sync::Arc;

use regex::Regex;

use super::{Call, Function, Kind, Literals, Prepared, may, need};
use crate::error::RunError;
use crate::grok::Grok;
use crate::json;
use crate::pattern::{self, Pattern};
use crate::value::Value;

pub(super) const LIST: &[Function] = &[
    Function::converter("ParseJSON", &[need("target", Kind::Text)], parse_json),
    Function::converter(
        "ParseKeyValue",
        &[
            need("target", Kind::Text),
            may("delimiter", Kind::Word),
            may("pair_delimiter", Kind::Word),
        ],
        pairs::parse,
    )
    .preparing(super::maps::check_delimiters),
    Function::converter(
        "ParseCSV",
        &[
            need("target", Kind::Text),
            need("header", Kind::Text),
            may("delimiter", Kind::Word),
            may("header_delimiter", Kind::Word),
            may("mode", Kind::Word),
        ],
        csv::parse,
    )
    .preparing(csv::check),
    Function::converter(
        "ExtractPatterns",
        &[need("target", Kind::Text), need("pattern", Kind::Word)],
        extract_patterns,
    )
    .preparing(prepare_patterns),
    Function::converter(
        "ExtractGrokPatterns",
        &[
            need("target", Kind::Text),
            need("pattern", Kind::Word),
            may("named_captures_only", Kind::Flag),
            may("pattern_definitions", Kind::Words),
        ],
        |call| call.grok()?.extract(call.text(0)),
    )
    .preparing(prepare_grok),
    Function::converter(
        "ParseSeverity",
        &[need("target", Kind::Any), need("severity_mapping", Kind::Map)],
        parse_severity,
    ),
];

fn parse_json(call: &Call<'_>) -> Result<Value, RunError> {
    match json::read(call.text(0))? {
        value @ (Value::Map(_) | Value::List(_)) => Ok(value),
        other => Err(other.mismatch("a JSON object or array")),
    }
}

fn prepare_patterns(literals: &Literals<'_>) -> Result<Prepared, String> {
    let regex = pattern::regex(pattern::literal(literals, 1))?;
    if names(&regex).next().is_none() {
        return Err("the pattern needs at least one named group".to_owned());
    }
    Ok(Prepared::Regex(Pattern::plain(regex)))
}

fn names(regex: &Regex) -> impl Iterator<Item = &str> {
    regex.capture_names().flatten()
}

fn extract_patterns(call: &Call<'_>) -> Result<Value, RunError> {
    let regex = call.regex()?;
    let mut entries = Vec::new();
    if let Some(captures) = regex.captures(call.text(0)) {
        for name in names(regex) {
            let text = captures.name(name).map_or("", |found| found.as_str());
            Value::put(&mut entries, name, Value::from(text));
        }
    }
    Ok(Value::Map(entries))
}

fn prepare_grok(literals: &Literals<'_>) -> Result<Prepared, String> {
    let is_named_only = matches!(literals.get(2), Some(Some(Value::Bool(true))));
    let definitions: Vec<&str> = match literals.get(3) {
        Some(Some(Value::List(values))) => values
            .iter()
            .filter_map(|value| match value {
                Value::String(text) => Some(text.as_str()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let grok = Grok::new(pattern::literal(literals, 1), is_named_only, &definitions)?;
    Ok(Prepared::Grok(Arc::new(grok)))
}

/// The level whose list of values, or of ranges, the target is in.
fn parse_severity(call: &Call<'_>) -> Result<Value, RunError> {
    let target = call.value(0);
    for (level, criteria) in call.map(1) {
        let Value::List(criteria) = criteria else { return Err(criteria.mismatch("a list")) };
        if criteria.iter().any(|one| is_level(target, one)) {
            return Ok(Value::from(level.as_str()));
        }
    }
    Err(RunError::invalid("no level of the mapping has this value"))
}

fn is_level(target: &Value, criterion: &Value) -> bool {
    match (target, criterion) {
        (Value::String(text), Value::String(wanted)) => text == wanted,
        (Value::Int(_) | Value::String(_), Value::Map(entries)) => {
            let bound = |key| match Value::entry(entries, key) {
                Some(Value::Int(bound)) => Some(*bound),
                _ => None,
            };
            if let (Value::Int(number), Some(least), Some(most)) =
                (target, bound("min"), bound("max"))
            {
                return (least..=most).contains(number);
            }
            match Value::entry(entries, "equals") {
                Some(Value::List(values)) => values.contains(target),
                Some(value) => value == target,
                None => false,
            }
        }
        _ => false,
    }
}
