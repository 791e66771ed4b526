//! Lists of numbers, which a sender may pack into one field or write one by one.

use crate::wire::{Reader, WireValue, read_varint};

/// A list of floating point numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doubles<'a>(pub(super) Integers<'a>);

impl<'a> Doubles<'a> {
    /// Iterates over the numbers.
    pub fn iter(self) -> impl Iterator<Item = f64> + Clone + use<'a> {
        self.0.iter().map(f64::from_bits)
    }

    /// Whether there is no number.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// A list of unsigned integers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Integers<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) number: u32,
    pub(super) packing: Packing,
}

/// How the numbers of a list stand in a packed field.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Packing {
    /// Eight bytes each.
    #[default]
    Fixed64,
    /// As varints.
    Varint,
}

impl<'a> Integers<'a> {
    /// Iterates over the numbers.
    pub fn iter(self) -> IntegersIter<'a> {
        IntegersIter {
            fields: Reader::new(self.bytes),
            packed: &[],
            number: self.number,
            packing: self.packing,
        }
    }

    /// Whether there is no number.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }
}

impl<'a> IntoIterator for Integers<'a> {
    type Item = u64;
    type IntoIter = IntegersIter<'a>;

    fn into_iter(self) -> IntegersIter<'a> {
        self.iter()
    }
}

/// Iterates over the numbers of an [`Integers`].
#[derive(Debug, Clone)]
pub struct IntegersIter<'a> {
    fields: Reader<'a>,
    packed: &'a [u8],
    number: u32,
    packing: Packing,
}

impl IntegersIter<'_> {
    fn unpack(&mut self) -> Option<u64> {
        match self.packing {
            Packing::Fixed64 => {
                let (first, rest) = self.packed.split_first_chunk()?;
                self.packed = rest;
                Some(u64::from_le_bytes(*first))
            }
            Packing::Varint => {
                let (number, len) = read_varint(self.packed)?;
                self.packed = self.packed.get(len..)?;
                Some(number)
            }
        }
    }
}

impl Iterator for IntegersIter<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some(number) = self.unpack() {
                return Some(number);
            }
            match (self.packing, self.fields.next()?) {
                (_, (found, WireValue::Bytes(bytes))) if found == self.number => {
                    self.packed = bytes;
                }
                (Packing::Fixed64, (found, WireValue::Fixed64(number)))
                | (Packing::Varint, (found, WireValue::Varint(number)))
                    if found == self.number =>
                {
                    return Some(number);
                }
                _ => {}
            }
        }
    }
}
