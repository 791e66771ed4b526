//! `google.rpc.Status`, the body of every refusal.

use super::{MessageError, each_field, json, lossy, put_text};
use crate::edit::nested;
use crate::wire::{VARINT, WireValue, put_len_delimited, put_tag, put_varint};
use std::time::Duration;

/// The prefix of type names in an `Any`.
pub(super) const TYPE_URL: &str = "type.googleapis.com/";
pub(super) const RETRY_INFO: &str = "google.rpc.RetryInfo";
pub(super) const BAD_REQUEST: &str = "google.rpc.BadRequest";

/// No answer has more of them; a hostile one is cut here.
pub(super) const DETAILS_MAX: usize = 64;
pub(super) const VIOLATIONS_MAX: usize = 256;

/// A `google.rpc.Status`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The gRPC status code.
    pub code: i32,
    /// What went wrong, for a developer.
    pub message: String,
    /// What a program can act on.
    pub details: Vec<Detail>,
}

/// One detail of a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// `google.rpc.RetryInfo`: how long to wait before the next attempt.
    RetryInfo {
        /// The time to wait.
        retry_delay: Duration,
    },
    /// `google.rpc.BadRequest`: what is wrong with the request.
    BadRequest {
        /// The wrong fields.
        field_violations: Vec<FieldViolation>,
    },
    /// Any other message; JSON cannot express it and leaves it out.
    Other {
        /// Names the type.
        type_url: String,
        /// The protobuf message.
        value: Vec<u8>,
    },
}

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldViolation {
    /// The path of the field.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Status {
    /// A status without details.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, detail: Detail) -> Self {
        self.details.push(detail);
        self
    }

    /// The delay of the first `RetryInfo`.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.details.iter().find_map(|detail| match detail {
            Detail::RetryInfo { retry_delay } => Some(*retry_delay),
            Detail::BadRequest { .. } | Detail::Other { .. } => None,
        })
    }

    /// Writes the protobuf message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.code != 0 {
            put_tag(&mut out, 1, VARINT);
            put_varint(&mut out, i64::from(self.code).cast_unsigned());
        }
        put_text(&mut out, 2, &self.message);
        for detail in &self.details {
            let content = nested::open(3, &mut out);
            detail.encode(&mut out);
            nested::close(content, &mut out);
        }
        out
    }

    /// Reads the protobuf message. Details that are damaged or too many are left out.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut status = Self::default();
        each_field(bytes, |number, value| match (number, value) {
            #[expect(clippy::cast_possible_truncation, reason = "protobuf keeps the low half")]
            (1, WireValue::Varint(code)) => status.code = code as i32,
            (2, WireValue::Bytes(bytes)) => status.message = lossy(bytes),
            (3, WireValue::Bytes(bytes)) if status.details.len() < DETAILS_MAX => {
                status.details.extend(Detail::decode(bytes).ok());
            }
            _ => {}
        })?;
        Ok(status)
    }

    /// Writes the message in JSON.
    pub fn to_json(&self) -> Vec<u8> {
        json::status(self)
    }

    /// Reads the message in JSON.
    pub fn from_json(text: &[u8]) -> Result<Self, MessageError> {
        json::read_status(text)
    }
}

impl Detail {
    /// Appends the fields of the `Any`.
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::RetryInfo { retry_delay } => {
                put_type(out, RETRY_INFO);
                let value = nested::open(2, out);
                let delay = nested::open(1, out);
                put_number(out, 1, retry_delay.as_secs());
                put_number(out, 2, u64::from(retry_delay.subsec_nanos()));
                nested::close(delay, out);
                nested::close(value, out);
            }
            Self::BadRequest { field_violations } => {
                put_type(out, BAD_REQUEST);
                let value = nested::open(2, out);
                for violation in field_violations {
                    let content = nested::open(1, out);
                    put_text(out, 1, &violation.field);
                    put_text(out, 2, &violation.description);
                    nested::close(content, out);
                }
                nested::close(value, out);
            }
            Self::Other { type_url, value } => {
                put_text(out, 1, type_url);
                put_len_delimited(out, 2, value);
            }
        }
    }

    fn decode(any: &[u8]) -> Result<Self, MessageError> {
        let mut type_url = String::new();
        let mut message = &[][..];
        each_field(any, |number, value| match (number, value) {
            (1, WireValue::Bytes(bytes)) => type_url = lossy(bytes),
            (2, WireValue::Bytes(bytes)) => message = bytes,
            _ => {}
        })?;
        match type_url.rsplit('/').next() {
            Some(RETRY_INFO) => Ok(Self::RetryInfo { retry_delay: decode_retry_info(message)? }),
            Some(BAD_REQUEST) => {
                Ok(Self::BadRequest { field_violations: decode_violations(message)? })
            }
            _ => Ok(Self::Other { type_url, value: message.to_vec() }),
        }
    }
}

fn put_type(out: &mut Vec<u8>, name: &str) {
    put_text(out, 1, &format!("{TYPE_URL}{name}"));
}

fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_tag(out, number, VARINT);
        put_varint(out, value);
    }
}

fn decode_retry_info(message: &[u8]) -> Result<Duration, MessageError> {
    let mut delay = Duration::ZERO;
    each_field(message, |number, value| match (number, value) {
        (1, WireValue::Bytes(bytes)) => decode_duration(bytes).map(|found| delay = found),
        _ => Ok(()),
    })?;
    Ok(delay)
}

/// A negative duration means not to wait.
fn decode_duration(message: &[u8]) -> Result<Duration, MessageError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    each_field(message, |number, value| match (number, value) {
        (1, WireValue::Varint(number)) => seconds = number.cast_signed(),
        (2, WireValue::Varint(number)) => nanos = number.cast_signed(),
        _ => {}
    })?;
    match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Ok(Duration::ZERO),
    }
}

fn decode_violations(message: &[u8]) -> Result<Vec<FieldViolation>, MessageError> {
    let mut violations = Vec::new();
    each_field(message, |number, value| match (number, value) {
        (1, WireValue::Bytes(bytes)) if violations.len() < VIOLATIONS_MAX => {
            let mut violation = FieldViolation::default();
            each_field(bytes, |number, value| match (number, value) {
                (1, WireValue::Bytes(bytes)) => violation.field = lossy(bytes),
                (2, WireValue::Bytes(bytes)) => violation.description = lossy(bytes),
                _ => {}
            })?;
            violations.push(violation);
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok(violations)
}
