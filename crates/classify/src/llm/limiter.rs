//! Keeps a provider's own limits: requests and tokens by the minute, and the waits it asks for.

use std::time::Duration;

use parking_lot::Mutex;

const MINUTE_NANOS: u64 = 60 * 1_000_000_000;

/// The limits of one provider. Times are those of `Clock::monotonic`.
#[derive(Debug)]
pub struct Limiter(Mutex<State>);

#[derive(Debug)]
struct State {
    requests: Bucket,
    tokens: Bucket,
    paused_until: Duration,
}

/// What may pass in a minute, in the form of the time by which what passed will be paid off.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Zero for no limit.
    a_minute: u64,
    paid_at: u64,
}

impl Bucket {
    fn new(a_minute: u64) -> Self {
        Self { a_minute, paid_at: 0 }
    }

    /// When `units` will be paid off if they pass now.
    fn after(&self, now: u64, units: u64) -> u64 {
        if self.a_minute == 0 {
            return self.paid_at;
        }
        // More than fits in a minute passes alone.
        let units = units.min(self.a_minute);
        let nanos = u128::from(units) * u128::from(MINUTE_NANOS) / u128::from(self.a_minute);
        self.paid_at.max(now).saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How long until they may pass.
    fn wait(&self, now: u64, units: u64) -> u64 {
        self.after(now, units).saturating_sub(now.saturating_add(MINUTE_NANOS))
    }
}

impl Limiter {
    /// So many requests and tokens in a minute; zero for no limit.
    pub fn new(requests: u64, tokens: u64) -> Self {
        let (requests, tokens) = (Bucket::new(requests), Bucket::new(tokens));
        Self(Mutex::new(State { requests, tokens, paused_until: Duration::ZERO }))
    }

    /// Takes a request of so many tokens, or says how long it would have to wait.
    pub fn take(&self, now: Duration, tokens: u64) -> Result<(), Duration> {
        let mut state = self.0.lock();
        let pause = state.paused_until.saturating_sub(now);
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let wait = state.requests.wait(nanos, 1).max(state.tokens.wait(nanos, tokens));
        let wait = Duration::from_nanos(wait).max(pause);
        if !wait.is_zero() {
            return Err(wait);
        }
        state.requests.paid_at = state.requests.after(nanos, 1);
        state.tokens.paid_at = state.tokens.after(nanos, tokens);
        Ok(())
    }

    /// Lets nothing pass before `until`: the provider asked for it.
    pub fn pause(&self, until: Duration) {
        let mut state = self.0.lock();
        state.paused_until = state.paused_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wait_that_the_provider_asked_for_is_kept() {
        let limiter = Limiter::new(0, 0);
        limiter.pause(Duration::from_secs(7));
        assert_eq!(limiter.take(Duration::from_secs(5), 1), Err(Duration::from_secs(2)));
        assert_eq!(limiter.take(Duration::from_secs(7), 1), Ok(()));
    }

    proptest! {
        #[test]
        fn no_minute_lets_more_than_two_minutes_worth_pass_and_a_wait_is_enough(
            gaps in proptest::collection::vec(0..20_000_u64, 1..100), tokens in 1..60_u64,
        ) {
            let limiter = Limiter::new(10, 100);
            let mut now = Duration::ZERO;
            let mut passed: Vec<Duration> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if let Err(wait) = limiter.take(now, tokens) {
                    now += wait;
                    prop_assert_eq!(limiter.take(now, tokens), Ok(()));
                }
                passed.push(now);
            }
            for start in &passed {
                let end = *start + Duration::from_mins(1);
                let within = passed.iter().filter(|at| **at >= *start && **at < end).count();
                prop_assert!(within <= 20 && within as u64 * tokens <= 200 + tokens);
            }
        }
    }
}
