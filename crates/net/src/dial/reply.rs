//! What both protocol versions share: limits of an answer, its parts, and how a try can end.

use std::error::Error;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use super::error::{DialError, chain};
use super::stream::Meter;

/// The largest head of an answer.
pub(super) const HEAD_MAX: usize = 64 << 10;

/// An answer as it came, before decompression.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

/// How a try ended without an answer.
pub(super) enum Unanswered {
    /// The peer has not processed the request: another connection may carry it at once.
    Unsent(DialError),
    /// The peer may have processed it.
    Failed(DialError),
}

impl From<DialError> for Unanswered {
    fn from(error: DialError) -> Self {
        Self::Failed(error)
    }
}

/// Sees an answer while it is read; the answer is gathered all the same. Neither call may wait.
pub trait Witness: Send + Sync {
    /// The head has come.
    fn head(&self, status: StatusCode, headers: &HeaderMap);

    /// A piece of the body has come, as it travels.
    fn piece(&self, piece: &Bytes);
}

/// What bounds a try and names its peer, and who watches.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) address: &'a str,
    pub(super) witness: Option<&'a dyn Witness>,
    /// Bytes of the body, on the wire and again after decompression.
    pub(super) body: usize,
}

impl Limits<'_> {
    pub(super) fn saw_head(&self, status: StatusCode, headers: &HeaderMap) {
        if let Some(witness) = self.witness {
            witness.head(status, headers);
        }
    }

    /// An error of a connection that was open.
    pub(super) fn connection_error(
        &self,
        meter: &Meter,
        error: &(dyn Error + 'static),
    ) -> DialError {
        match meter.tls_error() {
            Some(reason) => {
                DialError::Tls { address: self.address.to_owned(), reason: reason.to_owned() }
            }
            None => DialError::Lost { reason: chain(error) },
        }
    }

    pub(super) fn body_too_large(&self) -> DialError {
        DialError::TooLarge { limit: self.body, part: "body" }
    }
}

pub(super) fn head_too_large() -> DialError {
    DialError::TooLarge { limit: HEAD_MAX, part: "head" }
}

/// Gathers a body; one piece, the usual case, is not copied.
pub(super) struct Collected<'a> {
    limits: Limits<'a>,
    first: Bytes,
    all: BytesMut,
}

impl<'a> Collected<'a> {
    /// Refuses a body that announces more than the limit before reading any of it.
    pub(super) fn new(announced: u64, limits: Limits<'a>) -> Result<Self, DialError> {
        if announced > limits.body as u64 {
            return Err(limits.body_too_large());
        }
        Ok(Self { limits, first: Bytes::new(), all: BytesMut::new() })
    }

    pub(super) fn push(&mut self, data: Bytes) -> Result<(), DialError> {
        if self.first.len() + self.all.len() + data.len() > self.limits.body {
            return Err(self.limits.body_too_large());
        }
        if let Some(witness) = self.limits.witness {
            witness.piece(&data);
        }
        if self.first.is_empty() && self.all.is_empty() {
            self.first = data;
            return Ok(());
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&data);
        Ok(())
    }

    pub(super) fn finish(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}
