//! Instances of custom components, and `foreach`.

use std::rc::Rc;
use std::sync::Arc;

use super::{Entry, EntryKind, Sourced, State, Unit, already_reported};
use crate::alloy::evaluate::Evaluated;
use crate::alloy::lower;
use crate::alloy::module::{Declare, Module};
use crate::alloy::tree::{Block, Statement};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Graph;
use crate::source::{Location, Source};
use crate::value::{Data, Object, Value};

/// How deep custom components may consist of custom components.
const INSTANCE_DEPTH_MAX: usize = 32;

impl Unit<'_> {
    /// What an instance exports.
    pub(super) fn exports(&self, index: usize, at: &Location) -> Evaluated {
        let Some(Entry { kind: EntryKind::Instance { state, .. }, id, .. }) =
            self.entries.get(index)
        else {
            return Ok(Value::default());
        };
        if matches!(&*state.borrow(), State::Running) {
            let message = format!("{id} depends on what it exports itself");
            return Err(Box::new(Diagnostic::error(Code::Cycle, at, message)));
        }
        self.instantiate(index);
        match &*state.borrow() {
            State::Done { exports: Some(exports), .. } => Ok(exports.clone()),
            State::Done { .. } | State::Waiting | State::Running => Err(already_reported(at)),
        }
    }

    /// The components of an instance.
    pub(super) fn finished_instance(&self, index: usize) -> Graph {
        self.instantiate(index);
        let Some(Entry { kind: EntryKind::Instance { state, .. }, .. }) = self.entries.get(index)
        else {
            return Graph::default();
        };
        match &mut *state.borrow_mut() {
            State::Done { graph, .. } => std::mem::take(graph),
            State::Waiting | State::Running => Graph::default(),
        }
    }

    fn instantiate(&self, index: usize) {
        let Some(entry) = self.entries.get(index) else { return };
        let EntryKind::Instance { declare, module, state } = &entry.kind else { return };
        if !matches!(&*state.borrow(), State::Waiting) {
            return;
        }
        *state.borrow_mut() = State::Running;
        let (graph, exports) = self.instance(entry, declare, module).unzip();
        *state.borrow_mut() = State::Done { graph: graph.unwrap_or_default(), exports };
    }

    fn instance(
        &self,
        entry: &Entry,
        declare: &Declare,
        module: &Rc<Module>,
    ) -> Option<(Graph, Value)> {
        let at = Self::location(&entry.source, entry.block.head());
        let engine = self.engine;
        if !engine.count_node(&at) {
            return None;
        }
        let is_open = engine.instances.borrow().iter().any(|open| Rc::ptr_eq(open, &declare.block));
        if is_open || engine.instances.borrow().len() >= INSTANCE_DEPTH_MAX {
            let name = declare.block.label();
            let message = if is_open {
                format!("custom component \"{name}\" contains itself")
            } else {
                format!("custom components nested deeper than {INSTANCE_DEPTH_MAX}")
            };
            engine.report(Diagnostic::error(Code::Cycle, &at, message));
            return None;
        }
        let evaluator = self.evaluator(&entry.source);
        let (given, is_complete) = lower::body(engine, &evaluator, &entry.block.body, None);
        if !is_complete {
            return None;
        }
        engine.instances.borrow_mut().push(Rc::clone(&declare.block));
        let result = self.inner(entry, declare, module, &given, at);
        engine.instances.borrow_mut().pop();
        result
    }

    fn inner(
        &self,
        entry: &Entry,
        declare: &Declare,
        module: &Rc<Module>,
        given: &Object,
        at: Location,
    ) -> Option<(Graph, Value)> {
        let mut unit = Unit::new(self.engine, Module::inside(module));
        let kind = entry.block.name.replace('.', "_");
        unit.prefix = format!("{}{kind}_{}__", self.prefix, entry.block.label());
        let mut arguments: Vec<Sourced> = Vec::new();
        let mut exports: Vec<Sourced> = Vec::new();
        let mut components: Vec<Sourced> = Vec::new();
        for (block, source) in unit.blocks_of(&declare.block, &declare.source) {
            let list = match block.name.as_str() {
                "argument" => &mut arguments,
                "export" => &mut exports,
                _ => &mut components,
            };
            list.push((block, source));
        }
        let arguments = unit.arguments(&arguments, given, &at, declare.block.label())?;
        unit.variables.insert("argument".to_owned(), arguments);
        unit.register(&components);
        let graph = unit.expand();
        let mut exported = Object::default();
        for (block, source) in &exports {
            let (body, _) = lower::body(self.engine, &unit.evaluator(source), &block.body, None);
            let name_at = Self::location(source, block.head());
            match body.get("value") {
                Some(value) => exported.set(block.label(), name_at, value.clone()),
                None => unit.missing_value(&name_at, block),
            }
        }
        Some((graph, Value::new(Data::Object(exported), at)))
    }

    fn missing_value(&self, at: &Location, block: &Block) {
        let has_value = block.body.iter().any(|statement| {
            matches!(statement, Statement::Attribute(attribute) if attribute.name == "value")
        });
        if !has_value {
            let message = "export needs \"value\"";
            self.engine.report(Diagnostic::error(Code::Missing, at, message));
        }
    }

    fn blocks_of(&self, block: &Block, source: &Arc<Source>) -> Vec<Sourced> {
        let mut blocks = Vec::new();
        for statement in &block.body {
            match statement {
                Statement::Block(inner) => {
                    if !self.module.take(self.engine, inner, source) {
                        blocks.push((Rc::clone(inner), Arc::clone(source)));
                    }
                }
                Statement::Attribute(attribute) => {
                    let at = Self::location(source, attribute.name_at);
                    let message = format!("attribute \"{}\" can not stand here", attribute.name);
                    self.engine.report(Diagnostic::error(Code::Misplaced, &at, message));
                }
            }
        }
        blocks
    }

    /// The variable `argument`: what the instance gives, and defaults.
    fn arguments(
        &self,
        blocks: &[Sourced],
        given: &Object,
        at: &Location,
        name: &str,
    ) -> Option<Value> {
        let mut arguments = Object::default();
        let mut is_complete = true;
        for (block, source) in blocks {
            let argument = block.label();
            let (body, _) = lower::body(self.engine, &self.evaluator(source), &block.body, None);
            let is_optional =
                body.get("optional").is_some_and(|value| value.data == Data::Bool(true));
            let value = match given.get(argument) {
                Some(value) => value.clone(),
                None if is_optional => body.get("default").cloned().unwrap_or_default(),
                None => {
                    let message = format!("{name} needs the argument \"{argument}\"");
                    self.engine.report(Diagnostic::error(Code::Missing, at, message));
                    is_complete = false;
                    Value::default()
                }
            };
            let mut holder = Object::default();
            holder.set("value", at.clone(), value);
            arguments.set(argument, at.clone(), Value::new(Data::Object(holder), at.clone()));
        }
        for field in &given.fields {
            if arguments.get(&field.name).is_none() {
                let message = format!("{name} has no argument \"{}\"", field.name);
                let names = arguments.fields.iter().map(|field| field.name.as_str());
                self.engine.report(
                    Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
                        .with_nearest(&field.name, names),
                );
            }
        }
        is_complete.then(|| Value::new(Data::Object(arguments), at.clone()))
    }

    /// The components of a `foreach`: its template once for each item.
    pub(super) fn foreach(&self, entry: &Entry) -> Graph {
        let mut graph = Graph::default();
        let at = Self::location(&entry.source, entry.block.head());
        let fail = |message: &str| {
            self.engine.report(Diagnostic::error(Code::Module, &at, format!("foreach {message}")));
        };
        let mut template = None;
        let mut attributes = Vec::new();
        for statement in &entry.block.body {
            match statement {
                Statement::Block(block) if block.name == "template" => template = Some(block),
                Statement::Block(_) => fail("may hold one block only: template"),
                Statement::Attribute(attribute) => attributes.push(attribute),
            }
        }
        let evaluator = self.evaluator(&entry.source);
        let get = |name: &str| {
            let attribute = attributes.iter().find(|attribute| attribute.name == name)?;
            evaluator
                .expression(&attribute.value)
                .map_err(|finding| self.engine.report(*finding))
                .ok()
        };
        let (collection, variable) = (get("collection"), get("var"));
        let Some(template) = template else {
            fail("needs the block \"template\"");
            return graph;
        };
        let (Some(items), Some(variable)) = (
            collection.as_ref().and_then(Value::as_array),
            variable.as_ref().and_then(Value::as_str),
        ) else {
            fail("needs \"collection\", an array known at load, and \"var\", a string");
            return graph;
        };
        for (number, item) in items.iter().enumerate() {
            let mut unit = Unit::new(self.engine, Module::inside(&self.module));
            unit.outer = Some(self);
            unit.prefix = format!("{}foreach_{}_{number}__", self.prefix, entry.block.label());
            unit.variables.insert(variable.to_owned(), item.clone());
            let blocks = unit.blocks_of(template, &entry.source);
            unit.register(&blocks);
            graph.merge(unit.expand());
        }
        graph
    }
}
