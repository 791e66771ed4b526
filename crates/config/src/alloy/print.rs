//! Writes a graph in Alloy syntax.
//!
//! A value that came from an environment variable is written as the call that read it: the text is
//! where secrets would leak into.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

use bessemer_record::Signal;

use super::literal::quote;
use super::parser::Strictness;
use super::scanner::is_name;
use crate::catalog::{self, Catalog, PIPELINE};
use crate::graph::{Edge, Graph, Node};
use crate::source::Source;
use crate::value::{Data, Field, Form, Number, Object, Part, Value};

pub(super) fn print(graph: &Graph, catalog: &dyn Catalog) -> String {
    let mut out = String::new();
    for option in &graph.options {
        head(&mut out, &option.name, &option.label);
        if let Some(object) = option.value.as_object() {
            body(&mut out, object);
        }
        out.push_str("}\n\n");
    }
    for node in &graph.nodes {
        component(&mut out, graph, node, catalog);
    }
    let source = Source::new("graph", out.clone());
    // What is written above is always well formed; the formatter aligns it.
    super::format(&source, Strictness::Alloy).unwrap_or(out)
}

fn head(out: &mut String, name: &str, label: &str) {
    out.push_str(name);
    if !label.is_empty() {
        out.push(' ');
        out.push_str(&quote(label));
    }
    out.push_str(" {\n");
}

fn component(out: &mut String, graph: &Graph, node: &Node, catalog: &dyn Catalog) {
    head(out, &node.kind, &node.label);
    if let Some(object) = node.settings.as_object() {
        body(out, object);
    }
    let edges: Vec<&Edge> = graph.targets(&node.id).collect();
    if node.kind == PIPELINE && is_all(&edges, catalog, graph) {
        attribute(out, "to", &list(edges.iter().copied(), "input"));
    } else if node.kind.starts_with("prometheus.") || node.kind.starts_with("loki.") {
        if !edges.is_empty() {
            attribute(out, "forward_to", &list(edges.iter().copied(), "receiver"));
        }
    } else if !edges.is_empty() {
        out.push_str("output {\n");
        for signal in [Signal::Metrics, Signal::Logs, Signal::Traces] {
            let targets = edges.iter().copied().filter(|edge| edge.signal == signal);
            if edges.iter().any(|edge| edge.signal == signal) {
                attribute(out, signal.as_str(), &list(targets, "input"));
            }
        }
        out.push_str("}\n");
    }
    out.push_str("}\n\n");
}

/// Whether a list of destinations sends each every signal that it takes.
fn is_all(edges: &[&Edge], catalog: &dyn Catalog, graph: &Graph) -> bool {
    let takes = |id: &str| {
        let row = graph.node(id).and_then(|node| catalog::row(catalog, &node.kind));
        row.filter(|row| !row.signals.is_empty()).map_or(Signal::ALL.len(), |row| row.signals.len())
    };
    edges.iter().all(|edge| {
        let sent = edges.iter().filter(|other| other.to == edge.to).count();
        sent == takes(&edge.to)
    })
}

/// The inputs of the targets, each once.
fn list<'e>(edges: impl Iterator<Item = &'e Edge>, export: &str) -> String {
    let mut names: Vec<String> = Vec::new();
    for edge in edges {
        let offered = if edge.to.starts_with("otelcol.") || edge.to.starts_with("bessemer.") {
            "input"
        } else {
            export
        };
        let name = format!("{}.{offered}", edge.to);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    format!("[{}]", names.join(", "))
}

fn attribute(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(" = ");
    out.push_str(value);
    out.push('\n');
}

/// Attributes, then blocks.
fn body(out: &mut String, object: &Object) {
    let is_block = |field: &&Field| field.value.is_block() || field.value.is_repeated_block();
    let (blocks, attributes): (Vec<_>, Vec<_>) = object.fields.iter().partition(is_block);
    for field in attributes.into_iter().chain(blocks) {
        let is_statement = field.name.split('.').all(is_name);
        match &field.value.data {
            Data::Object(inner) if inner.form == Form::Block && is_statement => {
                block(out, &field.name, inner);
            }
            Data::Array(items) if field.value.is_repeated_block() && is_statement => {
                let blocks = items.iter().filter_map(Value::as_object);
                blocks.for_each(|inner| block(out, &field.name, inner));
            }
            _ => {
                let mut value = String::new();
                expression(&mut value, &field.value);
                attribute(out, &field.name, &value);
            }
        }
    }
}

fn block(out: &mut String, name: &str, object: &Object) {
    head(out, name, "");
    body(out, object);
    out.push_str("}\n");
}

fn expression(out: &mut String, value: &Value) {
    if let Some(origin) = value.origin.as_ref().filter(|_| value.text().is_some()) {
        let part = |part: &Part| match part {
            Part::Text(text) | Part::File { content: text, .. } => quote(text),
            Part::Variable(name) => format!("sys.env({})", quote(name)),
            Part::Defaulted(name, text) => {
                format!("coalesce(sys.env({}), {})", quote(name), quote(text))
            }
        };
        let parts: Vec<_> = origin.parts().iter().map(part).collect();
        return out.push_str(&parts.join(" + "));
    }
    match &value.data {
        Data::Null => out.push_str("null"),
        Data::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Data::Number(number) => out.push_str(&literal(*number)),
        Data::String(text) => out.push_str(&quote(text)),
        Data::Secret(text) | Data::OptionalSecret { text, .. } => {
            out.push_str(&quote(text.expose()));
        }
        Data::Array(items) => {
            out.push('[');
            for (count, item) in items.iter().enumerate() {
                if count > 0 {
                    out.push_str(", ");
                }
                expression(out, item);
            }
            out.push(']');
        }
        Data::Object(object) => {
            out.push('{');
            for field in &object.fields {
                out.push('\n');
                let is_plain = is_name(&field.name);
                out.push_str(&if is_plain { field.name.clone() } else { quote(&field.name) });
                out.push_str(" = ");
                expression(out, &field.value);
                out.push(',');
            }
            out.push_str(if object.fields.is_empty() { "}" } else { "\n}" });
        }
        Data::Reference(reference) => out.push_str(&reference.to_string()),
    }
}

fn literal(number: Number) -> String {
    match number {
        Number::Float(float) if !float.is_finite() => "0".to_owned(),
        Number::Float(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.1}"),
        Number::Float(float) => format!("{float:e}"),
        Number::Int(i64::MIN) => "(-9223372036854775807 - 1)".to_owned(),
        Number::Int(_) | Number::Uint(_) => number.to_string(),
    }
}
