//! Fields of any message by their numbers: read in place, replaced by splicing.

use super::splice::Splice;
use crate::wire::{FIXED32, FIXED64, Reader, VARINT, WireValue};
use crate::wire::{put_len_delimited, put_tag, put_varint};

/// The content of one field as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// An integer, truth value or enumeration, not yet interpreted.
    Varint(u64),
    /// Eight bytes, little endian.
    Fixed64(u64),
    /// Four bytes, little endian.
    Fixed32(u32),
    /// A string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn read(value: WireValue<'a>) -> Option<Self> {
        match value {
            WireValue::Varint(number) => Some(Self::Varint(number)),
            WireValue::Fixed64(number) => Some(Self::Fixed64(number)),
            WireValue::Fixed32(number) => Some(Self::Fixed32(number)),
            WireValue::Bytes(bytes) => Some(Self::Bytes(bytes)),
            WireValue::Group(_) => None,
        }
    }

    /// The bytes of a length-delimited field, else nothing.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Varint(_) | Self::Fixed64(_) | Self::Fixed32(_) => None,
        }
    }

    /// Appends the field under a number.
    pub fn put(self, number: u32, out: &mut Vec<u8>) {
        match self {
            Self::Varint(value) => {
                put_tag(out, number, VARINT);
                put_varint(out, value);
            }
            Self::Fixed64(value) => {
                put_tag(out, number, FIXED64);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Fixed32(value) => {
                put_tag(out, number, FIXED32);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Bytes(bytes) => put_len_delimited(out, number, bytes),
        }
    }
}

/// The fields of a message in its order.
pub fn fields(message: &[u8]) -> impl Iterator<Item = (u32, Field<'_>)> {
    Reader::new(message).filter_map(|(number, value)| Some((number, Field::read(value)?)))
}

/// The field with this number; the last one counts.
pub fn field(message: &[u8], number: u32) -> Option<Field<'_>> {
    fields(message).filter(|(found, _)| *found == number).last().map(|(_, field)| field)
}

/// Appends the message with new contents for a field, where it stood first or else at the end; the
/// fields of `without`, which are the other members of its `oneof`, are left out.
pub fn replace_fields(
    message: &[u8],
    number: u32,
    without: &[u32],
    contents: &[Field<'_>],
    out: &mut Vec<u8>,
) {
    let mut pending = Some(contents);
    let mut splice = Splice::new(message, out);
    while let Some((found, _)) = splice.next() {
        if found == number {
            let out = splice.take_out();
            pending.take().unwrap_or_default().iter().for_each(|field| field.put(number, out));
        } else if without.contains(&found) {
            splice.take_out();
        }
    }
    splice.finish();
    pending.unwrap_or_default().iter().for_each(|field| field.put(number, out));
}

/// What becomes of one occurrence of a repeated field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence<'a> {
    /// It stays.
    Kept,
    /// It is left out.
    Removed,
    /// These bytes stand in its place.
    Replaced(&'a [u8]),
}

/// Appends the message with every occurrence of a length-delimited field as `decide` says; returns
/// whether anything changed.
pub fn edit_occurrences<'c>(
    message: &[u8],
    number: u32,
    mut decide: impl FnMut(&[u8]) -> Occurrence<'c>,
    out: &mut Vec<u8>,
) -> bool {
    let mut splice = Splice::new(message, out);
    while let Some((found, value)) = splice.next() {
        let WireValue::Bytes(bytes) = value else { continue };
        if found != number {
            continue;
        }
        match decide(bytes) {
            Occurrence::Kept => {}
            Occurrence::Removed => {
                splice.take_out();
            }
            Occurrence::Replaced(bytes) => put_len_delimited(splice.take_out(), number, bytes),
        }
    }
    splice.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_field_stands_where_it_stood_and_others_stay() {
        let mut message = Vec::new();
        for (number, field) in
            [(1, Field::Varint(7)), (2, Field::Bytes(b"x")), (3, Field::Fixed32(9))]
        {
            field.put(number, &mut message);
        }
        let mut out = Vec::new();
        replace_fields(&message, 2, &[1], &[Field::Fixed64(5), Field::Fixed64(6)], &mut out);
        let found: Vec<_> = fields(&out).collect();
        assert_eq!(found, [(2, Field::Fixed64(5)), (2, Field::Fixed64(6)), (3, Field::Fixed32(9))]);
        assert_eq!(field(&out, 2), Some(Field::Fixed64(6)));
        assert_eq!(field(&out, 1), None);
    }

    #[test]
    fn occurrences_are_kept_removed_and_replaced_where_they_stand() {
        let mut message = Vec::new();
        for (number, field) in [
            (6, Field::Bytes(b"a")),
            (1, Field::Varint(7)),
            (6, Field::Bytes(b"b")),
            (6, Field::Bytes(b"c")),
            (6, Field::Varint(5)),
        ] {
            field.put(number, &mut message);
        }
        let mut out = Vec::new();
        let decide = |bytes: &[u8]| match bytes {
            b"a" => Occurrence::Replaced(b"long"),
            b"b" => Occurrence::Removed,
            _ => Occurrence::Kept,
        };
        assert!(edit_occurrences(&message, 6, decide, &mut out));
        let found: Vec<_> = fields(&out).collect();
        assert_eq!(
            found,
            [
                (6, Field::Bytes(b"long")),
                (1, Field::Varint(7)),
                (6, Field::Bytes(b"c")),
                (6, Field::Varint(5)),
            ]
        );
        out.clear();
        assert!(!edit_occurrences(&message, 6, |_| Occurrence::Kept, &mut out));
        assert_eq!(out, message);
    }
}
