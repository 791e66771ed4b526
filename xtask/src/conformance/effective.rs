//! Settings as they take effect: without those that have their default, with one spelling for what
//! can be written in several ways.

use bessemer_config::{Catalog, Data, Value};
use serde_json::{Map, Value as Json, json};

/// References that are followed in a schema.
const HOPS_MAX: usize = 16;

/// The settings of a component that differ from its defaults.
pub(super) fn effective(settings: &Value, kind: &str, catalog: &dyn Catalog) -> Json {
    let schema = catalog.row(kind).map_or(Json::Null, |row| row.schema.to_value());
    let mut value = plain(settings);
    strip(&mut value, &schema, &schema);
    value
}

fn plain(value: &Value) -> Json {
    match &value.data {
        Data::Null => Json::Null,
        Data::Bool(truth) => json!(truth),
        Data::Number(number) => match number.whole().and_then(|whole| i64::try_from(whole).ok()) {
            Some(whole) => json!(whole),
            None => json!(number.as_f64()),
        },
        Data::String(text) => json!(local(text)),
        Data::Secret(text) | Data::OptionalSecret { text, .. } => json!(text.expose()),
        Data::Array(items) => Json::Array(items.iter().map(plain).collect()),
        Data::Object(object) => {
            let field =
                |field: &bessemer_config::value::Field| (field.name.clone(), plain(&field.value));
            Json::Object(object.fields.iter().map(field).collect())
        }
        Data::Reference(reference) => {
            let kind = reference.node.rsplit_once('.').map_or("", |(kind, _)| kind);
            json!(format!("{kind}.{}", reference.export))
        }
    }
}

fn local(text: &str) -> String {
    match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    }
}

/// The schema behind references and "or nothing".
fn resolved<'s>(mut schema: &'s Json, root: &'s Json) -> &'s Json {
    for _ in 0..HOPS_MAX {
        if let Some(path) = schema.get("$ref").and_then(Json::as_str) {
            let target = path.strip_prefix('#').and_then(|path| root.pointer(path));
            schema = target.unwrap_or(&Json::Null);
            continue;
        }
        let parts = schema.get("anyOf").and_then(Json::as_array);
        let is_something = |part: &&Json| part.get("type") != Some(&json!("null"));
        let Some(part) = parts.and_then(|parts| parts.iter().find(is_something)) else { break };
        schema = part;
    }
    schema
}

fn strip(value: &mut Json, schema: &Json, root: &Json) {
    let schema = resolved(schema, root);
    match value {
        Json::Array(items) => {
            let inner = schema.get("items").unwrap_or(&Json::Null);
            for item in items {
                strip(item, inner, root);
            }
        }
        Json::Object(fields) => object(fields, schema, root),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn object(fields: &mut Map<String, Json>, schema: &Json, root: &Json) {
    let property = |name: &str| schema.get("properties").and_then(|all| all.get(name));
    for (name, value) in fields.iter_mut() {
        if let Some(part) = property(name) {
            strip(value, part, root);
        }
    }
    fields.retain(|name, value| {
        let Some(part) = property(name) else { return true };
        let default = part.get("default").or_else(|| resolved(part, root).get("default"));
        let is_default = default.is_some_and(|default| default == value);
        let is_zero = value.as_str().is_some_and(|text| text == "0s");
        // A block whose settings all have their defaults, where it is there anyway.
        let is_empty =
            value.as_object().is_some_and(Map::is_empty) && default.is_some_and(Json::is_object);
        !is_default && !is_zero && !is_empty
    });
}
