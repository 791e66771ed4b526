//! How a view takes its fields from a message: one macro for the shape, one function per kind.

use super::numbers::{Doubles, Integers, Packing};
use super::repeated::Repeated;
use crate::value::{AnyValue, Map, Text};
use crate::wire::WireValue;

/// One field as it stands in its message.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) message: &'a [u8],
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) number: u32,
    pub(super) value: WireValue<'a>,
}

impl<'a> Piece<'a> {
    fn bytes(&self) -> &'a [u8] {
        self.message.get(self.start..self.end).unwrap_or_default()
    }

    /// The range from the start of `range`, which is a part of the same message, to this field's end.
    ///
    /// A list is kept as the range from its first to its last field: most messages hold it in one
    /// piece, and other fields in between are skipped while iterating.
    fn joined(&self, range: &'a [u8]) -> &'a [u8] {
        let start = range.as_ptr().addr().wrapping_sub(self.message.as_ptr().addr());
        if range.is_empty() || start > self.start {
            return self.bytes();
        }
        self.message.get(start..self.end).unwrap_or_default()
    }
}

/// Declares a view: its fields with their numbers, and the function that takes each one.
macro_rules! view {
    (
        $(#[$about:meta])*
        $view:ident {
            $($(#[$doc:meta])* $field:ident: $kind:ty = $($number:literal)|+, $take:path;)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $view<'a> {
            $($field: $kind,)*
            borrowed: std::marker::PhantomData<&'a [u8]>,
        }

        impl<'a> $view<'a> {
            /// Reads the message.
            pub fn new(message: &'a [u8]) -> Self {
                let mut view = Self::default();
                view.absorb(message);
                view
            }

            /// Reads one more occurrence of the message; what is set there replaces what was set.
            pub(super) fn absorb(&mut self, message: &'a [u8]) {
                let mut fields = $crate::wire::Reader::new(message);
                let mut start = 0;
                while let Some((number, value)) = fields.next() {
                    let end = fields.offset();
                    let piece = $crate::view::fields::Piece { message, start, end, number, value };
                    match number {
                        $($($number)|+ => $take(&mut self.$field, &piece),)*
                        _ => {}
                    }
                    start = end;
                }
            }

            $($(#[$doc])* pub fn $field(&self) -> $kind { self.$field })*
        }

        impl<'a> $crate::view::Message<'a> for $view<'a> {
            fn read(message: &'a [u8]) -> Self {
                Self::new(message)
            }
        }
    };
}
pub(super) use view;

pub(super) fn text<'a>(field: &mut Text<'a>, piece: &Piece<'a>) {
    if let Some(bytes) = piece.value.bytes() {
        *field = Text::new(bytes);
    }
}

pub(super) fn bytes<'a>(field: &mut &'a [u8], piece: &Piece<'a>) {
    if let Some(bytes) = piece.value.bytes() {
        *field = bytes;
    }
}

pub(super) fn fixed64(field: &mut u64, piece: &Piece<'_>) {
    if let WireValue::Fixed64(number) = piece.value {
        *field = number;
    }
}

pub(super) fn fixed32(field: &mut u32, piece: &Piece<'_>) {
    if let WireValue::Fixed32(number) = piece.value {
        *field = number;
    }
}

pub(super) fn uint32(field: &mut u32, piece: &Piece<'_>) {
    if let WireValue::Varint(number) = piece.value {
        *field = low(number);
    }
}

pub(super) fn int32(field: &mut i32, piece: &Piece<'_>) {
    if let WireValue::Varint(number) = piece.value {
        *field = low(number).cast_signed();
    }
}

pub(super) fn sint32(field: &mut i32, piece: &Piece<'_>) {
    if let WireValue::Varint(number) = piece.value {
        *field = (low(number) >> 1).cast_signed() ^ -(low(number) & 1).cast_signed();
    }
}

pub(super) fn boolean(field: &mut bool, piece: &Piece<'_>) {
    if let WireValue::Varint(number) = piece.value {
        *field = number != 0;
    }
}

pub(super) fn double(field: &mut f64, piece: &Piece<'_>) {
    if let WireValue::Fixed64(bits) = piece.value {
        *field = f64::from_bits(bits);
    }
}

pub(super) fn optional_double(field: &mut Option<f64>, piece: &Piece<'_>) {
    if let WireValue::Fixed64(bits) = piece.value {
        *field = Some(f64::from_bits(bits));
    }
}

pub(super) fn any<'a>(field: &mut AnyValue<'a>, piece: &Piece<'a>) {
    if let Some(bytes) = piece.value.bytes() {
        field.absorb(bytes);
    }
}

pub(super) fn list<'a, M>(field: &mut Repeated<'a, M>, piece: &Piece<'a>) {
    if let WireValue::Bytes(_) = piece.value {
        *field = Repeated::new(piece.joined(field.as_bytes()), piece.number);
    }
}

pub(super) fn attributes<'a>(field: &mut Map<'a>, piece: &Piece<'a>) {
    list(field.entries(), piece);
}

pub(super) fn fixed64s<'a>(field: &mut Integers<'a>, piece: &Piece<'a>) {
    let bytes = piece.joined(field.bytes);
    *field = Integers { bytes, number: piece.number, packing: Packing::Fixed64 };
}

pub(super) fn varints<'a>(field: &mut Integers<'a>, piece: &Piece<'a>) {
    let bytes = piece.joined(field.bytes);
    *field = Integers { bytes, number: piece.number, packing: Packing::Varint };
}

pub(super) fn doubles<'a>(field: &mut Doubles<'a>, piece: &Piece<'a>) {
    fixed64s(&mut field.0, piece);
}

#[expect(clippy::cast_possible_truncation, reason = "protobuf keeps the low half")]
fn low(number: u64) -> u32 {
    number as u32
}
