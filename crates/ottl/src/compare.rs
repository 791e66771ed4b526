//! How two values compare, mixed types included.

use std::cmp::Ordering;

use crate::seen::Seen;
use crate::value::Value;

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn of(self, order: Option<Ordering>) -> bool {
        match (self, order) {
            (Self::NotEqual, order) => order != Some(Ordering::Equal),
            (Self::Equal, order) => order == Some(Ordering::Equal),
            (Self::Less, order) => order == Some(Ordering::Less),
            (Self::Greater, order) => order == Some(Ordering::Greater),
            (Self::LessOrEqual, order) => order.is_some_and(Ordering::is_le),
            (Self::GreaterOrEqual, order) => order.is_some_and(Ordering::is_ge),
        }
    }

    fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }
}

/// Compares two values: numbers as numbers, other values with values of their own type only.
pub fn compare(left: &Value, comparison: Comparison, right: &Value) -> bool {
    comparison.of(order(left, comparison, right))
}

/// The same of values where they are.
#[inline]
pub(crate) fn compare_seen(left: Seen<'_>, comparison: Comparison, right: Seen<'_>) -> bool {
    let order = match (&left, &right) {
        (Seen::Int(left), Seen::Int(right)) => Some(left.cmp(right)),
        (Seen::Text(left), Seen::Text(right)) if comparison.is_equality() => {
            (left == right).then_some(Ordering::Equal)
        }
        (Seen::Text(left), Seen::Text(right)) => Some(left.cmp(right)),
        (Seen::Bool(left), Seen::Bool(right)) => Some(left.cmp(right)),
        (Seen::Nil, Seen::Nil) => Some(Ordering::Equal),
        (Seen::Int(_) | Seen::Float(_), Seen::Int(_) | Seen::Float(_))
        | (Seen::Stored(_) | Seen::Value(_), Seen::Stored(_) | Seen::Value(_)) => {
            order(&left.into_value(), comparison, &right.into_value())
        }
        _ => None,
    };
    comparison.of(order)
}

/// The order of two values; none if the comparison does not hold between such values.
fn order(left: &Value, comparison: Comparison, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) | (Value::Duration(left), Value::Duration(right)) => {
            Some(left.cmp(right))
        }
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
        (Value::Nil, Value::Nil) => Some(Ordering::Equal),
        (Value::Time(left), Value::Time(right)) => Some(left.unix_nano.cmp(&right.unix_nano)),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            number(left).partial_cmp(&number(right))
        }
        _ => {
            let is_equal = comparison.is_equality() && is_equal(left, right);
            is_equal.then_some(Ordering::Equal)
        }
    }
}

fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Id(left), Value::Id(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| compare(left, Comparison::Equal, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| {
                    Value::entry(right, key)
                        .is_some_and(|other| compare(value, Comparison::Equal, other))
                })
        }
        (Value::Messages(left), Value::Messages(right)) => left == right,
        _ => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of two types are compared as floats")]
fn number(value: &Value) -> f64 {
    match value {
        Value::Int(number) => *number as f64,
        Value::Float(number) => *number,
        _ => f64::NAN,
    }
}
