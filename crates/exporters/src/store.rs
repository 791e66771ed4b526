//! `bessemer.exporter.store`: the embedded event store, one SQLite file with full-text search.
//!
//! A log record, a span or a metric becomes one row. Its record id is unique in the table, so a
//! delivery that comes twice changes nothing. A transaction is synced before its records count as
//! delivered. Rows older than the retention are removed in small steps between deliveries.

mod query;
mod rows;
mod schema;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, QueueSettings, read};
use bessemer_pipeline::{
    Built, Context, Delivery, EventFilter, EventPage, EventQuery, Exporter, QueryError, Services,
    SettingsError, StartError, Verdict,
};
use bessemer_runtime::{BoxFuture, Clock, Span};
use parking_lot::Mutex;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"bessemer.exporter.store "example" {
  retention = "72h"
}
"#;

/// How often old rows are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(10);
/// Rows removed in one step at most.
const PRUNE_ROWS: u32 = 10_000;

/// Settings of `bessemer.exporter.store`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The database file; by default `LABEL.db` in the folder `store` of the data directory.
    pub path: Option<String>,
    /// How long events are kept, by their own time.
    pub retention: Span,
    /// Events kept at most; the oldest go first. Zero for no limit but the retention.
    pub events_max: u64,
    /// How its queue on disk behaves.
    pub queue: QueueSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: None,
            retention: Span(Duration::from_hours(72)),
            events_max: 10_000_000,
            queue: QueueSettings::default(),
        }
    }
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    if settings.retention.0.is_zero() {
        let remedy = "write a duration such as \"72h\"";
        return Err(SettingsError::new("retention", "is zero", remedy).into());
    }
    let label = context.id.rsplit('.').next().unwrap_or("store");
    let path = match &settings.path {
        Some(path) => PathBuf::from(path),
        None => context.storage.join("store").join(format!("{label}.db")),
    };
    let exporter = Store {
        id: context.id.clone(),
        inner: Arc::new(Inner {
            path,
            retention: settings.retention.0,
            events_max: settings.events_max,
            clock: Arc::clone(&context.clock),
            writer: Mutex::new(None),
            reader: Mutex::new(None),
            pruned_at: AtomicU64::new(0),
        }),
        services: Arc::clone(&context.services),
    };
    Ok(Built::Exporter { exporter: Arc::new(exporter), queue: settings.queue })
}

struct Store {
    id: String,
    inner: Arc<Inner>,
    services: Arc<Services>,
}

struct Inner {
    path: PathBuf,
    retention: Duration,
    events_max: u64,
    clock: Arc<dyn Clock>,
    writer: Mutex<Option<Connection>>,
    reader: Mutex<Option<Connection>>,
    /// Milliseconds of the monotonic clock at the last removal of old rows.
    pruned_at: AtomicU64,
}

impl Exporter for Store {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        let (inner, delivery) = (Arc::clone(&self.inner), delivery.clone());
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || inner.write(&delivery)).await {
                Ok(Ok(())) => Verdict::Delivered,
                Ok(Err(error)) => Verdict::retry(error.to_string()),
                Err(error) => Verdict::retry(error.to_string()),
            }
        })
    }

    fn concurrency_max(&self) -> usize {
        1
    }

    fn open(&self) -> BoxFuture<'_, Result<(), StartError>> {
        let opened = self.inner.open().map_err(|problem| StartError {
            component: self.id.clone(),
            problem: format!("cannot open {}: {problem}", self.inner.path.display()),
            remedy: "check that the directory can be written and the file is a store".to_owned(),
        });
        if opened.is_ok() {
            self.services
                .publish_event_query(&self.id, Arc::new(Query { inner: Arc::clone(&self.inner) }));
        }
        Box::pin(std::future::ready(opened))
    }
}

impl Inner {
    fn open(&self) -> Result<(), String> {
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| error.to_string())?;
        }
        let writer = schema::open(&self.path).map_err(|error| error.to_string())?;
        let reader = schema::open_reader(&self.path).map_err(|error| error.to_string())?;
        *self.writer.lock() = Some(writer);
        *self.reader.lock() = Some(reader);
        Ok(())
    }

    fn write(&self, delivery: &Delivery) -> rusqlite::Result<()> {
        let mut writer = self.writer.lock();
        let Some(connection) = writer.as_mut() else {
            return Err(rusqlite::Error::InvalidPath(self.path.clone()));
        };
        let transaction = connection.transaction()?;
        rows::insert(&transaction, delivery)?;
        if self.is_prune_due() {
            self.prune(&transaction)?;
        }
        transaction.commit()
    }

    fn is_prune_due(&self) -> bool {
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        let every = u64::try_from(PRUNE_EVERY.as_millis()).unwrap_or(u64::MAX);
        let due = now.saturating_sub(self.pruned_at.load(Ordering::Relaxed)) >= every;
        if due {
            self.pruned_at.store(now, Ordering::Relaxed);
        }
        due
    }

    fn prune(&self, connection: &Connection) -> rusqlite::Result<()> {
        let retention = u64::try_from(self.retention.as_nanos()).unwrap_or(u64::MAX);
        let oldest = self.clock.unix_nanos().saturating_sub(retention);
        schema::remove_before(connection, oldest, PRUNE_ROWS)?;
        if self.events_max > 0 {
            schema::remove_surplus(connection, self.events_max, PRUNE_ROWS)?;
        }
        Ok(())
    }
}

/// The published face of the store; asks on a connection of its own.
struct Query {
    inner: Arc<Inner>,
}

impl EventQuery for Query {
    fn query(&self, filter: EventFilter) -> BoxFuture<'_, Result<EventPage, QueryError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || {
                let reader = inner.reader.lock();
                match reader.as_ref() {
                    Some(connection) => query::page(connection, &filter),
                    None => Err(QueryError::Unavailable("not open yet".to_owned())),
                }
            });
            asked.await.unwrap_or_else(|error| Err(QueryError::Unavailable(error.to_string())))
        })
    }
}

#[cfg(test)]
mod tests;
