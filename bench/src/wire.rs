//! As much of the protobuf wire format as building and counting OTLP needs.

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

/// The bytes are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The length-delimited fields of one number in a message; others are skipped.
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
    number: u64,
}

/// The messages that field `number` of `message` holds.
pub(crate) fn messages(message: &[u8], number: u64) -> Messages<'_> {
    Messages { rest: message, number }
}

impl<'a> Messages<'a> {
    fn field(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let tag = take_varint(&mut self.rest)?;
        match tag & 7 {
            LENGTH => {
                let length = usize::try_from(take_varint(&mut self.rest)?);
                let content = take(&mut self.rest, length.map_err(|_| Malformed)?)?;
                Ok((tag >> 3 == self.number).then_some(content))
            }
            VARINT => take_varint(&mut self.rest).map(|_| None),
            FIXED64 => take(&mut self.rest, 8).map(|_| None),
            FIXED32 => take(&mut self.rest, 4).map(|_| None),
            _ => Err(Malformed),
        }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.field() {
                Ok(None) => {}
                Ok(Some(content)) => return Some(Ok(content)),
                Err(malformed) => {
                    self.rest = &[];
                    return Some(Err(malformed));
                }
            }
        }
        None
    }
}

/// The varint in field `number` of a message, 0 when it is absent.
pub(crate) fn varint_field(mut message: &[u8], number: u64) -> u64 {
    let mut found = 0;
    while let Ok(tag) = take_varint(&mut message) {
        let skipped = match tag & 7 {
            VARINT => take_varint(&mut message).map(|value| {
                if tag >> 3 == number {
                    found = value;
                }
            }),
            LENGTH => take_varint(&mut message)
                .and_then(|length| usize::try_from(length).map_err(|_| Malformed))
                .and_then(|length| take(&mut message, length).map(|_| ())),
            FIXED64 => take(&mut message, 8).map(|_| ()),
            FIXED32 => take(&mut message, 4).map(|_| ()),
            _ => Err(Malformed),
        };
        if skipped.is_err() {
            break;
        }
    }
    found
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (content, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    Ok(content)
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u64, content: &[u8]) {
    put_varint(out, number << 3 | LENGTH);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

pub(crate) fn put_number(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3 | VARINT);
    put_varint(out, value);
}

pub(crate) fn put_fixed64(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3 | FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_and_the_rest_is_skipped() {
        let mut message = Vec::new();
        put_number(&mut message, 1, 300);
        put_bytes(&mut message, 2, b"a");
        put_fixed64(&mut message, 3, 7);
        put_bytes(&mut message, 2, &[b'x'; 200]);
        put_bytes(&mut message, 4, b"other");
        let found: Vec<_> = messages(&message, 2).map(|found| found.unwrap().len()).collect();
        assert_eq!(found, [1, 200]);
        assert_eq!(varint_field(&message, 1), 300);
    }

    #[test]
    fn a_cut_message_is_malformed() {
        let mut message = Vec::new();
        put_bytes(&mut message, 2, b"content");
        for length in 1..message.len() {
            let found: Vec<_> = messages(&message[..length], 2).collect();
            assert_eq!(found, [Err(Malformed)], "cut at {length}");
        }
    }
}
