//! Calls: the function by its name, arguments by position or name, literals prepared.

use super::Compiler;
use crate::error::CompileError;
use crate::expression::{Expression, Key};
use crate::functions::{Argument, Bound, Function, Kind, Parameter, Prepared};
use crate::nearest::nearest;
use crate::syntax::{self, Call, Node, NodeKind};
use crate::value::Value;

impl Compiler<'_> {
    pub(super) fn call(&self, at: usize, call: &Call) -> Result<Bound, CompileError> {
        let function = self.function(at, &call.name)?;
        let mut arguments = vec![Argument::Absent; function.parameters.len()];
        for (position, argument) in call.arguments.iter().enumerate() {
            let (slot, parameter) = place(function, position, call)?;
            let compiled = self.argument(parameter, &argument.value)?;
            if let Some(present) = arguments.get_mut(slot) {
                if !matches!(present, Argument::Absent) {
                    let message = format!("{} is given twice", parameter.name);
                    return Err(CompileError::new(argument.value.at, message));
                }
                *present = compiled;
            }
        }
        let absent = function.parameters.iter().zip(&arguments).find(|(parameter, argument)| {
            !parameter.is_optional && matches!(argument, Argument::Absent)
        });
        if let Some((parameter, _)) = absent {
            let message = format!("{} needs the argument {}", function.name, parameter.name);
            return Err(CompileError::new(at, message));
        }
        let keys = call.keys.iter().map(|key| self.key(key)).collect::<Result<_, _>>()?;
        let prepared = prepare(function, &arguments)
            .map_err(|message| CompileError::new(at, format!("{}: {message}", function.name)))?;
        Ok(Bound { function, arguments, keys, prepared })
    }

    fn function(&self, at: usize, name: &str) -> Result<&'static Function, CompileError> {
        let Some(function) = self.functions.get(name) else {
            let names = self.functions.iter().map(|function| function.name);
            let error = CompileError::new(at, format!("there is no function {name}"));
            return Err(error.near(nearest(name, names)));
        };
        if function.contexts.is_empty() || function.contexts.contains(&self.context) {
            return Ok(function);
        }
        let message = format!("{name} cannot be used on a {}", self.context.name());
        Err(CompileError::new(at, message))
    }

    pub(super) fn key(&self, node: &Node) -> Result<Key, CompileError> {
        match self.expression(node)? {
            Expression::Literal(value @ (Value::String(_) | Value::Int(_))) => {
                Ok(Key::Fixed(value))
            }
            Expression::Literal(other) => {
                let message = format!("an index is a string or an int, not {}", other.type_name());
                Err(CompileError::new(node.at, message))
            }
            expression => Ok(Key::Dynamic(expression)),
        }
    }

    fn argument(&self, parameter: &Parameter, node: &Node) -> Result<Argument, CompileError> {
        let refused = |expected: &str| {
            let message = format!("{} must be {expected}", parameter.name);
            CompileError::new(node.at, message)
        };
        match (parameter.kind, &node.kind) {
            (Kind::Target, NodeKind::Path(segments)) => {
                return Ok(Argument::Target(self.path(node.at, segments)?));
            }
            (Kind::Target, _) => return Err(refused("a path")),
            (Kind::Function, NodeKind::Name(name)) => {
                return Ok(Argument::Function(self.function(node.at, name)?));
            }
            (Kind::Function, _) => return Err(refused("the name of a function")),
            _ => {}
        }
        let expression = self.expression(node)?;
        let literal = match &expression {
            Expression::Literal(value) => Some(value),
            _ => None,
        };
        match (wanted(parameter.kind), literal) {
            (Some(expected), None) => Err(refused(expected)),
            (_, Some(value)) if !may_be(parameter.kind, value) => {
                let expected = wanted(parameter.kind).unwrap_or("of another type");
                Err(refused(expected))
            }
            _ => Ok(Argument::Value(expression)),
        }
    }
}

/// What a parameter wants that only takes literals.
fn wanted(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Word => Some("a literal string"),
        Kind::Words => Some("a literal list of strings"),
        Kind::Number => Some("a literal int"),
        Kind::Flag => Some("a literal bool"),
        Kind::Bytes => Some("literal bytes"),
        _ => None,
    }
}

/// Whether a literal can be what a parameter takes; nil and conversions are a matter of each record.
fn may_be(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Word => matches!(value, Value::String(_)),
        Kind::Number => matches!(value, Value::Int(_)),
        Kind::Flag => matches!(value, Value::Bool(_)),
        Kind::Bytes => matches!(value, Value::Bytes(_)),
        Kind::Words => match value {
            Value::List(items) => items.iter().all(|item| matches!(item, Value::String(_))),
            _ => false,
        },
        _ => true,
    }
}

fn place<'p>(
    function: &'static Function,
    position: usize,
    call: &Call,
) -> Result<(usize, &'p Parameter), CompileError> {
    let argument = call.arguments.get(position);
    let at = argument.map_or(0, |argument| argument.value.at);
    let parameters = function.parameters;
    let Some(name) = argument.and_then(|argument| argument.name.as_deref()) else {
        let is_after_named = call.arguments.iter().take(position).any(is_named);
        if is_after_named {
            return Err(CompileError::new(at, "an argument without name follows a named one"));
        }
        let message = format!("{} takes at most {} arguments", function.name, parameters.len());
        let parameter = parameters.get(position).ok_or(CompileError::new(at, message))?;
        return Ok((position, parameter));
    };
    let names = || parameters.iter().map(|parameter| parameter.name);
    let slot = names().position(|known| known == name || camel(known) == name);
    let found = slot.and_then(|slot| Some((slot, parameters.get(slot)?)));
    found.ok_or_else(|| {
        let message = format!("{} has no argument {name}", function.name);
        CompileError::new(at, message).near(nearest(name, names()))
    })
}

/// A name as some documents of the language write it.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        out.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

fn is_named(argument: &syntax::Argument) -> bool {
    argument.name.is_some()
}

fn prepare(function: &Function, arguments: &[Argument]) -> Result<Prepared, String> {
    if function.prepare.is_none() && function.check.is_none() {
        return Ok(Prepared::Nothing);
    }
    let literals: Vec<Option<&Value>> = arguments
        .iter()
        .map(|argument| match argument {
            Argument::Value(Expression::Literal(value)) => Some(value),
            _ => None,
        })
        .collect();
    if let Some(check) = function.check {
        check(&literals)?;
    }
    function.prepare.map_or(Ok(Prepared::Nothing), |prepare| prepare(&literals))
}
