//! From the body of a block to settings, and from settings to the wires of a component.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

use std::collections::HashSet;

use bessemer_record::Signal;

use super::evaluate::Evaluator;
use super::expand::Engine;
use super::tree::{Attribute, Block, Extent, Statement};
use crate::catalog::{Role, RowInfo};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Edge, Node};
use crate::schema::Shape;
use crate::source::Location;
use crate::value::{Data, Field, Form, Object, Value};

/// The settings that a body gives, and whether all of them could be evaluated.
pub(super) fn body(
    engine: &Engine<'_>,
    evaluator: &Evaluator<'_>,
    statements: &[Statement],
    shape: Option<Shape<'_>>,
) -> (Object, bool) {
    let mut lowering = Lowering { engine, evaluator, is_complete: true, failed: HashSet::new() };
    let object = lowering.body(statements, shape);
    (object, lowering.is_complete)
}

struct Lowering<'a> {
    engine: &'a Engine<'a>,
    evaluator: &'a Evaluator<'a>,
    is_complete: bool,
    /// Where the expressions start that have no value.
    failed: HashSet<usize>,
}

impl Lowering<'_> {
    fn report(&mut self, code: Code, at: Extent, message: String) {
        let at = self.evaluator.location(at);
        self.engine.report(Diagnostic::error(code, &at, message));
        self.is_complete = false;
    }

    fn body(&mut self, statements: &[Statement], shape: Option<Shape<'_>>) -> Object {
        let mut object = Object { fields: Vec::new(), form: Form::Block };
        for statement in statements {
            match statement {
                Statement::Attribute(attribute) => self.attribute(attribute, &mut object),
                Statement::Block(block) => self.block(block, &mut object, shape),
            }
        }
        // Null is how a text says that a setting is not given. What could not be evaluated stays,
        // as a null: it is given, and its name can be checked.
        object.fields.retain(|field| {
            field.value.data != Data::Null || self.failed.contains(&field.value.at.range().start)
        });
        object
    }

    fn attribute(&mut self, attribute: &Attribute, object: &mut Object) {
        let name = &attribute.name;
        if object.get(name).is_some() {
            let message = format!("attribute \"{name}\" is given twice");
            return self.report(Code::Duplicate, attribute.name_at, message);
        }
        let value = match self.evaluator.expression(&attribute.value) {
            Ok(value) => value,
            Err(finding) => {
                self.engine.report(*finding);
                self.is_complete = false;
                self.failed.insert(attribute.value.at.start);
                Value::new(Data::Null, self.evaluator.location(attribute.value.at))
            }
        };
        object.set(name.clone(), self.evaluator.location(attribute.name_at), value);
    }

    fn block(&mut self, block: &Block, object: &mut Object, shape: Option<Shape<'_>>) {
        let name_at = self.evaluator.location(block.name_at);
        let ordered = shape.and_then(|shape| shape.ordered(&block.name));
        let (name, variant) = match ordered {
            Some((name, variant)) => (name, Some(variant)),
            None => (block.name.as_str(), None),
        };
        let inner_shape = shape.and_then(|shape| match variant {
            Some(variant) => shape.property(name)?.item().property(variant),
            None => shape.property(name).map(Shape::item),
        });
        let mut inner = self.body(&block.body, inner_shape);
        self.label(block, &mut inner, inner_shape);
        let at = self.evaluator.location(block.head());
        let mut value = Value::new(Data::Object(inner), at.clone());
        if let Some(variant) = variant {
            let mut wrapper = Object { fields: Vec::new(), form: Form::Block };
            wrapper.set(variant, name_at.clone(), value);
            value = Value::new(Data::Object(wrapper), at.clone());
        }
        let known = object.fields.iter_mut().find(|field| field.name == name);
        match known {
            None => {
                let value = match variant {
                    Some(_) => Value::new(Data::Array(vec![value]), at),
                    None => value,
                };
                object.fields.push(Field { name: name.to_owned(), name_at, value });
            }
            Some(field) if field.value.is_block() => {
                let first = std::mem::take(&mut field.value);
                let at = first.at.clone();
                field.value = Value::new(Data::Array(vec![first, value]), at);
            }
            Some(Field { value: Value { data: Data::Array(items), .. }, .. })
                if !items.is_empty() && items.iter().all(Value::is_block) =>
            {
                items.push(value);
            }
            Some(_) => {
                let message = format!("\"{name}\" is given as an attribute and as a block");
                self.report(Code::Duplicate, block.head(), message);
            }
        }
    }

    fn label(&mut self, block: &Block, inner: &mut Object, shape: Option<Shape<'_>>) {
        let Some(label) = &block.label else { return };
        let is_allowed =
            shape.is_none_or(|shape| !shape.is_closed() || shape.property("label").is_some());
        if !is_allowed {
            let message = format!("block \"{}\" does not take a label", block.name);
            return self.report(Code::WrongValue, label.at, message);
        }
        let at = self.evaluator.location(label.at);
        inner.set("label", at.clone(), Value::string(label.text.clone(), at));
    }
}

/// Takes the wiring out of the settings of a component.
pub(super) fn wires(engine: &Engine<'_>, node: &mut Node, row: &RowInfo) -> Vec<Edge> {
    let mut edges = Vec::new();
    let id = node.id.clone();
    let Some(settings) = node.settings.as_object_mut() else { return edges };
    let mut add = |signals: &[Signal], value: &Value| {
        for (to, at) in targets(engine, value) {
            let edge = |signal: &Signal| Edge {
                from: id.clone(),
                signal: *signal,
                to: to.clone(),
                at: at.clone(),
            };
            edges.extend(signals.iter().map(edge));
        }
    };
    if row.role == Role::Pipeline {
        if let Some(field) = settings.remove("to") {
            add(&Signal::ALL, &field.value);
        }
    } else if let Some(field) = settings.remove("forward_to") {
        add(&forwarded(row), &field.value);
    }
    let is_output = |value: &Value| value.is_block() || value.is_repeated_block();
    if !settings.get("output").is_some_and(is_output) {
        return edges;
    }
    let Some(output) = settings.remove("output") else { return edges };
    if output.value.is_repeated_block() {
        let message = "block \"output\" may be given only once";
        engine.report(Diagnostic::error(Code::Duplicate, &output.value.at, message));
    }
    for field in output.value.as_object().map_or(&[][..], |object| &object.fields) {
        let named = Signal::ALL.iter().find(|signal| signal.as_str() == field.name);
        if let Some(signal) = named {
            add(&[*signal], &field.value);
            continue;
        }
        let message = format!("output has no signal \"{}\"", field.name);
        let names = Signal::ALL.iter().map(|signal| signal.as_str());
        engine.report(
            Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
                .with_nearest(&field.name, names),
        );
    }
    edges
}

/// The signals that `forward_to` means.
fn forwarded(row: &RowInfo) -> Vec<Signal> {
    if row.name.starts_with("prometheus.") {
        vec![Signal::Metrics]
    } else if row.name.starts_with("loki.") {
        vec![Signal::Logs]
    } else if row.signals.is_empty() {
        Signal::ALL.to_vec()
    } else {
        row.signals.clone()
    }
}

/// The components that a list of inputs names.
fn targets(engine: &Engine<'_>, value: &Value) -> Vec<(String, Location)> {
    match &value.data {
        Data::Array(items) => items.iter().flat_map(|item| targets(engine, item)).collect(),
        Data::Null => Vec::new(),
        Data::Reference(reference) => {
            if !matches!(reference.export.as_str(), "input" | "receiver") {
                let node = &reference.node;
                let message = format!("{reference} is not an input");
                engine.report(
                    Diagnostic::error(Code::Wiring, &value.at, message)
                        .with_help(format!("write {node}.input")),
                );
            }
            vec![(reference.node.clone(), value.at.clone())]
        }
        _ => {
            let message = format!("should be the input of a component, got {}", value.kind());
            engine.report(Diagnostic::error(Code::Wiring, &value.at, message));
            Vec::new()
        }
    }
}
