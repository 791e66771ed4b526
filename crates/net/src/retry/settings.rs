//! The `retry_on_failure` block, in the names of the OpenTelemetry Collector.

use std::time::Duration;

use bessemer_runtime::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Jitter, Policy};

/// How a failed request is tried again before the batch goes back to the queue, which keeps it and
/// comes back without end: nothing is dropped when these tries are used up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Tries again at once; otherwise every failure goes back to the queue.
    pub enabled: bool,
    /// Tries in all, the first one included.
    pub attempts: u32,
    /// The wait after the first failure.
    pub initial_interval: Span,
    /// By what each wait grows.
    pub multiplier: f64,
    /// The share of a wait by which it is spread at random, from 0 to 1.
    pub randomization_factor: f64,
    /// The longest wait, unless the destination asks for more.
    pub max_interval: Span,
    /// No further try begins later than this after the first; `0` is no limit.
    pub max_elapsed_time: Span,
}

impl Default for Settings {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            enabled: true,
            attempts: policy.attempts,
            initial_interval: Span(policy.base),
            multiplier: policy.multiplier,
            randomization_factor: 0.5,
            max_interval: Span(policy.max),
            max_elapsed_time: Span(policy.max_elapsed),
        }
    }
}

impl Settings {
    /// The policy these settings describe.
    pub fn policy(&self) -> Policy {
        let max_elapsed = match self.max_elapsed_time.0 {
            Duration::ZERO => Duration::MAX,
            limit => limit,
        };
        Policy {
            attempts: if self.enabled { self.attempts.max(1) } else { 1 },
            base: self.initial_interval.0,
            max: self.max_interval.0,
            multiplier: self.multiplier,
            jitter: Jitter::Around(self.randomization_factor),
            max_elapsed,
        }
    }
}

#[cfg(test)]
mod tests {
    use bessemer_runtime::SystemRandom;

    use super::*;

    #[test]
    fn switched_off_there_is_one_try() {
        let settings = Settings { enabled: false, ..Settings::default() };
        assert_eq!(settings.policy().next_delay(1, None, &SystemRandom::seeded(1)), None);
    }

    #[test]
    fn waits_lie_around_the_interval_by_the_factor() {
        let settings = Settings { randomization_factor: 0.25, ..Settings::default() };
        let (policy, random) = (settings.policy(), SystemRandom::seeded(1));
        let waits: Vec<u128> =
            (0..1000).map(|_| policy.next_delay(1, None, &random).unwrap().as_millis()).collect();
        assert!(waits.iter().all(|wait| (150..250).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 160) && waits.iter().any(|wait| *wait > 240));
    }

    #[test]
    fn no_elapsed_limit_is_no_limit() {
        let settings = Settings { max_elapsed_time: Span(Duration::ZERO), ..Settings::default() };
        assert!(settings.policy().allows(Duration::from_hours(1000), Duration::from_mins(5)));
    }
}
