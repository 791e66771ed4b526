//! Arguments as a function sees them: evaluated, and of the type that it asked for.

use regex::Regex;

use super::{Argument, Bound, Evaluate, Kind, Prepared};
use crate::error::RunError;
use crate::expression::{Expression, Path};
use crate::grok::Grok;
use crate::json;
use crate::layout::Layout;
use crate::program::Environment;
use crate::record::Record;
use crate::text;
use crate::value::{Time, Value};
use crate::xpath::Xpath;

/// A call of a function for one record.
#[derive(Debug)]
pub struct Call<'c> {
    pub(super) bound: &'c Bound,
    pub(super) values: Vec<Value>,
    pub(super) environment: &'c Environment,
}

static NIL: Value = Value::Nil;

impl Call<'_> {
    /// An argument; nil if it was left out.
    pub fn value(&self, at: usize) -> &Value {
        self.values.get(at).unwrap_or(&NIL)
    }

    /// Whether an argument was given.
    pub fn is_given(&self, at: usize) -> bool {
        !matches!(self.bound.arguments.get(at), None | Some(Argument::Absent))
    }

    /// A text argument; empty if it was left out.
    pub fn text(&self, at: usize) -> &str {
        self.text_or(at, "")
    }

    /// A text argument, or what stands for it if it was left out.
    pub fn text_or<'v>(&'v self, at: usize, default: &'v str) -> &'v str {
        if let Value::String(text) = self.value(at) { text } else { default }
    }

    /// An integer argument, or what stands for it.
    pub fn int_or(&self, at: usize, default: i64) -> i64 {
        if let Value::Int(number) = self.value(at) { *number } else { default }
    }

    /// A truth value, or what stands for it.
    pub fn bool_or(&self, at: usize, default: bool) -> bool {
        if let Value::Bool(truth) = self.value(at) { *truth } else { default }
    }

    /// A list argument; empty if it was left out.
    pub fn list(&self, at: usize) -> &[Value] {
        if let Value::List(values) = self.value(at) { values } else { &[] }
    }

    /// A map argument; empty if it was left out.
    pub fn map(&self, at: usize) -> &[(String, Value)] {
        if let Value::Map(entries) = self.value(at) { entries } else { &[] }
    }

    /// The texts of a list argument.
    pub fn texts(&self, at: usize) -> impl Iterator<Item = &str> {
        self.list(at).iter().filter_map(|value| match value {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub(crate) fn time(&self, at: usize) -> Time {
        if let Value::Time(time) = self.value(at) { *time } else { Time::utc(0) }
    }

    pub(crate) fn duration(&self, at: usize) -> i64 {
        if let Value::Duration(nanos) = self.value(at) { *nanos } else { 0 }
    }

    /// The time of this run.
    pub fn now(&self) -> Time {
        self.environment.now
    }

    fn target(&self) -> Result<&Path, RunError> {
        match self.bound.arguments.first() {
            Some(Argument::Target(path)) => Ok(path),
            _ => Err(RunError::invalid("there is nothing to change")),
        }
    }

    /// The current value of the path that an editor changes, its first argument.
    pub fn read_target(&self, record: &Record<'_>) -> Result<Value, RunError> {
        record.get(self.target()?, self.environment)
    }

    /// The current value of that path, which must be a map.
    pub fn read_map(&self, record: &Record<'_>) -> Result<Vec<(String, Value)>, RunError> {
        match self.read_target(record)? {
            Value::Map(entries) => Ok(entries),
            other => Err(other.mismatch("a map")),
        }
    }

    /// Leaves out the attributes whose keys are not kept, in place; returns whether that path is
    /// attributes.
    pub(crate) fn retain_attributes(
        &self,
        record: &mut Record<'_>,
        is_kept: &dyn Fn(&str) -> bool,
    ) -> Result<bool, RunError> {
        record.step()?;
        Ok(record.retain_attributes(self.target()?, is_kept))
    }

    /// Whether something may be longer than `len_max` bytes in the map at that path.
    pub(crate) fn may_truncate(
        &self,
        record: &Record<'_>,
        len_max: usize,
    ) -> Result<bool, RunError> {
        record.step()?;
        Ok(record.has_longer_text(self.target()?, len_max).unwrap_or(true))
    }

    /// Sets the path that an editor changes.
    pub fn write_target(&self, record: &mut Record<'_>, value: Value) -> Result<(), RunError> {
        record.set(self.target()?, value, self.environment)
    }

    /// Lets the function that an argument names convert a text; the text itself if there is none.
    pub(crate) fn apply(
        &self,
        record: &Record<'_>,
        at: usize,
        text: &str,
    ) -> Result<String, RunError> {
        let Some(Argument::Function(function)) = self.bound.arguments.get(at) else {
            return Ok(text.to_owned());
        };
        let argument = Argument::Value(Expression::Literal(Value::from(text)));
        let bound = Bound {
            function,
            arguments: vec![argument],
            keys: Vec::new(),
            prepared: Prepared::Nothing,
        };
        let converted = match function.evaluate {
            Evaluate::Converter(evaluate) => {
                let values = vec![Value::from(text)];
                evaluate(&Call { bound: &bound, values, environment: self.environment })
            }
            Evaluate::Asker(_) | Evaluate::Writer(_) => bound.value(record, self.environment),
            Evaluate::Reader(_) | Evaluate::Editor(_) => {
                Err(RunError::invalid("this function cannot convert a text"))
            }
        };
        match converted? {
            Value::String(text) => Ok(text),
            other => Ok(text::plain(&other)),
        }
    }

    /// Whether an argument names a function.
    pub(crate) fn has_function(&self, at: usize) -> bool {
        matches!(self.bound.arguments.get(at), Some(Argument::Function(_)))
    }

    pub(crate) fn regex(&self) -> Result<&Regex, RunError> {
        match &self.bound.prepared {
            Prepared::Regex(pattern) => Ok(pattern.regex()),
            _ => Err(unprepared()),
        }
    }

    pub(crate) fn layout(&self) -> Result<&Layout, RunError> {
        match &self.bound.prepared {
            Prepared::Layout(layout) => Ok(layout),
            _ => Err(unprepared()),
        }
    }

    pub(crate) fn grok(&self) -> Result<&Grok, RunError> {
        match &self.bound.prepared {
            Prepared::Grok(grok) => Ok(grok),
            _ => Err(unprepared()),
        }
    }

    pub(crate) fn xpath(&self) -> Result<&Xpath, RunError> {
        match &self.bound.prepared {
            Prepared::Xpath(xpath) => Ok(xpath),
            _ => Err(unprepared()),
        }
    }
}

pub(super) fn unprepared() -> RunError {
    RunError::invalid("a literal is missing")
}

/// Gives a value the type that a parameter asks for, or refuses it.
pub(crate) fn admit(kind: Kind, value: Value) -> Result<Value, RunError> {
    let expected = match (kind, &value) {
        (Kind::Any | Kind::Target | Kind::Function, _)
        | (Kind::Text | Kind::Word, Value::String(_))
        | (Kind::Int | Kind::Number, Value::Int(_))
        | (Kind::Bool | Kind::Flag, Value::Bool(_))
        | (Kind::Time, Value::Time(_))
        | (Kind::Duration, Value::Duration(_))
        | (Kind::Map, Value::Map(_))
        | (Kind::List | Kind::Words, Value::List(_))
        | (Kind::Bytes, Value::Bytes(_)) => return Ok(value),
        (Kind::TextLike, _) => return text_like(value),
        (Kind::IntLike, _) => return int_like(value),
        (Kind::FloatLike, _) => return float_like(value),
        (Kind::Text | Kind::Word, _) => "a string",
        (Kind::Int | Kind::Number, _) => "an int",
        (Kind::Bool | Kind::Flag, _) => "a bool",
        (Kind::Time, _) => "a time",
        (Kind::Duration, _) => "a duration",
        (Kind::Map, _) => "a map",
        (Kind::List | Kind::Words, _) => "a list",
        (Kind::Bytes, _) => "bytes",
    };
    Err(value.mismatch(expected))
}

fn text_like(value: Value) -> Result<Value, RunError> {
    match value {
        Value::Nil | Value::String(_) => Ok(value),
        Value::Messages(_) => Err(value.mismatch("a value with a text form")),
        Value::Time(_) => Ok(Value::String(json::write(&value))),
        Value::Bytes(bytes) => Ok(Value::String(text::hex(&bytes))),
        other => Ok(Value::String(text::plain(&other))),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a fraction is cut off")]
fn int_like(value: Value) -> Result<Value, RunError> {
    match value {
        Value::Nil | Value::Int(_) => Ok(value),
        Value::Float(number) => Ok(Value::Int(number as i64)),
        Value::Bool(truth) => Ok(Value::Int(i64::from(truth))),
        Value::String(text) => Ok(text.parse().map_or(Value::Nil, Value::Int)),
        other => Err(other.mismatch("a number")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an integer is wanted as a float")]
fn float_like(value: Value) -> Result<Value, RunError> {
    match value {
        Value::Nil | Value::Float(_) => Ok(value),
        Value::Int(number) => Ok(Value::Float(number as f64)),
        Value::Bool(truth) => Ok(Value::Float(f64::from(u8::from(truth)))),
        Value::String(text) => Ok(text.parse().map_or(Value::Nil, Value::Float)),
        other => Err(other.mismatch("a number")),
    }
}
