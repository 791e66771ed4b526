//! Arithmetic on numbers, times and durations.

use crate::error::RunError;
use crate::syntax::Operator;
use crate::value::{Time, Value};

/// Calculates; integers wrap around, as those of 64 bits do.
pub(crate) fn calculate(
    left: &Value,
    operator: Operator,
    right: &Value,
) -> Result<Value, RunError> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => integers(*left, operator, *right),
        (Value::Float(left), Value::Float(right)) => floats(*left, operator, *right),
        (Value::Time(left), Value::Time(right)) if operator == Operator::Subtract => {
            let between = left.unix_nano - right.unix_nano;
            Ok(Value::Duration(saturated(between)))
        }
        (Value::Time(time), Value::Duration(duration)) => match operator {
            Operator::Add => Ok(moved(*time, i128::from(*duration))),
            Operator::Subtract => Ok(moved(*time, -i128::from(*duration))),
            _ => Err(refused(left, right)),
        },
        (Value::Duration(duration), Value::Time(time)) if operator == Operator::Add => {
            Ok(moved(*time, i128::from(*duration)))
        }
        (Value::Duration(first), Value::Duration(second)) => match operator {
            Operator::Add => Ok(Value::Duration(first.wrapping_add(*second))),
            Operator::Subtract => Ok(Value::Duration(first.wrapping_sub(*second))),
            _ => Err(refused(left, right)),
        },
        _ => Err(refused(left, right)),
    }
}

/// Changes the sign of a number.
pub(crate) fn negate(value: &Value) -> Result<Value, RunError> {
    match value {
        Value::Int(number) => Ok(Value::Int(number.wrapping_neg())),
        Value::Float(number) => Ok(Value::Float(-number)),
        other => Err(other.mismatch("a number")),
    }
}

fn refused(left: &Value, right: &Value) -> RunError {
    let message = format!("cannot calculate with {} and {}", left.type_name(), right.type_name());
    RunError::invalid(message)
}

fn moved(time: Time, nanos: i128) -> Value {
    Value::Time(Time { unix_nano: time.unix_nano + nanos, ..time })
}

fn saturated(nanos: i128) -> i64 {
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

fn integers(left: i64, operator: Operator, right: i64) -> Result<Value, RunError> {
    let number = match operator {
        Operator::Add => left.wrapping_add(right),
        Operator::Subtract => left.wrapping_sub(right),
        Operator::Multiply => left.wrapping_mul(right),
        _ if right == 0 => return Err(RunError::invalid("division by zero")),
        _ => left.wrapping_div(right),
    };
    Ok(Value::Int(number))
}

fn floats(left: f64, operator: Operator, right: f64) -> Result<Value, RunError> {
    let number = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        _ if right == 0.0 => return Err(RunError::invalid("division by zero")),
        _ => left / right,
    };
    Ok(Value::Float(number))
}
