//! The body of an answer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Streaming = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// The bytes of an answer: none, some that are there, some with trailers, or a stream.
pub struct Reply(Kind);

enum Kind {
    Full { bytes: Bytes, trailers: Option<Box<HeaderMap>> },
    Streaming(Streaming),
}

impl Reply {
    /// No bytes.
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// Bytes that are there.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Full { bytes: bytes.into(), trailers: None })
    }

    /// Bytes that are there, and trailers behind them.
    pub fn with_trailers(bytes: impl Into<Bytes>, trailers: HeaderMap) -> Self {
        Self(Kind::Full { bytes: bytes.into(), trailers: Some(Box::new(trailers)) })
    }

    /// Bytes that come bit by bit.
    pub fn streaming<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Kind::Streaming(Box::pin(body.map_err(Into::into))))
    }

    /// An answer of `status` without a body.
    pub fn status(status: StatusCode) -> Response<Self> {
        let mut response = Response::new(Self::empty());
        *response.status_mut() = status;
        response
    }

    /// An answer of `status` with a body of `content_type`.
    pub fn of(
        status: StatusCode,
        content_type: &'static str,
        bytes: impl Into<Bytes>,
    ) -> Response<Self> {
        let mut response = Response::new(Self::full(bytes));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Full { bytes, trailers } => formatter
                .debug_struct("Reply")
                .field("bytes", &bytes.len())
                .field("trailers", trailers)
                .finish(),
            Kind::Streaming(_) => formatter.write_str("Reply(streaming)"),
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Full { bytes, .. } if !bytes.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))))
            }
            Kind::Full { trailers, .. } => {
                Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))))
            }
            Kind::Streaming(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full { bytes, trailers } => bytes.is_empty() && trailers.is_none(),
            Kind::Streaming(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Kind::Streaming(body) => body.size_hint(),
        }
    }
}
