//! Puts the fields of a message in order, as protobuf would read them: lists in one piece, of scalars
//! the last one, messages that stand twice merged, of a `oneof` the last member.
//!
//! No sender of telemetry writes such messages; a hostile one can, so the cost is bounded: one walk
//! and one copy for each field of the message's type.

use super::schema::{Field, Kind, Label, Message};
use crate::wire::{LEN, Reader, WireValue, put_tag, put_varint};

/// Returns the message in order. Merging its nested messages may leave them out of order.
pub(super) fn message(schema: &Message, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let chosen = chosen_member(schema, bytes);
    for field in schema.fields {
        match (field.label, field.kind) {
            (Label::Repeated, _) => copy_all(field, bytes, &mut out),
            (Label::Oneof, _) if chosen.is_none_or(|(number, _)| number != field.number) => {}
            (Label::Oneof, Kind::Message(_)) => {
                let from = chosen.map_or(0, |(_, start)| start);
                merge(field, bytes.get(from..).unwrap_or_default(), &mut out);
            }
            (Label::Single | Label::Optional, Kind::Message(_)) => merge(field, bytes, &mut out),
            _ => copy_last(field, bytes, &mut out),
        }
    }
    out
}

/// The member of the `oneof` that counts, and where its last uninterrupted run starts.
fn chosen_member(schema: &Message, bytes: &[u8]) -> Option<(u32, usize)> {
    let mut chosen = None;
    let mut start = 0;
    let mut fields = Reader::new(bytes);
    while let Some((number, _)) = fields.next() {
        let is_member = schema.field(number).is_some_and(|field| field.label == Label::Oneof);
        if is_member && chosen.is_none_or(|(current, _)| current != number) {
            chosen = Some((number, start));
        }
        start = fields.offset();
    }
    chosen
}

fn copy_all(field: &Field, bytes: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    let mut fields = Reader::new(bytes);
    while let Some((number, _)) = fields.next() {
        let end = fields.offset();
        if number == field.number {
            out.extend_from_slice(bytes.get(start..end).unwrap_or_default());
        }
        start = end;
    }
}

fn copy_last(field: &Field, bytes: &[u8], out: &mut Vec<u8>) {
    let mut last = &[][..];
    let mut start = 0;
    let mut fields = Reader::new(bytes);
    while let Some((number, _)) = fields.next() {
        let end = fields.offset();
        if number == field.number {
            last = bytes.get(start..end).unwrap_or_default();
        }
        start = end;
    }
    out.extend_from_slice(last);
}

/// Messages merge by standing one after the other.
fn merge(field: &Field, bytes: &[u8], out: &mut Vec<u8>) {
    let occurrences = || {
        Reader::new(bytes)
            .filter(|(number, _)| *number == field.number)
            .filter_map(|(_, value)| WireValue::bytes(value))
    };
    if occurrences().next().is_none() {
        return;
    }
    put_tag(out, field.number, LEN);
    put_varint(out, occurrences().map(<[u8]>::len).sum::<usize>() as u64);
    for content in occurrences() {
        out.extend_from_slice(content);
    }
}
