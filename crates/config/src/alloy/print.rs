//! Writes a graph in Alloy syntax.
//!
//! A value that came from an environment variable is written as the call that read it: the text is
//! where secrets would leak into. A list that would make its line too long has a line for each
//! element.

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

/// Columns of a line with a list.
const COLUMNS_MAX: usize = 100;
/// Columns of a level of indentation, which is a tab.
const LEVEL: usize = 8;

/// Where a value begins: inside how many braces, and at which column.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    column: usize,
}

impl Place {
    /// Behind the name of an attribute, when the equal signs of all attributes stand in a column.
    fn behind(depth: usize, widest: usize) -> Self {
        Self { depth, column: depth * LEVEL + widest + " = ".len() }
    }

    /// In a line of its own, one level deeper.
    fn own_line(self) -> Self {
        Self { depth: self.depth + 1, column: (self.depth + 1) * LEVEL }
    }
}

pub(super) fn print(graph: &Graph, catalog: &dyn Catalog) -> String {
    let mut out = String::new();
    for option in &graph.options {
        head(&mut out, &option.name, &option.label);
        if let Some(object) = option.value.as_object() {
            body(&mut out, object, 1);
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
        body(out, object, 1);
    }
    let edges: Vec<&Edge> = graph.targets(&node.id).collect();
    if node.kind == PIPELINE && is_all(&edges, catalog, graph) {
        attribute(out, "to", &inputs(edges.iter().copied(), "input", Place::behind(1, "to".len())));
    } else if node.kind.starts_with("prometheus.") || node.kind.starts_with("loki.") {
        if !edges.is_empty() {
            let place = Place::behind(1, "forward_to".len());
            attribute(out, "forward_to", &inputs(edges.iter().copied(), "receiver", place));
        }
    } else if !edges.is_empty() {
        out.push_str("output {\n");
        for signal in [Signal::Metrics, Signal::Logs, Signal::Traces] {
            let targets = edges.iter().copied().filter(|edge| edge.signal == signal);
            if edges.iter().any(|edge| edge.signal == signal) {
                let place = Place::behind(2, "metrics".len());
                attribute(out, signal.as_str(), &inputs(targets, "input", place));
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
fn inputs<'e>(edges: impl Iterator<Item = &'e Edge>, export: &str, place: Place) -> String {
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
    list(&names, place)
}

/// Elements on one line if that is short enough.
fn list(elements: &[String], place: Place) -> String {
    let line = format!("[{}]", elements.join(", "));
    // An element with lines of its own, such as an object, says how wide it is by itself.
    let is_short = place.column + line.chars().count() <= COLUMNS_MAX || line.contains('\n');
    if is_short || elements.is_empty() {
        return line;
    }
    format!("[\n{},\n]", elements.join(",\n"))
}

fn attribute(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(" = ");
    out.push_str(value);
    out.push('\n');
}

/// Attributes, then blocks.
fn body(out: &mut String, object: &Object, depth: usize) {
    let is_block = |field: &&Field| field.value.is_block() || field.value.is_repeated_block();
    let (blocks, attributes): (Vec<_>, Vec<_>) = object.fields.iter().partition(is_block);
    let place = Place::behind(depth, widest(&object.fields));
    for field in attributes.into_iter().chain(blocks) {
        let is_statement = field.name.split('.').all(is_name);
        match &field.value.data {
            Data::Object(inner) if inner.form == Form::Block && is_statement => {
                block(out, &field.name, inner, depth);
            }
            Data::Array(items) if field.value.is_repeated_block() && is_statement => {
                let blocks = items.iter().filter_map(Value::as_object);
                blocks.for_each(|inner| block(out, &field.name, inner, depth));
            }
            _ => attribute(out, &field.name, &expression(&field.value, place)),
        }
    }
}

fn widest(fields: &[Field]) -> usize {
    fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0)
}

fn block(out: &mut String, name: &str, object: &Object, depth: usize) {
    head(out, name, "");
    body(out, object, depth + 1);
    out.push_str("}\n");
}

fn expression(value: &Value, place: Place) -> String {
    if let Some(origin) = value.origin.as_ref().filter(|_| value.text().is_some()) {
        let part = |part: &Part| match part {
            Part::Text(text) | Part::File { content: text, .. } => quote(text),
            Part::Variable(name) => format!("sys.env({})", quote(name)),
            Part::Defaulted(name, text) => {
                format!("coalesce(sys.env({}), {})", quote(name), quote(text))
            }
        };
        let parts: Vec<_> = origin.parts().iter().map(part).collect();
        return parts.join(" + ");
    }
    match &value.data {
        Data::Null => "null".to_owned(),
        Data::Bool(truth) => truth.to_string(),
        Data::Number(number) => literal(*number),
        Data::String(text) => quote(text),
        Data::Secret(text) | Data::OptionalSecret { text, .. } => quote(text.expose()),
        Data::Array(items) => {
            let own_line = |item: &Value| expression(item, place.own_line());
            list(&items.iter().map(own_line).collect::<Vec<_>>(), place)
        }
        Data::Object(object) => map(object, place),
        Data::Reference(reference) => reference.to_string(),
    }
}

/// A field on each line.
fn map(object: &Object, place: Place) -> String {
    if object.fields.is_empty() {
        return "{}".to_owned();
    }
    let place = Place::behind(place.depth + 1, widest(&object.fields));
    let field = |field: &Field| {
        let name = if is_name(&field.name) { field.name.clone() } else { quote(&field.name) };
        format!("\n{name} = {},", expression(&field.value, place))
    };
    format!("{{{}\n}}", object.fields.iter().map(field).collect::<String>())
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
