//! Converters of text.

use super::{Call, Function, Kind, Site, may, need};
use crate::error::RunError;
use crate::functions::{Literals, Prepared};
use crate::pattern;
use crate::seen::Seen;
use crate::value::Value;

mod encoding;
mod format;

const TEXT: &[super::Parameter] = &[need("target", Kind::Text)];
const TEXT_AND_PART: &[super::Parameter] = &[need("target", Kind::Text), need("part", Kind::Text)];

pub(super) const LIST: &[Function] = &[
    Function::converter("Base64Decode", TEXT, encoding::base64_decode),
    Function::converter(
        "Base64Encode",
        &[need("target", Kind::Text), may("variant", Kind::Word)],
        encoding::base64_encode,
    ),
    Function::converter(
        "Decode",
        &[need("target", Kind::Any), need("encoding", Kind::Word)],
        encoding::decode,
    ),
    Function::writer(
        "Concat",
        &[need("values", Kind::List), need("delimiter", Kind::Word)],
        concat,
    ),
    Function::converter(
        "ConvertCase",
        &[need("target", Kind::Text), need("to_case", Kind::Word)],
        convert_case,
    )
    .preparing(check_case),
    Function::converter("ToCamelCase", TEXT, |call| cased(call, "camel")),
    Function::converter("ToLowerCase", TEXT, |call| cased(call, "lower")),
    Function::converter("ToSnakeCase", TEXT, |call| cased(call, "snake")),
    Function::converter("ToUpperCase", TEXT, |call| cased(call, "upper")),
    Function::converter(
        "Format",
        &[need("format_string", Kind::Text), need("format_arguments", Kind::List)],
        format::format,
    ),
    Function::asker(
        "HasPrefix",
        &[need("target", Kind::Text), need("prefix", Kind::Text)],
        |site| of_two(site, <[u8]>::starts_with),
    ),
    Function::asker(
        "HasSuffix",
        &[need("target", Kind::Text), need("suffix", Kind::Text)],
        |site| of_two(site, <[u8]>::ends_with),
    ),
    Function::asker(
        "IsMatch",
        &[need("target", Kind::TextLike), need("pattern", Kind::Word)],
        is_match,
    )
    .preparing(|literals| pattern::prepared(literals, 1)),
    Function::converter(
        "Split",
        &[need("target", Kind::Text), need("delimiter", Kind::Word)],
        split,
    ),
    Function::converter(
        "Substring",
        &[need("target", Kind::Text), need("start", Kind::Int), need("length", Kind::Int)],
        substring,
    )
    .preparing(check_substring),
    Function::converter(
        "Trim",
        &[need("target", Kind::Text), may("replacement", Kind::Word)],
        trim,
    ),
    Function::converter("TrimPrefix", TEXT_AND_PART, |call| {
        let text = call.text(0);
        Ok(Value::from(text.strip_prefix(call.text(1)).unwrap_or(text)))
    }),
    Function::converter("TrimSuffix", TEXT_AND_PART, |call| {
        let text = call.text(0);
        Ok(Value::from(text.strip_suffix(call.text(1)).unwrap_or(text)))
    }),
];

type Made = Result<Value, RunError>;

fn concat(site: &Site<'_>, out: &mut Vec<u8>) -> Result<(), RunError> {
    site.join(0, site.word(1).as_bytes(), out)
}

/// What a question about two texts is answered with.
fn of_two(site: &Site<'_>, ask: fn(&[u8], &[u8]) -> bool) -> Result<bool, RunError> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let text = site.text(0, &mut first)?;
    Ok(ask(text, site.text(1, &mut second)?))
}

fn check_case(literals: &Literals<'_>) -> Result<Prepared, String> {
    match pattern::literal(literals, 1) {
        "lower" | "upper" | "snake" | "camel" => Ok(Prepared::Nothing),
        other => Err(format!("{other:?} is none of lower, upper, snake, camel")),
    }
}

fn convert_case(call: &Call<'_>) -> Made {
    cased(call, call.text(1))
}

fn cased(call: &Call<'_>, case: &str) -> Made {
    let text = call.text(0);
    Ok(Value::String(match case {
        "lower" => text.to_lowercase(),
        "upper" => text.to_uppercase(),
        "snake" => snake(text),
        _ => camel(text),
    }))
}

fn is_separator(char: char) -> bool {
    matches!(char, ' ' | '_' | '-' | '.')
}

/// Words are parted by separators, at an uppercase letter behind a lowercase one or before one, and
/// between letters and digits.
fn snake(text: &str) -> String {
    let chars: Vec<char> = text.trim().chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (at, char) in chars.iter().copied().enumerate() {
        if is_separator(char) {
            out.push('_');
            continue;
        }
        out.extend(char.to_lowercase());
        let Some(next) = chars.get(at + 1).copied() else { continue };
        let after = chars.get(at + 2).copied();
        let is_border = (char.is_lowercase() && next.is_uppercase())
            || (char.is_alphabetic() && next.is_ascii_digit())
            || (char.is_ascii_digit() && next.is_alphabetic())
            || (char.is_uppercase()
                && next.is_uppercase()
                && after.is_some_and(char::is_lowercase));
        if is_border {
            out.push('_');
        }
    }
    out
}

/// Only ASCII letters and digits stay. A letter is large behind a separator or a digit and small
/// behind a large one; where neither stands before it, it stays as it is.
fn camel(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut is_start, mut is_behind_upper) = (true, false);
    for char in text.trim().chars() {
        if char.is_ascii_alphabetic() {
            out.push(match (is_start, is_behind_upper) {
                (true, _) => char.to_ascii_uppercase(),
                (false, true) => char.to_ascii_lowercase(),
                (false, false) => char,
            });
        } else if char.is_ascii_digit() {
            out.push(char);
        }
        is_start = char.is_ascii_digit() || is_separator(char);
        is_behind_upper = char.is_ascii_uppercase();
    }
    out
}

fn is_match(site: &Site<'_>) -> Result<bool, RunError> {
    let mut room = Vec::new();
    match site.see(0, &mut room)? {
        Seen::Text(text) => Ok(site.pattern()?.is_match(text)),
        other => {
            let mut text = Vec::new();
            Ok(other.append_text(&mut text)? && site.pattern()?.is_match(&text))
        }
    }
}

fn split(call: &Call<'_>) -> Made {
    let (text, delimiter) = (call.text(0), call.text(1));
    if delimiter.is_empty() {
        return Ok(Value::List(text.chars().map(|char| Value::String(char.to_string())).collect()));
    }
    Ok(Value::List(text.split(delimiter).map(Value::from).collect()))
}

fn check_substring(literals: &Literals<'_>) -> Result<Prepared, String> {
    let number = |at: usize| match literals.get(at) {
        Some(Some(Value::Int(number))) => Some(*number),
        _ => None,
    };
    if number(1).is_some_and(|start| start < 0) || number(2).is_some_and(|length| length <= 0) {
        return Err("start cannot be negative and length is at least 1".to_owned());
    }
    Ok(Prepared::Nothing)
}

fn substring(call: &Call<'_>) -> Made {
    let text = call.text(0);
    let (start, length) = (call.int_or(1, -1), call.int_or(2, 0));
    let start = usize::try_from(start).ok();
    let length = usize::try_from(length).ok().filter(|length| *length > 0);
    let part = start.zip(length).and_then(|(start, length)| {
        let part = text.as_bytes().get(start..start.checked_add(length)?)?;
        Some(String::from_utf8_lossy(part).into_owned())
    });
    part.map(Value::String).ok_or_else(|| RunError::invalid("the range is outside of the text"))
}

fn trim(call: &Call<'_>) -> Made {
    let cut = call.text_or(1, " ");
    Ok(Value::from(call.text(0).trim_matches(|char| cut.contains(char))))
}
