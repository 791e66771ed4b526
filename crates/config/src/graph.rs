//! Which components there are, how they are set and where records flow. Knows no dialect.

use bessemer_record::Signal;

use crate::catalog::{Catalog, row};
use crate::source::Location;
use crate::value::{Settings, Value};

pub(crate) mod check;
mod cycle;
pub mod render;

/// A whole configuration.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The components.
    pub nodes: Vec<Node>,
    /// Where records flow.
    pub edges: Vec<Edge>,
    /// Which component uses another one other than by sending it records.
    pub links: Vec<Link>,
    /// Settings of the process itself, such as `logging`.
    pub options: Vec<Setting>,
}

/// A component with its settings.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique: the kind, a dot and the label.
    pub id: String,
    /// The component: `otelcol.receiver.otlp`.
    pub kind: String,
    /// What its author calls it.
    pub label: String,
    /// An object without the wiring, which is in the edges.
    pub settings: Settings,
    /// Where it is declared.
    pub at: Location,
}

/// Records of one signal flow from one component to another.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The id of the sender.
    pub from: String,
    /// The kind of telemetry.
    pub signal: Signal,
    /// The id of the receiver.
    pub to: String,
    /// Where it is written.
    pub at: Location,
}

/// One component uses another: an authenticator, a storage, a pipeline that its table names.
#[derive(Debug, Clone)]
pub struct Link {
    /// The id of the user.
    pub from: String,
    /// The id of the used.
    pub to: String,
    /// Where it is written.
    pub at: Location,
}

/// One block of settings for the process.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The name of the block: `logging`.
    pub name: String,
    /// Its label, mostly empty.
    pub label: String,
    /// What is set.
    pub value: Value,
    /// Where it is written.
    pub at: Location,
}

impl Graph {
    /// The component with an id.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The process setting of a name, the first if there are several.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|option| option.name == name).map(|option| &option.value)
    }

    /// Where the records of a component go.
    pub fn targets<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Edge> {
        self.edges.iter().filter(move |edge| edge.from == id)
    }

    /// Adds everything of another graph.
    pub fn merge(&mut self, other: Self) {
        self.nodes.extend(other.nodes);
        self.edges.extend(other.edges);
        self.links.extend(other.links);
        self.options.extend(other.options);
    }

    /// The same graph in the one order that depends on nothing but its content: equal
    /// configurations give equal graphs, whatever they were written in.
    pub(crate) fn sort(&mut self, catalog: &dyn Catalog) {
        let rank = |node: &Node| row(catalog, &node.kind).map_or(u8::MAX, |row| row.role.rank());
        self.nodes.sort_by_cached_key(|node| (rank(node), node.id.clone()));
        self.nodes.iter_mut().for_each(|node| node.settings.sort());
        self.options.iter_mut().for_each(|option| option.value.sort());
        self.edges.sort_by(|a, b| a.parts().cmp(&b.parts()));
        self.edges.dedup_by(|a, b| a.parts() == b.parts());
        self.links.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
        self.links.dedup_by(|a, b| (&a.from, &a.to) == (&b.from, &b.to));
        self.options.sort_by(|a, b| (&a.name, &a.label).cmp(&(&b.name, &b.label)));
    }

    fn wires(&self) -> Vec<(&str, Signal, &str)> {
        let mut wires: Vec<_> = self.edges.iter().map(Edge::parts).collect();
        wires.sort_unstable();
        wires
    }

    fn uses(&self) -> Vec<(&str, &str)> {
        let mut uses: Vec<_> =
            self.links.iter().map(|link| (link.from.as_str(), link.to.as_str())).collect();
        uses.sort_unstable();
        uses.dedup();
        uses
    }
}

impl PartialEq for Graph {
    /// Equal in what they say, wherever it was written.
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
            && self.wires() == other.wires()
            && self.uses() == other.uses()
            && self.options == other.options
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.kind, &self.label, &self.settings)
            == (&other.id, &other.kind, &other.label, &other.settings)
    }
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.label, &self.value) == (&other.name, &other.label, &other.value)
    }
}

impl Edge {
    fn parts(&self) -> (&str, Signal, &str) {
        (&self.from, self.signal, &self.to)
    }
}

impl Node {
    /// A component declared at a place; its id follows from kind and label.
    pub fn new(kind: &str, label: &str, settings: Settings, at: Location) -> Self {
        let id = if label.is_empty() { kind.to_owned() } else { format!("{kind}.{label}") };
        Self { id, kind: kind.to_owned(), label: label.to_owned(), settings, at }
    }
}
