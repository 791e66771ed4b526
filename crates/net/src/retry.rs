//! When to try again and how long to wait: pure decisions, no sleeping.
//!
//! A destination is tried a few times here; after that the journal keeps the batch and comes back
//! without end. What may be tried again follows the OTLP specification: of HTTP answers 429, 502,
//! 503 and 504, of gRPC codes those that [`grpc_is_retryable`] lists.
//! <https://opentelemetry.io/docs/specs/otlp/#failures>

pub(crate) mod date;
pub mod settings;

use std::time::Duration;

use bessemer_runtime::Random;
use http::{HeaderValue, StatusCode};

use crate::grpc::{Code, Status};

/// The longest wait a destination can ask for; longer ones are cut to it.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// How the waits of many clients are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Jitter {
    /// Anywhere between nothing and the full wait: spreads best.
    #[default]
    Full,
    /// Between half of the wait and all of it: never at once.
    Equal,
    /// Off the wait by up to this share of it, to either side; counts as a number from 0 to 1.
    Around(f64),
    /// Exactly the wait; for tests and single clients.
    None,
}

/// How often and how patiently a request is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Tries in all, the first one included.
    pub attempts: u32,
    /// The wait after the first failure, before jitter.
    pub base: Duration,
    /// The longest wait of our own choice; a destination may ask for more.
    pub max: Duration,
    /// By what each wait grows; below 1 counts as 1.
    pub multiplier: f64,
    /// How waits are spread.
    pub jitter: Jitter,
    /// No further try begins when it would start later than this after the first.
    pub max_elapsed: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(200),
            max: Duration::from_secs(5),
            multiplier: 2.0,
            jitter: Jitter::Full,
            max_elapsed: Duration::from_mins(1),
        }
    }
}

impl Policy {
    /// A policy of one try: the caller has its own way of coming back.
    pub fn once() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// The wait after `attempt` tries failed, or `None` when that was the last one.
    ///
    /// A wait the destination asked for is kept in full (up to [`RETRY_AFTER_MAX`]), and the own
    /// back-off comes on top, so that clients sent away together do not return together.
    pub fn next_delay(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
        random: &dyn Random,
    ) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let own = self.jitter.spread(self.ceiling(attempt), random).min(self.max);
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        Some(asked.saturating_add(own).min(self.longest_delay()))
    }

    /// No wait of this policy is longer.
    pub fn longest_delay(&self) -> Duration {
        self.max.max(RETRY_AFTER_MAX)
    }

    /// Whether a try that starts after `elapsed` and one more wait is still in time.
    pub fn allows(&self, elapsed: Duration, delay: Duration) -> bool {
        elapsed.saturating_add(delay) <= self.max_elapsed
    }

    /// The wait after `attempt` tries, before jitter.
    fn ceiling(&self, attempt: u32) -> Duration {
        if self.base.is_zero() {
            return Duration::ZERO;
        }
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.base.as_secs_f64() * self.multiplier.max(1.0).powi(exponent);
        // Growth beyond what a Duration holds is an error here, and the maximum for us.
        Duration::try_from_secs_f64(grown).map_or(self.max, |wait| wait.min(self.max))
    }
}

impl Jitter {
    fn spread(self, ceiling: Duration, random: &dyn Random) -> Duration {
        match self {
            Self::Full => random.between(Duration::ZERO, ceiling),
            Self::Equal => random.between(ceiling / 2, ceiling),
            Self::Around(share) => {
                let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
                let seconds = ceiling.as_secs_f64();
                let scaled = |by: f64| Duration::try_from_secs_f64(seconds * by).unwrap_or(ceiling);
                random.between(scaled(1.0 - share), scaled(1.0 + share))
            }
            Self::None => ceiling,
        }
    }
}

/// Reads `Retry-After`: seconds, or any of the three dates of HTTP.
///
/// A moment in the past is no wait, an absurdly long one is [`RETRY_AFTER_MAX`], and what is
/// neither a number nor a date is as good as absent.
pub fn parse_retry_after(value: &HeaderValue, now_unix_nanos: u64) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let negative = digits.len() < text.len();
        let seconds = if negative { 0 } else { digits.parse().unwrap_or(u64::MAX) };
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let then = Duration::from_secs(date::parse(text)?);
    let now = Duration::from_nanos(now_unix_nanos);
    Some(then.saturating_sub(now).min(RETRY_AFTER_MAX))
}

/// Whether OTLP lets a client send the same request again after this HTTP answer.
pub fn http_is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// Whether OTLP lets a client send the same request again after this gRPC status.
///
/// `RESOURCE_EXHAUSTED` says "too large" as well as "too busy"; only a wait tells the latter.
pub fn grpc_is_retryable(status: &Status) -> bool {
    match status.code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::ResourceExhausted => status.retry_after.is_some(),
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal
        | Code::Unauthenticated => false,
    }
}

#[cfg(test)]
mod tests;
