//! Edits of what only a log record has: body, severity, time.

use super::nested;
use super::shortened;
use super::splice::Splice;
use crate::value::{Value, encode_any_value};
use crate::view::LogRecordView;
use crate::wire::{FIXED64, VARINT, put_len_delimited, put_tag, put_varint};

/// Sets the body.
pub fn set_body(record: &[u8], body: &Value, out: &mut Vec<u8>) {
    without(record, 5, out);
    let content = nested::open(5, out);
    encode_any_value(body, out);
    nested::close(content, out);
}

/// Cuts a body that is a string to at most this many bytes, at the border of a character; returns
/// whether it was longer.
pub fn truncate_body(record: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> bool {
    let shortened = shortened(LogRecordView::new(record).body(), bytes_max);
    if let Some(body) = &shortened {
        set_body(record, body, out);
    } else {
        out.extend_from_slice(record);
    }
    shortened.is_some()
}

/// Sets the severity number, 0 for none.
pub fn set_severity_number(record: &[u8], number: i32, out: &mut Vec<u8>) {
    without(record, 2, out);
    if number != 0 {
        put_tag(out, 2, VARINT);
        put_varint(out, i64::from(number).cast_unsigned());
    }
}

/// Sets the severity text.
pub fn set_severity_text(record: &[u8], text: &str, out: &mut Vec<u8>) {
    without(record, 3, out);
    if !text.is_empty() {
        put_len_delimited(out, 3, text.as_bytes());
    }
}

/// Sets the time in nanoseconds since 1970, 0 for an unknown one.
pub fn set_time(record: &[u8], unix_nano: u64, out: &mut Vec<u8>) {
    set_fixed64(record, 1, unix_nano, out);
}

/// Sets the time of observation in nanoseconds since 1970.
pub fn set_observed_time(record: &[u8], unix_nano: u64, out: &mut Vec<u8>) {
    set_fixed64(record, 11, unix_nano, out);
}

fn set_fixed64(record: &[u8], number: u32, value: u64, out: &mut Vec<u8>) {
    without(record, number, out);
    if value != 0 {
        put_tag(out, number, FIXED64);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Copies a message without a field.
fn without(message: &[u8], number: u32, out: &mut Vec<u8>) {
    let mut splice = Splice::new(message, out);
    while let Some((found, _)) = splice.next() {
        if found == number {
            splice.take_out();
        }
    }
    splice.finish();
}
