//! Two batches in OTLP JSON: equal but for the order of attributes and the spelling of numbers.

use serde_json::{Map, Value as Json};

/// What is different, if anything is.
pub(super) fn compared(found: &Json, expected: &Json) -> Result<(), String> {
    let (found, expected) = (normal(found), normal(expected));
    if found == expected {
        return Ok(());
    }
    Err(difference(&found, &expected, String::new()))
}

fn normal(json: &Json) -> Json {
    match json {
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(normal).collect();
            if items.iter().all(|item| item.get("key").is_some()) {
                items.sort_by_key(|item| item["key"].as_str().unwrap_or_default().to_owned());
            }
            Json::Array(items)
        }
        Json::Object(members) => {
            let members = members.iter().filter(|(key, value)| !is_default(key, value));
            let members = members.map(|(key, value)| (key.clone(), member(key, value)));
            Json::Object(members.collect::<Map<_, _>>())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json.clone(),
    }
}

/// A field that is written or not without a difference; values of attributes are never that.
fn is_default(key: &str, value: &Json) -> bool {
    if matches!(key, "stringValue" | "boolValue" | "intValue" | "doubleValue" | "bytesValue") {
        return false;
    }
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty() || text == "0",
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::Bool(truth) => !truth,
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => !matches!(key, "arrayValue" | "kvlistValue") && members.is_empty(),
    }
}

fn member(key: &str, value: &Json) -> Json {
    match (key, value) {
        ("intValue", Json::Number(number)) => Json::String(number.to_string()),
        ("doubleValue", Json::Number(number)) => Json::from(number.as_f64().unwrap_or_default()),
        _ => normal(value),
    }
}

fn difference(found: &Json, expected: &Json, path: String) -> String {
    match (found, expected) {
        (Json::Object(left), Json::Object(right)) => {
            let mut keys = left.keys().chain(right.keys());
            let key = keys.find(|key| left.get(*key) != right.get(*key));
            let Some(key) = key else { return path };
            let (left, right) = (left.get(key).unwrap_or(&Json::Null), right.get(key));
            difference(left, right.unwrap_or(&Json::Null), format!("{path}.{key}"))
        }
        (Json::Array(left), Json::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            match pairs.find(|(_, (left, right))| left != right) {
                Some((at, (left, right))) => difference(left, right, format!("{path}[{at}]")),
                None => path,
            }
        }
        _ => {
            let short = |json: &Json| json.to_string().chars().take(400).collect::<String>();
            format!("at {path}: {} is not {}", short(found), short(expected))
        }
    }
}
