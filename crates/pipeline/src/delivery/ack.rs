//! Who waits for `ack = "delivered"`: counts records down as destinations settle them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A client's batch on its way to all its destinations.
#[derive(Debug)]
pub(crate) struct AckGroup {
    owed: AtomicU64,
    abandoned: AtomicBool,
    changed: Notify,
    reason: Mutex<Option<String>>,
}

impl AckGroup {
    /// Waits for `owed` records times destinations.
    pub(crate) fn new(owed: u64) -> Arc<Self> {
        Arc::new(Self {
            owed: AtomicU64::new(owed),
            abandoned: AtomicBool::new(false),
            changed: Notify::new(),
            reason: Mutex::new(None),
        })
    }

    /// A destination settled this many records.
    pub(crate) fn settle(&self, records: u32) {
        let records = u64::from(records);
        let before = self.owed.fetch_sub(records, Ordering::AcqRel);
        debug_assert!(before >= records, "more records settled than were owed");
        if before <= records {
            self.changed.notify_one();
        }
    }

    /// Completes once nothing is owed.
    pub(crate) async fn settled(&self) {
        while self.owed.load(Ordering::Acquire) > 0 {
            self.changed.notified().await;
        }
    }

    /// The client was told to come back: destinations that did not start need not.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Keeps why a destination could not take it yet.
    pub(crate) fn note(&self, reason: &str) {
        *self.reason.lock() = Some(reason.to_owned());
    }

    /// The last reason kept.
    pub(crate) fn last_reason(&self) -> Option<String> {
        self.reason.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_completes_when_the_last_record_is_settled_and_not_before() {
        let group = AckGroup::new(5);
        group.settle(3);
        let early = tokio::time::timeout(std::time::Duration::from_secs(1), group.settled()).await;
        assert!(early.is_err());
        group.settle(2);
        group.settled().await;
    }
}
