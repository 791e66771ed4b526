//! Converters of numbers.

use super::{Call, Function, Kind, need};
use crate::error::RunError;
use crate::value::Value;

pub(super) const LIST: &[Function] = &[
    Function::converter("Log", &[need("target", Kind::FloatLike)], log),
    Function::converter(
        "ParseInt",
        &[need("target", Kind::Text), need("base", Kind::Int)],
        parse_int,
    ),
    Function::converter("IsValidLuhn", &[need("target", Kind::TextLike)], is_valid_luhn),
];

type Made = Result<Value, RunError>;

fn log(call: &Call<'_>) -> Made {
    match call.value(0) {
        Value::Float(number) if *number > 0.0 => Ok(Value::Float(number.ln())),
        Value::Float(_) => Err(RunError::invalid("the logarithm needs a number above zero")),
        other => Err(other.mismatch("a number")),
    }
}

fn parse_int(call: &Call<'_>) -> Made {
    let text = call.text(0);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixes = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8), ("0", 8)];
    let (digits, radix) = match call.int_or(1, 10) {
        0 => {
            let found = prefixes.iter().find_map(|(prefix, radix)| {
                Some((digits.strip_prefix(prefix).filter(|rest| !rest.is_empty())?, *radix))
            });
            found.unwrap_or((digits, 10))
        }
        base => (digits, u32::try_from(base).unwrap_or_default()),
    };
    if !(2..=36).contains(&radix) {
        return Err(RunError::invalid("the base is 0 or 2 to 36"));
    }
    let number = i64::from_str_radix(&format!("{sign}{digits}"), radix);
    let number = number.map_err(|_| RunError::invalid(format!("{text:?} is no integer")))?;
    Ok(Value::Int(number))
}

fn is_valid_luhn(call: &Call<'_>) -> Made {
    let Value::String(text) = call.value(0) else {
        return Err(call.value(0).mismatch("a number or its digits"));
    };
    let digits: Option<Vec<u32>> =
        text.chars().filter(|char| *char != ' ').map(|char| char.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| !digits.is_empty()) else {
        return Ok(Value::Bool(false));
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let doubled = if at % 2 == 1 { digit * 2 } else { *digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    Ok(Value::Bool(sum.is_multiple_of(10)))
}
