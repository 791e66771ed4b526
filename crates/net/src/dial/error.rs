//! What can go wrong between a request and its answer.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no answer; an answer of any status is not an error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DialError {
    /// The name of the host has no address now.
    #[error("the name {host} could not be resolved: {source}")]
    Resolve {
        /// The name as the endpoint writes it.
        host: String,
        /// What the resolver said.
        source: Arc<io::Error>,
    },
    /// No address of the host took the connection.
    #[error("no connection to {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the last address said.
        source: Arc<io::Error>,
    },
    /// The peers do not trust each other or share no version.
    #[error("no TLS session with {address}: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// What the TLS library said.
        reason: String,
    },
    /// The answer was not complete in time; the request may have been processed.
    #[error("no complete answer within {limit:?}")]
    Timeout {
        /// The time a try has.
        limit: Duration,
    },
    /// The connection ended before the answer was complete; the request may have been processed.
    #[error("the connection was lost before the answer was complete: {reason}")]
    Lost {
        /// What ended it.
        reason: String,
    },
    /// The peer reset this one request of an HTTP/2 connection.
    #[error("the peer reset the request: {reason}")]
    Reset {
        /// The reason the peer gave.
        reason: h2::Reason,
    },
    /// What came back is not HTTP, or its encoding is broken.
    #[error("the answer is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The answer's head or body is larger than allowed.
    #[error("the {part} of the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes, for a body after decompression.
        limit: usize,
        /// `head` or `body`.
        part: &'static str,
    },
    /// The proxy is there and opens no way to the destination.
    #[error("the proxy {address} {reason}")]
    Proxy {
        /// Host and port of the proxy.
        address: String,
        /// What it does instead.
        reason: String,
    },
    /// There is nothing to prove with who sends; the request was not sent.
    #[error("no credentials: {reason}")]
    Credentials {
        /// Why, without showing any of them.
        reason: String,
    },
    /// The client was closed.
    #[error("the client was closed")]
    Cancelled,
}

impl DialError {
    /// Whether the same request may be sent again: all but an answer too large to read, which
    /// would come again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::TooLarge { .. } | Self::Cancelled => false,
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Lost { .. }
            | Self::Reset { .. }
            | Self::Malformed { .. }
            | Self::Proxy { .. }
            | Self::Credentials { .. } => true,
        }
    }

    /// Whether the destination cannot have seen the request.
    pub fn is_unsent(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. }
                | Self::Connect { .. }
                | Self::Proxy { .. }
                | Self::Credentials { .. }
                | Self::Cancelled
        )
    }
}

/// Why settings cannot work, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}; {remedy}")]
pub struct SettingsError {
    /// The setting at fault, as `tls.ca_file`.
    pub setting: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl SettingsError {
    pub(super) fn new(
        setting: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { setting: setting.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

/// The messages of an error and of all below it.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = error.source();
    }
    text
}
