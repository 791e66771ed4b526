//! A graph as a picture or a document: Mermaid, `GraphViz` and JSON. Settings are never shown.

use std::fmt::Write as _;

use serde_json::json;

use super::{Edge, Graph};

/// A form in which a graph can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A Mermaid flow chart.
    Mermaid,
    /// The language of `GraphViz`.
    Dot,
    /// Nodes, edges and links with their places.
    Json,
}

impl Form {
    /// The form of a name: `mermaid`, `dot` or `json`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "mermaid" => Some(Self::Mermaid),
            "dot" => Some(Self::Dot),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Renders a graph.
pub fn render(graph: &Graph, form: Form) -> String {
    match form {
        Form::Mermaid => mermaid(graph),
        Form::Dot => dot(graph),
        Form::Json => format!("{:#}\n", document(graph)),
    }
}

/// The graph as a JSON document, without settings: they may hold secrets.
pub fn document(graph: &Graph) -> serde_json::Value {
    let nodes = graph.nodes.iter().map(|node| {
        let (line, column) = node.at.position();
        json!({
            "id": node.id, "kind": node.kind, "label": node.label,
            "file": node.at.file(), "line": line, "column": column,
        })
    });
    let edges = graph
        .edges
        .iter()
        .map(|edge| json!({ "from": edge.from, "signal": edge.signal.as_str(), "to": edge.to }));
    let links = graph.links.iter().map(|link| json!({ "from": link.from, "to": link.to }));
    json!({
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
    })
}

/// Edges between the same two components as one, with all their signals.
fn bundled(graph: &Graph) -> Vec<(&str, &str, String)> {
    let mut bundles: Vec<(&str, &str, Vec<&Edge>)> = Vec::new();
    for edge in &graph.edges {
        let known = bundles.iter_mut().find(|(from, to, _)| *from == edge.from && *to == edge.to);
        match known {
            Some((_, _, edges)) => edges.push(edge),
            None => bundles.push((&edge.from, &edge.to, vec![edge])),
        }
    }
    let name = |edges: &[&Edge]| {
        let mut signals: Vec<_> = edges.iter().map(|edge| edge.signal.as_str()).collect();
        signals.sort_unstable();
        signals.dedup();
        if signals.len() == 3 { "all".to_owned() } else { signals.join(", ") }
    };
    bundles.into_iter().map(|(from, to, edges)| (from, to, name(&edges))).collect()
}

fn mermaid(graph: &Graph) -> String {
    let number = |id: &str| graph.nodes.iter().position(|node| node.id == id);
    let mut out = String::from("flowchart LR\n");
    for (at, node) in graph.nodes.iter().enumerate() {
        let (kind, label) = (escape(&node.kind), escape(&node.label));
        line(&mut out, format_args!("  n{at}[\"{kind}<br/>{label}\"]"));
    }
    for (from, to, signals) in bundled(graph) {
        if let (Some(from), Some(to)) = (number(from), number(to)) {
            line(&mut out, format_args!("  n{from} -->|{signals}| n{to}"));
        }
    }
    for link in &graph.links {
        if let (Some(from), Some(to)) = (number(&link.from), number(&link.to)) {
            line(&mut out, format_args!("  n{from} -.-> n{to}"));
        }
    }
    out
}

fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph bessemer {\n  rankdir = LR\n  node [shape = box]\n");
    for node in &graph.nodes {
        let (id, kind, label) = (&node.id, escape(&node.kind), escape(&node.label));
        line(&mut out, format_args!("  {id:?} [label = \"{kind}\\n{label}\"]"));
    }
    for (from, to, signals) in bundled(graph) {
        line(&mut out, format_args!("  {from:?} -> {to:?} [label = \"{signals}\"]"));
    }
    for link in &graph.links {
        let (from, to) = (&link.from, &link.to);
        line(&mut out, format_args!("  {from:?} -> {to:?} [style = dashed]"));
    }
    out.push_str("}\n");
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String can not fail.
    if writeln!(out, "{text}").is_err() {
        out.push('\n');
    }
}

fn escape(text: &str) -> String {
    text.replace('"', "&quot;")
}
