//! What load and sink share of gRPC: the message prefix, statuses and their retry delay.

use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::HeaderMap;

use crate::wire::{messages, put_bytes, put_number, varint_field};

/// One flag byte and the length in four.
pub(crate) const PREFIX_BYTES: usize = 5;
pub(crate) const LOGS_PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
pub(crate) const RESOURCE_EXHAUSTED: u32 = 8;
pub(crate) const UNAVAILABLE: u32 = 14;
/// Header or trailer that carries [`retry_details`].
pub(crate) const DETAILS: &str = "grpc-status-details-bin";

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `message` with its prefix, as it goes into DATA frames.
pub(crate) fn framed(message: &[u8], is_compressed: bool) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(PREFIX_BYTES + message.len());
    out.push(u8::from(is_compressed));
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
    out.into()
}

/// The message of a unary call and whether it is compressed; none when it is not whole.
pub(crate) fn message(data: &[u8]) -> Option<(&[u8], bool)> {
    let (prefix, message) = data.split_first_chunk::<PREFIX_BYTES>()?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    (u32::try_from(message.len()) == Ok(length)).then_some((message, prefix[0] == 1))
}

/// The status in the trailers, or in the headers of an answer that has only those.
pub(crate) fn status(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The delay of `RetryInfo` among the status details.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(DETAILS)?.to_str().ok()?.trim_end_matches('=');
    let status = base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).ok()?;
    for detail in messages(&status, 3).flatten() {
        if messages(detail, 1).flatten().next() == Some(RETRY_INFO.as_bytes()) {
            let info = messages(detail, 2).flatten().next()?;
            let delay = messages(info, 1).flatten().next()?;
            let nanos = u32::try_from(varint_field(delay, 2)).ok()?;
            return Some(Duration::new(varint_field(delay, 1), nanos.min(999_999_999)));
        }
    }
    None
}

/// Status details, as a header value, that ask for `delay`.
pub(crate) fn retry_details(status: u32, delay: Duration) -> String {
    let (mut duration, mut info, mut detail, mut out) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    put_number(&mut duration, 1, delay.as_secs());
    put_number(&mut duration, 2, u64::from(delay.subsec_nanos()));
    put_bytes(&mut info, 1, &duration);
    put_bytes(&mut detail, 1, RETRY_INFO.as_bytes());
    put_bytes(&mut detail, 2, &info);
    put_number(&mut out, 1, u64::from(status));
    put_bytes(&mut out, 3, &detail);
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_message_comes_back_and_a_cut_one_does_not() {
        let framed = framed(b"content", true);
        assert_eq!(message(&framed), Some((&b"content"[..], true)));
        assert_eq!(message(&framed[..8]), None);
        assert_eq!(message(b"\0\0"), None);
    }

    #[test]
    fn the_retry_delay_is_read_from_the_details() {
        let delay = Duration::from_millis(1250);
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(DETAILS, retry_details(RESOURCE_EXHAUSTED, delay).parse().unwrap());
        assert_eq!(retry_after(&headers), Some(delay));
    }
}
