//! What a client sends with every try to prove who it is.
//!
//! A proof is asked for when a try begins, so that it is never older than the request. A
//! destination that answers 401 or `UNAUTHENTICATED` to a proof that can be renewed is asked once
//! more with a new one: tokens are revoked before they expire.

mod basic;
mod bearer;
mod endpoint;
mod oauth2;
mod token;

use std::sync::Arc;

use bessemer_runtime::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};

pub use basic::Basic;
pub(super) use basic::value as basic_value;
pub use bearer::{Bearer, header_name};
pub use oauth2::{Grant, OAuth2};

use super::channel::Channel;
use super::error::DialError;

/// Proves to a destination who sends.
pub trait Authorize: Send + Sync + 'static {
    /// The proof for one try.
    fn proof(&self) -> BoxFuture<'_, Result<Proof, DialError>>;

    /// Told that a destination refused `proof`; whether another one can be had.
    fn renew(&self, proof: &Proof) -> bool;
}

/// A header and its value, which is never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    name: HeaderName,
    value: HeaderValue,
}

impl Proof {
    /// `value` under the header `name`.
    pub fn new(name: HeaderName, value: &str) -> Result<Self, DialError> {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            no_proof("a user, password or token holds characters that a header cannot have")
        })?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }

    pub(super) fn write_to(&self, headers: &mut HeaderMap) {
        headers.insert(self.name.clone(), self.value.clone());
    }
}

/// Why there is no proof; the request may be sent again.
pub(super) fn no_proof(reason: impl Into<String>) -> DialError {
    DialError::Credentials { reason: reason.into() }
}

/// How the clients of one destination prove who sends; clones share it.
#[derive(Clone)]
pub struct Credentials(Arc<dyn Authorize>);

impl Credentials {
    /// Takes what makes proofs.
    pub fn new(authorize: impl Authorize) -> Self {
        Self(Arc::new(authorize))
    }

    /// A proof, unless the channel is closed before there is one.
    pub(super) async fn proof(&self, channel: &Channel) -> Result<Proof, DialError> {
        tokio::select! {
            proof = self.0.proof() => proof,
            () = channel.closed() => Err(DialError::Cancelled),
        }
    }

    pub(super) fn renew(&self, proof: &Proof) -> bool {
        self.0.renew(proof)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials(***)")
    }
}
