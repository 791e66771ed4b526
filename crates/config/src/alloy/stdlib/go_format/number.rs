//! Numbers under Go's verbs.

use super::{Verb, escaped, padded};
use crate::value::Number;

/// A number under a verb, unless the verb does not take numbers of this kind.
pub(super) fn shown(number: Number, verb: Verb) -> Option<String> {
    match number {
        Number::Int(number) => whole(number < 0, number.unsigned_abs(), verb),
        Number::Uint(number) if verb.sharp && verb.letter == 'v' => {
            whole(false, number, Verb { letter: 'x', ..verb })
        }
        Number::Uint(number) => whole(false, number, verb),
        Number::Float(number) => float(number, verb),
    }
}

fn whole(is_negative: bool, size: u64, verb: Verb) -> Option<String> {
    let (digits, prefix) = match verb.letter {
        'v' | 'd' => (size.to_string(), ""),
        'b' => (format!("{size:b}"), if verb.sharp { "0b" } else { "" }),
        'o' => (format!("{size:o}"), if verb.sharp { "0" } else { "" }),
        'O' => (format!("{size:o}"), "0o"),
        'x' => (format!("{size:x}"), if verb.sharp { "0x" } else { "" }),
        'X' => (format!("{size:X}"), if verb.sharp { "0X" } else { "" }),
        'c' | 'q' | 'U' => return Some(padded(&character(is_negative, size, verb), verb)),
        _ => return None,
    };
    let sign = sign(is_negative, verb);
    let mut digits_min = verb.precision.unwrap_or(0);
    if verb.precision.is_none() && verb.zero && !verb.minus {
        digits_min = verb.width.unwrap_or(0).saturating_sub(sign.len() + prefix.len());
    }
    let zeros = "0".repeat(digits_min.saturating_sub(digits.len()));
    let digits = if verb.precision == Some(0) && size == 0 { String::new() } else { digits };
    Some(padded(&format!("{sign}{prefix}{zeros}{digits}"), Verb { zero: false, ..verb }))
}

fn sign(is_negative: bool, verb: Verb) -> &'static str {
    match (is_negative, verb.plus, verb.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn character(is_negative: bool, code: u64, verb: Verb) -> String {
    let valid = u32::try_from(code).ok().and_then(char::from_u32).filter(|_| !is_negative);
    let character = valid.unwrap_or(char::REPLACEMENT_CHARACTER);
    match verb.letter {
        'c' => character.to_string(),
        'q' => format!("'{}'", escaped(character, '\'', verb.plus)),
        _ if verb.sharp => format!("U+{code:04X} '{character}'"),
        _ => format!("U+{code:04X}"),
    }
}

fn float(number: f64, verb: Verb) -> Option<String> {
    let size = number.abs();
    let digits = if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        "Inf".to_owned()
    } else {
        match verb.letter {
            'e' | 'E' => exponent(&format!("{size:.*e}", verb.precision.unwrap_or(6))),
            'f' | 'F' => format!("{size:.*}", verb.precision.unwrap_or(6)),
            'v' | 'g' | 'G' => general(size, verb.precision),
            _ => return None,
        }
    };
    if !matches!(verb.letter, 'e' | 'E' | 'f' | 'F' | 'v' | 'g' | 'G') {
        return None;
    }
    let is_upper = matches!(verb.letter, 'E' | 'G') && number.is_finite();
    let digits = if is_upper { digits.to_uppercase() } else { digits };
    let is_negative = number.is_sign_negative() && !number.is_nan();
    let infinite_plus = number.is_infinite() && !is_negative;
    let sign = if infinite_plus { "+" } else { sign(is_negative, verb) };
    if verb.zero && !verb.minus && number.is_finite() {
        let room = verb.width.unwrap_or(0).saturating_sub(sign.len() + digits.len());
        return Some(format!("{sign}{}{digits}", "0".repeat(room)));
    }
    Some(padded(&format!("{sign}{digits}"), Verb { zero: false, ..verb }))
}

/// Rust writes `1e3`, Go `1e+03`.
fn exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// The shorter of digits and exponent: an exponent below -4 or from the precision on.
fn general(size: f64, precision: Option<usize>) -> String {
    let text = match precision {
        None => format!("{size:e}"),
        Some(precision) => format!("{size:.*e}", precision.max(1) - 1),
    };
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i64 = power.parse().unwrap_or(0);
    let significant = digits.replace('.', "");
    let significant = match precision {
        None => significant.as_str(),
        Some(_) => significant.trim_end_matches('0'),
    };
    let count = i64::try_from(significant.len()).unwrap_or(i64::MAX).max(1);
    let mut limit = precision.map_or(6, |precision| i64::try_from(precision.max(1)).unwrap_or(6));
    if precision.is_some() && limit > count && count > power {
        limit = count;
    }
    if power < -4 || power >= limit {
        let (first, rest) = significant.split_at_checked(1).unwrap_or(("0", ""));
        let point = if rest.is_empty() { "" } else { "." };
        return exponent(&format!("{first}{point}{rest}e{power}"));
    }
    if precision.is_none() {
        return size.to_string();
    }
    let decimals = usize::try_from(count - 1 - power).unwrap_or(0);
    format!("{size:.decimals$}")
}
