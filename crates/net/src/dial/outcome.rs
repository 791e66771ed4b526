//! Trying again: the policy, the clock and the randomness put together.

use std::time::Duration;

use super::channel::Channel;
use crate::retry::Policy;

/// How a request ended after all of its tries.
#[derive(Debug)]
pub struct Outcome<T, E> {
    /// What the last try gave.
    pub result: Result<T, E>,
    /// Tries made.
    pub attempts: u32,
    /// The time the last try took.
    pub latency: Duration,
    /// The time from the first try to the end of the last, waits included.
    pub elapsed: Duration,
    /// The wait the destination asked for with its last answer.
    pub retry_after: Option<Duration>,
}

/// What one try means for the next.
pub(super) enum Next {
    /// Delivered, or refused for good.
    Stop,
    /// Worth another try, after the wait the destination asked for.
    Retry(Option<Duration>),
}

/// Tries until `next` says stop, the policy ends, or the channel is closed.
pub(super) async fn retry<T, E, F: Future<Output = Result<T, E>>>(
    channel: &Channel,
    policy: &Policy,
    attempt: impl Fn() -> F,
    next: impl Fn(&Result<T, E>) -> Next,
) -> Outcome<T, E> {
    let clock = channel.clock();
    let began = clock.monotonic();
    let mut attempts = 0;
    loop {
        let tried_at = clock.monotonic();
        let result = attempt().await;
        attempts += 1;
        let now = clock.monotonic();
        let (latency, elapsed) = (now.saturating_sub(tried_at), now.saturating_sub(began));
        let (retry_after, delay) = match next(&result) {
            Next::Stop => (None, None),
            Next::Retry(asked) => (asked, policy.next_delay(attempts, asked, channel.random())),
        };
        let outcome = Outcome { result, attempts, latency, elapsed, retry_after };
        let Some(delay) = delay.filter(|delay| policy.allows(elapsed, *delay)) else {
            return outcome;
        };
        tokio::select! {
            () = clock.sleep(delay) => {}
            () = channel.closed() => return outcome,
        }
    }
}
