//! JSON in and out, with the conventions of Go's encoder: sorted keys, HTML escaped.

use std::fmt::Write as _;

use crate::source::Location;
use crate::value::{Data, Field, Form, Number, Object, Value};

/// A parsed document as a value; every number becomes a float, as Go decodes them.
pub(super) fn value(json: serde_json::Value, at: &Location) -> Value {
    let data = match json {
        serde_json::Value::Null => Data::Null,
        serde_json::Value::Bool(truth) => Data::Bool(truth),
        serde_json::Value::Number(number) => {
            Data::Number(Number::Float(number.as_f64().unwrap_or(f64::NAN)))
        }
        serde_json::Value::String(text) => Data::String(text),
        serde_json::Value::Array(items) => {
            Data::Array(items.into_iter().map(|item| value(item, at)).collect())
        }
        serde_json::Value::Object(map) => {
            let field = |(name, item)| Field { name, name_at: at.clone(), value: value(item, at) };
            let fields = map.into_iter().map(field).collect();
            Data::Object(Object { fields, form: Form::Literal })
        }
    };
    Value::new(data, at.clone())
}

/// Writes a value; fails with the part that has no JSON form.
pub(super) fn write<'v>(out: &mut String, value: &'v Value) -> Result<(), (&'v Value, String)> {
    match &value.data {
        Data::Null => out.push_str("null"),
        Data::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Data::Number(number) => out.push_str(&written(*number)),
        Data::String(text) => string(out, text),
        Data::OptionalSecret { text, is_secret: false } => string(out, text.expose()),
        Data::Array(items) => {
            out.push('[');
            for (count, item) in items.iter().enumerate() {
                if count > 0 {
                    out.push(',');
                }
                write(out, item)?;
            }
            out.push(']');
        }
        Data::Object(object) => {
            let mut fields: Vec<_> = object.fields.iter().collect();
            fields.sort_by(|a, b| a.name.cmp(&b.name));
            out.push('{');
            for (count, field) in fields.into_iter().enumerate() {
                if count > 0 {
                    out.push(',');
                }
                string(out, &field.name);
                out.push(':');
                write(out, &field.value)?;
            }
            out.push('}');
        }
        Data::Secret(_) | Data::OptionalSecret { .. } | Data::Reference(_) => {
            return Err((value, format!("a {} has no JSON form", value.kind())));
        }
    }
    Ok(())
}

/// A number as JSON: digits, or an exponent where the digits would be long.
fn written(number: Number) -> String {
    let Number::Float(float) = number else {
        return number.to_string();
    };
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        return format!("{digits}e{sign}{exponent}");
    }
    number.to_string()
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for next in text.chars() {
        match next {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing to a String can not fail.
                if write!(out, "\\u{:04x}", next as u32).is_err() {
                    out.push(next);
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_markup_is_escaped() {
        let json = serde_json::json!({ "b": "<&>", "a": [1, 2.5, 1e30, null, true] });
        let mut out = String::new();
        write(&mut out, &Value::from(json)).unwrap();
        let expected = r#"{"a":[1,2.5,1e+30,null,true],"b":"\u003c\u0026\u003e"}"#;
        assert_eq!(out, expected);
    }
}
