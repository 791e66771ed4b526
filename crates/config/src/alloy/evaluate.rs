//! Gives expressions their values.
//!
//! Everything is evaluated once, when the configuration is loaded. What another component offers is
//! known only at run time: it stays a reference, and an operator or function that would need its
//! value is an error that says so.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

use std::sync::Arc;

use super::literal::{unquote, whole};
use super::operate;
use super::stdlib::{self, Call};
use super::token::Operator;
use super::tree::{Entry, Expression, Extent, Link, Shape, Step};
use crate::diagnostic::{Code, Diagnostic};
use crate::environment::Environment;
use crate::source::{Location, Source};
use crate::value::{Data, Field, Form, Number, Object, Origin, Value};

/// A value, or the first finding that kept it from existing.
pub(crate) type Evaluated = Result<Value, Box<Diagnostic>>;

/// What names mean where an expression stands.
pub(crate) trait Scope {
    /// A name that has a value of its own, such as `argument` or `module_path`.
    fn variable(&self, name: &str, source: &Source) -> Option<Value>;

    /// The component that a path of names starts with: how many names it took, and its value.
    fn component(&self, path: &[&str], at: &Location) -> Option<(usize, Evaluated)>;

    /// The finding for a path that means nothing.
    fn unknown(&self, path: &[&str], at: &Location) -> Diagnostic;
}

pub(crate) struct Evaluator<'a> {
    pub(crate) scope: &'a dyn Scope,
    pub(crate) source: &'a Arc<Source>,
    pub(crate) environment: &'a dyn Environment,
}

impl Evaluator<'_> {
    pub(crate) fn location(&self, at: Extent) -> Location {
        Location::new(self.source, at.range())
    }

    pub(crate) fn expression(&self, expression: &Expression) -> Evaluated {
        let at = self.location(expression.at);
        let data = match &expression.shape {
            Shape::Null => Data::Null,
            Shape::Bool => Data::Bool(self.text(expression.at) == "true"),
            Shape::Number => Data::Number(whole(self.text(expression.at))),
            Shape::Float => self.float(expression.at)?,
            Shape::String => Data::String(unquote(self.text(expression.at))),
            Shape::Name(_) => return self.path(expression, &[]),
            Shape::List(elements) => {
                let items = elements.iter().map(|element| self.expression(element));
                Data::Array(items.collect::<Result<_, _>>()?)
            }
            Shape::Map(entries) => self.map(entries)?,
            Shape::Paren(inner) => return self.expression(inner),
            Shape::Unary(operator, operand) => {
                operate::unary(*operator, &self.expression(operand)?)?
            }
            Shape::Chain(first, links) => {
                let mut value = self.expression(first)?;
                for link in links {
                    let operand = self.expression(&link.operand)?;
                    let data = operate::binary(&value, link.operator, &operand)?;
                    let is_sum = link.operator == Operator::Plus;
                    let origin = if is_sum { Origin::joined(&value, &operand) } else { None };
                    value = Value { data, at: at.clone(), origin };
                }
                return Ok(value);
            }
            Shape::Powers(first, links) => self.powers(first, links)?,
            Shape::Path(base, steps) => return self.path(base, steps),
        };
        Ok(Value::new(data, at))
    }

    fn text(&self, at: Extent) -> &str {
        self.source.text().get(at.range()).unwrap_or_default()
    }

    fn float(&self, at: Extent) -> Result<Data, Box<Diagnostic>> {
        match self.text(at).parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Data::Number(Number::Float(number))),
            _ => {
                let at = self.location(at);
                Err(Box::new(Diagnostic::error(Code::Evaluation, &at, "number out of range")))
            }
        }
    }

    fn map(&self, entries: &[Entry]) -> Result<Data, Box<Diagnostic>> {
        let mut object = Object { fields: Vec::with_capacity(entries.len()), form: Form::Literal };
        for entry in entries {
            let value = self.expression(&entry.value)?;
            let name_at = self.location(entry.name_at);
            object.fields.push(Field { name: entry.name.clone(), name_at, value });
        }
        // The last of several equal names counts.
        let mut seen = std::collections::HashSet::new();
        let mut fields: Vec<Field> = object.fields.into_iter().rev().collect();
        fields.retain(|field| seen.insert(field.name.clone()));
        fields.reverse();
        object.fields = fields;
        Ok(Data::Object(object))
    }

    fn powers(&self, first: &Expression, links: &[Link]) -> Result<Data, Box<Diagnostic>> {
        let operands = std::iter::once(first).chain(links.iter().map(|link| &link.operand));
        let mut values =
            operands.map(|operand| self.expression(operand)).collect::<Result<Vec<_>, _>>()?;
        let mut right = values.pop().unwrap_or_default();
        while let Some(left) = values.pop() {
            let data = operate::binary(&left, Operator::Power, &right)?;
            right = Value::new(data, left.at);
        }
        Ok(right.data)
    }

    /// A name or other expression, followed by accesses, indexes and calls.
    fn path(&self, base: &Expression, steps: &[Step]) -> Evaluated {
        let (mut value, used) = match &base.shape {
            Shape::Name(first) => self.named(first, base.at, steps)?,
            _ => (self.expression(base)?, 0),
        };
        for step in steps.iter().skip(used) {
            let at = self.location(Extent { start: base.at.start, end: step.end() });
            value = match step {
                Step::Access { name, name_at, .. } => self.access(&value, name, *name_at, at)?,
                Step::Index { index, .. } => index_of(&value, &self.expression(index)?, at)?,
                Step::Call { .. } => {
                    let message = format!("should be function, got {}", value.kind());
                    return Err(Box::new(Diagnostic::error(Code::Evaluation, &value.at, message)));
                }
            };
        }
        Ok(value)
    }

    /// The value of the longest start of a path that means something, and the steps it took.
    fn named(
        &self,
        first: &str,
        first_at: Extent,
        steps: &[Step],
    ) -> Result<(Value, usize), Box<Diagnostic>> {
        let at = self.location(first_at);
        if let Some(mut value) = self.scope.variable(first, self.source) {
            value.at = at;
            return Ok((value, 0));
        }
        let mut path = vec![first];
        let mut ends = vec![first_at.end];
        for step in steps {
            let Step::Access { name, name_at, .. } = step else { break };
            path.push(name);
            ends.push(name_at.end);
        }
        let whole = |count: usize| {
            let end = ends.get(count - 1).copied().unwrap_or(first_at.end);
            self.location(Extent { start: first_at.start, end })
        };
        if let Some((count, value)) = self.scope.component(&path, &whole(path.len())) {
            let mut value = value?;
            value.at = whole(count);
            return Ok((value, count - 1));
        }
        if first == "constants" {
            return Ok((stdlib::constants(self.environment, at), 0));
        }
        if let Some((function, count)) = stdlib::function(&path) {
            if let Some(Step::Call { arguments, close, .. }) = steps.get(count - 1) {
                let call_at = self.location(Extent { start: first_at.start, end: close + 1 });
                let value = self.call(function, path.get(..count), call_at, arguments)?;
                return Ok((value, count));
            }
            let message = format!("{} is a function and must be called", path.join("."));
            return Err(Box::new(Diagnostic::error(Code::Evaluation, &whole(count), message)));
        }
        if let Some(names) = stdlib::members(first) {
            let wanted = path.get(1).copied().unwrap_or_default();
            let message = format!("{first} has no function {wanted:?}");
            let finding = Diagnostic::error(Code::Evaluation, &whole(path.len().min(2)), message);
            return Err(Box::new(finding.with_nearest(wanted, names)));
        }
        let count = if steps.is_empty() { 1 } else { path.len() };
        Err(Box::new(self.scope.unknown(&path, &whole(count))))
    }

    fn call(
        &self,
        function: stdlib::Function,
        name: Option<&[&str]>,
        at: Location,
        arguments: &[Expression],
    ) -> Evaluated {
        let arguments = arguments.iter().map(|argument| self.expression(argument));
        let call = Call {
            name: name.unwrap_or_default().join("."),
            arguments: arguments.collect::<Result<_, _>>()?,
            at: at.clone(),
            environment: self.environment,
        };
        let mut value = function(&call)?;
        value.at = at;
        operate::check_size(&value)?;
        Ok(value)
    }

    fn access(&self, value: &Value, name: &str, name_at: Extent, at: Location) -> Evaluated {
        match &value.data {
            Data::Object(object) => {
                if let Some(found) = object.get(name) {
                    let found = found.clone();
                    return Ok(Value { at, ..found });
                }
                let message = format!("field {name:?} does not exist");
                let finding = Diagnostic::error(Code::Evaluation, &self.location(name_at), message);
                let names = object.fields.iter().map(|field| field.name.as_str());
                Err(Box::new(finding.with_nearest(name, names)))
            }
            Data::Reference(reference) => {
                let mut reference = reference.clone();
                if !reference.export.is_empty() {
                    reference.export.push('.');
                }
                reference.export.push_str(name);
                Ok(Value::new(Data::Reference(reference), at))
            }
            _ => {
                let message =
                    format!("cannot access field {name:?} on value of type {}", value.kind());
                Err(Box::new(Diagnostic::error(Code::Evaluation, &value.at, message)))
            }
        }
    }
}

fn index_of(value: &Value, index: &Value, at: Location) -> Evaluated {
    let fail = |at: &Location, message: String| {
        Err(Box::new(Diagnostic::error(Code::Evaluation, at, message)))
    };
    match (&value.data, &index.data) {
        (Data::Array(items), Data::Number(number)) => {
            let number = number.as_i64();
            let item = usize::try_from(number).ok().and_then(|number| items.get(number));
            if let Some(item) = item.cloned() {
                return Ok(Value { at, ..item });
            }
            let length = items.len();
            let text = "is out of range of array with length";
            fail(&index.at, format!("index {number} {text} {length}"))
        }
        (Data::Object(object), Data::String(name)) => {
            let found = object.get(name).cloned().unwrap_or_default();
            Ok(Value { at, ..found })
        }
        (Data::Array(_), _) => fail(&index.at, format!("should be number, got {}", index.kind())),
        (Data::Object(_), _) => fail(&index.at, format!("should be string, got {}", index.kind())),
        (Data::Reference(reference), _) => {
            fail(&value.at, format!("{reference} is known only at run time"))
        }
        _ => fail(&value.at, format!("expected object or array, got {}", value.kind())),
    }
}
