//! Protobuf to JSON: one walk over the wire that writes each field where it stands.
//!
//! A message is written in the order of its fields on the wire if that order allows it: lists in one
//! piece, nothing twice. A cheap look at one level decides; what fails it is first put in order by
//! [`normal`].

use super::normal;
use super::schema::{self, Field, Kind, Label, Message, Role, SLOTS};
use super::text::{
    write_base64, write_double, write_hex, write_integer, write_text, write_unsigned,
};
use crate::value::DEPTH_MAX;
use crate::wire::{Reader, WireValue, read_varint};

/// A value at [`DEPTH_MAX`] is at most three messages a level deep, in an envelope of a few more.
const MESSAGES_MAX: u32 = DEPTH_MAX * 3 + 16;

/// Appends a message as an object.
pub(super) fn message(schema: &Message, bytes: &[u8], depth: u32, out: &mut Vec<u8>) {
    if depth >= MESSAGES_MAX {
        out.extend_from_slice(b"{}");
    } else if frequent(schema.role, bytes, depth, out) {
        // It is written.
    } else if is_regular(schema, bytes) {
        object(schema, bytes, depth, out);
    } else {
        object(schema, &normal::message(schema, bytes), depth, out);
    }
}

/// Appends what most of a batch is made of, if it is that: an entry of a key and a value, and a value
/// that is text. Returns whether it was.
fn frequent(role: Role, bytes: &[u8], depth: u32, out: &mut Vec<u8>) -> bool {
    let mut fields = Reader::new(bytes);
    match (role, fields.next()) {
        (Role::Value, Some((1, WireValue::Bytes(text)))) if fields.offset() == bytes.len() => {
            out.extend_from_slice(b"{\"stringValue\":");
            write_text(text, out);
        }
        (Role::Entry, Some((1, WireValue::Bytes(key)))) if !key.is_empty() => {
            let Some((2, WireValue::Bytes(value))) = fields.next() else { return false };
            if fields.offset() != bytes.len() {
                return false;
            }
            out.extend_from_slice(b"{\"key\":");
            write_text(key, out);
            out.extend_from_slice(b",\"value\":");
            message(schema::any_value(), value, depth + 1, out);
        }
        _ => return false,
    }
    out.push(b'}');
    true
}

/// Whether every list stands in one piece and no other field stands twice.
fn is_regular(schema: &Message, bytes: &[u8]) -> bool {
    let mut seen = 0_u32;
    let mut last = SLOTS;
    for (number, _) in Reader::new(bytes) {
        let Some(field) = schema.field(number) else { continue };
        let is_more = field.slot == last && field.label == Label::Repeated;
        if !is_more && seen & (1 << field.slot) != 0 {
            return false;
        }
        seen |= 1 << field.slot;
        last = field.slot;
    }
    true
}

fn object(schema: &Message, bytes: &[u8], depth: u32, out: &mut Vec<u8>) {
    let mut separator = b'{';
    // The slot of the list that is open.
    let mut open = SLOTS;
    for (number, value) in Reader::new(bytes) {
        let Some(field) = schema.field(number) else { continue };
        if field.slot != open && open != SLOTS {
            out.push(b']');
            open = SLOTS;
        }
        if field.slot == open {
            elements(field, value, depth, out);
            continue;
        }
        if is_default(field, value) {
            continue;
        }
        out.push(separator);
        separator = b',';
        out.extend_from_slice(field.key.as_bytes());
        if field.label == Label::Repeated {
            out.push(b'[');
            open = field.slot;
            elements(field, value, depth, out);
        } else {
            single(field, value, depth, out);
        }
    }
    if open != SLOTS {
        out.push(b']');
    }
    if separator == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
}

/// Whether a field can be left out because absence means the same.
fn is_default(field: &Field, value: WireValue<'_>) -> bool {
    field.label == Label::Single
        && match value {
            WireValue::Varint(number) | WireValue::Fixed64(number) => number == 0,
            WireValue::Fixed32(number) => number == 0,
            WireValue::Bytes(bytes) => bytes.is_empty() && !matches!(field.kind, Kind::Message(_)),
            WireValue::Group(_) => true,
        }
}

/// Appends what one field adds to a list.
fn elements(field: &Field, value: WireValue<'_>, depth: u32, out: &mut Vec<u8>) {
    if let (true, WireValue::Bytes(packed)) = (field.is_packed(), value) {
        unpack(packed, matches!(field.kind, Kind::Uint64), |value| {
            element(field, value, depth, out);
        });
    } else {
        element(field, value, depth, out);
    }
}

fn element(field: &Field, value: WireValue<'_>, depth: u32, out: &mut Vec<u8>) {
    // No element ends with a bracket that opens, so after one stands the first element.
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
    single(field, value, depth, out);
}

fn unpack(mut packed: &[u8], is_varint: bool, mut each: impl FnMut(WireValue<'static>)) {
    if is_varint {
        while let Some((number, len)) = read_varint(packed) {
            each(WireValue::Varint(number));
            packed = packed.get(len..).unwrap_or_default();
        }
    } else {
        for chunk in packed.as_chunks().0 {
            each(WireValue::Fixed64(u64::from_le_bytes(*chunk)));
        }
    }
}

/// Appends one value.
fn single(field: &Field, value: WireValue<'_>, depth: u32, out: &mut Vec<u8>) {
    match (field.kind, value) {
        (Kind::Text, WireValue::Bytes(bytes)) => write_text(bytes, out),
        (Kind::Hex, WireValue::Bytes(bytes)) => write_hex(bytes, out),
        (Kind::Base64, WireValue::Bytes(bytes)) => write_base64(bytes, out),
        (Kind::Message(schema), WireValue::Bytes(bytes)) => message(schema, bytes, depth + 1, out),
        (Kind::Bool, WireValue::Varint(number)) => {
            out.extend_from_slice(if number == 0 { b"false" } else { b"true" });
        }
        (Kind::Int32 | Kind::Enum, WireValue::Varint(number)) => {
            write_integer(i64::from(low(number).cast_signed()), out);
        }
        (Kind::Uint32, WireValue::Varint(number)) => write_unsigned(u64::from(low(number)), out),
        (Kind::Sint32, WireValue::Varint(number)) => {
            let number = low(number);
            let number = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
            write_integer(i64::from(number), out);
        }
        (Kind::Fixed32, WireValue::Fixed32(number)) => write_unsigned(u64::from(number), out),
        (Kind::Int64, WireValue::Varint(number)) | (Kind::Sfixed64, WireValue::Fixed64(number)) => {
            out.push(b'"');
            write_integer(number.cast_signed(), out);
            out.push(b'"');
        }
        (Kind::Uint64, WireValue::Varint(number)) | (Kind::Fixed64, WireValue::Fixed64(number)) => {
            out.push(b'"');
            write_unsigned(number, out);
            out.push(b'"');
        }
        (Kind::Double, WireValue::Fixed64(bits)) => write_double(f64::from_bits(bits), out),
        // The check has refused fields of another type than theirs.
        _ => out.extend_from_slice(b"null"),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "protobuf keeps the low half")]
fn low(number: u64) -> u32 {
    number as u32
}
