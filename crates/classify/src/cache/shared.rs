//! The level that nodes share, and the guard that keeps a sick one from costing time.
//!
//! A failure rests the level, longer with each one that follows; a rest is a miss without a wait.

use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::metrics::llm::{CacheLabels, LlmMetrics};
use bessemer_runtime::{BoxFuture, Clock};
use parking_lot::Mutex;

use super::Key;

/// The rest after a first failure.
const REST_MIN: Duration = Duration::from_secs(1);
/// No rest is longer.
const REST_MAX: Duration = Duration::from_secs(30);

/// Entries by key, in a server that others use too.
pub trait SharedCache: Send + Sync + 'static {
    /// What is known under these keys, in their order.
    fn get<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, SharedError>>;

    /// Keeps entries for a while.
    fn put<'a>(&'a self, entries: &'a [(Key, Vec<u8>)]) -> BoxFuture<'a, Result<(), SharedError>>;

    /// Forgets one.
    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), SharedError>>;
}

/// Why the level gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharedError {
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// It cannot be reached, or says no.
    #[error("{0}")]
    Refused(String),
    /// It rests after a failure.
    #[error("resting after a failure")]
    Resting,
}

impl SharedError {
    /// The word that counts it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Slow(_) => "slow",
            Self::Refused(_) => "error",
            Self::Resting => "resting",
        }
    }
}

/// A shared cache that is left alone while it is sick.
pub struct Guarded {
    cache: Arc<dyn SharedCache>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    rest: Mutex<Rest>,
    writes: prometheus_client::metrics::family::Family<
        CacheLabels,
        bessemer_pipeline::metrics::Counter,
    >,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    until: Duration,
    length: Duration,
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Guarded").field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl Guarded {
    /// Gives up on an answer after `timeout`.
    pub fn new(
        cache: Arc<dyn SharedCache>,
        clock: Arc<dyn Clock>,
        timeout: Duration,
        metrics: &LlmMetrics,
    ) -> Self {
        Self { cache, clock, timeout, rest: Mutex::default(), writes: metrics.cache.clone() }
    }

    /// What is known under these keys, in their order.
    pub async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, SharedError> {
        let answers = self.guarded(self.cache.get(keys)).await?;
        if answers.len() == keys.len() {
            return Ok(answers);
        }
        Err(SharedError::Refused(format!("{} answers to {} keys", answers.len(), keys.len())))
    }

    /// Keeps entries; a failure is a number in the metrics.
    pub async fn put(&self, entries: &[(Key, Vec<u8>)]) {
        if !entries.is_empty() {
            let result = self.guarded(self.cache.put(entries)).await;
            self.wrote(result);
        }
    }

    /// Forgets one; a failure is a number in the metrics, and the entry's time ends it.
    pub async fn remove(&self, key: &Key) {
        let result = self.guarded(self.cache.remove(key)).await;
        self.wrote(result);
    }

    fn wrote(&self, result: Result<(), SharedError>) {
        let outcome = result.map_or_else(|error| error.label(), |()| "written");
        let labels = CacheLabels { level: "shared", outcome };
        self.writes.get_or_create_owned(&labels).inc();
    }

    async fn guarded<T>(
        &self,
        answer: BoxFuture<'_, Result<T, SharedError>>,
    ) -> Result<T, SharedError> {
        if self.clock.monotonic() < self.rest.lock().until {
            return Err(SharedError::Resting);
        }
        let result = tokio::select! {
            result = answer => result,
            () = self.clock.sleep(self.timeout) => Err(SharedError::Slow(self.timeout)),
        };
        let mut rest = self.rest.lock();
        match &result {
            Ok(_) => *rest = Rest::default(),
            Err(error) => {
                let length = (rest.length * 2).clamp(REST_MIN, REST_MAX);
                if rest.length.is_zero() {
                    tracing::warn!(%error, "the shared cache of verdicts does not answer");
                }
                *rest = Rest { until: self.clock.monotonic() + length, length };
            }
        }
        result
    }
}
