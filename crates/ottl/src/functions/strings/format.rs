//! `Format`: verbs of printf with flags, width and precision.

use crate::error::RunError;
use crate::functions::Call;
use crate::text;
use crate::value::Value;

/// Characters that a width or a precision may ask for.
const WIDTH_MAX: usize = 10_000;

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the verb")]
struct Spec {
    is_left: bool,
    is_zero: bool,
    is_plus: bool,
    is_sharp: bool,
    is_space: bool,
    width: usize,
    precision: Option<usize>,
}

pub(super) fn format(call: &Call<'_>) -> Result<Value, RunError> {
    let mut out = String::new();
    let mut values = call.list(1).iter();
    let mut chars = call.text(0).chars().peekable();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        let spec = spec(&mut chars)?;
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match values.next() {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => out.push_str(&shown(&spec, verb, value)),
            },
        }
    }
    let rest: Vec<String> =
        values.map(|value| format!("{}={}", type_name(value), natural(value))).collect();
    if !rest.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", rest.join(", ")));
    }
    Ok(Value::String(out))
}

fn spec(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Spec, RunError> {
    let mut spec = Spec::default();
    while let Some(flag) = chars.next_if(|char| "-+# 0".contains(*char)) {
        match flag {
            '-' => spec.is_left = true,
            '+' => spec.is_plus = true,
            '#' => spec.is_sharp = true,
            ' ' => spec.is_space = true,
            _ => spec.is_zero = true,
        }
    }
    spec.width = number(chars)?.unwrap_or_default();
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(number(chars)?.unwrap_or_default());
    }
    Ok(spec)
}

fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, RunError> {
    let mut found = None;
    while let Some(digit) = chars.peek().and_then(|char| char.to_digit(10)) {
        chars.next();
        let number = found.unwrap_or(0) * 10 + digit as usize;
        if number > WIDTH_MAX {
            return Err(RunError::invalid("the width is too large"));
        }
        found = Some(number);
    }
    Ok(found)
}

fn shown(spec: &Spec, verb: char, value: &Value) -> String {
    let body = match (verb, value) {
        ('v', Value::Int(_)) => integer(spec, 'd', value),
        ('v', Value::Float(number)) => Some(signed(spec, text::float(*number))),
        ('v', value) => Some(natural(value)),
        ('T', value) => Some(type_name(value).to_owned()),
        ('t', Value::Bool(truth)) => Some(truth.to_string()),
        ('d' | 'b' | 'o' | 'x' | 'X' | 'c' | 'U' | 'q', Value::Int(_)) => {
            integer(spec, verb, value)
        }
        ('f' | 'F' | 'e' | 'E' | 'g' | 'G', Value::Float(number)) => {
            Some(signed(spec, float(spec, verb, *number)))
        }
        ('s' | 'q' | 'x' | 'X', value) => textual(spec, verb, value),
        _ => None,
    };
    let Some(body) = body else {
        if value.is_nil() {
            return format!("%!{verb}(<nil>)");
        }
        return format!("%!{verb}({}={})", type_name(value), natural(value));
    };
    padded(spec, body, matches!(value, Value::Int(_) | Value::Float(_)))
}

fn textual(spec: &Spec, verb: char, value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bytes(bytes) if verb != 's' => return Some(hexadecimal(verb, bytes)),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::List(_) | Value::Map(_) | Value::Time(_) if verb == 's' => natural(value),
        _ => return None,
    };
    let text: String = text.chars().take(spec.precision.unwrap_or(usize::MAX)).collect();
    Some(match verb {
        'q' => format!("{text:?}"),
        's' => text,
        _ => hexadecimal(verb, text.as_bytes()),
    })
}

fn hexadecimal(verb: char, bytes: &[u8]) -> String {
    let digits = text::hex(bytes);
    if verb == 'X' { digits.to_uppercase() } else { digits }
}

fn integer(spec: &Spec, verb: char, value: &Value) -> Option<String> {
    let Value::Int(number) = value else { return None };
    let size = number.unsigned_abs();
    let char = u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or('\u{FFFD}');
    let digits = match verb {
        'b' => format!("{size:b}"),
        'o' if spec.is_sharp => format!("0{size:o}"),
        'o' => format!("{size:o}"),
        'x' if spec.is_sharp => format!("0x{size:x}"),
        'x' => format!("{size:x}"),
        'X' if spec.is_sharp => format!("0X{size:X}"),
        'X' => format!("{size:X}"),
        'c' => return Some(char.to_string()),
        'q' => return Some(format!("{char:?}")),
        'U' => return Some(format!("U+{size:04X}")),
        _ => size.to_string(),
    };
    let digits = format!("{digits:0>width$}", width = spec.precision.unwrap_or_default());
    Some(signed(spec, if *number < 0 { format!("-{digits}") } else { digits }))
}

fn signed(spec: &Spec, digits: String) -> String {
    if digits.starts_with(['-', '+']) {
        return digits;
    }
    match (spec.is_plus, spec.is_space) {
        (true, _) => format!("+{digits}"),
        (false, true) => format!(" {digits}"),
        (false, false) => digits,
    }
}

fn float(spec: &Spec, verb: char, number: f64) -> String {
    if !number.is_finite() {
        return text::float(number);
    }
    match verb {
        'f' | 'F' => format!("{number:.width$}", width = spec.precision.unwrap_or(6)),
        'e' | 'E' => {
            let text = format!("{number:.width$e}", width = spec.precision.unwrap_or(6));
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) =
                exponent.strip_prefix('-').map_or(('+', exponent), |it| ('-', it));
            format!("{digits}{verb}{sign}{exponent:0>2}")
        }
        _ => text::float(number),
    }
}

fn padded(spec: &Spec, body: String, is_number: bool) -> String {
    let missing = spec.width.saturating_sub(body.chars().count());
    if missing == 0 {
        return body;
    }
    if spec.is_left {
        return body + &" ".repeat(missing);
    }
    if spec.is_zero && is_number {
        let (sign, digits) = match body.strip_prefix(['-', '+']) {
            Some(digits) => body.split_at(body.len() - digits.len()),
            None => ("", body.as_str()),
        };
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    let fill = if spec.is_zero { "0" } else { " " };
    fill.repeat(missing) + &body
}

fn natural(value: &Value) -> String {
    match value {
        Value::Nil => "<nil>".to_owned(),
        Value::List(values) => {
            format!("[{}]", values.iter().map(natural).collect::<Vec<_>>().join(" "))
        }
        Value::Map(entries) => {
            let mut pairs: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key}:{}", natural(value))).collect();
            pairs.sort();
            format!("map[{}]", pairs.join(" "))
        }
        other => text::plain(other),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Bytes(_) | Value::Id(_) => "[]uint8",
        Value::List(_) | Value::Messages(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
        Value::Time(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
    }
}
