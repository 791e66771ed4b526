//! Small traits by which components serve each other and the admin API, found by component id.

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_runtime::BoxFuture;
use parking_lot::RwLock;
use serde::Serialize;

/// Reports by kind and component id.
type Reports = BTreeMap<(&'static str, String), Arc<dyn Report>>;

/// What components publish, by component id.
#[derive(Default)]
pub struct Services {
    event_queries: RwLock<BTreeMap<String, Arc<dyn EventQuery>>>,
    reports: RwLock<Reports>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stores: Vec<String> = self.event_queries.read().keys().cloned().collect();
        formatter.debug_struct("Services").field("event_queries", &stores).finish_non_exhaustive()
    }
}

impl Services {
    /// Publishes an event store under its component id.
    pub fn publish_event_query(&self, id: &str, query: Arc<dyn EventQuery>) {
        self.event_queries.write().insert(id.to_owned(), query);
    }

    /// Publishes a component's report of a kind: `compliance` or `cost`.
    pub fn publish_report(&self, kind: &'static str, id: &str, report: Arc<dyn Report>) {
        self.reports.write().insert((kind, id.to_owned()), report);
    }

    /// All reports of a kind, by component id.
    pub fn reports(&self, kind: &str) -> serde_json::Value {
        let reports = self.reports.read();
        let own = reports.iter().filter(|((one, _), _)| *one == kind);
        own.map(|((_, id), report)| (id.clone(), report.report())).collect()
    }

    /// The event store with this id, or the first one by name when `id` is `None`.
    pub fn event_query(&self, id: Option<&str>) -> Option<Arc<dyn EventQuery>> {
        let stores = self.event_queries.read();
        match id {
            Some(id) => stores.get(id).cloned(),
            None => stores.values().next().cloned(),
        }
    }
}

/// What a component can tell about its work so far.
pub trait Report: Send + Sync + 'static {
    /// Figures since the start of the process; never a value that was found.
    fn report(&self) -> serde_json::Value;
}

/// A store of events that can be asked.
pub trait EventQuery: Send + Sync + 'static {
    /// Events that match, newest first.
    fn query(&self, filter: EventFilter) -> BoxFuture<'_, Result<EventPage, QueryError>>;
}

/// Which events are wanted; every given field must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Exact `service.name`.
    pub service: Option<String>,
    /// Exact class: `critical`, `warning` or `info`.
    pub classification: Option<String>,
    /// Severity number at least this (OpenTelemetry, 1-24).
    pub severity_min: Option<u8>,
    /// Exact signal: `logs`, `metrics` or `traces`.
    pub signal: Option<String>,
    /// Not before, nanoseconds since the Unix epoch.
    pub from: Option<u64>,
    /// Before, nanoseconds since the Unix epoch.
    pub until: Option<u64>,
    /// Words that the text must contain.
    pub text: Option<String>,
    /// Events at most; the store may have a lower limit.
    pub limit: u32,
    /// Where an earlier page ended.
    pub cursor: Option<String>,
}

/// One stored event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Record id.
    pub id: String,
    /// Nanoseconds since the Unix epoch, as a string because JSON numbers lose it.
    pub time_unix_nano: String,
    /// RFC 3339 in UTC.
    pub time: String,
    /// `logs`, `metrics` or `traces`.
    pub signal: String,
    /// `service.name` of the resource, empty for none.
    pub service: String,
    /// Severity number, zero for none.
    pub severity_number: u8,
    /// Severity text, empty for none.
    pub severity: String,
    /// `critical`, `warning`, `info` or empty.
    pub classification: String,
    /// Body, span name or metric name; a structured body as JSON text.
    pub body: String,
    /// Record attributes.
    pub attributes: serde_json::Value,
    /// Resource attributes.
    pub resource: serde_json::Value,
}

/// A page of events, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Pass it as `cursor` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Why a query gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The question itself is wrong.
    #[error("{0}")]
    Bad(String),
    /// The store could not answer.
    #[error("the event store cannot answer: {0}")]
    Unavailable(String),
}
