//! One walk over a message that copies what stays as it is, in ranges as long as possible.

use crate::wire::{Reader, WireValue};

/// A message being copied field by field.
pub(super) struct Splice<'a, 'o> {
    message: &'a [u8],
    fields: Reader<'a>,
    out: &'o mut Vec<u8>,
    copied: usize,
    start: usize,
    is_changed: bool,
}

impl<'a, 'o> Splice<'a, 'o> {
    pub(super) fn new(message: &'a [u8], out: &'o mut Vec<u8>) -> Self {
        out.reserve(message.len());
        let fields = Reader::new(message);
        Self { message, fields, out, copied: 0, start: 0, is_changed: false }
    }

    /// The next field, which is copied unless it is taken out before the next one is asked for.
    pub(super) fn next(&mut self) -> Option<(u32, WireValue<'a>)> {
        self.start = self.fields.offset();
        self.fields.next()
    }

    /// Takes out the current field; returns where to write what replaces it.
    pub(super) fn take_out(&mut self) -> &mut Vec<u8> {
        let before = self.message.get(self.copied..self.start).unwrap_or_default();
        self.out.extend_from_slice(before);
        self.copied = self.fields.offset();
        self.is_changed = true;
        self.out
    }

    /// Copies the rest; returns whether anything was taken out.
    pub(super) fn finish(self) -> bool {
        self.out.extend_from_slice(self.message.get(self.copied..).unwrap_or_default());
        self.is_changed
    }
}
