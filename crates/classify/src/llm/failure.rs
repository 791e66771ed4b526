//! How asking can fail, in the distinctions that whoever asks acts upon.

use std::time::Duration;

use super::provider::Usage;

/// Why a provider gave no verdicts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Too many requests or tokens; the provider may say when to come back.
    #[error("rate limited")]
    RateLimited {
        /// What it asked for.
        retry_after: Option<Duration>,
    },
    /// Out of order or overloaded; another try may work.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// What it asked for.
        retry_after: Option<Duration>,
        /// Status or transport error.
        reason: String,
    },
    /// The key is refused, or there is no credit left: an operator must act.
    #[error("denied: {reason}")]
    Denied {
        /// What it said.
        reason: String,
    },
    /// The request itself is refused: the same again will not help.
    #[error("rejected: {reason}")]
    Rejected {
        /// What it said.
        reason: String,
    },
    /// The model would not answer.
    #[error("the model refused: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// The answer ended at the limit of its tokens.
    #[error("the answer was cut off at its limit")]
    Truncated,
    /// The answer is not what was asked for.
    #[error("unreadable answer: {reason}")]
    Garbage {
        /// What is wrong with it.
        reason: String,
    },
}

/// A failure, and what it cost all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// What the provider says it used; unset, the whole reservation stays spent.
    pub usage: Option<Usage>,
}

impl Failure {
    /// The word that counts it in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Denied { .. } => "denied",
            Self::Rejected { .. } => "rejected",
            Self::Refused { .. } => "refused",
            Self::Truncated => "truncated",
            Self::Garbage { .. } => "garbage",
        }
    }

    /// Whether the same request to the same provider may work a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }

    /// The wait the provider asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            Self::Denied { .. }
            | Self::Rejected { .. }
            | Self::Refused { .. }
            | Self::Truncated
            | Self::Garbage { .. } => None,
        }
    }

    /// Whether it says that the provider is out of order, and not that one answer was bad.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Denied { .. } | Self::Rejected { .. })
    }
}
