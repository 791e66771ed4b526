//! From statements to a graph: names are resolved, custom components become the components they
//! consist of.
//!
//! The body of a file, of a `declare` and of a `foreach` is a [`Unit`]. Its components are
//! registered before any is evaluated, so that they may name each other in any order. An instance
//! of a custom component is expanded when something first asks for what it exports, or when its
//! turn comes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::evaluate::Evaluator;
use super::module::{Declare, Module};
use super::parser::{self, Strictness};
use super::tree::{Block, Extent, File, Statement};
use crate::catalog::{self, RowInfo};
use crate::diagnostic::{Code, Diagnostic};
use crate::dialect::Context;
use crate::graph::{Graph, Link, Node, Setting};
use crate::schema::Shape;
use crate::source::{Location, Source};
use crate::value::{Data, Value};

use super::lower;

mod instance;
mod scope;

/// Components that one configuration may have, custom ones and what they consist of.
const NODES_MAX: usize = 10_000;

/// Blocks that set the process and make no component.
const OPTIONS: [&str; 6] =
    ["bessemer.test", "http", "livedebugging", "logging", "remotecfg", "tracing"];
/// Those of them that change nothing here.
const WITHOUT_EFFECT: [&str; 2] = ["livedebugging", "remotecfg"];

/// What the expansion of one configuration shares.
pub(super) struct Engine<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) strictness: Strictness,
    pub(super) diagnostics: RefCell<Vec<Diagnostic>>,
    /// The names of the texts that are being imported.
    pub(super) imports: RefCell<Vec<String>>,
    /// Components that do not exist.
    pub(super) incomplete: RefCell<BTreeSet<String>>,
    /// The definitions that are being instantiated.
    instances: RefCell<Vec<Rc<Block>>>,
    nodes: Cell<usize>,
}

impl<'a> Engine<'a> {
    pub(super) fn new(context: &'a Context<'a>, strictness: Strictness) -> Self {
        Self {
            context,
            strictness,
            diagnostics: RefCell::default(),
            imports: RefCell::default(),
            incomplete: RefCell::default(),
            instances: RefCell::default(),
            nodes: Cell::new(0),
        }
    }

    pub(super) fn report(&self, finding: Diagnostic) {
        if !finding.message.is_empty() {
            self.diagnostics.borrow_mut().push(finding);
        }
    }

    /// Parses a text; its findings are reported.
    pub(super) fn parse(&self, source: &Arc<Source>) -> File {
        let parsed = parser::parse(source, self.strictness);
        let findings = parsed.findings.into_iter().map(|finding| finding.bind(source));
        self.diagnostics.borrow_mut().extend(findings);
        parsed.file
    }

    /// Reads texts that belong together.
    pub(super) fn run(&self, sources: &[Arc<Source>]) -> Graph {
        let mut graph = Graph::default();
        let mut unit = Unit::new(self, Rc::new(Module::default()));
        let mut statements = Vec::new();
        for source in sources {
            let body = self.parse(source).body;
            statements.extend(body.into_iter().map(|statement| (statement, Arc::clone(source))));
        }
        if self.diagnostics.borrow().iter().any(Diagnostic::is_error) {
            // What is left of a text that does not follow the grammar would only raise false
            // findings.
            return graph;
        }
        let blocks = unit.blocks(&statements);
        let (options, components): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|(block, _)| OPTIONS.contains(&block.name.as_str()));
        unit.register(&components);
        for (block, source) in &options {
            graph.options.push(unit.option(block, source));
        }
        graph.merge(unit.expand());
        graph
    }

    /// Counts a component; false if there are too many.
    fn count_node(&self, at: &Location) -> bool {
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() == NODES_MAX + 1 {
            let message = format!("more than {NODES_MAX} components");
            self.report(Diagnostic::error(Code::Limit, at, message));
        }
        self.nodes.get() <= NODES_MAX
    }
}

type Sourced = (Rc<Block>, Arc<Source>);

/// A body whose components can name each other.
pub(super) struct Unit<'e> {
    engine: &'e Engine<'e>,
    module: Rc<Module>,
    entries: Vec<Entry>,
    /// Entries by kind and label, as they are written.
    names: BTreeMap<String, usize>,
    variables: BTreeMap<String, Value>,
    /// What the labels in this unit start with in the graph.
    prefix: String,
    /// The unit around, whose components can be named too.
    outer: Option<&'e Unit<'e>>,
}

struct Entry {
    block: Rc<Block>,
    source: Arc<Source>,
    /// The id in the graph.
    id: String,
    kind: EntryKind,
}

enum EntryKind {
    Component(Box<RowInfo>),
    Instance { declare: Rc<Declare>, module: Rc<Module>, state: RefCell<State> },
    Foreach,
    Unknown,
}

/// How far the expansion of an instance is.
enum State {
    Waiting,
    Running,
    /// Without exports if something that it needs is wrong.
    Done {
        graph: Graph,
        exports: Option<Value>,
    },
}

impl<'e> Unit<'e> {
    fn new(engine: &'e Engine<'e>, module: Rc<Module>) -> Self {
        Self {
            engine,
            module,
            entries: Vec::new(),
            names: BTreeMap::new(),
            variables: BTreeMap::new(),
            prefix: String::new(),
            outer: None,
        }
    }

    /// The blocks that are no definitions; definitions go to the module.
    fn blocks(&self, statements: &[(Statement, Arc<Source>)]) -> Vec<Sourced> {
        let mut blocks = Vec::new();
        for (statement, source) in statements {
            match statement {
                Statement::Attribute(attribute) => {
                    let at = Location::new(source, attribute.name_at.range());
                    let message = format!("attribute \"{}\" can not stand here", attribute.name);
                    self.engine.report(
                        Diagnostic::error(Code::Misplaced, &at, message)
                            .with_help("settings belong into the block of a component"),
                    );
                }
                Statement::Block(block) => {
                    if !self.module.take(self.engine, block, source) {
                        blocks.push((Rc::clone(block), Arc::clone(source)));
                    }
                }
            }
        }
        blocks
    }

    /// Gives every component its id.
    fn register(&mut self, blocks: &[Sourced]) {
        for (block, source) in blocks {
            let at = Location::new(source, block.head().range());
            let kind = self.entry_kind(block, &at);
            if block.label().is_empty() {
                let name = &block.name;
                let message = format!("{name} needs a label");
                self.engine.report(
                    Diagnostic::error(Code::Missing, &at, message)
                        .with_help(format!("write {name} \"default\" {{")),
                );
            }
            let canonical = if let EntryKind::Component(row) = &kind {
                row.name.clone()
            } else {
                block.name.clone()
            };
            let id = format!("{canonical}.{}{}", self.prefix, block.label());
            for written in [&block.name, &canonical] {
                let name = format!("{written}.{}", block.label());
                match self.names.get(&name).and_then(|known| self.entries.get(*known)) {
                    None => {
                        self.names.insert(name, self.entries.len());
                    }
                    Some(first) => {
                        let first = Location::new(&first.source, first.block.head().range());
                        let message = format!("{name} is declared twice");
                        self.engine.report(
                            Diagnostic::error(Code::Duplicate, &at, message)
                                .with_help(format!("the first is at {first}")),
                        );
                        break;
                    }
                }
                if *written == canonical {
                    break;
                }
            }
            let (block, source) = (Rc::clone(block), Arc::clone(source));
            self.entries.push(Entry { block, source, id, kind });
        }
    }

    fn entry_kind(&self, block: &Block, at: &Location) -> EntryKind {
        let name = &block.name;
        if name == "foreach" {
            return EntryKind::Foreach;
        }
        if let Some((declare, module)) = self.module.find(name) {
            return EntryKind::Instance { declare, module, state: RefCell::new(State::Waiting) };
        }
        if let Some(row) = catalog::row(self.engine.context.catalog, name) {
            return EntryKind::Component(Box::new(row));
        }
        let mut names = self.engine.context.catalog.kinds();
        names.extend(self.module.names());
        names.extend(OPTIONS.map(str::to_owned));
        names.push(catalog::PIPELINE.to_owned());
        let message = format!("unknown component \"{name}\"");
        self.engine.report(
            Diagnostic::error(Code::UnknownComponent, at, message)
                .with_nearest(name, names.iter().map(String::as_str)),
        );
        EntryKind::Unknown
    }

    /// The components of this unit with their wires.
    fn expand(&self) -> Graph {
        let mut graph = Graph::default();
        for (index, entry) in self.entries.iter().enumerate() {
            match &entry.kind {
                EntryKind::Component(row) => graph.merge(self.single(entry, row)),
                EntryKind::Foreach => graph.merge(self.foreach(entry)),
                EntryKind::Instance { .. } => graph.merge(self.finished_instance(index)),
                EntryKind::Unknown => {
                    self.engine.incomplete.borrow_mut().insert(entry.id.clone());
                    let at = Location::new(&entry.source, entry.block.head().range());
                    let label = format!("{}{}", self.prefix, entry.block.label());
                    let settings = Value::block(at.clone());
                    graph.nodes.push(Node::new(&entry.block.name, &label, settings, at));
                }
            }
        }
        graph
    }

    fn single(&self, entry: &Entry, row: &RowInfo) -> Graph {
        let mut graph = Graph::default();
        let at = Location::new(&entry.source, entry.block.head().range());
        if !self.engine.count_node(&at) {
            return graph;
        }
        let evaluator = self.evaluator(&entry.source);
        let shape = Shape::of(&row.schema);
        let (settings, _) = lower::body(self.engine, &evaluator, &entry.block.body, Some(shape));
        let label = format!("{}{}", self.prefix, entry.block.label());
        let settings = Value::new(Data::Object(settings), at.clone());
        let mut node = Node::new(&row.name, &label, settings, at);
        node.id.clone_from(&entry.id);
        graph.edges = lower::wires(self.engine, &mut node, row);
        let link = |(reference, at): (&crate::value::Reference, &Location)| Link {
            from: node.id.clone(),
            to: reference.node.clone(),
            at: at.clone(),
        };
        graph.links = node.settings.references().into_iter().map(link).collect();
        graph.nodes.push(node);
        graph
    }

    fn option(&self, block: &Block, source: &Arc<Source>) -> Setting {
        let at = Location::new(source, block.head().range());
        if WITHOUT_EFFECT.contains(&block.name.as_str()) {
            let message = format!("\"{}\" is accepted and has no effect", block.name);
            self.engine.report(Diagnostic::warning(Code::Ignored, &at, message));
        }
        let evaluator = self.evaluator(source);
        let (object, _) = lower::body(self.engine, &evaluator, &block.body, None);
        Setting {
            name: block.name.clone(),
            label: block.label().to_owned(),
            value: Value::new(Data::Object(object), at.clone()),
            at,
        }
    }

    fn evaluator<'s>(&'s self, source: &'s Arc<Source>) -> Evaluator<'s> {
        Evaluator { scope: self, source, environment: self.engine.context.environment }
    }

    fn location(source: &Arc<Source>, at: Extent) -> Location {
        Location::new(source, at.range())
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "boxed is how results carry findings")]
/// Stands for a finding that was reported where its cause is; it is not reported again.
fn already_reported(at: &Location) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(Code::Module, at, ""))
}
