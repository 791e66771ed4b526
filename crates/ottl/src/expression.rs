//! Compiled expressions and their evaluation.

use crate::compare::{Comparison, compare};
use crate::context::Context;
use crate::error::RunError;
use crate::functions::Bound;
use crate::math;
use crate::paths::Entry;
use crate::program::Environment;
use crate::record::{Record, index_value};
use crate::syntax::Operator;
use crate::value::Value;

/// A resolved path.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    /// What the path starts from.
    pub(crate) context: Context,
    pub(crate) entry: &'static Entry,
    pub(crate) keys: Vec<Key>,
}

/// An index into a map or a list.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    Fixed(Value),
    Dynamic(Expression),
}

/// A value that is not known before there is a record.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Literal(Value),
    Path(Path),
    Call(Box<Bound>),
    Math(Operator, Box<Expression>, Box<Expression>),
    Negative(Box<Expression>),
    List(Vec<Expression>),
    Map(Vec<(String, Expression)>),
}

/// A compiled condition.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Fixed(bool),
    Call(Box<Bound>),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Compare(Expression, Comparison, Expression),
}

impl Path {
    pub(crate) fn without_keys(&self) -> Self {
        Self { context: self.context, entry: self.entry, keys: Vec::new() }
    }

    /// The key, where the path has one that is literal text and no other.
    pub(crate) fn only_key(&self) -> Option<&str> {
        let [key] = self.keys.as_slice() else { return None };
        key.fixed_text()
    }
}

impl Key {
    pub(crate) fn fixed_text(&self) -> Option<&str> {
        if let Self::Fixed(Value::String(text)) = self { Some(text) } else { None }
    }
}

impl Expression {
    /// The literal text, if it is one.
    pub(crate) fn literal_text(&self) -> Option<&str> {
        if let Self::Literal(Value::String(text)) = self { Some(text) } else { None }
    }

    pub(crate) fn evaluate(
        &self,
        record: &Record<'_>,
        environment: &Environment,
    ) -> Result<Value, RunError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path) => record.get(path, environment),
            Self::Call(bound) => {
                record.step()?;
                let value = record.bounded(bound.value(record, environment)?)?;
                index_value(value, &record.keys(&bound.keys, environment)?)
            }
            Self::Math(operator, left, right) => {
                record.step()?;
                let left = left.evaluate(record, environment)?;
                math::calculate(&left, *operator, &right.evaluate(record, environment)?)
            }
            Self::Negative(inner) => math::negate(&inner.evaluate(record, environment)?),
            Self::List(items) => {
                let values = items.iter().map(|item| item.evaluate(record, environment));
                Ok(Value::List(values.collect::<Result<_, _>>()?))
            }
            Self::Map(entries) => {
                let mut map = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    Value::put(&mut map, key, value.evaluate(record, environment)?);
                }
                Ok(Value::Map(map))
            }
        }
    }
}

impl Test {
    pub(crate) fn holds(
        &self,
        record: &Record<'_>,
        environment: &Environment,
    ) -> Result<bool, RunError> {
        match self {
            Self::Fixed(truth) => Ok(*truth),
            Self::Not(inner) => Ok(!inner.holds(record, environment)?),
            Self::And(left, right) => {
                Ok(left.holds(record, environment)? && right.holds(record, environment)?)
            }
            Self::Or(left, right) => {
                Ok(left.holds(record, environment)? || right.holds(record, environment)?)
            }
            Self::Call(bound) => match bound.returned(record, environment)? {
                Value::Bool(truth) => Ok(truth),
                other => Err(other.mismatch("a bool as a condition")),
            },
            Self::Compare(left, comparison, right) => {
                if let Some(truth) = compared_in_place(left, *comparison, right, record) {
                    return Ok(truth);
                }
                let left = left.evaluate(record, environment)?;
                Ok(compare(&left, *comparison, &right.evaluate(record, environment)?))
            }
        }
    }
}

/// Compares text of the record with literal text, without a copy.
fn compared_in_place(
    left: &Expression,
    comparison: Comparison,
    right: &Expression,
    record: &Record<'_>,
) -> Option<bool> {
    let (Expression::Path(path), Some(literal)) = (left, right.literal_text()) else {
        return None;
    };
    let text = record.text(path)?;
    Some(comparison.of(Some(text.cmp(literal.as_bytes()))))
}
