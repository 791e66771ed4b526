//! Writes a graph as a document.

use std::collections::{BTreeMap, BTreeSet};

use super::chains::{self, Chain};
use super::names::{self, Section};
use super::{service, settings};
use crate::catalog::{self, Catalog, PIPELINE, Role, RowInfo};
use crate::graph::{Graph, Node};
use crate::schema;
use crate::source::Location;
use crate::value::{Data, Object, Value};

/// The document of a graph.
pub(super) fn tree(graph: &Graph, catalog: &dyn Catalog) -> Value {
    let printer = Printer::new(graph, catalog);
    let mut document = printer.sections();
    set(&mut document, "service", printer.service());
    let mut options = Object::default();
    for option in &graph.options {
        let name = if option.label.is_empty() {
            option.name.clone()
        } else {
            format!("{}/{}", option.name, option.label)
        };
        set(&mut options, &name, settings::plain(&option.value, &printer.extensions));
    }
    if !options.fields.is_empty() {
        set(&mut document, service::OPTIONS, object(options));
    }
    object(document)
}

struct Printer<'g> {
    parts: Vec<Part<'g>>,
    /// Names of extensions by their ids.
    extensions: BTreeMap<String, String>,
    chains: Vec<Chain>,
    /// Labels of pipeline nodes that are pipelines of that name, with those that route to them.
    routed: BTreeMap<String, Vec<String>>,
}

/// A component and how it is written.
struct Part<'g> {
    node: &'g Node,
    row: Option<RowInfo>,
    section: Section,
    name: String,
}

impl<'g> Printer<'g> {
    fn new(graph: &'g Graph, catalog: &dyn Catalog) -> Self {
        let part = |node: &'g Node| {
            let row = catalog::row(catalog, &node.kind);
            let section = row.as_ref().map_or(Section::Processors, |row| Section::of(row.role));
            let kind = names::type_of(catalog, section, &node.kind);
            Part { node, row, section, name: names::join(&kind, &node.label) }
        };
        let parts: Vec<Part<'_>> = graph.nodes.iter().map(part).collect();
        let is_processor = |part: &&Part<'_>| part.section == Section::Processors;
        let processors: BTreeSet<String> =
            parts.iter().filter(is_processor).map(|part| part.node.id.clone()).collect();
        let is_extension = |part: &&Part<'_>| part.section == Section::Extensions;
        let extensions = parts
            .iter()
            .filter(is_extension)
            .map(|part| (part.node.id.clone(), part.name.clone()))
            .collect();
        let chains = chains::chains(graph, &processors);
        let routed = routed(graph, &parts, &chains);
        Self { parts, extensions, chains, routed }
    }

    fn sections(&self) -> Object {
        let mut document = Object::default();
        for section in Section::ALL {
            let mut entries = Object::default();
            for part in self.parts.iter().filter(|part| part.section == section) {
                if part.node.kind == PIPELINE && self.routed.contains_key(&part.node.label) {
                    continue;
                }
                let written =
                    settings::write(&part.node.settings, part.row.as_ref(), &self.extensions);
                set(&mut entries, &part.name, written);
            }
            if !entries.fields.is_empty() {
                set(&mut document, section.as_str(), object(entries));
            }
        }
        document
    }

    fn service(&self) -> Value {
        let mut service = Object::default();
        if !self.extensions.is_empty() {
            let names = self.extensions.values().map(String::as_str);
            set(&mut service, "extensions", list(names));
        }
        let mut pipelines = Object::default();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for chain in &self.chains {
            let signal = chain.signal.as_str();
            let label = self.label(chain);
            let key = if let Some(label) = label {
                format!("{signal}/{label}")
            } else {
                let count = counts.entry(signal).or_default();
                *count += 1;
                if *count == 1 { signal.to_owned() } else { format!("{signal}/{count}") }
            };
            let routers = label.and_then(|label| self.routed.get(label));
            let senders = routers.unwrap_or(&chain.senders);
            let mut pipeline = Object::default();
            set(&mut pipeline, "receivers", list(self.names(senders)));
            if !chain.steps.is_empty() {
                set(&mut pipeline, "processors", list(self.names(&chain.steps)));
            }
            set(&mut pipeline, "exporters", list(self.names(&chain.takers)));
            set(&mut pipelines, &key, object(pipeline));
        }
        set(&mut service, "pipelines", object(pipelines));
        object(service)
    }

    /// The label of the pipeline node that a chain stands for.
    fn label<'c>(&self, chain: &'c Chain) -> Option<&'c str> {
        let [sender] = chain.senders.as_slice() else { return None };
        let label = label_in(sender)?;
        self.routed.contains_key(label).then_some(label)
    }

    fn names<'p>(&'p self, ids: &'p [String]) -> impl Iterator<Item = &'p str> {
        ids.iter().map(|id| {
            let part = self.parts.iter().find(|part| part.node.id == *id);
            part.map_or(id.as_str(), |part| part.name.as_str())
        })
    }
}

/// The pipeline nodes that can be written as pipelines of their name: some table names them,
/// nothing else leads to them, and for each signal one chain starts with them alone.
fn routed(graph: &Graph, parts: &[Part<'_>], chains: &[Chain]) -> BTreeMap<String, Vec<String>> {
    let mut routers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in parts {
        let Some(row) = &part.row else { continue };
        for (name, _) in schema::pipelines(&part.node.settings, &row.schema) {
            let known = routers.entry(name).or_default();
            if !known.contains(&part.node.id) {
                known.push(part.node.id.clone());
            }
        }
    }
    let is_pipeline = |part: &Part<'_>, label: &str| {
        part.row.as_ref().is_some_and(|row| row.role == Role::Pipeline) && part.node.label == label
    };
    routers.retain(|label, _| {
        let Some(part) = parts.iter().find(|part| is_pipeline(part, label)) else { return false };
        let id = &part.node.id;
        let starting: Vec<&Chain> =
            chains.iter().filter(|chain| chain.senders.contains(id)).collect();
        let mut signals: Vec<&str> = starting.iter().map(|chain| chain.signal.as_str()).collect();
        signals.sort_unstable();
        let count = signals.len();
        signals.dedup();
        let is_name = !label.starts_with(|c: char| c.is_ascii_digit())
            && bessemer_record::Signal::ALL.iter().all(|signal| signal.as_str() != label);
        is_name
            && count > 0
            && count == signals.len()
            && starting.iter().all(|chain| chain.senders.len() == 1)
            && graph.edges.iter().all(|edge| edge.to != *id)
    });
    routers
}

/// The label in the id of a pipeline node.
fn label_in(id: &str) -> Option<&str> {
    id.strip_prefix(PIPELINE)?.strip_prefix('.')
}

fn set(object: &mut Object, name: &str, value: Value) {
    object.fields.push(crate::value::Field {
        name: name.to_owned(),
        name_at: Location::nowhere(),
        value,
    });
}

fn object(object: Object) -> Value {
    Value::new(Data::Object(object), Location::nowhere())
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> Value {
    let items = names.map(|name| Value::string(name, Location::nowhere())).collect();
    Value::new(Data::Array(items), Location::nowhere())
}
