//! The memory that `ack = "memory"` may hold, and the short wait for room in it.
//!
//! What does not fit goes to the journal, where it waits for a sync and is compressed, written and
//! read again: several times the work of handing it over. A destination that keeps up on average
//! still falls behind for milliseconds, so a batch waits that long for room. One that does not move
//! must not slow anybody down: after a wait in vain nobody waits until room was given back again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bessemer_runtime::{Budget, Clock, Permit};
use tokio::sync::Notify;

/// The longest wait for room; an append waits about as long for its sync on a slow disk.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// After a wait in vain nobody waits for this long: a destination that is slower than what arrives
/// delays fewer than one batch in a hundred.
const REST: Duration = Duration::from_secs(6);

/// Bytes that batches share while their destinations have not settled them.
pub(crate) struct Window {
    budget: Budget,
    freed: Arc<Freed>,
    clock: Arc<dyn Clock>,
    /// Nobody waits before, in milliseconds of the clock.
    rests_until: AtomicU64,
}

/// What shares tell the window when they are dropped.
#[derive(Debug, Default)]
struct Freed {
    happened: AtomicBool,
    notify: Notify,
}

/// A part of the window, given back on drop.
#[derive(Debug)]
pub(crate) struct Share {
    permit: Option<Permit>,
    freed: Arc<Freed>,
}

impl Drop for Share {
    fn drop(&mut self) {
        // Before the notice, so that who is woken finds the room.
        drop(self.permit.take());
        self.freed.happened.store(true, Ordering::Relaxed);
        self.freed.notify.notify_one();
    }
}

impl Window {
    pub(crate) fn new(bytes_max: u64, clock: Arc<dyn Clock>) -> Self {
        let freed = Arc::new(Freed { happened: AtomicBool::new(true), notify: Notify::new() });
        Self { budget: Budget::new(bytes_max), freed, clock, rests_until: AtomicU64::new(0) }
    }

    /// Room for `bytes`, after a short wait if destinations are settling; `None` when there is none.
    pub(crate) async fn take(&self, bytes: u64) -> Option<Share> {
        if let Some(share) = self.try_take(bytes) {
            return Some(share);
        }
        if !self.is_worth_waiting(bytes) {
            return None;
        }
        tokio::select! {
            biased;
            share = self.room(bytes) => return Some(share),
            () = self.clock.sleep(WAIT_MAX) => {}
        }
        self.freed.happened.store(false, Ordering::Relaxed);
        self.rests_until.store(self.now() + millis(REST), Ordering::Relaxed);
        None
    }

    fn is_worth_waiting(&self, bytes: u64) -> bool {
        bytes <= self.budget.limit()
            && self.freed.happened.load(Ordering::Relaxed)
            && self.now() >= self.rests_until.load(Ordering::Relaxed)
    }

    /// Tries again whenever room was given back. One notice may stand for room for several, so
    /// whoever found some passes it on.
    async fn room(&self, bytes: u64) -> Share {
        loop {
            self.freed.notify.notified().await;
            if let Some(share) = self.try_take(bytes) {
                self.freed.notify.notify_one();
                return share;
            }
        }
    }

    fn try_take(&self, bytes: u64) -> Option<Share> {
        let permit = Some(self.budget.try_take(bytes)?);
        Some(Share { permit, freed: Arc::clone(&self.freed) })
    }

    fn now(&self) -> u64 {
        millis(self.clock.monotonic())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bessemer_runtime::SystemClock;

    use super::*;

    fn window(bytes_max: u64) -> Window {
        Window::new(bytes_max, Arc::new(SystemClock::default()))
    }

    /// Whether there was room, and how long it took to know.
    async fn timed(window: &Window, bytes: u64) -> (bool, Duration) {
        let before = window.clock.monotonic();
        let share = window.take(bytes).await;
        (share.is_some(), window.clock.monotonic().saturating_sub(before))
    }

    #[tokio::test(start_paused = true)]
    async fn room_that_is_given_back_goes_to_all_who_wait_and_fit() {
        let window = window(10);
        let large = window.take(10).await.unwrap();
        let waiting = async { tokio::join!(window.take(4), window.take(6), window.take(1)) };
        let freeing = async {
            window.clock.sleep(WAIT_MAX / 2).await;
            drop(large);
        };
        let ((first, second, third), ()) = tokio::join!(waiting, freeing);
        assert!(first.is_some() && second.is_some() && third.is_none());
        assert_eq!(window.budget.used(), 10);
        drop((first, second));
        assert_eq!(window.budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_destination_that_stands_still_is_waited_for_once() {
        let window = window(10);
        let held = window.take(10).await.unwrap();
        assert_eq!(timed(&window, 1).await, (false, WAIT_MAX));
        window.clock.sleep(REST).await;
        assert_eq!(timed(&window, 1).await, (false, Duration::ZERO));
        drop(held);
        assert_eq!(timed(&window, 10).await, (true, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_destination_is_waited_for_again_after_a_rest() {
        let window = window(10);
        let (slow, small) = (window.take(8).await.unwrap(), window.take(1).await.unwrap());
        assert_eq!(timed(&window, 9).await, (false, WAIT_MAX));
        drop(small);
        assert_eq!(timed(&window, 9).await, (false, Duration::ZERO));
        window.clock.sleep(REST).await;
        assert_eq!(timed(&window, 9).await, (false, WAIT_MAX));
        drop(slow);
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_never_fit_is_not_waited_for() {
        assert_eq!(timed(&window(10), 11).await, (false, Duration::ZERO));
    }
}
