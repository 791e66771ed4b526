//! Keeps templates over restarts and shows them.
//!
//! What is new is stored at most every ten seconds, by the batch that comes then, and when the
//! component goes. Ids are hashes of what they stand for, so a crash loses counts and seldom an id.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_pipeline::services::Report;
use bessemer_pipeline::{Context, State};
use bessemer_runtime::Clock;

use super::escalate::Speaker;
use super::judge::Judge;

/// How often templates are stored at most.
const STORE_NANOS: u64 = 10_000_000_000;
/// How often counts are stored for their own sake.
const COUNTS_NANOS: u64 = 60_000_000_000;
/// Templates in a report at most.
const SHOWN_MAX: usize = 1_000;

/// A judge, and where its templates are kept.
pub(super) struct Keeper {
    pub(super) judge: Arc<Judge>,
    component: String,
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    /// When templates are stored next, nanoseconds since the Unix epoch.
    due: AtomicU64,
    /// When counts that moved are stored next.
    counts_due: AtomicU64,
}

impl Keeper {
    pub(super) fn new(judge: Judge, context: &Context) -> Self {
        let keeper = Self {
            judge: Arc::new(judge),
            component: context.id.clone(),
            state: Arc::clone(&context.state),
            clock: Arc::clone(&context.clock),
            due: AtomicU64::new(context.clock.unix_nanos() + STORE_NANOS),
            counts_due: AtomicU64::new(context.clock.unix_nanos() + COUNTS_NANOS),
        };
        if let Err(error) = keeper.judge.restore(&*keeper.state, &keeper.component) {
            tracing::warn!(component = keeper.component, %error, "templates could not be read");
        }
        if keeper.judge.has_templates() {
            let report: Arc<dyn Report> = Arc::clone(&keeper.judge) as Arc<dyn Report>;
            context.services.publish_report("templates", &context.id, report);
        }
        keeper
    }

    /// The time, in nanoseconds since the Unix epoch.
    pub(super) fn now(&self) -> u64 {
        self.clock.unix_nanos()
    }

    /// What tells of raised templates.
    pub(super) fn speaker(&self) -> Option<Speaker> {
        Speaker::of(&self.judge, &self.component, &self.clock)
    }

    /// Stores what is new when it is time; one of several workers does.
    pub(super) fn store_when_due(&self, now: u64) {
        if !self.judge.has_templates() {
            return;
        }
        let due = self.due.load(Ordering::Relaxed);
        let next = now.saturating_add(STORE_NANOS);
        let order = Ordering::Relaxed;
        if now >= due && self.due.compare_exchange(due, next, order, order).is_ok() {
            self.change_counted(now);
            self.store();
        }
    }

    /// Stores all that is new.
    pub(super) fn flush(&self) {
        while self.store() {}
    }

    /// Has counts stored when it is time; only the worker that stores is here.
    fn change_counted(&self, now: u64) {
        if now >= self.counts_due.load(Ordering::Relaxed) {
            self.counts_due.store(now.saturating_add(COUNTS_NANOS), Ordering::Relaxed);
            self.judge.change_counted();
        }
    }

    /// Stores what is new, a part of it if it is much; says whether there may be more.
    fn store(&self) -> bool {
        let changes = self.judge.take_changes();
        if changes.is_empty() {
            return false;
        }
        let stored = self.state.apply(&self.component, &changes);
        if let Err(error) = &stored {
            tracing::warn!(component = self.component, %error, "templates were not stored");
            self.judge.change_all();
        }
        stored.is_ok()
    }
}

impl Drop for Keeper {
    /// The counts too, which are stored once a minute on the way.
    fn drop(&mut self) {
        self.judge.change_all();
        self.flush();
    }
}

impl Report for Judge {
    fn report(&self) -> serde_json::Value {
        serde_json::json!(self.templates(SHOWN_MAX))
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keeper").field("component", &self.component).finish_non_exhaustive()
    }
}
