//! The one source of time, so that the same engine runs under a virtual clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::BoxFuture;

/// Monotonic time, wall time and sleeping.
pub trait Clock: Send + Sync + 'static {
    /// Time since an arbitrary fixed origin; never goes back. For deadlines and rates.
    fn monotonic(&self) -> Duration;

    /// Nanoseconds since the Unix epoch, zero for a clock set before it. For stamps only.
    fn unix_nanos(&self) -> u64;

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's clocks, read through tokio so that paused time works in tests.
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: tokio::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock the others are sent to")]
    fn unix_nanos(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sleeping_advances_monotonic_time_by_what_was_asked() {
        let clock = SystemClock::default();
        let before = clock.monotonic();
        clock.sleep(Duration::from_secs(3)).await;
        assert_eq!(clock.monotonic(), before + Duration::from_secs(3));
    }

    #[test]
    fn wall_time_is_after_2020() {
        let clock = tokio::runtime::Builder::new_current_thread().build().map(|runtime| {
            let _guard = runtime.enter();
            SystemClock::default()
        });
        assert!(clock.unwrap().unix_nanos() > 1_577_836_800_000_000_000);
    }
}
