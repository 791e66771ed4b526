//! Small traits by which components serve each other and the admin API, found by component id.

mod feedback;
mod similar;

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_runtime::{BoxFuture, Tasks};
use parking_lot::{Mutex, RwLock};
use serde::Serialize;

use crate::catalog::SettingsError;
use crate::receiver::StartError;
pub use feedback::{Corrected, Correction, Feedback, FeedbackError};
pub use similar::{Like, Similar};

/// Reports by kind and component id.
type Reports = BTreeMap<(&'static str, String), Arc<dyn Report>>;

/// What components offer each other, by type and component id.
type Offers = BTreeMap<(TypeId, String), Arc<dyn Any + Send + Sync>>;

/// What is asked once every component is built.
type Check = Box<dyn FnOnce() -> Result<(), SettingsError> + Send>;

/// What runs beside the flow from start to end.
type Job = Box<dyn FnOnce(Tasks) -> BoxFuture<'static, Result<(), StartError>> + Send>;

/// What components publish, by component id.
#[derive(Default)]
pub struct Services {
    event_queries: RwLock<BTreeMap<String, Arc<dyn EventQuery>>>,
    reports: RwLock<Reports>,
    offers: RwLock<Offers>,
    checks: Mutex<Vec<(String, Check)>>,
    jobs: Mutex<Vec<Job>>,
    explains: RwLock<BTreeMap<String, Arc<dyn Explain>>>,
    feedbacks: RwLock<BTreeMap<String, Arc<dyn Feedback>>>,
    similars: RwLock<BTreeMap<String, Arc<dyn Similar>>>,
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

    /// Offers `what` to other components, under the id of the component that made it.
    pub fn offer<T: Any + Send + Sync>(&self, id: &str, what: Arc<T>) {
        self.offers.write().insert((TypeId::of::<T>(), id.to_owned()), what);
    }

    /// What component `id` offers of this type. Extensions are built before all others; of the
    /// others ask when the process starts and not while building.
    pub fn find<T: Any + Send + Sync>(&self, id: &str) -> Option<Arc<T>> {
        let offers = self.offers.read();
        let offer = Arc::clone(offers.get(&(TypeId::of::<T>(), id.to_owned()))?);
        drop(offers);
        offer.downcast().ok()
    }

    /// The one `T` of the process, made by the first who asks.
    pub fn shared<T: Any + Send + Sync, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut offers = self.offers.write();
        let key = (TypeId::of::<T>(), String::new());
        if let Some(known) = offers.get(&key).and_then(|known| Arc::clone(known).downcast().ok()) {
            return Ok(known);
        }
        let made = Arc::new(make()?);
        offers.insert(key, Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
        Ok(made)
    }

    /// Adds what can be said of the settings of component `id` only once every component is built:
    /// whether those that it names are what it needs.
    pub fn on_built(
        &self,
        id: &str,
        check: impl FnOnce() -> Result<(), SettingsError> + Send + 'static,
    ) {
        self.checks.lock().push((id.to_owned(), Box::new(check)));
    }

    /// What is wrong by those checks, with the component's id; asks each once.
    pub fn check(&self) -> Vec<(String, SettingsError)> {
        let checks = std::mem::take(&mut *self.checks.lock());
        let asked = checks.into_iter().map(|(id, check)| check().map_err(|error| (id, error)));
        asked.filter_map(Result::err).collect()
    }

    /// Adds work that begins when the process starts: it opens what must be open before the process
    /// is ready, and spawns the rest into the tasks, which are cancelled after the drain.
    pub fn on_start(
        &self,
        job: impl FnOnce(Tasks) -> BoxFuture<'static, Result<(), StartError>> + Send + 'static,
    ) {
        self.jobs.lock().push(Box::new(job));
    }

    /// Begins all work that components added, in their order.
    pub async fn start(&self, tasks: &Tasks) -> Result<(), StartError> {
        let jobs = std::mem::take(&mut *self.jobs.lock());
        for job in jobs {
            job(tasks.clone()).await?;
        }
        Ok(())
    }

    /// All reports of a kind, by component id.
    pub fn reports(&self, kind: &str) -> serde_json::Value {
        let reports = self.reports.read();
        let own = reports.iter().filter(|((one, _), _)| *one == kind);
        own.map(|((_, id), report)| (id.clone(), report.report())).collect()
    }

    /// Publishes what can say why a message has its label.
    pub fn publish_explain(&self, id: &str, explain: Arc<dyn Explain>) {
        self.explains.write().insert(id.to_owned(), explain);
    }

    /// Why a message has its label, by component id.
    pub fn explain(&self, message: &str, severity: u8) -> serde_json::Value {
        let explains = self.explains.read();
        let each = explains.iter();
        each.map(|(id, explain)| (id.clone(), explain.explain(message, severity))).collect()
    }

    /// Publishes what takes corrections of labels.
    pub fn publish_feedback(&self, id: &str, feedback: Arc<dyn Feedback>) {
        self.feedbacks.write().insert(id.to_owned(), feedback);
    }

    /// Publishes what knows critical templates of the past.
    pub fn publish_similar(&self, id: &str, similar: Arc<dyn Similar>) {
        self.similars.write().insert(id.to_owned(), similar);
    }

    /// Critical templates of the past that a message is like, by component id.
    pub fn similar(&self, message: &str) -> BTreeMap<String, Vec<Like>> {
        let similars = self.similars.read();
        similars.iter().map(|(id, similar)| (id.clone(), similar.similar(message))).collect()
    }

    /// What knows them for component `id`, or for the only one when `id` is `None`.
    pub fn similar_of(&self, id: Option<&str>) -> Result<Arc<dyn Similar>, FeedbackError> {
        let similars = self.similars.read();
        let mut fitting = similars.iter().filter(|(one, _)| id.is_none_or(|id| **one == *id));
        match (fitting.next(), fitting.next()) {
            (Some((_, similar)), None) => Ok(Arc::clone(similar)),
            (Some(_), Some(_)) => {
                let ids: Vec<&str> = similars.keys().map(String::as_str).collect();
                Err(FeedbackError::Bad(format!("name a component: one of {}", ids.join(", "))))
            }
            (None, _) => Err(FeedbackError::NotFound(
                "no such classify processor has `similar.enabled`".to_owned(),
            )),
        }
    }

    /// All corrections that hold, by component id.
    pub fn corrected(&self) -> BTreeMap<String, Vec<Corrected>> {
        let feedbacks = self.feedbacks.read();
        feedbacks.iter().map(|(id, feedback)| (id.clone(), feedback.corrected())).collect()
    }

    /// What takes corrections for component `id`, or for the only one when `id` is `None`.
    pub fn feedback(&self, id: Option<&str>) -> Result<(String, Arc<dyn Feedback>), FeedbackError> {
        let feedbacks = self.feedbacks.read();
        let mut fitting = feedbacks.iter().filter(|(one, _)| id.is_none_or(|id| **one == *id));
        match (fitting.next(), fitting.next()) {
            (Some((id, feedback)), None) => Ok((id.clone(), Arc::clone(feedback))),
            (Some(_), Some(_)) => {
                let ids: Vec<&str> = feedbacks.keys().map(String::as_str).collect();
                Err(FeedbackError::Bad(format!("name a component: one of {}", ids.join(", "))))
            }
            (None, _) => Err(FeedbackError::NotFound(
                "no such classify processor has templates; enable them in its settings".to_owned(),
            )),
        }
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

/// What can say why a message has its label.
pub trait Explain: Send + Sync + 'static {
    /// The label of a log record with this body and severity number, and what speaks for it.
    fn explain(&self, message: &str, severity: u8) -> serde_json::Value;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_found_by_its_type_and_id() {
        let services = Services::default();
        services.offer("a", Arc::new(7_u32));
        assert_eq!(services.find::<u32>("a").as_deref(), Some(&7));
        assert_eq!(services.find::<u64>("a"), None);
        assert_eq!(services.find::<u32>("b"), None);
    }

    #[test]
    fn what_is_shared_is_made_once() {
        let services = Services::default();
        let failed: Result<Arc<u32>, &str> = services.shared(|| Err("no"));
        assert_eq!(failed, Err("no"));
        let first: Result<Arc<u32>, &str> = services.shared(|| Ok(1));
        let second: Result<Arc<u32>, &str> = services.shared(|| Ok(2));
        assert_eq!((*first.unwrap(), *second.unwrap()), (1, 1));
    }

    #[test]
    fn what_is_wrong_between_components_is_told_with_its_component() {
        let services = Services::default();
        let error = SettingsError::new("providers", "is none", "name one");
        let told = error.clone();
        services.on_built("good", || Ok(()));
        services.on_built("bad", || Err(told));
        assert_eq!(services.check(), [("bad".to_owned(), error)]);
        assert_eq!(services.check(), []);
    }

    #[tokio::test]
    async fn work_begins_once_and_the_first_that_cannot_is_told() {
        let services = Services::default();
        let begun = Arc::new(Mutex::new(0));
        let count = Arc::clone(&begun);
        services.on_start(move |_| {
            *count.lock() += 1;
            Box::pin(async { Ok(()) })
        });
        services.start(&Tasks::new()).await.unwrap();
        services.start(&Tasks::new()).await.unwrap();
        assert_eq!(*begun.lock(), 1);
        let error = StartError { component: "x".into(), problem: "no".into(), remedy: "y".into() };
        let told = error.clone();
        services.on_start(move |_| Box::pin(async { Err(told) }));
        assert_eq!(services.start(&Tasks::new()).await, Err(error));
    }
}
