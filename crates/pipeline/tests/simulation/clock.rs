//! Time that passes when nothing is left to do, over the lives of a process, and a wall clock that
//! can be set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bessemer_runtime::{BoxFuture, Clock};
use tokio::time::Instant;

/// The wall clock at the beginning of a simulation.
const BEGIN_UNIX_NANOS: i64 = 1_800_000_000_000_000_000;

/// The clock of one life. Clones share the wall clock's setting.
#[derive(Clone)]
pub(crate) struct SimClock {
    base: Duration,
    origin: Instant,
    jump_nanos: Arc<AtomicI64>,
}

impl SimClock {
    /// A clock that goes on from `base`, inside a runtime with paused time.
    pub(crate) fn new(base: Duration) -> Self {
        Self { base, origin: Instant::now(), jump_nanos: Arc::default() }
    }

    /// Sets the wall clock this much forward or back.
    pub(crate) fn jump(&self, nanos: i64) {
        self.jump_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Time since the simulation began.
    pub(crate) fn now(&self) -> Duration {
        self.base + self.origin.elapsed()
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        self.now()
    }

    fn unix_nanos(&self) -> u64 {
        let passed = i64::try_from(self.now().as_nanos()).unwrap_or(i64::MAX);
        let jump = self.jump_nanos.load(Ordering::Relaxed);
        let wall = BEGIN_UNIX_NANOS.saturating_add(passed).saturating_add(jump);
        u64::try_from(wall).unwrap_or_default()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
