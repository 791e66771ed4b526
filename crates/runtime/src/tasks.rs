//! The tasks of the process: spawned in one place, cancelled together, waited for.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A set of tasks with one cancellation signal. Clones share the set.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Tasks {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A set whose tasks are waited for apart, cancelled with this one or alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { tracker: TaskTracker::new(), cancel: self.cancel.child_token() }
    }

    /// Runs `task` to its end; it must watch [`Tasks::cancelled`] if it can be long.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(self.tracker.spawn(task));
    }

    /// Asks all tasks to end.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Completes once [`Tasks::cancel`] was called here or on a parent.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Whether the set was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Waits until every task ended, at most `limit`; says whether all did.
    pub async fn finished_within(&self, limit: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_set_finishes_and_a_stuck_one_is_reported() {
        let tasks = Tasks::new();
        let watcher = tasks.clone();
        tasks.spawn(async move { watcher.cancelled().await });
        assert!(!tasks.finished_within(Duration::from_secs(1)).await);
        tasks.cancel();
        assert!(tasks.finished_within(Duration::from_secs(1)).await);
    }

    #[tokio::test]
    async fn cancelling_a_child_leaves_the_parent_running() {
        let parent = Tasks::new();
        let child = parent.child();
        child.cancel();
        assert!(child.is_cancelled() && !parent.is_cancelled());
    }
}
