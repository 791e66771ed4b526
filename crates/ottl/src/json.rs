//! JSON text to values and back.

use crate::error::RunError;
use crate::limits::VALUE_DEPTH_MAX;
use crate::text;
use crate::value::{Time, Value};

/// Reads JSON; numbers are floating point, as the language says.
pub(crate) fn read(text: &str) -> Result<Value, RunError> {
    let json: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| RunError::invalid(format!("not JSON: {error}")))?;
    value(json, 0)
}

fn value(json: serde_json::Value, depth: u32) -> Result<Value, RunError> {
    if depth > VALUE_DEPTH_MAX {
        return Err(RunError::invalid("the JSON is nested too deeply"));
    }
    Ok(match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(truth) => Value::Bool(truth),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(items) => {
            let items = items.into_iter().map(|item| value(item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(members) => {
            let members = members.into_iter().map(|(key, item)| Ok((key, value(item, depth + 1)?)));
            Value::Map(members.collect::<Result<_, RunError>>()?)
        }
    })
}

/// Writes JSON, the keys of maps in order.
pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    put(value, &mut out);
    out
}

fn put(value: &Value, out: &mut String) {
    match value {
        Value::Nil => out.push_str("null"),
        Value::String(text) => quote(text, out),
        Value::Bytes(bytes) => quote(&text::base64(bytes), out),
        Value::Time(moment) => quote(&time(*moment), out),
        Value::List(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                put(value, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|left, right| left.0.cmp(&right.0));
            out.push('{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                quote(key, out);
                out.push(':');
                put(value, out);
            }
            out.push('}');
        }
        other => out.push_str(&text::plain(other)),
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Those who wrote the language escape what HTML would read.
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// A moment as RFC 3339 has it.
pub(crate) fn time(time: Time) -> String {
    let Ok(civil) = time.civil() else { return String::new() };
    let minutes = time.offset_s / 60;
    let date = civil.strftime("%Y-%m-%dT%H:%M:%S%.f");
    if minutes == 0 {
        return format!("{date}Z");
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{date}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
