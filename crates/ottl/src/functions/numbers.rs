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
        Value::Float(number) if *number > 0.0 => Ok(Value::Float(natural(*number))),
        Value::Float(_) => Err(RunError::invalid("the logarithm needs a number above zero")),
        other => Err(other.mismatch("a number")),
    }
}

/// The natural logarithm of a positive number, by the series of fdlibm: the Collector computes it so,
/// and the platform's own differs in the last bit.
fn natural(number: f64) -> f64 {
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const ODD: [f64; 4] = [
        1.479_819_860_511_658_6e-1,
        1.818_357_216_161_805e-1,
        2.857_142_874_366_239e-1,
        6.666_666_666_666_735e-1,
    ];
    const EVEN: [f64; 3] =
        [1.531_383_769_920_937_3e-1, 2.222_219_843_214_978_4e-1, 3.999_999_999_940_942e-1];
    if !number.is_normal() {
        return number.ln();
    }
    let bits = number.to_bits();
    let mut exponent = f64::from(u16::try_from(bits >> 52).unwrap_or_default()) - 1022.0;
    let mut fraction = f64::from_bits((bits & 0x000F_FFFF_FFFF_FFFF) | 0x3FE0_0000_0000_0000);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1.0;
    }
    let rest = fraction - 1.0;
    let ratio = rest / (2.0 + rest);
    let square = ratio * ratio;
    let fourth = square * square;
    let series = |parts: &[f64]| parts.iter().fold(0.0, |sum, part| sum * fourth + part);
    let remainder = square * series(&ODD) + fourth * series(&EVEN);
    let half = 0.5 * rest * rest;
    exponent * LN_2_HIGH - ((half - (ratio * (half + remainder) + exponent * LN_2_LOW)) - rest)
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
        return Err(RunError::invalid(format!("{text:?} is not made of digits")));
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
