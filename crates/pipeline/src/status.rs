//! How the engine and its destinations fare, for health pages and the live summary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::Serialize;

use crate::alerts::{Alert, Alerts};
use crate::engine::Hub;

/// How one destination fares; written by its worker.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failing: AtomicBool,
    reason: Mutex<String>,
}

impl Health {
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Why the last try failed, if it did.
    pub(crate) fn reason(&self) -> Option<String> {
        self.is_failing().then(|| self.reason.lock().clone())
    }

    /// Notes a failed try; whether it is the first in a row.
    pub(crate) fn fail(&self, reason: &str) -> bool {
        let first = !self.failing.swap(true, Ordering::Relaxed);
        reason.clone_into(&mut self.reason.lock());
        first
    }

    /// Notes that the destination answers; whether it did not before.
    pub(crate) fn recover(&self) -> bool {
        self.failing.load(Ordering::Relaxed) && self.failing.swap(false, Ordering::Relaxed)
    }
}

/// One destination as pages show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DestinationStatus {
    /// Component id.
    pub id: String,
    /// Whether its last delivery was taken.
    pub healthy: bool,
    /// Why not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Records in its queue on disk.
    pub queue_records: u64,
    /// Bytes in its queue on disk.
    pub queue_bytes: u64,
    /// Age of the oldest of them, seconds.
    pub queue_age_s: u64,
    /// Records in its dead-letter log.
    pub dead_records: u64,
    /// Records that its books do not explain; 0.
    pub unaccounted: i64,
}

/// A view of a running engine that can outlive it. Clones share it.
#[derive(Debug, Clone)]
pub struct Status {
    pub(crate) hub: Arc<Hub>,
    pub(crate) destinations: Arc<Vec<(String, Arc<Health>)>>,
    pub(crate) alerts: Arc<Alerts>,
}

impl Status {
    /// Whether new data is taken; if not, why.
    pub fn readiness(&self) -> Result<(), String> {
        if self.hub.is_closing() {
            return Err("shutting down".to_owned());
        }
        let trouble = self.hub.journal.trouble();
        trouble.map_or(Ok(()), |reason| Err(format!("journal failing: {reason}")))
    }

    /// What an operator should look at, as of a second ago.
    pub fn alerts(&self) -> Vec<Alert> {
        self.alerts.raised()
    }

    /// Every destination in the order of its id.
    pub fn destinations(&self) -> Vec<DestinationStatus> {
        let stats = self.hub.journal.stats();
        let status =
            |((id, health), sink): (&(String, Arc<Health>), &bessemer_journal::SinkStats)| {
                let reason = health.reason();
                DestinationStatus {
                    id: id.clone(),
                    healthy: reason.is_none(),
                    reason: reason.unwrap_or_default(),
                    queue_records: sink.backlog_records,
                    queue_bytes: sink.backlog_bytes,
                    queue_age_s: sink.oldest_age.as_secs(),
                    dead_records: sink.dead_records,
                    unaccounted: sink.account.unaccounted(sink.backlog_records),
                }
            };
        self.destinations.iter().zip(&stats.sinks).map(status).collect()
    }
}
