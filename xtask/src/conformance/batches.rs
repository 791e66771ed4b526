//! OTLP JSON as cases write it, compared with batches: attributes are sets, defaults are as good as
//! nothing, and a resource or scope without records is no part of a batch.

use anyhow::{Context as _, Result, anyhow};
use bessemer_record::json::{from_otlp_json, to_otlp_json};
use bessemer_record::{Checked, Limits, Signal};
use serde_json::{Map, Value as Json};

/// The signal of a case.
pub(crate) fn signal(row: &Json) -> Result<Signal> {
    let name = row.get("signal").and_then(Json::as_str).unwrap_or_default();
    let mut all = Signal::ALL.into_iter();
    all.find(|signal| signal.as_str() == name).with_context(|| format!("no signal {name:?}"))
}

/// A batch from JSON.
pub(crate) fn read(signal: Signal, json: &Json) -> Result<Checked> {
    from_otlp_json(signal, json.to_string().as_bytes(), &Limits::default())
        .map_err(|error| anyhow!("the case is no batch: {error}"))
}

/// What is compared of a batch; null of none and of one without records.
pub(crate) fn comparable(batch: Option<&Checked>) -> Result<Json> {
    let Some(batch) = batch else { return Ok(Json::Null) };
    let json: Json = serde_json::from_slice(&to_otlp_json(batch))?;
    Ok(normal(json).unwrap_or_default())
}

/// The first difference between what came out and what should.
pub(crate) fn difference(found: &Json, expected: &Json) -> Option<String> {
    if found == expected {
        return None;
    }
    let mut path = String::new();
    let (found, expected) = narrowed(found, expected, &mut path);
    let cut = |json: &Json| json.to_string().chars().take(160).collect::<String>();
    Some(format!("at {path}: got {}, expected {}", cut(found), cut(expected)))
}

fn narrowed<'j>(found: &'j Json, expected: &'j Json, path: &mut String) -> (&'j Json, &'j Json) {
    let child = match (found, expected) {
        (Json::Object(left), Json::Object(right)) => {
            let names = left.keys().chain(right.keys());
            let mut different = names.filter(|name| left.get(*name) != right.get(*name));
            different
                .next()
                .and_then(|name| Some((name.clone(), left.get(name)?, right.get(name)?)))
        }
        (Json::Array(left), Json::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            let different = pairs.find(|(_, (left, right))| left != right);
            different.map(|(index, (left, right))| (index.to_string(), left, right))
        }
        _ => None,
    };
    let Some((name, left, right)) = child else { return (found, expected) };
    path.push('/');
    path.push_str(&name);
    narrowed(left, right, path)
}

/// Lists of children without which a resource or a scope is not there.
const CHILDREN: [&str; 9] = [
    "resourceLogs",
    "resourceMetrics",
    "resourceSpans",
    "scopeLogs",
    "scopeMetrics",
    "scopeSpans",
    "logRecords",
    "metrics",
    "spans",
];

/// The value without what says nothing; none if that is all of it.
fn normal(json: Json) -> Option<Json> {
    match json {
        Json::Object(fields) => object(fields),
        Json::Array(items) => {
            let items: Vec<Json> =
                items.into_iter().map(|item| normal(item).unwrap_or_default()).collect();
            (!items.is_empty()).then_some(Json::Array(items))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Some(json),
    }
}

fn object(fields: Map<String, Json>) -> Option<Json> {
    let is_container = fields.keys().any(|name| CHILDREN.contains(&name.as_str()));
    let mut kept = Map::new();
    for (name, value) in fields {
        let value = match name.as_str() {
            "attributes" | "filteredAttributes" => Some(pairs(value)),
            "kvlistValue" => Some(pairs(value.get("values").cloned().unwrap_or_default())),
            // An empty list is a value, unlike an empty list of children.
            "arrayValue" => Some(
                value
                    .get("values")
                    .cloned()
                    .map_or(Json::Null, |values| normal(values).unwrap_or_default()),
            ),
            name if CHILDREN.contains(&name) => children(value),
            _ => normal(value),
        };
        if let Some(value) = value {
            kept.insert(name, value);
        }
    }
    let has_children = kept.keys().any(|name| CHILDREN.contains(&name.as_str()));
    let is_something = if is_container { has_children } else { !kept.is_empty() };
    is_something.then_some(Json::Object(kept))
}

fn children(value: Json) -> Option<Json> {
    let Json::Array(items) = value else { return None };
    let kept: Vec<Json> = items
        .into_iter()
        .filter(|item| !is_container(item) || has_records(item))
        .map(|item| normal(item).unwrap_or_default())
        .collect();
    (!kept.is_empty()).then_some(Json::Array(kept))
}

fn is_container(item: &Json) -> bool {
    let names = ["scope", "resource", "scopeLogs", "scopeMetrics", "scopeSpans"];
    names.iter().any(|name| item.get(name).is_some())
}

/// Whether there is a record anywhere below.
fn has_records(item: &Json) -> bool {
    let lists = |names: &[&str]| {
        names.iter().filter_map(|name| item.get(*name)?.as_array()).flatten().collect::<Vec<_>>()
    };
    let scopes = lists(&["scopeLogs", "scopeMetrics", "scopeSpans"]);
    !lists(&["logRecords", "metrics", "spans"]).is_empty() || scopes.into_iter().any(has_records)
}

/// A list of attributes as an object; the first of two with one key counts.
fn pairs(list: Json) -> Json {
    let mut object = Map::new();
    let Json::Array(list) = list else { return Json::Object(object) };
    for mut pair in list {
        let Some(Json::String(key)) = pair.get("key").cloned() else { continue };
        let value = pair.get_mut("value").map(Json::take).unwrap_or_default();
        object.entry(key).or_insert_with(|| normal(value).unwrap_or_default());
    }
    Json::Object(object)
}
