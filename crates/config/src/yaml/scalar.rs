//! What a scalar without quotes means: the core schema of YAML 1.2.

use crate::source::Location;
use crate::value::{Data, Number, Origin, Value};

/// The value of a plain scalar; a number remembers how it was written.
pub(crate) fn plain(text: &str, at: Location) -> Value {
    let data = match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => match number(text) {
            Some(number) => Data::Number(number),
            None => Data::String(text.to_owned()),
        },
    };
    let mut value = Value::new(data, at);
    if let Data::Number(number) = &value.data
        && number.to_string() != text
    {
        value.origin = Some(Origin::text(text));
    }
    value
}

fn number(text: &str) -> Option<Number> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    for (prefix, base) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            let is_plain = !is_negative && !digits.starts_with('+');
            let number = u64::from_str_radix(digits, base).ok().filter(|_| is_plain)?;
            return Some(unsigned(number));
        }
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let signed = if is_negative { text } else { digits };
        let whole = signed.parse().map(Number::Int).ok();
        return whole.or_else(|| signed.parse().map(Number::Uint).ok()).or_else(|| float(text));
    }
    float(text)
}

fn unsigned(number: u64) -> Number {
    i64::try_from(number).map_or(Number::Uint(number), Number::Int)
}

fn float(text: &str) -> Option<Number> {
    let is_decimal = |byte: u8| byte.is_ascii_digit() || b".+-eE".contains(&byte);
    if !text.bytes().all(is_decimal) || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Number::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &Data) {
        assert_eq!(&plain(text, Location::nowhere()).data, expected, "{text}");
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let int = |number| Data::Number(Number::Int(number));
        for (text, expected) in [
            ("12", int(12)),
            ("-7", int(-7)),
            ("+7", int(7)),
            ("0x1F", int(31)),
            ("0o17", int(15)),
            ("1.5e3", Data::Number(Number::Float(1500.0))),
            (".5", Data::Number(Number::Float(0.5))),
            ("18446744073709551615", Data::Number(Number::Uint(u64::MAX))),
            ("true", Data::Bool(true)),
            ("~", Data::Null),
        ] {
            check(text, &expected);
        }
        for text in ["yes", "1s", "1.2.3", "0x", "-0x1", "0x+1", "-", ".", "e5", "1_000", "nan"] {
            check(text, &Data::String(text.to_owned()));
        }
    }

    #[test]
    fn a_number_remembers_how_it_was_written() {
        let value = plain("1.10", Location::nowhere());
        assert_eq!(value.origin, Some(Origin::text("1.10")));
        assert_eq!(plain("110", Location::nowhere()).origin, None);
    }
}
