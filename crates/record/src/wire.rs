//! The protobuf wire format: the few primitives that everything in this crate is made of.
//!
//! Readers here serve bytes that [`crate::check`] has accepted: they cannot fail, and end early
//! should the bytes be damaged after all. See <https://protobuf.dev/programming-guides/encoding/>.

#![expect(clippy::cast_possible_truncation, reason = "bytes are cut out of numbers on purpose")]

/// Wire type of `int32`, `int64`, `uint32`, `uint64`, `sint32`, `bool` and enumerations.
pub(crate) const VARINT: u8 = 0;
/// Wire type of `fixed64`, `sfixed64` and `double`.
pub(crate) const FIXED64: u8 = 1;
/// Wire type of strings, bytes, messages and packed numbers.
pub(crate) const LEN: u8 = 2;
/// Wire type that opens a group, which only unknown fields can be.
pub(crate) const GROUP_START: u8 = 3;
/// Wire type that closes a group.
pub(crate) const GROUP_END: u8 = 4;
/// Wire type of `fixed32`, `sfixed32` and `float`.
pub(crate) const FIXED32: u8 = 5;

/// Groups nested deeper than this end a [`Reader`]; the check refuses them.
pub(crate) const GROUP_DEPTH_MAX: u32 = 32;

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireValue<'a> {
    /// An integer, not yet interpreted.
    Varint(u64),
    /// Eight bytes, little endian.
    Fixed64(u64),
    /// Four bytes, little endian.
    Fixed32(u32),
    /// A string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// What stands between a group's tags.
    Group(&'a [u8]),
}

impl<'a> WireValue<'a> {
    /// The bytes of a length-delimited value, or nothing.
    pub(crate) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Varint(_) | Self::Fixed64(_) | Self::Fixed32(_) | Self::Group(_) => None,
        }
    }
}

/// Iterates over the fields of one message; ends at its end or at the first damaged byte.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    message: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first field of a message.
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { message, offset: 0 }
    }

    /// How many bytes of the message are behind the reader: the end of the field last returned.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    #[inline]
    fn field(&mut self) -> Option<(u32, WireValue<'a>)> {
        let (number, wire_type) = self.tag()?;
        let value = match wire_type {
            LEN => {
                let len = usize::try_from(self.varint()?).ok()?;
                WireValue::Bytes(self.take(len)?)
            }
            VARINT => WireValue::Varint(self.varint()?),
            FIXED64 => WireValue::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk()?)),
            FIXED32 => WireValue::Fixed32(u32::from_le_bytes(*self.take(4)?.first_chunk()?)),
            GROUP_START => WireValue::Group(self.group(number)?),
            _ => return None,
        };
        Some((number, value))
    }

    #[inline]
    fn tag(&mut self) -> Option<(u32, u8)> {
        let tag = u32::try_from(self.varint()?).ok()?;
        Some((tag >> 3, (tag & 7) as u8))
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let (value, len) = read_varint(self.message.get(self.offset..)?)?;
        self.offset += len;
        Some(value)
    }

    #[inline]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.offset..)?.get(..len)?;
        self.offset += len;
        Some(bytes)
    }

    #[cold]
    fn group(&mut self, number: u32) -> Option<&'a [u8]> {
        let start = self.offset;
        let mut open = vec![number];
        loop {
            let end = self.offset;
            let (inner, wire_type) = self.tag()?;
            match wire_type {
                VARINT => drop(self.varint()?),
                FIXED64 => drop(self.take(8)?),
                LEN => {
                    let len = usize::try_from(self.varint()?).ok()?;
                    self.take(len)?;
                }
                FIXED32 => drop(self.take(4)?),
                GROUP_START if open.len() < GROUP_DEPTH_MAX as usize => open.push(inner),
                GROUP_END if open.pop() == Some(inner) => {
                    if open.is_empty() {
                        return self.message.get(start..end);
                    }
                }
                _ => return None,
            }
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = (u32, WireValue<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.message.len() {
            return None;
        }
        let start = self.offset;
        let field = self.field();
        if field.is_none() {
            // The damaged field is not behind the reader, and nothing after it can be trusted.
            self.message = self.message.get(..start).unwrap_or_default();
            self.offset = start;
        }
        field
    }
}

/// Reads the varint at the start of `bytes`: its value and length.
#[inline]
pub(crate) fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    match *bytes {
        [first, ..] if first < 0x80 => Some((u64::from(first), 1)),
        [first, second, ..] if second < 0x80 => {
            Some((u64::from(first & 0x7F) | u64::from(second) << 7, 2))
        }
        _ => read_long_varint(bytes),
    }
}

fn read_long_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            // The tenth byte has room for one bit.
            return (index < 9 || byte < 2).then_some((value, index + 1));
        }
    }
    None
}

/// The bytes that [`put_varint`] appends for `value`.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    ((value | 1).ilog2() as usize * 9 + 73) / 64
}

/// Appends a varint.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the tag of a field.
#[inline]
pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Appends a field of strings, bytes or a message: tag, length, content.
#[inline]
pub(crate) fn put_len_delimited(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    put_tag(out, number, LEN);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}
