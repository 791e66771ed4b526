//! JSON as services want it: objects written member by member, values as text, numbers as Go and
//! Prometheus print them. Nothing here allocates.

use std::io::Write as _;

use bessemer_record::json::{
    write_any_value, write_base64, write_double, write_hex, write_integer, write_text,
    write_unsigned,
};
use bessemer_record::value::AnyValue;
use bessemer_record::view::Number;

/// An object that is being written.
pub(crate) struct Object<'b> {
    out: &'b mut Vec<u8>,
    is_empty: bool,
}

impl<'b> Object<'b> {
    /// Opens an object at the end of `out`.
    pub(crate) fn open(out: &'b mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Names a member whose value is to be appended. Such names need no escapes.
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Names a member with any text.
    pub(crate) fn named(&mut self, key: &[u8]) -> &mut Vec<u8> {
        self.comma();
        write_text(key, self.out);
        self.out.push(b':');
        self.out
    }

    /// Adds text.
    pub(crate) fn text(&mut self, key: &'static str, text: &[u8]) {
        write_text(text, self.key(key));
    }

    /// Adds text unless it is empty.
    pub(crate) fn some_text(&mut self, key: &'static str, text: &[u8]) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    /// Adds an id in hexadecimal digits unless it is empty.
    pub(crate) fn some_id(&mut self, key: &'static str, id: &[u8]) {
        if !id.is_empty() {
            write_hex(id, self.key(key));
        }
    }

    /// Adds a number.
    pub(crate) fn integer(&mut self, key: &'static str, number: i64) {
        write_integer(number, self.key(key));
    }

    /// Adds a number.
    pub(crate) fn unsigned(&mut self, key: &'static str, number: u64) {
        write_unsigned(number, self.key(key));
    }

    /// Opens an object as a member.
    pub(crate) fn object(&mut self, key: &'static str) -> Object<'_> {
        Object::open(self.key(key))
    }

    /// Opens a list as a member.
    pub(crate) fn list(&mut self, key: &'static str) -> List<'_> {
        List::open(self.key(key))
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    fn comma(&mut self) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
    }
}

/// A list that is being written.
pub(crate) struct List<'b> {
    out: &'b mut Vec<u8>,
    is_empty: bool,
}

impl<'b> List<'b> {
    /// Opens a list at the end of `out`.
    pub(crate) fn open(out: &'b mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, is_empty: true }
    }

    /// Where to append the next element.
    pub(crate) fn next(&mut self) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.out.push(b']');
    }
}

/// Appends a value as a string: text as it is, everything else as it would stand in JSON.
pub(crate) fn write_as_text(value: AnyValue<'_>, out: &mut Vec<u8>) {
    match value {
        AnyValue::Empty => out.extend_from_slice(b"\"\""),
        AnyValue::Str(text) => write_text(text.as_bytes(), out),
        AnyValue::Bytes(bytes) => write_base64(bytes, out),
        AnyValue::Bool(truth) => {
            out.extend_from_slice(if truth { b"\"true\"" } else { b"\"false\"" });
        }
        AnyValue::Int(number) => {
            out.push(b'"');
            write_integer(number, out);
            out.push(b'"');
        }
        AnyValue::Double(number) => {
            out.push(b'"');
            write_plain_double(number, out);
            out.push(b'"');
        }
        AnyValue::Array(_) | AnyValue::Map(_) => write_embedded(value, out),
    }
}

/// Appends a value's JSON as a string.
pub(crate) fn write_embedded(value: AnyValue<'_>, out: &mut Vec<u8>) {
    // The text is written behind its place first and then escaped into it.
    let start = out.len();
    write_any_value(value, out);
    let text = out.split_off(start);
    write_text(&text, out);
}

/// Appends a number as JSON.
pub(crate) fn write_number(number: Number, out: &mut Vec<u8>) {
    match number {
        Number::Int(number) => write_integer(number, out),
        Number::Double(number) => write_double(number, out),
    }
}

/// Appends a number without exponent where it is between 1e-6 and 1e21, as JSON does in browsers and
/// in Go: 45 and not 45.0.
pub(crate) fn write_plain_double(number: f64, out: &mut Vec<u8>) {
    let size = number.abs();
    if number.is_finite() && size != 0.0 && !(1e-6..1e21).contains(&size) {
        write_exponent(number, 1, out);
    } else if number.is_finite() {
        write(format_args!("{number}"), out);
    } else {
        write_infinite(number, out);
    }
}

/// Appends a number as Prometheus writes bounds: `0.5`, `250`, `1e+06`, `+Inf`.
pub(crate) fn write_general_double(number: f64, out: &mut Vec<u8>) {
    let size = number.abs();
    if number.is_finite() && size != 0.0 && !(1e-4..1e6).contains(&size) {
        write_exponent(number, 2, out);
    } else if number.is_finite() {
        write(format_args!("{number}"), out);
    } else {
        write_infinite(number, out);
    }
}

fn write_infinite(number: f64, out: &mut Vec<u8>) {
    let text: &[u8] = if number.is_nan() {
        b"NaN"
    } else if number > 0.0 {
        b"+Inf"
    } else {
        b"-Inf"
    };
    out.extend_from_slice(text);
}

/// Appends a number with a sign in its exponent and at least `digits` digits there.
fn write_exponent(number: f64, digits: usize, out: &mut Vec<u8>) {
    let mut text = Digits { buffer: [0; 32], len: 0 };
    text.write_fmt(format_args!("{number:e}")).unwrap_or_default();
    let text = text.buffer.get(..text.len).unwrap_or_default();
    let Some(at) = text.iter().position(|byte| *byte == b'e') else {
        return out.extend_from_slice(text);
    };
    let (mantissa, exponent) = text.split_at(at);
    let exponent = exponent.get(1..).unwrap_or_default();
    let (sign, exponent) = match exponent.split_first() {
        Some((b'-', rest)) => (b'-', rest),
        _ => (b'+', exponent),
    };
    out.extend_from_slice(mantissa);
    out.extend_from_slice(&[b'e', sign]);
    out.extend(std::iter::repeat_n(b'0', digits.saturating_sub(exponent.len())));
    out.extend_from_slice(exponent);
}

/// Room for one number.
struct Digits {
    buffer: [u8; 32],
    len: usize,
}

impl std::io::Write for Digits {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let free = self.buffer.get_mut(self.len..).unwrap_or_default();
        let taken = bytes.len().min(free.len());
        if let (Some(free), Some(bytes)) = (free.get_mut(..taken), bytes.get(..taken)) {
            free.copy_from_slice(bytes);
        }
        self.len += taken;
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn write(text: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    out.write_fmt(text).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn objects_and_lists_put_commas_between() {
        let written = text(|out| {
            let mut object = Object::open(out);
            object.text("a", b"x\"y");
            object.some_text("none", b"");
            object.unsigned("b", 3);
            let mut list = object.list("c");
            list.next().push(b'1');
            list.next().push(b'2');
            list.close();
            object.object("d").close();
            object.close();
        });
        assert_eq!(written, r#"{"a":"x\"y","b":3,"c":[1,2],"d":{}}"#);
    }

    #[test]
    fn doubles_as_text_have_no_needless_fraction() {
        let cases = [(45.0, "45"), (1.2, "1.2"), (1e21, "1e+21"), (1e-7, "1e-7"), (0.0, "0")];
        for (number, expected) in cases {
            assert_eq!(text(|out| write_plain_double(number, out)), expected);
        }
    }

    #[test]
    fn bounds_are_written_as_prometheus_writes_them() {
        let cases = [
            (0.5, "0.5"),
            (250.0, "250"),
            (1e6, "1e+06"),
            (0.00001, "1e-05"),
            (123_456_789.0, "1.23456789e+08"),
            (f64::INFINITY, "+Inf"),
        ];
        for (number, expected) in cases {
            assert_eq!(text(|out| write_general_double(number, out)), expected);
        }
    }

    #[test]
    fn what_is_no_text_stands_as_text() {
        let cases = [
            (AnyValue::Int(10), "\"10\""),
            (AnyValue::Bool(true), "\"true\""),
            (AnyValue::Double(1.5), "\"1.5\""),
            (AnyValue::Bytes(b"hi"), "\"aGk=\""),
            (AnyValue::Empty, "\"\""),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|out| write_as_text(value, out)), expected);
        }
    }
}
