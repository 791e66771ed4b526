//! Tokens of an OAuth 2.0 server by client credentials (RFC 6749, section 4.4), kept while they
//! hold.
//!
//! One question is under way at a time, however many requests wait for its answer. A token is
//! renewed `expiry_buffer` before it expires, at most half of its life before. While the endpoint
//! fails, a token that still holds is used on; without one, requests fail with what the endpoint
//! said, and it is asked again after [`PAUSE`], then twice that, up to [`PAUSE_MAX`].

use std::sync::Arc;
use std::time::Duration;

use bessemer_runtime::{BoxFuture, Clock, Random};
use parking_lot::Mutex;

use super::endpoint::Endpoint;
use super::token::Granted;
use super::{Authorize, Proof};
use crate::dial::{DialError, SettingsError};

pub use super::endpoint::Grant;

/// How long a first failure stands for all that ask; each further one in a row stands twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a failure stands at most.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A token younger than this is not renewed because a destination refuses it: the next one would be
/// refused too.
const RENEWED_AFTER: Duration = Duration::from_secs(10);

/// Where tokens come from.
pub(super) trait Grants: Send + Sync + 'static {
    fn grant(&self) -> BoxFuture<'_, Result<Granted, DialError>>;
}

/// Sends tokens of an OAuth 2.0 server.
pub struct OAuth2 {
    grants: Box<dyn Grants>,
    expiry_buffer: Duration,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<Token>>,
    /// Held while a token is asked for; the last failure.
    flight: tokio::sync::Mutex<Option<Failure>>,
}

#[derive(Clone)]
struct Token {
    proof: Proof,
    granted_at: Duration,
    /// Both `None` when the endpoint does not say how long it holds.
    renew_at: Option<Duration>,
    expires_at: Option<Duration>,
}

struct Failure {
    at: Duration,
    pause: Duration,
    error: DialError,
}

impl OAuth2 {
    /// Asks with the first request that needs a token.
    pub fn new(
        grant: Grant,
        expiry_buffer: Duration,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, SettingsError> {
        let endpoint = Endpoint::new(grant, Arc::clone(&clock), random)?;
        Ok(Self::of(Box::new(endpoint), expiry_buffer, clock))
    }

    fn of(grants: Box<dyn Grants>, expiry_buffer: Duration, clock: Arc<dyn Clock>) -> Self {
        let (token, flight) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { grants, expiry_buffer, clock, token, flight }
    }

    async fn current(&self) -> Result<Proof, DialError> {
        if let Some(proof) = self.held(|token| token.renew_at) {
            return Ok(proof);
        }
        let mut last = match (self.flight.try_lock(), self.held(|token| token.expires_at)) {
            (Ok(last), _) => last,
            (Err(_), Some(proof)) => return Ok(proof),
            (Err(_), None) => self.flight.lock().await,
        };
        // Another request may have got one while this one waited, or met a failure.
        if let Some(proof) = self.held(|token| token.renew_at) {
            return Ok(proof);
        }
        let now = self.clock.monotonic();
        if let Some(Failure { error, .. }) =
            last.as_ref().filter(|failure| now < failure.at.saturating_add(failure.pause))
        {
            return self.held(|token| token.expires_at).ok_or_else(|| error.clone());
        }
        match self.grants.grant().await {
            Ok(granted) => {
                *last = None;
                // The token's life began somewhere after it was asked for.
                Ok(self.keep(granted, now))
            }
            Err(error) => {
                if last.is_none() {
                    tracing::warn!(%error, "no token; asked again while requests need one");
                }
                let twice = |failure: &Failure| failure.pause.saturating_mul(2).min(PAUSE_MAX);
                let pause = last.as_ref().map_or(PAUSE, twice);
                *last = Some(Failure { at: self.clock.monotonic(), pause, error: error.clone() });
                self.held(|token| token.expires_at).ok_or(error)
            }
        }
    }

    /// The token, if `end` of it is not reached.
    fn held(&self, end: impl Fn(&Token) -> Option<Duration>) -> Option<Proof> {
        let now = self.clock.monotonic();
        let token = self.token.lock();
        let token = token.as_ref().filter(|token| end(token).is_none_or(|end| now < end))?;
        Some(token.proof.clone())
    }

    fn keep(&self, granted: Granted, now: Duration) -> Proof {
        let early = |life: Duration| now + life.saturating_sub(self.expiry_buffer.min(life / 2));
        let token = Token {
            proof: granted.proof.clone(),
            granted_at: now,
            renew_at: granted.lifetime.map(early),
            expires_at: granted.lifetime.map(|life| now + life),
        };
        *self.token.lock() = Some(token);
        granted.proof
    }
}

impl Authorize for OAuth2 {
    fn proof(&self) -> BoxFuture<'_, Result<Proof, DialError>> {
        Box::pin(self.current())
    }

    fn renew(&self, proof: &Proof) -> bool {
        let now = self.clock.monotonic();
        let mut token = self.token.lock();
        let Some(held) = token.as_ref().filter(|held| held.proof == *proof) else { return true };
        let is_old = now >= held.granted_at.saturating_add(RENEWED_AFTER);
        if is_old {
            *token = None;
        }
        is_old
    }
}

#[cfg(test)]
mod tests;
