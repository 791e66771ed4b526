//! Operators and the types they take.
//!
//! Numbers are signed, unsigned or floating; an operation on two kinds uses the wider one, whole
//! numbers wrap. Text that is a secret stays one whatever is added to it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is treated alike, whatever it is"
)]

use bessemer_runtime::Secret;

use super::token::Operator;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::TEXT_BYTES_MAX;
use crate::value::{Data, Number, Value};

/// The longest array that an expression may make.
const ITEMS_MAX: usize = 1_000_000;

type Operated = Result<Data, Box<Diagnostic>>;

#[expect(clippy::unnecessary_box_returns, reason = "boxed is how results carry findings")]
fn fail(value: &Value, message: impl Into<String>) -> Box<Diagnostic> {
    if let Data::Reference(reference) = &value.data {
        let message = format!("{reference} is known only at run time");
        return Box::new(
            Diagnostic::error(Code::Evaluation, &value.at, message)
                .with_help("use it as it is; operators and functions need a value at load"),
        );
    }
    Box::new(Diagnostic::error(Code::Evaluation, &value.at, message))
}

/// Refuses values that only a mistake or an attack makes.
pub(crate) fn check_size(value: &Value) -> Result<(), Box<Diagnostic>> {
    let too_large = match &value.data {
        Data::String(text) => text.len() > TEXT_BYTES_MAX,
        Data::Secret(text) | Data::OptionalSecret { text, .. } => {
            text.expose().len() > TEXT_BYTES_MAX
        }
        Data::Array(items) => items.len() > ITEMS_MAX,
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Object(_) | Data::Reference(_) => {
            false
        }
    };
    if too_large {
        let message =
            format!("a value may hold {} MiB of text or {ITEMS_MAX} items", TEXT_BYTES_MAX >> 20);
        return Err(Box::new(Diagnostic::error(Code::Limit, &value.at, message)));
    }
    Ok(())
}

pub(crate) fn unary(operator: Operator, value: &Value) -> Operated {
    match (operator, &value.data) {
        (Operator::Not, Data::Bool(truth)) => Ok(Data::Bool(!truth)),
        (Operator::Minus, Data::Number(Number::Float(number))) => {
            Ok(Data::Number(Number::Float(-number)))
        }
        (Operator::Minus, Data::Number(number)) => {
            Ok(Data::Number(Number::Int(number.as_i64().wrapping_neg())))
        }
        _ => {
            let wanted = if operator == Operator::Not { "bool" } else { "number" };
            Err(fail(value, format!("should be {wanted}, got {}", value.kind())))
        }
    }
}

pub(crate) fn binary(left: &Value, operator: Operator, right: &Value) -> Operated {
    let (a, b) = alike(&left.data, &right.data);
    match operator {
        Operator::Equal => return Ok(Data::Bool(is_equal(&a, &b))),
        Operator::NotEqual => return Ok(Data::Bool(!is_equal(&a, &b))),
        _ => {}
    }
    for (value, data) in [(left, &a), (right, &b)] {
        let allowed = operands(operator);
        if !allowed.contains(&class(data)) {
            let allowed = allowed.join(" ");
            let (operator, kind) = (operator.as_str(), value.kind());
            let message = format!("should be one of [{allowed}] for binop {operator}, got {kind}");
            return Err(fail(value, message));
        }
    }
    match (&a, &b) {
        (Data::Bool(a), Data::Bool(b)) => {
            Ok(Data::Bool(if operator == Operator::Or { *a || *b } else { *a && *b }))
        }
        (Data::Number(a), Data::Number(b)) => arithmetic(*a, operator, *b, right),
        (Data::String(a), Data::String(b)) => Ok(match operator {
            Operator::Plus => {
                let sum = Value::string(format!("{a}{b}"), left.at.clone());
                check_size(&sum)?;
                sum.data
            }
            _ => Data::Bool(holds(operator, a.cmp(b))),
        }),
        (Data::Secret(a), Data::Secret(b)) => Ok(Data::Secret(joined(a, b))),
        (
            Data::OptionalSecret { text: a, is_secret: first },
            Data::OptionalSecret { text: b, is_secret: second },
        ) => Ok(Data::OptionalSecret { text: joined(a, b), is_secret: *first || *second }),
        _ => Err(fail(right, format!("should be {}, got {}", left.kind(), right.kind()))),
    }
}

/// The two operands as one type where text and secrets meet.
fn alike(left: &Data, right: &Data) -> (Data, Data) {
    let optional = |text: &String| Data::OptionalSecret { text: secret(text), is_secret: true };
    match (left, right) {
        (Data::Secret(a), Data::OptionalSecret { text: b, .. })
        | (Data::OptionalSecret { text: a, .. }, Data::Secret(b)) => {
            (Data::Secret(a.clone()), Data::Secret(b.clone()))
        }
        (Data::Secret(_), Data::String(b)) => (left.clone(), Data::Secret(secret(b))),
        (Data::String(a), Data::Secret(_)) => (Data::Secret(secret(a)), right.clone()),
        (Data::OptionalSecret { is_secret: true, .. }, Data::String(b)) => {
            (left.clone(), optional(b))
        }
        (Data::String(a), Data::OptionalSecret { is_secret: true, .. }) => {
            (optional(a), right.clone())
        }
        (Data::OptionalSecret { text: a, is_secret: false }, Data::String(_)) => {
            (Data::String(a.expose().to_owned()), right.clone())
        }
        (Data::String(_), Data::OptionalSecret { text: b, is_secret: false }) => {
            (left.clone(), Data::String(b.expose().to_owned()))
        }
        _ => (left.clone(), right.clone()),
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn joined(a: &Secret, b: &Secret) -> Secret {
    Secret::new(format!("{}{}", a.expose(), b.expose()))
}

fn is_equal(a: &Data, b: &Data) -> bool {
    match (a, b) {
        // Floats compare as Go compares them: not-a-number equals nothing.
        (Data::Number(a), Data::Number(b)) => {
            a == b && !a.as_f64().is_nan() && !b.as_f64().is_nan()
        }
        (Data::Array(a), Data::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(&a.data, &b.data))
        }
        _ => a == b,
    }
}

/// The type names that an operator takes, as Alloy prints them.
fn operands(operator: Operator) -> &'static [&'static str] {
    match operator {
        Operator::Or | Operator::And | Operator::Not => &["bool"],
        Operator::Plus => &["number", "string", "capsule"],
        Operator::Minus
        | Operator::Times
        | Operator::Divide
        | Operator::Modulo
        | Operator::Power => &["number"],
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            &["number", "string"]
        }
        Operator::Equal | Operator::NotEqual => &[],
    }
}

fn class(data: &Data) -> &'static str {
    match data {
        Data::Null => "null",
        Data::Bool(_) => "bool",
        Data::Number(_) => "number",
        Data::String(_) => "string",
        Data::Secret(_) | Data::OptionalSecret { .. } => "capsule",
        Data::Array(_) => "array",
        Data::Object(_) => "object",
        Data::Reference(_) => "reference",
    }
}

fn holds(operator: Operator, order: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        _ => false,
    }
}

fn arithmetic(a: Number, operator: Operator, b: Number, right: &Value) -> Operated {
    let is_comparison = operands(operator).contains(&"string") && operator != Operator::Plus;
    let divides = matches!(operator, Operator::Divide | Operator::Modulo);
    if divides && b == Number::Int(0) {
        return Err(fail(right, "divide by zero error"));
    }
    Ok(match (a, b) {
        (Number::Float(_), _) | (_, Number::Float(_)) => {
            let (a, b) = (a.as_f64(), b.as_f64());
            if is_comparison {
                return Ok(Data::Bool(
                    a.partial_cmp(&b).is_some_and(|order| holds(operator, order)),
                ));
            }
            Data::Number(Number::Float(floating(a, operator, b)))
        }
        (Number::Uint(a), Number::Uint(b)) => {
            if is_comparison {
                return Ok(Data::Bool(holds(operator, a.cmp(&b))));
            }
            Data::Number(Number::Uint(unsigned(a, operator, b)))
        }
        _ => {
            let (a, b) = (a.as_i64(), b.as_i64());
            if is_comparison {
                return Ok(Data::Bool(holds(operator, a.cmp(&b))));
            }
            signed(a, operator, b)
        }
    })
}

fn floating(a: f64, operator: Operator, b: f64) -> f64 {
    match operator {
        Operator::Plus => a + b,
        Operator::Minus => a - b,
        Operator::Times => a * b,
        Operator::Divide => a / b,
        Operator::Modulo => a % b,
        _ => a.powf(b),
    }
}

fn unsigned(a: u64, operator: Operator, b: u64) -> u64 {
    match operator {
        Operator::Plus => a.wrapping_add(b),
        Operator::Minus => a.wrapping_sub(b),
        Operator::Times => a.wrapping_mul(b),
        Operator::Divide => a.checked_div(b).unwrap_or(0),
        Operator::Modulo => a.checked_rem(b).unwrap_or(0),
        _ => power(a, b),
    }
}

fn signed(a: i64, operator: Operator, b: i64) -> Data {
    Data::Number(match operator {
        Operator::Plus => Number::Int(a.wrapping_add(b)),
        Operator::Minus => Number::Int(a.wrapping_sub(b)),
        Operator::Times => Number::Int(a.wrapping_mul(b)),
        Operator::Divide => Number::Int(a.wrapping_div(b)),
        Operator::Modulo => Number::Int(a.wrapping_rem(b)),
        _ => match u64::try_from(b) {
            Ok(exponent) => Number::Int(power(a.cast_unsigned(), exponent).cast_signed()),
            // No whole number is right; a fraction is.
            Err(_) => Number::Float(floating(
                Number::Int(a).as_f64(),
                Operator::Power,
                Number::Int(b).as_f64(),
            )),
        },
    })
}

/// By squaring: a loop over the exponent would not end for some of them.
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = 1_u64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Location;

    fn value(data: Data) -> Value {
        Value::new(data, Location::nowhere())
    }

    fn check(a: Data, operator: Operator, b: Data, expected: &Data) {
        let result = binary(&value(a), operator, &value(b)).map_err(|error| error.message);
        assert_eq!(result.as_ref(), Ok(expected));
    }

    fn int(number: i64) -> Data {
        Data::Number(Number::Int(number))
    }

    #[test]
    fn whole_numbers_wrap_and_powers_end() {
        check(int(i64::MAX), Operator::Plus, int(1), &int(i64::MIN));
        check(int(i64::MIN), Operator::Divide, int(-1), &int(i64::MIN));
        check(int(2), Operator::Power, int(10), &int(1024));
        check(
            int(3),
            Operator::Power,
            int(i64::MAX),
            &int(power(3, i64::MAX as u64).cast_signed()),
        );
        check(int(2), Operator::Power, int(-1), &Data::Number(Number::Float(0.5)));
        check(int(7), Operator::Divide, int(2), &int(3));
    }

    #[test]
    fn dividing_by_zero_is_an_error() {
        for zero in [int(0), Data::Number(Number::Float(0.0))] {
            let result = binary(&value(int(1)), Operator::Modulo, &value(zero));
            assert_eq!(result.unwrap_err().message, "divide by zero error");
        }
    }

    #[test]
    fn a_secret_stays_secret_whatever_is_added() {
        let text = || Data::String("a".into());
        let secret = || Data::Secret(Secret::new("b"));
        let optional = |is_secret| Data::OptionalSecret { text: Secret::new("c"), is_secret };
        check(text(), Operator::Plus, secret(), &Data::Secret(Secret::new("ab")));
        check(optional(false), Operator::Plus, secret(), &Data::Secret(Secret::new("cb")));
        check(text(), Operator::Plus, optional(false), &Data::String("ac".into()));
        let expected = Data::OptionalSecret { text: Secret::new("ca"), is_secret: true };
        check(optional(true), Operator::Plus, text(), &expected);
    }

    #[test]
    fn values_of_different_types_are_unequal_and_not_an_error() {
        check(int(1), Operator::Equal, Data::String("1".into()), &Data::Bool(false));
        check(Data::Null, Operator::NotEqual, int(0), &Data::Bool(true));
    }
}
