//! From syntax to a typed program: every name, path and literal is checked here.

mod call;
mod path;

use crate::compare::Comparison;
use crate::context::Context;
use crate::error::CompileError;
use crate::expression::{Expression, Test};
use crate::functions::Functions;
use crate::limits::Limits;
use crate::nearest::nearest;
use crate::parser;
use crate::paths::{enumeration, enumerations};
use crate::program::{Condition, Statement, ValueExpression};
use crate::syntax::{Call, Node, NodeKind, Operator};
use crate::value::Value;

pub use path::infer_context;

/// Checks the syntax of a statement, not its names.
pub fn check_statement(source: &str) -> Result<(), CompileError> {
    parser::statement(source).map(drop).map_err(|error| error.located(source))
}

/// Checks the syntax of a condition, not its names.
pub fn check_condition(source: &str) -> Result<(), CompileError> {
    parser::condition(source).map(drop).map_err(|error| error.located(source))
}

/// Compiles texts for one context.
#[derive(Debug, Clone, Copy)]
pub struct Compiler<'f> {
    pub(super) context: Context,
    pub(super) functions: &'f Functions,
    limits: Limits,
}

impl<'f> Compiler<'f> {
    /// Compiles for records of this kind with these functions.
    pub fn new(context: Context, functions: &'f Functions) -> Self {
        Self { context, functions, limits: Limits::default() }
    }

    /// Bounds the work for each record.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Compiles `editor(arguments) where condition`.
    pub fn statement(&self, source: &str) -> Result<Statement, CompileError> {
        let compile = || {
            let parsed = parser::statement(source)?;
            let editor = self.call(parsed.at, &parsed.editor)?;
            if !editor.function.is_editor() {
                let message = format!("{} changes nothing: it is a converter", parsed.editor.name);
                return Err(CompileError::new(parsed.at, message));
            }
            let condition = parsed.condition.as_ref().map(|node| self.test(node)).transpose()?;
            Ok(Statement::new(source, self.context, editor, condition, self.limits))
        };
        compile().map_err(|error: CompileError| error.located(source))
    }

    /// Compiles a condition.
    pub fn condition(&self, source: &str) -> Result<Condition, CompileError> {
        let compiled = parser::condition(source).and_then(|node| self.test(&node));
        let compiled = compiled.map_err(|error| error.located(source))?;
        Ok(Condition::new(source, self.context, compiled, self.limits))
    }

    /// Compiles a value.
    pub fn value(&self, source: &str) -> Result<ValueExpression, CompileError> {
        let compiled = parser::value(source).and_then(|node| self.expression(&node));
        let compiled = compiled.map_err(|error| error.located(source))?;
        Ok(ValueExpression::new(self.context, compiled, self.limits))
    }

    fn test(&self, node: &Node) -> Result<Test, CompileError> {
        match &node.kind {
            NodeKind::Bool(truth) => Ok(Test::Fixed(*truth)),
            NodeKind::Call(call) => Ok(Test::Call(Box::new(self.converter(node.at, call)?))),
            NodeKind::Not(inner) => Ok(Test::Not(Box::new(self.test(inner)?))),
            NodeKind::Binary(Operator::And, left, right) => {
                Ok(Test::And(Box::new(self.test(left)?), Box::new(self.test(right)?)))
            }
            NodeKind::Binary(Operator::Or, left, right) => {
                Ok(Test::Or(Box::new(self.test(left)?), Box::new(self.test(right)?)))
            }
            NodeKind::Binary(operator, left, right) => {
                let comparison = comparison(*operator)
                    .ok_or_else(|| CompileError::new(node.at, "expected a condition"))?;
                Ok(Test::Compare(self.expression(left)?, comparison, self.expression(right)?))
            }
            _ => Err(CompileError::new(node.at, "expected a condition")),
        }
    }

    fn converter(&self, at: usize, call: &Call) -> Result<crate::functions::Bound, CompileError> {
        let bound = self.call(at, call)?;
        if bound.function.is_editor() {
            return Err(CompileError::new(
                at,
                format!("{} is an editor: it has no value", call.name),
            ));
        }
        Ok(bound)
    }

    pub(super) fn expression(&self, node: &Node) -> Result<Expression, CompileError> {
        Ok(match &node.kind {
            NodeKind::Nil => Expression::Literal(Value::Nil),
            NodeKind::Bool(truth) => Expression::Literal(Value::Bool(*truth)),
            NodeKind::Int(number) => Expression::Literal(Value::Int(*number)),
            NodeKind::Float(number) => Expression::Literal(Value::Float(*number)),
            NodeKind::Text(text) => Expression::Literal(Value::String(text.clone())),
            NodeKind::Bytes(bytes) => Expression::Literal(Value::Bytes(bytes.clone())),
            NodeKind::Name(name) => Expression::Literal(self.enumeration(node.at, name)?),
            NodeKind::Path(segments) => Expression::Path(self.path(node.at, segments)?),
            NodeKind::Call(call) => Expression::Call(Box::new(self.converter(node.at, call)?)),
            NodeKind::List(items) => {
                let items = items.iter().map(|item| self.expression(item));
                list(items.collect::<Result<_, _>>()?)
            }
            NodeKind::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, node)| Ok((key.clone(), self.expression(node)?)));
                Expression::Map(entries.collect::<Result<_, CompileError>>()?)
            }
            NodeKind::Negative(inner) => Expression::Negative(Box::new(self.expression(inner)?)),
            NodeKind::Binary(operator, left, right) => {
                let left = Box::new(self.expression(left)?);
                Expression::Math(*operator, left, Box::new(self.expression(right)?))
            }
            NodeKind::Not(_) => return Err(CompileError::new(node.at, "expected a value")),
        })
    }

    fn enumeration(&self, at: usize, name: &str) -> Result<Value, CompileError> {
        enumeration(self.context, name).map(Value::Int).ok_or_else(|| {
            let names = enumerations(self.context).map(|(name, _)| name);
            let message = format!("{name} is no name of a {} number", self.context.name());
            CompileError::new(at, message).near(nearest(name, names))
        })
    }
}

/// A list of literals is a literal.
fn list(items: Vec<Expression>) -> Expression {
    let is_literal = items.iter().all(|item| matches!(item, Expression::Literal(_)));
    if !is_literal {
        return Expression::List(items);
    }
    let values = items.into_iter().filter_map(|item| match item {
        Expression::Literal(value) => Some(value),
        _ => None,
    });
    Expression::Literal(Value::List(values.collect()))
}

fn comparison(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Equal => Comparison::Equal,
        Operator::NotEqual => Comparison::NotEqual,
        Operator::Less => Comparison::Less,
        Operator::LessOrEqual => Comparison::LessOrEqual,
        Operator::Greater => Comparison::Greater,
        Operator::GreaterOrEqual => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
