//! From a tree to YAML text that reads back as the same tree.

use std::fmt::Write as _;

use super::scalar;
use crate::source::Location;
use crate::value::{Data, Field, Number, Value};

/// Items of a list that is written on one line at most.
const LINE_ITEMS_MAX: usize = 8;
/// Columns of a line with several items.
const COLUMNS_MAX: usize = 100;

/// Writes a tree as a document.
pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    match &value.data {
        Data::Object(object) if !object.fields.is_empty() => fields(&mut out, &object.fields, 0),
        _ => {
            inline(&mut out, value);
            out.push('\n');
        }
    }
    out
}

fn fields(out: &mut String, fields: &[Field], depth: usize) {
    for (number, field) in fields.iter().enumerate() {
        if depth == 0 && number > 0 {
            out.push('\n');
        }
        indent(out, depth);
        self::field(out, field, depth);
    }
}

fn field(out: &mut String, field: &Field, depth: usize) {
    text(out, &field.name);
    out.push(':');
    below(out, &field.value, depth);
}

/// What stands behind a colon: on its line or below it.
fn below(out: &mut String, value: &Value, depth: usize) {
    match &value.data {
        Data::Object(object) if !object.fields.is_empty() => {
            out.push('\n');
            fields(out, &object.fields, depth + 1);
        }
        Data::Array(list) if !is_short(list, column(out)) => {
            out.push('\n');
            items(out, list, depth + 1);
        }
        _ => {
            out.push(' ');
            inline(out, value);
            out.push('\n');
        }
    }
}

fn items(out: &mut String, items: &[Value], depth: usize) {
    for item in items {
        indent(out, depth);
        match &item.data {
            Data::Object(object) if !object.fields.is_empty() => {
                out.push_str("- ");
                for (number, inner) in object.fields.iter().enumerate() {
                    if number > 0 {
                        indent(out, depth + 1);
                    }
                    field(out, inner, depth + 1);
                }
            }
            Data::Array(list) if !is_short(list, column(out)) => {
                out.push_str("-\n");
                self::items(out, list, depth + 1);
            }
            _ => {
                out.push_str("- ");
                inline(out, item);
                out.push('\n');
            }
        }
    }
}

/// How far the last line is written.
fn column(out: &str) -> usize {
    out.rsplit('\n').next().map_or(0, |line| line.chars().count())
}

/// Whether a list fits on a line behind `column`: a few scalars, or nothing.
fn is_short(items: &[Value], column: usize) -> bool {
    let is_scalar = |item: &Value| item.as_array().is_none() && item.as_object().is_none();
    if items.len() > LINE_ITEMS_MAX || !items.iter().all(is_scalar) {
        return false;
    }
    let mut line = String::new();
    list(&mut line, items);
    items.len() <= 1 || column + " ".len() + line.chars().count() <= COLUMNS_MAX
}

/// A scalar, a short list or nothing.
fn inline(out: &mut String, value: &Value) {
    match &value.data {
        Data::Null => out.push_str("null"),
        Data::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Data::Number(Number::Float(number)) if !number.is_finite() => out.push('0'),
        Data::Number(number) => out.push_str(&number.to_string()),
        Data::String(string) => text(out, string),
        Data::Secret(string) | Data::OptionalSecret { text: string, .. } => {
            text(out, string.expose());
        }
        Data::Array(items) => list(out, items),
        Data::Object(_) => out.push_str("{}"),
        Data::Reference(reference) => text(out, &reference.to_string()),
    }
}

fn list(out: &mut String, items: &[Value]) {
    out.push('[');
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            out.push_str(", ");
        }
        inline(out, item);
    }
    out.push(']');
}

fn text(out: &mut String, text: &str) {
    if is_plain(text) { out.push_str(text) } else { quoted(out, text) }
}

/// Whether text can stand without quotes, anywhere: narrower than the grammar.
fn is_plain(text: &str) -> bool {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "_./-@+%".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "_/.".contains(c));
    let colon_is_inside = |(at, _): (usize, &str)| {
        text.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| is_safe(c)))
    };
    starts_well
        && text.len() <= 80
        && text.chars().all(|c| is_safe(c) || c == ':')
        && text.match_indices(':').all(colon_is_inside)
        && scalar::plain(text, Location::nowhere()).data == Data::String(text.to_owned())
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for next in text.chars() {
        match next {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{feff}' | '\u{2028}' | '\u{2029}' => escape(out, next),
            _ if next.is_control() => escape(out, next),
            _ => out.push(next),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, next: char) {
    // Writing to a String can not fail.
    if write!(out, "\\u{:04x}", u32::from(next)).is_err() {
        out.push('?');
    }
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}
