//! A request, its answer, and the bytes between them, which are never copied into one buffer.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::{Frame, SizeHint};

use crate::body::encoding::Encoding;
use crate::retry;

/// A request of one client; cheap to clone, since bodies are shared.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where, on the client's endpoint; [`super::Client::path`] joins the endpoint's own path.
    pub path: PathAndQuery,
    /// Sent after the client's own headers and instead of those of the same name.
    pub headers: HeaderMap,
    /// The body as it travels.
    pub body: Body,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, path: PathAndQuery) -> Self {
        Self { method, path, headers: HeaderMap::new(), body: Body::default() }
    }

    /// A `POST` of `body`.
    pub fn post(path: PathAndQuery, body: impl Into<Body>) -> Self {
        Self { body: body.into(), ..Self::new(Method::POST, path) }
    }

    /// A `GET`.
    pub fn get(path: PathAndQuery) -> Self {
        Self::new(Method::GET, path)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Names the type of the body.
    #[must_use]
    pub fn content_type(self, value: &'static str) -> Self {
        self.header(CONTENT_TYPE, HeaderValue::from_static(value))
    }

    /// Names the encoding the body already has.
    #[must_use]
    pub fn encoding(self, encoding: Encoding) -> Self {
        if encoding.is_identity() {
            return self;
        }
        self.header(CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()))
    }
}

/// The bytes of a request in one or several pieces, sent with one vectored write.
#[derive(Debug, Clone, Default)]
pub struct Body {
    first: Bytes,
    rest: VecDeque<Bytes>,
    remaining: usize,
}

impl Body {
    /// Bytes in all pieces together.
    pub fn len(&self) -> usize {
        self.remaining
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// A body that begins with `prefix`.
    pub(super) fn prefixed(prefix: Bytes, pieces: &[Bytes]) -> Self {
        let mut body = Self::from(prefix);
        body.extend(pieces.iter().cloned());
        body
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = Bytes> {
        std::iter::once(&self.first).chain(&self.rest).cloned()
    }

    fn extend(&mut self, pieces: impl Iterator<Item = Bytes>) {
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            self.remaining += piece.len();
            if self.first.is_empty() {
                self.first = piece;
            } else {
                self.rest.push_back(piece);
            }
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { remaining: bytes.len(), first: bytes, rest: VecDeque::new() }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl From<Vec<Bytes>> for Body {
    fn from(pieces: Vec<Bytes>) -> Self {
        let mut body = Self::default();
        body.extend(pieces.into_iter());
        body
    }
}

impl Buf for Body {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = std::iter::once(&self.first).chain(&self.rest);
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces.filter(|piece| !piece.is_empty())) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        self.remaining = self.remaining.saturating_sub(count);
        while count >= self.first.len() {
            count -= self.first.len();
            self.first = self.rest.pop_front().unwrap_or_default();
            if self.first.is_empty() {
                return;
            }
        }
        self.first.advance(count);
    }
}

/// A body as HTTP/1.1 takes it: all of its pieces as one frame.
pub(super) struct Payload(Option<Body>);

impl Payload {
    pub(super) fn new(body: Body) -> Self {
        Self((!body.is_empty()).then_some(body))
    }
}

impl http_body::Body for Payload {
    type Data = Body;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Body>, Infallible>>> {
        Poll::Ready(self.0.take().map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |body| body.len() as u64))
    }
}

/// What a destination said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status; a redirect is an answer like any other and not followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Answer {
    /// Whether the destination took the request.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// Whether OTLP lets the same request be sent again.
    pub fn is_retryable(&self) -> bool {
        retry::http_is_retryable(self.status)
    }

    /// The wait the destination asks for; `now` as [`bessemer_runtime::Clock::unix_nanos`] gives.
    pub fn retry_after(&self, now_unix_nanos: u64) -> Option<Duration> {
        retry::parse_retry_after(self.headers.get(RETRY_AFTER)?, now_unix_nanos)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_body_in_pieces_reads_as_their_concatenation(
            pieces in proptest::collection::vec(proptest::collection::vec(0..255_u8, 0..20), 0..8),
            step in 1..30_usize,
        ) {
            let whole = pieces.concat();
            let mut body = Body::from(pieces.into_iter().map(Bytes::from).collect::<Vec<_>>());
            prop_assert_eq!(body.len(), whole.len());
            let mut read = Vec::new();
            while body.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 4];
                let filled = body.chunks_vectored(&mut slices);
                let visible = slices[..filled].iter().flat_map(|slice| slice.iter().copied());
                let taken: Vec<u8> = visible.take(step).collect();
                prop_assert!(!taken.is_empty());
                read.extend_from_slice(&taken);
                body.advance(taken.len());
            }
            prop_assert_eq!(read, whole);
        }
    }
}
