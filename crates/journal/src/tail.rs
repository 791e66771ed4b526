//! The end of the visible records, and waiting for it to move.
//!
//! Whoever waits is woken in the order of waiting, so that a simulation replays exactly.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The number after the last visible record.
pub(crate) struct Tail {
    end: AtomicU64,
    version: AtomicU64,
    moved: Notify,
}

impl Tail {
    pub(crate) fn new(end: u64) -> Self {
        Self { end: AtomicU64::new(end), version: AtomicU64::new(0), moved: Notify::new() }
    }

    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Changes with every move and wake.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn move_to(&self, end: u64) {
        self.end.store(end, Ordering::Release);
        self.wake();
    }

    /// Lets all who wait look again.
    pub(crate) fn wake(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
        self.moved.notify_waiters();
    }

    /// Completes once the version is not `seen` any more.
    pub(crate) async fn changed(&self, seen: u64) {
        loop {
            // Made before the look, so that no wake falls between the two.
            let moved = self.moved.notified();
            if self.version() != seen {
                return;
            }
            moved.await;
        }
    }
}
