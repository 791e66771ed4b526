//! Values as text and text as numbers, in the ways of the Collector's data model and of Go.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bessemer_record::Value;
use bessemer_record::value::AnyValue;

/// Any value as text: lists and maps as JSON with sorted keys, bytes in base64.
pub(crate) fn text_of(value: AnyValue<'_>) -> Cow<'_, str> {
    match value {
        AnyValue::Empty => Cow::Borrowed(""),
        AnyValue::Str(text) => Cow::Borrowed(text.as_str()),
        AnyValue::Bool(truth) => Cow::Borrowed(if truth { "true" } else { "false" }),
        AnyValue::Int(number) => Cow::Owned(number.to_string()),
        AnyValue::Double(number) if number.is_nan() => Cow::Borrowed("NaN"),
        AnyValue::Double(f64::INFINITY) => Cow::Borrowed("Infinity"),
        AnyValue::Double(f64::NEG_INFINITY) => Cow::Borrowed("-Infinity"),
        AnyValue::Double(number) => Cow::Owned(double(number)),
        AnyValue::Bytes(bytes) => Cow::Owned(STANDARD.encode(bytes)),
        AnyValue::Array(_) | AnyValue::Map(_) => {
            let mut json = String::new();
            let is_complete = write_json(&value.to_value(), &mut json);
            // The Collector writes nothing at all where JSON has no number for a double.
            Cow::Owned(if is_complete { json } else { String::new() })
        }
    }
}

/// The text of a value that is not compound: what an expression for an attribute is looked for in.
pub(crate) fn scalar_text(value: AnyValue<'_>) -> Option<Cow<'_, str>> {
    match value {
        AnyValue::Str(_) | AnyValue::Bool(_) | AnyValue::Int(_) => Some(text_of(value)),
        AnyValue::Double(f64::INFINITY) => Some(Cow::Borrowed("+Inf")),
        AnyValue::Double(f64::NEG_INFINITY) => Some(Cow::Borrowed("-Inf")),
        AnyValue::Double(number) => Some(Cow::Owned(number.to_string())),
        AnyValue::Empty | AnyValue::Bytes(_) | AnyValue::Array(_) | AnyValue::Map(_) => None,
    }
}

/// The shortest number that reads back as the same, with an exponent where ECMAScript has one.
fn double(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    if size < 1.0 { text } else { text.replace('e', "e+") }
}

/// Appends the value as JSON; returns whether JSON can hold it.
fn write_json(value: &Value, out: &mut String) -> bool {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Double(number) if number.is_finite() => out.push_str(&double(*number)),
        Value::Double(_) => return false,
        Value::String(text) => write_text(text, out),
        Value::Bytes(bytes) => write_text(&STANDARD.encode(bytes), out),
        Value::Array(values) => {
            return write_list('[', ']', values, out, write_json);
        }
        Value::Map(entries) => {
            let mut sorted: Vec<&(String, Value)> = Vec::with_capacity(entries.len());
            for entry in entries.iter().rev() {
                if !sorted.iter().any(|(key, _)| *key == entry.0) {
                    sorted.push(entry);
                }
            }
            sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
            return write_list('{', '}', sorted, out, |(key, value), out| {
                write_text(key, out);
                out.push(':');
                write_json(value, out)
            });
        }
    }
    true
}

fn write_list<T>(
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    write: impl Fn(T, &mut String) -> bool,
) -> bool {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if !write(item, out) {
            return false;
        }
    }
    out.push(close);
    true
}

fn write_text(text: &str, out: &mut String) {
    // Text always is JSON.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    if quoted.contains(['\u{2028}', '\u{2029}']) {
        out.push_str(&quoted.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"));
    } else {
        out.push_str(&quoted);
    }
}

/// The floating point number in a text, as Go reads one; hexadecimal ones are not read.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    let plain = without_separators(text)?;
    let number: f64 = plain.parse().ok()?;
    let is_word = plain.contains(['n', 'N']);
    let is_signed = plain.starts_with(['+', '-']);
    let is_refused = if number.is_nan() { is_signed } else { number.is_infinite() && !is_word };
    (!is_refused).then_some(number)
}

/// The text without underscores, each of which must stand between two digits.
fn without_separators(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let is_digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let is_between = |index: usize| index > 0 && is_digit(index - 1) && is_digit(index + 1);
    let mut separators = text.match_indices('_').map(|(index, _)| index);
    separators.all(is_between).then(|| Cow::Owned(text.replace('_', "")))
}

#[cfg(test)]
mod tests {
    use bessemer_record::value::encode_any_value;

    use super::*;

    fn text(value: &Value) -> String {
        let mut bytes = Vec::new();
        encode_any_value(value, &mut bytes);
        text_of(AnyValue::new(&bytes)).into_owned()
    }

    #[test]
    fn doubles_are_written_as_in_json() {
        for (number, expected) in [
            (0.0, "0"),
            (99.1, "99.1"),
            (100.0, "100"),
            (-1.5, "-1.5"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-2.5e300, "-2.5e+300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(&Value::Double(number)), expected);
        }
    }

    #[test]
    fn compound_values_are_json_with_sorted_keys_of_which_the_last_counts() {
        let map = Value::Map(vec![
            ("b".into(), Value::Array(vec![Value::Null, Value::Bool(true), Value::Int(-3)])),
            ("a".into(), Value::Int(1)),
            ("c<\u{2028}".into(), Value::Bytes(vec![1, 2, 3])),
            ("a".into(), Value::Double(0.5)),
        ]);
        let expected = r#"{"a":0.5,"b":[null,true,-3],"c<\u2028":"AQID"}"#;
        assert_eq!(text(&map), expected);
        assert_eq!(text(&Value::Array(vec![Value::Double(f64::NAN)])), "");
        assert_eq!(text(&Value::Bytes(vec![255])), "/w==");
        assert_eq!(text(&Value::Null), "");
    }

    #[test]
    fn doubles_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("123", Some(123.0)),
            ("3.141e2", Some(314.1)),
            ("+.5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1_000.5", Some(1000.5)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", Some(f64::INFINITY)),
            ("1e999", None),
            ("+nan", None),
            ("_1", None),
            ("1__0", None),
            ("", None),
            (" 1", None),
            ("double-10", None),
        ] {
            assert_eq!(parse_double(text), expected, "{text}");
        }
        assert!(parse_double("NaN").is_some_and(f64::is_nan));
    }
}
