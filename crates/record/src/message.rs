//! The answers to an export request, as protobuf and as JSON: `Export*ServiceResponse` and
//! `google.rpc.Status` with the details that OTLP names.
//!
//! Decoders read what a peer sent, so they take damaged bytes as an error and bound what they keep;
//! the size of an answer is bounded where it is received.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>,
//! <https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto>.

mod json;
mod status;

pub use status::{Detail, FieldViolation, Status};

use crate::Signal;
use crate::edit::nested;
use crate::value::Text;
use crate::wire::{Reader, VARINT, WireValue, put_len_delimited, put_tag, put_varint};

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The bytes are not the protobuf message.
    #[error("invalid protobuf at byte {offset}")]
    Protobuf {
        /// Where reading ended.
        offset: usize,
    },
    /// The text is not the message in JSON.
    #[error("invalid JSON")]
    Json(#[from] serde_json::Error),
}

/// An `ExportLogsServiceResponse`, `ExportMetricsServiceResponse` or `ExportTraceServiceResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportResponse {
    /// What was not accepted; `None` if everything was.
    pub partial_success: Option<PartialSuccess>,
}

/// What of a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartialSuccess {
    /// The number of log records, data points or spans that were refused; 0 makes it a warning.
    pub rejected: i64,
    /// Why, for a person.
    pub error_message: String,
}

impl ExportResponse {
    /// An answer that refuses a part of the records.
    pub fn partial(rejected: u32, error_message: impl Into<String>) -> Self {
        let rejected = i64::from(rejected);
        let error_message = error_message.into();
        Self { partial_success: Some(PartialSuccess { rejected, error_message }) }
    }

    /// Writes the protobuf message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(partial) = &self.partial_success {
            let content = nested::open(1, &mut out);
            if partial.rejected != 0 {
                put_tag(&mut out, 1, VARINT);
                put_varint(&mut out, partial.rejected.cast_unsigned());
            }
            put_text(&mut out, 2, &partial.error_message);
            nested::close(content, &mut out);
        }
        out
    }

    /// Reads the protobuf message.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut response = Self::default();
        each_field(bytes, |number, value| {
            if let (1, WireValue::Bytes(message)) = (number, value) {
                let partial = response.partial_success.get_or_insert_default();
                each_field(message, |number, value| match (number, value) {
                    (1, WireValue::Varint(number)) => partial.rejected = number.cast_signed(),
                    (2, WireValue::Bytes(bytes)) => partial.error_message = lossy(bytes),
                    _ => {}
                })?;
            }
            Ok(())
        })?;
        Ok(response)
    }

    /// Writes the message in JSON.
    pub fn to_json(&self, signal: Signal) -> Vec<u8> {
        json::export_response(self, signal)
    }

    /// Reads the message in JSON.
    pub fn from_json(text: &[u8]) -> Result<Self, MessageError> {
        json::read_export_response(text)
    }
}

/// What a visitor of fields returns: nothing, or an error of a nested message.
trait Outcome {
    fn outcome(self) -> Result<(), MessageError>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), MessageError> {
        Ok(())
    }
}

impl Outcome for Result<(), MessageError> {
    fn outcome(self) -> Result<(), MessageError> {
        self
    }
}

/// Hands over every field of a message; an error if the message does not end with one.
fn each_field<'a, O: Outcome>(
    message: &'a [u8],
    mut visit: impl FnMut(u32, WireValue<'a>) -> O,
) -> Result<(), MessageError> {
    let mut fields = Reader::new(message);
    for (number, value) in fields.by_ref() {
        visit(number, value).outcome()?;
    }
    let offset = fields.offset();
    if offset == message.len() { Ok(()) } else { Err(MessageError::Protobuf { offset }) }
}

fn put_text(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        put_len_delimited(out, number, text.as_bytes());
    }
}

/// A text for people: damaged characters are replaced rather than an error.
fn lossy(bytes: &[u8]) -> String {
    match Text::new(bytes).as_str() {
        "" => String::from_utf8_lossy(bytes).into_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
