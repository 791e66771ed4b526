//! Leaves a provider alone that keeps failing, and comes back carefully.

use std::time::Duration;

use parking_lot::Mutex;

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 3;
/// The first rest.
const REST_MIN: Duration = Duration::from_secs(30);
/// No rest is longer.
const REST_MAX: Duration = Duration::from_mins(10);

/// The state of one provider. Times are those of `Clock::monotonic`.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    failures: u32,
    /// Open until then.
    until: Duration,
    rest: Duration,
}

impl Breaker {
    /// Whether it may be asked.
    pub fn allows(&self, now: Duration) -> bool {
        now >= self.0.lock().until
    }

    /// It answered.
    pub fn succeeded(&self) {
        *self.0.lock() = State::default();
    }

    /// It failed. Some failures in a row make it rest, and after a rest one is enough, for twice
    /// as long.
    pub fn failed(&self, now: Duration) {
        let mut state = self.0.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            state.rest = (state.rest * 2).clamp(REST_MIN, REST_MAX);
            state.until = now + state.rest;
        }
    }

    /// It said that asking is of no use before somebody acts.
    pub fn denied(&self, now: Duration) {
        let rest = REST_MAX;
        *self.0.lock() = State { failures: FAILURES_MAX, until: now + rest, rest };
    }

    /// A probe was answered: the next request may try, before the rest is over.
    pub fn probed(&self, now: Duration) {
        let mut state = self.0.lock();
        state.until = state.until.min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn three_failures_in_a_row_bring_a_rest_and_then_one_is_enough() {
        let breaker = Breaker::default();
        breaker.failed(SECOND);
        breaker.failed(SECOND);
        breaker.succeeded();
        breaker.failed(SECOND);
        breaker.failed(SECOND);
        assert!(breaker.allows(SECOND));
        breaker.failed(SECOND);
        assert!(!breaker.allows(30 * SECOND));
        assert!(breaker.allows(31 * SECOND));
        breaker.failed(31 * SECOND);
        assert!(!breaker.allows(90 * SECOND));
        assert!(breaker.allows(91 * SECOND));
        breaker.succeeded();
        breaker.failed(91 * SECOND);
        assert!(breaker.allows(91 * SECOND));
    }

    #[test]
    fn no_rest_is_longer_than_its_limit_and_a_probe_ends_it() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.failed(SECOND);
        }
        assert!(breaker.allows(SECOND + REST_MAX));
        assert!(!breaker.allows(2 * SECOND));
        breaker.probed(2 * SECOND);
        assert!(breaker.allows(2 * SECOND));
        breaker.failed(2 * SECOND);
        assert!(!breaker.allows(3 * SECOND));
    }
}
