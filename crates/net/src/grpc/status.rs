//! A gRPC status as headers carry it: `grpc-status`, `grpc-message`, `grpc-status-details-bin`.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{BufMut, Bytes};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::Code;

/// The header with the number of the code.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The header with the percent-encoded text.
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// The header with a serialised `google.rpc.Status`.
pub const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

const RETRY_INFO: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";
/// Longer texts are cut: they travel in headers, whose list has a limit at the other end.
const MESSAGE_MAX: usize = 1024;

/// Senders pad or do not; gRPC asks to write without and to accept both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What happened.
    pub code: Code,
    /// For people.
    pub message: String,
    /// How long the client should wait before it tries again; travels as `google.rpc.RetryInfo`.
    pub retry_after: Option<Duration>,
    /// A serialised `google.rpc.Status`; when empty and a wait is given, one is written here.
    pub details: Bytes,
}

impl Status {
    /// A status without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, details: Bytes::new() }
    }

    /// The end of a call that went well.
    pub fn ok() -> Self {
        Self::new(Code::Ok, "")
    }

    /// Asks the client to try again after `wait`.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Carries a serialised `google.rpc.Status`.
    #[must_use]
    pub fn with_details(mut self, details: Bytes) -> Self {
        self.details = details;
        self
    }

    /// Reads a status from trailers, or from the headers of a trailers-only answer.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let number = headers.get(STATUS)?.to_str().ok()?.parse::<i64>().ok();
        let code = number.map_or(Code::Unknown, Code::from_number);
        let message = headers.get(MESSAGE).map(|value| percent_decode(value.as_bytes()));
        let details = headers.get(DETAILS).and_then(|value| BASE64.decode(value.as_bytes()).ok());
        let details = Bytes::from(details.unwrap_or_default());
        let retry_after = retry_delay(&details);
        Some(Self { code, message: message.unwrap_or_default(), retry_after, details })
    }

    /// Adds the status to trailers, or to the headers of a trailers-only answer.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        headers.insert(STATUS, HeaderValue::from(u16::from(self.code.number())));
        if !self.message.is_empty()
            && let Ok(value) = HeaderValue::from_str(&percent_encode(&self.message))
        {
            headers.insert(MESSAGE, value);
        }
        let details = match self.retry_after {
            Some(wait) if self.details.is_empty() => self.retry_details(wait),
            _ => self.details.to_vec(),
        };
        if !details.is_empty()
            && let Ok(value) = HeaderValue::from_str(&BASE64.encode(details))
        {
            headers.insert(DETAILS, value);
        }
    }

    /// `google.rpc.Status { code, message, details: [RetryInfo { retry_delay }] }`.
    fn retry_details(&self, wait: Duration) -> Vec<u8> {
        let mut delay = Vec::with_capacity(16);
        put_varint_field(&mut delay, 1, wait.as_secs());
        put_varint_field(&mut delay, 2, u64::from(wait.subsec_nanos()));
        let mut info = Vec::with_capacity(20);
        put_bytes_field(&mut info, 1, &delay);
        let mut any = Vec::with_capacity(72);
        put_bytes_field(&mut any, 1, RETRY_INFO);
        put_bytes_field(&mut any, 2, &info);
        let mut status = Vec::with_capacity(96 + self.message.len());
        put_varint_field(&mut status, 1, u64::from(self.code.number()));
        put_bytes_field(&mut status, 2, cut(&self.message).as_bytes());
        put_bytes_field(&mut status, 3, &any);
        status
    }
}

/// `message` up to [`MESSAGE_MAX`] bytes, cut between characters.
fn cut(message: &str) -> &str {
    let end = message.floor_char_boundary(MESSAGE_MAX);
    message.get(..end).unwrap_or(message)
}

/// Everything but printable ASCII, and the percent sign itself, becomes `%XX`.
fn percent_encode(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in cut(message).bytes() {
        if (0x20..=0x7e).contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
    }
    encoded
}

/// Undoes the encoding; an invalid escape stays as it is, as gRPC asks of receivers.
pub(crate) fn percent_decode(value: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| tail.first_chunk::<2>()).flatten();
        let digits = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(value) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(value);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            decoded.push(byte);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.put_u8(u8::try_from(value).unwrap_or_default());
}

fn put_varint_field(out: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        put_varint(out, field << 3);
        put_varint(out, value);
    }
}

fn put_bytes_field(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, value.len() as u64);
    out.put_slice(value);
}

/// One protobuf field: a varint, or the bytes of what has a length.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = take_varint(rest)?;
    let fixed = |rest: &mut &'a [u8], size| -> Option<Field<'a>> {
        let (value, tail) = rest.split_at_checked(size)?;
        *rest = tail;
        Some(Field::Bytes(value))
    };
    let field = match tag & 7 {
        0 => Field::Number(take_varint(rest)?),
        1 => fixed(rest, 8)?,
        2 => {
            let size = usize::try_from(take_varint(rest)?).ok()?;
            fixed(rest, size)?
        }
        5 => fixed(rest, 4)?,
        _ => return None,
    };
    Some((tag >> 3, field))
}

/// The fields of a message up to its end or its first fault.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || take_field(&mut message))
}

fn bytes_of(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |(number, field)| match field {
        Field::Bytes(value) if number == wanted => Some(value),
        Field::Bytes(_) | Field::Number(_) => None,
    })
}

fn number_of(message: &[u8], wanted: u64) -> u64 {
    let found = fields(message).filter_map(|(number, field)| match field {
        Field::Number(value) if number == wanted => Some(value),
        Field::Bytes(_) | Field::Number(_) => None,
    });
    found.last().unwrap_or_default()
}

/// The wait that a serialised `google.rpc.Status` asks for.
pub fn retry_delay(details: &[u8]) -> Option<Duration> {
    let info = bytes_of(details, 3).find(|any| bytes_of(any, 1).any(|url| url == RETRY_INFO))?;
    let value = bytes_of(info, 2).next().unwrap_or_default();
    let delay = bytes_of(value, 1).next().unwrap_or_default();
    let (seconds, nanos) = (number_of(delay, 1), number_of(delay, 2));
    // Negative delays come as numbers above the signed range: no wait.
    let seconds = i64::try_from(seconds).ok()?.unsigned_abs();
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(status: &Status) -> Status {
        let mut headers = HeaderMap::new();
        status.write_to(&mut headers);
        Status::from_headers(&headers).unwrap()
    }

    #[test]
    fn code_message_and_wait_survive_the_headers() {
        let status = Status::new(Code::Unavailable, "50 % done\u{2028}\r\nr\u{e9}sum\u{e9}")
            .with_retry_after(Duration::new(3, 250_000_000));
        let read = round_trip(&status);
        assert_eq!(read.code, status.code);
        assert_eq!(read.message, status.message);
        assert_eq!(read.retry_after, status.retry_after);
    }

    #[test]
    fn details_of_the_caller_travel_unchanged() {
        let status = Status::new(Code::InvalidArgument, "bad")
            .with_details(Bytes::from_static(b"\x08\x03\x12\x03bad"));
        assert_eq!(round_trip(&status), status);
    }

    #[test]
    fn a_status_without_a_wait_carries_no_details() {
        let mut headers = HeaderMap::new();
        Status::new(Code::ResourceExhausted, "too large").write_to(&mut headers);
        assert!(!headers.contains_key(DETAILS));
        assert_eq!(headers[STATUS], "8");
    }

    #[test]
    fn the_retry_details_are_the_bytes_protobuf_gives() {
        let status = Status::new(Code::Unavailable, "x").retry_details(Duration::from_secs(2));
        let expected = b"\x08\x0e\x12\x01x\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\
            \x12\x04\x0a\x02\x08\x02";
        assert_eq!(status, expected);
    }

    #[test]
    fn hostile_details_and_escapes_do_not_break_the_reader() {
        for bytes in [&b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"[..], b"\x1a\x05ab", b"\xff"]
        {
            assert_eq!(retry_delay(bytes), None);
        }
        assert_eq!(percent_decode(b"a%2"), "a%2");
        assert_eq!(percent_decode(b"%zz%41%"), "%zzA%");
        let long = "\u{e9}".repeat(5000);
        let sent = round_trip(&Status::new(Code::Internal, long));
        assert_eq!(sent.message.len(), MESSAGE_MAX);
    }
}
