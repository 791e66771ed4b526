//! Writes integrations, and any tree, as JSON.

use serde_json::{Map, Value as Json, json};

use super::{ALL, KINDS};
use crate::catalog::PIPELINE;
use crate::collector;
use crate::graph::{Graph, Node};
use crate::value::{Data, Number, Object, Value};

/// The list of integrations that a graph is, if it is nothing else.
pub(super) fn list(graph: &Graph) -> Option<Value> {
    let all = format!("{PIPELINE}.{ALL}");
    let is_pipeline = |node: &&Node| node.id == all;
    let (pipelines, nodes): (Vec<&Node>, Vec<&Node>) = graph.nodes.iter().partition(is_pipeline);
    let leads_to = |id: &str| graph.edges.iter().any(|edge| edge.from == all && edge.to == id);
    let is_list = pipelines.len() == 1
        && !nodes.is_empty()
        && graph.options.is_empty()
        && graph.links.is_empty()
        && graph.edges.iter().all(|edge| edge.from == all)
        && nodes.iter().all(|node| leads_to(&node.id));
    if !is_list {
        return None;
    }
    let entries = nodes.into_iter().map(entry).collect::<Option<Vec<_>>>()?;
    Some(Value::from(Json::Array(entries)))
}

fn entry(node: &Node) -> Option<Json> {
    let (name, _) = KINDS.iter().find(|(_, kind)| *kind == node.kind)?;
    let config = plain(&collector::plain(&node.settings));
    Some(json!({ "type": name, "name": node.label, "enabled": true, "config": config }))
}

/// A tree as indented JSON.
pub(super) fn text(tree: &Value) -> String {
    format!("{:#}\n", plain(tree))
}

fn plain(value: &Value) -> Json {
    match &value.data {
        Data::Null => Json::Null,
        Data::Bool(truth) => Json::Bool(*truth),
        Data::Number(Number::Int(number)) => Json::from(*number),
        Data::Number(Number::Uint(number)) => Json::from(*number),
        Data::Number(Number::Float(number)) => Json::from(*number),
        Data::String(text) => Json::from(text.as_str()),
        Data::Secret(text) | Data::OptionalSecret { text, .. } => Json::from(text.expose()),
        Data::Array(items) => Json::Array(items.iter().map(plain).collect()),
        Data::Object(object) => Json::Object(fields(object)),
        Data::Reference(reference) => Json::from(reference.to_string()),
    }
}

fn fields(object: &Object) -> Map<String, Json> {
    object.fields.iter().map(|field| (field.name.clone(), plain(&field.value))).collect()
}
