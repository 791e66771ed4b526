//! The server's side of a unary call: the request's message in, the answer's message out.

use std::time::Duration;

use bessemer_runtime::Budget;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response};

use crate::body::{self, ACCEPTED, BodyError, BodyLimits, Encoding, Received};
use crate::listen::Reply;

use super::{FrameError, Header, Status, frame};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
/// Longer deadlines are no deadlines; also keeps the arithmetic of timers in range.
const TIMEOUT_MAX: Duration = Duration::from_hours(365 * 24);

/// Whether a request is a gRPC call, by its content type (`application/grpc`, `+proto`, `;...`).
pub fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|value| {
        value
            .strip_prefix(b"application/grpc")
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
    })
}

/// How long the client waits for an answer, from `grpc-timeout`; `None` when it does not say, or
/// says it in a way that gRPC does not know.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    let timeout = match unit {
        "H" => Duration::from_hours(count),
        "M" => Duration::from_mins(count),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    };
    Some(timeout.min(TIMEOUT_MAX))
}

/// Reads the one message of a unary call, inflated if its flag says so.
pub async fn read_unary<B>(
    headers: &HeaderMap,
    body: B,
    limits: &BodyLimits,
    budget: &Budget,
) -> Result<Received, BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let wire_max = limits.wire_bytes_max.saturating_add(frame::PREFIX_BYTES);
    let mut collector = body::Collector::new(wire_max, budget);
    collector.announce(body.size_hint().exact())?;
    body::collect(body, &mut collector, limits, |head| framed_length(head, limits)).await?;
    let (framed, permit) = collector.finish();
    // Said here too: an announced content length keeps the prefix from being looked at above.
    framed_length(&framed, limits)?;
    let (header, message) = frame::unary(framed)?;
    let encoding = if header.compressed { message_encoding(headers)? } else { Encoding::Identity };
    body::inflate_cooperatively(encoding, message, permit, limits).await
}

/// Prefix and message together as the prefix announces them, refused when the message is too large.
fn framed_length(head: &[u8], limits: &BodyLimits) -> Result<Option<u64>, BodyError> {
    let Some(header) = Header::parse(head)? else {
        return Ok(None);
    };
    let limit = if header.compressed {
        limits.wire_bytes_max
    } else {
        limits.wire_bytes_max.min(limits.inflated_bytes_max)
    };
    let framed = header.framed_bytes();
    if framed - frame::PREFIX_BYTES > limit {
        return Err(BodyError::TooLarge { limit });
    }
    // More bytes than one message has are refused later, by what they are and not by their size.
    Ok(if head.len() > framed { None } else { Some(framed as u64) })
}

fn message_encoding(headers: &HeaderMap) -> Result<Encoding, BodyError> {
    let named = headers.get(ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match Encoding::parse(named) {
        Some(Encoding::Identity) => Err(FrameError::Unnamed.into()),
        Some(encoding) => Ok(encoding),
        None => {
            let token = named.chars().take(64).collect();
            Err(BodyError::UnsupportedEncoding { token })
        }
    }
}

/// The answer to a call that went well: `message` as it is, then `grpc-status: 0`.
pub fn reply_ok(message: &[u8]) -> Response<Reply> {
    let Some(framed) = frame::frame(message, false) else {
        return reply_status(&Status::new(super::Code::Internal, "the answer passes 4 GiB"));
    };
    let mut trailers = HeaderMap::with_capacity(1);
    Status::ok().write_to(&mut trailers);
    let mut response = Response::new(Reply::with_trailers(framed, trailers));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// The answer to a call that did not: a status alone ("trailers-only").
pub fn reply_status(status: &Status) -> Response<Reply> {
    let mut response = Response::new(Reply::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    status.write_to(headers);
    if status.code == super::Code::Unimplemented {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    }
    response
}

/// The answer to a message that could not be read; says `retry_after` where trying again helps.
pub fn reply_body_error(error: &BodyError, retry_after: Duration) -> Response<Reply> {
    reply_status(&error.grpc_status(retry_after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;

    fn timeout_of(text: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT, HeaderValue::from_static(text));
        timeout(&headers)
    }

    #[test]
    fn timeouts_are_read_in_every_unit_and_nonsense_is_none() {
        assert_eq!(timeout_of("10S"), Some(Duration::from_secs(10)));
        assert_eq!(timeout_of("250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout_of("1H"), Some(Duration::from_hours(1)));
        assert_eq!(timeout_of("99999999H"), Some(TIMEOUT_MAX));
        assert_eq!(timeout_of("5u"), Some(Duration::from_micros(5)));
        for bad in ["", "S", "10", "10x", "-1S", "+1S", "123456789S", "1.5S"] {
            assert_eq!(timeout_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_call_is_told_by_its_content_type() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc; charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            let request = Request::builder().header(CONTENT_TYPE, content_type).body(()).unwrap();
            assert_eq!(is_grpc(&request), expected, "{content_type}");
        }
    }

    async fn read(headers: &HeaderMap, body: Vec<u8>, limit: usize) -> Result<Bytes, BodyError> {
        let budget = Budget::new(1 << 20);
        let limits = BodyLimits::of_bytes(limit);
        read_unary(headers, Body::full(body), &limits, &budget).await.map(|read| read.inflated)
    }

    #[tokio::test]
    async fn a_message_is_read_exactly_up_to_the_limit() {
        let framed = frame::frame(&[5; 1000], false).unwrap().to_vec();
        let headers = HeaderMap::new();
        assert_eq!(read(&headers, framed.clone(), 1000).await.unwrap(), vec![5; 1000]);
        let refused = read(&headers, framed, 999).await.unwrap_err();
        assert!(matches!(refused, BodyError::TooLarge { .. }));
        assert_eq!(refused.grpc_status(Duration::from_secs(1)).retry_after, None);
        // A prefix that lies is refused before the bytes it announces are waited for.
        let refused = read(&headers, vec![0, 0xff, 0xff, 0xff, 0xff, 1], 999).await.unwrap_err();
        assert!(matches!(refused, BodyError::TooLarge { .. }));
        let refused = read(&headers, vec![0, 0, 0, 0, 1, 1, 1], 999).await.unwrap_err();
        assert!(matches!(refused, BodyError::Frame(FrameError::Trailing(1))));
    }

    #[tokio::test]
    async fn compressed_messages_need_an_encoding_we_know() {
        let plain = vec![1; 5000];
        for (name, encoding) in [("gzip", Encoding::Gzip), ("zstd", Encoding::Zstd)] {
            let packed = body::compress(encoding, &plain).unwrap();
            let framed = frame::frame(&packed, true).unwrap().to_vec();
            let mut headers = HeaderMap::new();
            let refused = read(&headers, framed.clone(), 5000).await.unwrap_err();
            assert!(matches!(refused, BodyError::Frame(FrameError::Unnamed)));
            headers.insert(ENCODING, HeaderValue::from_static("snappy"));
            let refused = read(&headers, framed.clone(), 5000).await.unwrap_err();
            let answer = reply_body_error(&refused, Duration::ZERO);
            assert_eq!(answer.headers()["grpc-status"], "12");
            assert_eq!(answer.headers()["grpc-accept-encoding"], ACCEPTED);
            headers.insert(ENCODING, HeaderValue::from_static(name));
            assert_eq!(read(&headers, framed.clone(), 5000).await.unwrap(), plain);
            assert!(read(&headers, framed, 4999).await.is_err());
        }
    }
}
