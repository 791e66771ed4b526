//! What must be true of a record before a condition can hold, where that can be looked up for many
//! conditions at once.
//!
//! A guard may let through what the condition then refuses, never the other way round. It is taken
//! from the operands of `and` as long as those before it cannot fail, so that nothing that would be
//! reported is passed over.

use crate::compare::Comparison;
use crate::expression::{Expression, Key, Path, Test};
use crate::functions::{Argument, Bound};
use crate::paths::Shape;
use crate::value::Value;

mod literals;

/// Guards of one condition at most; a longer list of alternatives is evaluated as it is.
const GUARDS_MAX: usize = 32;
/// Integers beyond this have neighbors that are the same as a float.
pub(crate) const EXACT_MAX: u64 = 1 << 53;

/// One thing that can be looked up: one of the guards of a condition must be true.
#[derive(Debug, Clone)]
pub(crate) struct Guard<'t> {
    pub(crate) path: &'t Path,
    pub(crate) wanted: Wanted<'t>,
}

/// What the value of the path must be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted<'t> {
    /// This text.
    Text(&'t str),
    /// This number, as an integer or a float.
    Number(i64),
    /// Anything but nothing.
    Present,
    /// A text with one of these in it.
    Containing(Vec<Vec<u8>>),
}

/// The guards of a condition; none if it has to be evaluated for every record.
pub(crate) fn guards(test: &Test) -> Option<Vec<Guard<'_>>> {
    match test {
        Test::And(left, right) => {
            let first = guards(left);
            if first.as_ref().is_some_and(|found| rank(found) == 0) || !cannot_fail(left) {
                return first;
            }
            match (first, guards(right)) {
                (Some(first), Some(second)) => {
                    Some(if rank(&second) < rank(&first) { second } else { first })
                }
                (first, second) => first.or(second),
            }
        }
        Test::Or(left, right) => {
            let mut all = guards(left)?;
            all.extend(guards(right)?);
            (all.len() <= GUARDS_MAX).then_some(all)
        }
        Test::Compare(left, comparison, right) => {
            let found = compared(left, *comparison, right);
            found.or_else(|| compared(right, *comparison, left)).map(|guard| vec![guard])
        }
        Test::Call(bound) => matched(bound).map(|guard| vec![guard]),
        Test::Fixed(_) | Test::Not(_) => None,
    }
}

/// The worse the more records the guards let through.
fn rank(guards: &[Guard<'_>]) -> u8 {
    let one = |guard: &Guard<'_>| match guard.wanted {
        Wanted::Text(_) | Wanted::Number(_) => 0,
        Wanted::Containing(_) => 1,
        Wanted::Present => 2,
    };
    guards.iter().map(one).max().unwrap_or_default()
}

fn compared<'t>(
    path: &'t Expression,
    comparison: Comparison,
    literal: &'t Expression,
) -> Option<Guard<'t>> {
    let (Expression::Path(path), Expression::Literal(literal)) = (path, literal) else {
        return None;
    };
    let wanted = match (comparison, literal) {
        (Comparison::Equal, Value::String(text)) => Wanted::Text(text),
        (Comparison::Equal, Value::Int(number)) if number.unsigned_abs() < EXACT_MAX => {
            Wanted::Number(*number)
        }
        (Comparison::NotEqual, Value::Nil) if path.entry.shape == Shape::Attributes => {
            Wanted::Present
        }
        _ => return None,
    };
    is_plain(path).then_some(Guard { path, wanted })
}

fn matched(bound: &Bound) -> Option<Guard<'_>> {
    let (path, pattern) = match_of(bound)?;
    let wanted = Wanted::Containing(literals::required(pattern)?);
    Some(Guard { path, wanted })
}

/// The path and the pattern of `IsMatch`.
fn match_of(bound: &Bound) -> Option<(&Path, &str)> {
    match bound.arguments.as_slice() {
        [Argument::Value(Expression::Path(path)), Argument::Value(pattern)]
            if bound.function.name == "IsMatch" && bound.keys.is_empty() && is_plain(path) =>
        {
            Some((path, pattern.literal_text()?))
        }
        _ => None,
    }
}

/// Whether reading the path cannot fail and does not depend on what statements keep for themselves.
fn is_plain(path: &Path) -> bool {
    match path.entry.shape {
        Shape::Attributes => matches!(path.keys.as_slice(), [Key::Fixed(Value::String(_))]),
        Shape::Cache
        | Shape::Whole
        | Shape::Messages
        | Shape::Message
        | Shape::DataPoints
        | Shape::Counts
        | Shape::Doubles
        | Shape::Varints
        | Shape::TraceState => false,
        _ => path.keys.is_empty(),
    }
}

fn cannot_fail(test: &Test) -> bool {
    let is_plain = |side: &Expression| match side {
        Expression::Literal(_) => true,
        Expression::Path(path) => is_plain(path),
        _ => false,
    };
    match test {
        Test::Fixed(_) => true,
        Test::Not(inner) => cannot_fail(inner),
        Test::And(left, right) | Test::Or(left, right) => cannot_fail(left) && cannot_fail(right),
        Test::Compare(left, _, right) => is_plain(left) && is_plain(right),
        Test::Call(bound) => match_of(bound).is_some(),
    }
}
