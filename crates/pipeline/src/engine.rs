//! The running engine: takes processed batches as the receiver's `ack` asks, owns the journal and
//! the workers, and goes down without losing what it acknowledged.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bessemer_journal::{Append, AppendError, Journal, KeySource, OpenError, Routes, SinkIndex};
use bessemer_record::Signal;
use bessemer_runtime::{Clock, Random, Tasks};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::delivery::ack::AckGroup;
use crate::delivery::direct::Direct;
use crate::delivery::window::Window;
use crate::exporter::{Part, RecordId};
use crate::ledger::Ledger;
use crate::meta::Meta;
use crate::metrics::Metrics;
use crate::outlet::{Ack, Incoming, Refusal};
use crate::program::{Output, Processed};
use crate::status::Status;

/// Bytes that `ack = "memory"` and `ack = "delivered"` may hold in memory over all exporters.
pub const WINDOW_BYTES_MAX: u64 = 32 << 20;
/// Batches that wait in memory for one exporter and lane at most.
pub(crate) const DIRECT_QUEUE_MAX: usize = 1024;
/// When a client comes back after the journal was full or failing.
const COME_BACK: Duration = Duration::from_secs(1);
/// How often queue figures and rates are measured.
const OBSERVE_EVERY: Duration = Duration::from_secs(1);
const RATE_SECONDS: usize = 10;

/// How the engine runs, beside the graph.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the journal, stores and state live.
    pub storage: PathBuf,
    /// Bytes of the journal on disk at most.
    pub journal_bytes_max: u64,
    /// Share of those, in percent, at which an alert is raised; zero for never.
    pub journal_alert_percent: u8,
    /// Whether the journal syncs; off only in tests and benchmarks of its cost.
    pub sync: bool,
    /// What the journal keeps for replay.
    pub retention: Retention,
    /// What the journal is sealed with; none leaves it readable by all who can read its files.
    pub keys: Option<Arc<dyn KeySource>>,
}

/// What of the journal is kept although every destination has it, as long as there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// This many bytes on disk.
    pub bytes: u64,
    /// All that is younger.
    pub age: Duration,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The journal could not be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The state file could not be opened.
    #[error(transparent)]
    State(#[from] crate::state::StateError),
    /// The graph could not be compiled.
    #[error(transparent)]
    Plan(#[from] crate::plan::PlanError),
    /// A component could not start.
    #[error(transparent)]
    Start(#[from] crate::receiver::StartError),
}

/// Takes what programs made and hands it on.
pub struct Hub {
    pub(crate) journal: Journal,
    pub(crate) sinks: Vec<SinkHandle>,
    /// Stages with memory among the sinks: they take records from the journal only.
    staged: Routes,
    pub(crate) clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    window: Window,
    run: u64,
    next_direct: AtomicU64,
    processed: AtomicU64,
    closing: AtomicBool,
}

/// The memory side of one exporter's queue.
#[derive(Debug, Clone)]
pub(crate) struct SinkHandle {
    pub(crate) urgent: mpsc::Sender<Direct>,
    pub(crate) normal: mpsc::Sender<Direct>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Hub").field("sinks", &self.sinks.len()).finish_non_exhaustive()
    }
}

impl Hub {
    pub(crate) fn new(
        journal: Journal,
        (sinks, staged): (Vec<SinkHandle>, Routes),
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            journal,
            sinks,
            window: Window::new(WINDOW_BYTES_MAX, Arc::clone(&clock)),
            staged,
            clock,
            metrics,
            run: random.next_u64(),
            next_direct: AtomicU64::new(0),
            processed: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        }
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(crate) fn count_processed(&self, records: u32) {
        self.processed.fetch_add(u64::from(records), Ordering::Relaxed);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Refuses what arrives from now on.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Makes a processed batch as safe as `ack` promises.
    pub(crate) async fn take(
        &self,
        incoming: &Incoming,
        processed: &Processed,
        ack: Ack,
        ack_timeout: Duration,
    ) -> Result<(), Refusal> {
        if self.closing.load(Ordering::Relaxed) {
            return Err(Refusal::Unavailable {
                retry_after: COME_BACK,
                reason: "shutting down".to_owned(),
            });
        }
        if processed.outputs.is_empty() {
            return Ok(());
        }
        match ack {
            Ack::Disk => self.append([(&incoming.meta, processed.outputs.as_slice())]).await,
            Ack::Memory => self.take_in_memory(incoming, &processed.outputs).await,
            Ack::Delivered => self.deliver(incoming, &processed.outputs, ack_timeout).await,
        }
    }

    /// Appends all or nothing.
    pub(crate) async fn append<'a>(
        &self,
        batches: impl IntoIterator<Item = (&'a Meta, &'a [Output])>,
    ) -> Result<(), Refusal> {
        let mut entries = Vec::new();
        for (meta, outputs) in batches {
            entries.extend(outputs.iter().map(|output| Append {
                routes: output.routes,
                lane: output.lane,
                items: output.records,
                meta: Bytes::from(meta.encode(output.signal)),
                payload: output.payload.clone(),
            }));
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.journal.append(entries).await.map(drop).map_err(|error| append_refusal(&error))
    }

    /// Hands over what fits into the window, now or in a moment; the rest goes to the journal.
    async fn take_in_memory(&self, incoming: &Incoming, outputs: &[Output]) -> Result<(), Refusal> {
        let mut left = Vec::new();
        for output in outputs {
            let missed = match self.window.take(output.payload.len() as u64).await {
                Some(share) => {
                    let direct = self.direct(incoming, output).holding(Arc::new(share));
                    self.offer(output, &direct)
                }
                None => output.routes,
            };
            if !missed.is_empty() {
                left.push(Output { routes: missed, ..output.clone() });
            }
        }
        self.append([(&incoming.meta, left.as_slice())]).await
    }

    /// The routes whose queue had no room.
    fn offer(&self, output: &Output, direct: &Direct) -> Routes {
        let mut missed = Routes::default();
        for sink in output.routes.iter() {
            let sent = self
                .sinks
                .get(usize::from(sink.0))
                .is_some_and(|sink| sink.queue(output.lane).try_send(direct.clone()).is_ok());
            if !sent {
                missed.insert(sink);
            }
        }
        missed
    }

    /// Waits until every destination settled every record.
    async fn deliver(
        &self,
        incoming: &Incoming,
        outputs: &[Output],
        limit: Duration,
    ) -> Result<(), Refusal> {
        let (staged, outputs) = self.parted(outputs);
        let owed = outputs
            .iter()
            .map(|output| u64::from(output.records) * u64::from(output.routes.count()));
        let group = AckGroup::new(owed.sum());
        let all = async {
            for output in &outputs {
                let direct = self.direct(incoming, output).answering(Arc::clone(&group));
                self.hand_over(output, &direct).await;
            }
            group.settled().await;
        };
        tokio::select! {
            biased;
            () = all => return self.append([(&incoming.meta, staged.as_slice())]).await,
            () = self.clock.sleep(limit) => {}
        }
        group.abandon();
        Err(Refusal::Unavailable {
            retry_after: COME_BACK,
            reason: group
                .last_reason()
                .unwrap_or_else(|| format!("not every destination answered within {limit:?}")),
        })
    }

    /// What goes to stages, which is delivered once it is in the journal, and what to exporters.
    fn parted(&self, outputs: &[Output]) -> (Vec<Output>, Vec<Output>) {
        let side = |is_staged: bool| {
            let part = |output: &Output| {
                let own = |sink: &SinkIndex| self.staged.contains(*sink) == is_staged;
                let routes = Routes::to(output.routes.iter().filter(own));
                (!routes.is_empty()).then(|| Output { routes, ..output.clone() })
            };
            outputs.iter().filter_map(part).collect()
        };
        (side(true), side(false))
    }

    /// Queues for every destination, waiting for room. A queue whose worker has ended takes
    /// nothing; its records stay owed.
    async fn hand_over(&self, output: &Output, direct: &Direct) {
        for sink in output.routes.iter() {
            if let Some(sink) = self.sinks.get(usize::from(sink.0))
                && sink.queue(output.lane).send(direct.clone()).await.is_err()
            {
                tracing::debug!("a worker has ended; its client is told to come back");
            }
        }
    }

    fn direct(&self, incoming: &Incoming, output: &Output) -> Direct {
        let number = self.next_direct.fetch_add(u64::from(output.records), Ordering::Relaxed);
        let part = Part {
            first: RecordId { incarnation: self.run, number },
            records: output.records,
            meta: Arc::new(incoming.meta.clone()),
            payload: output.payload.clone(),
        };
        let encoded = incoming.encoded.clone().filter(|_| output.unchanged);
        Direct::new(output.signal, output.lane, part, encoded)
    }

    /// Writes what memory still holds to the journal, for one destination.
    pub(crate) async fn rescue(&self, sink: SinkIndex, direct: &Direct) -> Result<(), AppendError> {
        let mut routes = Routes::default();
        routes.insert(sink);
        let entry = Append {
            routes,
            lane: direct.lane,
            items: direct.part.records,
            meta: Bytes::from(direct.part.meta.encode(direct.signal)),
            payload: direct.part.payload.clone(),
        };
        self.journal.append(vec![entry]).await.map(drop)
    }
}

impl SinkHandle {
    pub(crate) fn queue(&self, lane: bessemer_journal::Lane) -> &mpsc::Sender<Direct> {
        match lane {
            bessemer_journal::Lane::Urgent => &self.urgent,
            bessemer_journal::Lane::Normal => &self.normal,
        }
    }
}

fn append_refusal(error: &AppendError) -> Refusal {
    let reason = error.to_string();
    match error {
        AppendError::Full { retry_after, .. } => {
            Refusal::Overloaded { retry_after: *retry_after, reason }
        }
        AppendError::TooLarge { .. } | AppendError::NoItems => Refusal::Rejected { reason },
        AppendError::Io(_) | AppendError::Closed => {
            Refusal::Unavailable { retry_after: COME_BACK, reason }
        }
    }
}

/// The running engine.
pub struct Engine {
    pub(crate) hub: Arc<Hub>,
    pub(crate) status: Status,
    pub(crate) ledger: Ledger,
    pub(crate) receivers: Tasks,
    pub(crate) stages: Tasks,
    pub(crate) exporters: Tasks,
    pub(crate) observer: Tasks,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Engine {
    /// How it fares, now and later.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Where every record stands, now and later.
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// The journal, for tools and figures.
    pub fn journal(&self) -> &Journal {
        &self.hub.journal
    }

    /// Stops receiving, lets exporters deliver what they can within `limit`, and closes the
    /// journal. What was acknowledged and not delivered stays there.
    pub async fn drain(self, limit: Duration) {
        self.receivers.cancel();
        let receivers_done = self.receivers.finished_within(limit / 2).await;
        self.hub.close();
        // Before the exporters, so that these still deliver what was held.
        self.stages.cancel();
        let stages_done = self.stages.finished_within(limit / 4).await;
        self.exporters.cancel();
        let exporters_done = self.exporters.finished_within(limit).await;
        if !(receivers_done && stages_done && exporters_done) {
            tracing::warn!(
                receivers_done,
                stages_done,
                exporters_done,
                "drain took longer than its limit"
            );
        }
        self.observer.cancel();
        self.ledger.mark();
        self.hub.journal.clone().close().await;
    }

    pub(crate) fn observe(&self) {
        let hub = Arc::clone(&self.hub);
        let status = self.status.clone();
        let ledger = self.ledger.clone();
        let tasks = self.observer.clone();
        self.observer.spawn(async move {
            let mut rates = [0_u64; RATE_SECONDS];
            let mut before = 0;
            for tick in 0_usize.. {
                tokio::select! {
                    biased;
                    () = tasks.cancelled() => return,
                    () = hub.clock.sleep(OBSERVE_EVERY) => {}
                }
                let now = hub.processed.load(Ordering::Relaxed);
                if let Some(slot) = rates.get_mut(tick % RATE_SECONDS) {
                    *slot = now - before;
                }
                before = now;
                let rate = rates.iter().sum::<u64>() / RATE_SECONDS as u64;
                hub.metrics.processing_rate.set(i64::try_from(rate).unwrap_or(i64::MAX));
                observe_queues(&hub, &status);
                ledger.mark();
                status.alerts.look(&hub.journal.stats(), &hub.metrics);
            }
        });
    }
}

fn observe_queues(hub: &Hub, status: &Status) {
    let as_gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    for destination in status.destinations() {
        let labels = crate::metrics::component(&destination.id);
        let metrics = &hub.metrics;
        metrics.unaccounted.get_or_create(&labels).set(destination.unaccounted);
        metrics.queue_records.get_or_create(&labels).set(as_gauge(destination.queue_records));
        metrics.queue_bytes.get_or_create(&labels).set(as_gauge(destination.queue_bytes));
        metrics.queue_age.get_or_create(&labels).set(as_gauge(destination.queue_age_s));
    }
}

/// The signal order of every per-signal table.
pub(crate) const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Metrics, Signal::Traces];
