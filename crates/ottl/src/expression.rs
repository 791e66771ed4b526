//! Compiled expressions and their evaluation.

use crate::compare::{Comparison, compare_seen};
use crate::context::Context;
use crate::error::RunError;
use crate::functions::Bound;
use crate::math;
use crate::paths::Entry;
use crate::program::Environment;
use crate::record::Record;
use crate::seen::Seen;
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

    /// The value, without a copy where it can be seen where it is.
    #[inline]
    pub(crate) fn see<'r>(
        &'r self,
        record: &'r Record<'_>,
        environment: &Environment,
        room: &'r mut Vec<u8>,
    ) -> Result<Seen<'r>, RunError> {
        match self {
            Self::Literal(value) => Ok(Seen::from(value)),
            Self::Path(path) => record.see(path, environment, room),
            Self::Call(bound) => bound.see(record, environment, room),
            Self::Math(..) | Self::Negative(_) | Self::List(_) | Self::Map(_) => {
                Ok(Seen::made(self.evaluate(record, environment)?, room))
            }
        }
    }

    /// How often a record of a context is looked at itself.
    pub(crate) fn looks(&self, context: Context) -> usize {
        match self {
            Self::Literal(_) => 0,
            Self::Path(path) => usize::from(path.context == context),
            Self::Call(bound) => bound.looks(context),
            Self::Math(_, left, right) => left.looks(context) + right.looks(context),
            Self::Negative(inner) => inner.looks(context),
            Self::List(items) => items.iter().map(|item| item.looks(context)).sum(),
            Self::Map(entries) => entries.iter().map(|(_, value)| value.looks(context)).sum(),
        }
    }

    pub(crate) fn evaluate(
        &self,
        record: &Record<'_>,
        environment: &Environment,
    ) -> Result<Value, RunError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path) => record.get(path, environment),
            Self::Call(bound) => bound.returned(record, environment),
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
            Self::Call(bound) => {
                let mut room = Vec::new();
                match bound.see(record, environment, &mut room)? {
                    Seen::Bool(truth) => Ok(truth),
                    other => Err(other.mismatch("a bool as a condition")),
                }
            }
            Self::Compare(left, comparison, right) => {
                let (mut first, mut second) = (Vec::new(), Vec::new());
                let left = left.see(record, environment, &mut first)?;
                Ok(compare_seen(left, *comparison, right.see(record, environment, &mut second)?))
            }
        }
    }

    /// How often a record of a context is looked at itself.
    pub(crate) fn looks(&self, context: Context) -> usize {
        match self {
            Self::Fixed(_) => 0,
            Self::Call(bound) => bound.looks(context),
            Self::Not(inner) => inner.looks(context),
            Self::And(left, right) | Self::Or(left, right) => {
                left.looks(context) + right.looks(context)
            }
            Self::Compare(left, _, right) => left.looks(context) + right.looks(context),
        }
    }
}
