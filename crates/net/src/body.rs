//! Bodies: bounded reading into one contiguous buffer, and their content encodings.
//!
//! [`read`] is the only way a request's bytes come in. What it holds is bounded three times: by the
//! limit on the bytes as they travel, by the limit on the inflated bytes, and by the budget that
//! all bodies of the process share. What is slow is ended. The compressed original is handed on
//! beside the inflated bytes, so that it can leave unchanged.

mod collect;
mod decoders;
pub mod encoding;
mod gzip;
mod inflate;
mod linger;
mod request;
mod room;
mod slots;
mod slow;

use std::time::Duration;

use bessemer_runtime::{Budget, Permit};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::grpc::{Code, FrameError, Status};

pub(crate) use collect::{Collector, collect};
use inflate::{Inflater, Progress};

pub use encoding::{ACCEPTED, CompressError, Encoding, InflateError, compress, inflate};
pub use linger::linger;
pub use request::Body;

/// What one request body may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes after inflating; a body that is not compressed counts as it is.
    pub inflated_bytes_max: usize,
    /// Bytes as they travel.
    pub wire_bytes_max: usize,
    /// A body of which no byte arrives for this long is ended.
    pub idle: Duration,
    /// Bytes per second that a body must reach on average once it took longer than `idle`.
    pub rate_min: u64,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            inflated_bytes_max: 64 << 20,
            wire_bytes_max: 64 << 20,
            idle: Duration::from_secs(20),
            rate_min: 1024,
        }
    }
}

impl BodyLimits {
    /// The default times with one limit for the bytes as they travel and after inflating.
    pub fn of_bytes(bytes_max: usize) -> Self {
        Self { inflated_bytes_max: bytes_max, wire_bytes_max: bytes_max, ..Self::default() }
    }
}

/// A body that was read to its end.
#[derive(Debug)]
pub struct Received {
    /// The bytes without their encoding, contiguous.
    pub inflated: Bytes,
    /// The bytes as they came, if they were encoded.
    pub encoded: Option<Encoded>,
    /// The body's share of the budget; to be held as long as the bytes are.
    pub permit: Permit,
}

/// Bytes and how they are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// How.
    pub encoding: Encoding,
    /// The bytes.
    pub bytes: Bytes,
}

/// Why a body was not read; each answers differently.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body passes a limit of its own.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The budget that all bodies share is used up; trying again helps.
    #[error("too many bytes are in flight")]
    Overloaded,
    /// The client sends too slowly.
    #[error("the body stopped after {received} bytes")]
    Slow {
        /// Bytes that had arrived.
        received: usize,
    },
    /// The encoding is not one of [`ACCEPTED`], or there are several.
    #[error("content encoding {token:?} is not supported, use one of: {ACCEPTED}")]
    UnsupportedEncoding {
        /// What the client named.
        token: String,
    },
    /// The bytes are not what their encoding says.
    #[error("invalid {encoding} at byte {offset}: {problem}")]
    Invalid {
        /// The encoding the client named.
        encoding: Encoding,
        /// Where in the compressed bytes.
        offset: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The body is not one gRPC message.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection or the stream ended before the body did.
    #[error("the body was interrupted after {received} bytes: {cause}")]
    Interrupted {
        /// Bytes that had arrived.
        received: usize,
        /// What the protocol says.
        cause: String,
    },
}

impl From<InflateError> for BodyError {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge { limit } => Self::TooLarge { limit },
            InflateError::Invalid { encoding, offset, problem } => {
                Self::Invalid { encoding, offset, problem }
            }
        }
    }
}

impl BodyError {
    /// The HTTP status that says it.
    pub fn http_status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedEncoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid { .. } | Self::Frame(_) | Self::Interrupted { .. } => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// The gRPC status that says it; `retry_after` travels where trying again helps.
    pub fn grpc_status(&self, retry_after: Duration) -> Status {
        let code = match self {
            Self::TooLarge { .. } | Self::Overloaded => Code::ResourceExhausted,
            Self::Slow { .. } => Code::DeadlineExceeded,
            Self::UnsupportedEncoding { .. } => Code::Unimplemented,
            Self::Invalid { .. } | Self::Frame(_) => Code::InvalidArgument,
            Self::Interrupted { .. } => Code::Cancelled,
        };
        let status = Status::new(code, self.to_string());
        if matches!(self, Self::Overloaded) { status.with_retry_after(retry_after) } else { status }
    }
}

/// Reads and inflates the body of an HTTP request; the headers name its encoding.
pub async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limits: &BodyLimits,
    budget: &Budget,
) -> Result<Received, BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let encoding = content_encoding(headers)?;
    let wire_max = if encoding.is_identity() {
        limits.wire_bytes_max.min(limits.inflated_bytes_max)
    } else {
        limits.wire_bytes_max
    };
    let mut collector = Collector::new(wire_max, budget);
    collector.announce(body.size_hint().exact())?;
    collect(body, &mut collector, limits, |_| Ok(None)).await?;
    let (wire, permit) = collector.finish();
    inflate_cooperatively(encoding, wire, permit, limits).await
}

/// Inflates in steps of about a millisecond and lets other tasks run in between.
///
/// Measured against `spawn_blocking`: a body of 311 KB takes one step, so handing it to another
/// thread costs more than it frees.
pub(crate) async fn inflate_cooperatively(
    encoding: Encoding,
    wire: Bytes,
    mut permit: Permit,
    limits: &BodyLimits,
) -> Result<Received, BodyError> {
    if encoding.is_identity() {
        return Ok(Received { inflated: wire, encoded: None, permit });
    }
    let claims_large = inflate::claimed_size(encoding, &wire) > Some(inflate::LARGE_MIN);
    let mut turn = if claims_large { Some(slots::large().await) } else { None };
    let mut inflater = Inflater::new(encoding, &wire, limits.inflated_bytes_max);
    loop {
        if turn.is_none() && inflater.is_large_after_step() {
            turn = Some(slots::large().await);
        }
        collect::cover(&mut permit, wire.len() + inflater.bytes_after_step())?;
        match inflater.step(&wire)? {
            Progress::Done => break,
            Progress::More => tokio::task::yield_now().await,
        }
    }
    let inflated = inflater.finish();
    permit.shrink_to((wire.len() + inflated.len()) as u64);
    Ok(Received { inflated, encoded: Some(Encoded { encoding, bytes: wire }), permit })
}

/// The one encoding that the headers name. Several in a row are refused: no client of ours sends
/// them, and each would multiply what a small body can cost.
fn content_encoding(headers: &HeaderMap) -> Result<Encoding, BodyError> {
    let mut found = Encoding::Identity;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let named = String::from_utf8_lossy(value.as_bytes());
        for token in named.split(',') {
            let known = Encoding::parse(token);
            match known {
                Some(Encoding::Identity) => {}
                Some(encoding) if found.is_identity() => found = encoding,
                Some(_) | None => {
                    let token = named.chars().take(64).collect();
                    return Err(BodyError::UnsupportedEncoding { token });
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
