//! Brings an engine up, back to front: journal, then exporters, then receivers, so that nothing
//! arrives before it can leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use bessemer_journal::{Disk, Journal, Lane, SinkIndex, SinkSpec};
use bessemer_runtime::{Clock, Random, Tasks};
use tokio::sync::mpsc;

use crate::alerts::{Alerts, Rule};
use crate::assembly::Assembly;
use crate::catalog::{Built, QueueSettings, WhenFull};
use crate::delivery::source::Source;
use crate::delivery::tries::{Destination, Tries};
use crate::delivery::worker::Worker;
use crate::engine::{DIRECT_QUEUE_MAX, Engine, EngineError, Hub, Options, SinkHandle};
use crate::exporter::Exporter;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::outlet::{Ack, Outlet};
use crate::plan::Plan;
use crate::status::{Health, Status};

/// What an engine is made of, beside its plan.
pub struct Parts {
    /// The components of the graph by id.
    pub built: BTreeMap<String, Built>,
    /// Where the journal is written.
    pub disk: Arc<dyn Disk>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Hash of the configuration, kept with dead letters.
    pub config_hash: u64,
    /// Storage and limits.
    pub options: Options,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Parts").field("built", &self.built).finish_non_exhaustive()
    }
}

impl Parts {
    fn world(&self) -> (Arc<dyn Disk>, Arc<dyn Clock>, Arc<dyn Random>) {
        (Arc::clone(&self.disk), Arc::clone(&self.clock), Arc::clone(&self.random))
    }
}

type Queues = (
    mpsc::Receiver<crate::delivery::direct::Direct>,
    mpsc::Receiver<crate::delivery::direct::Direct>,
);

impl Engine {
    /// Opens the journal, starts every exporter and then every receiver.
    pub async fn start(plan: Plan, mut parts: Parts) -> Result<Self, EngineError> {
        let exporters = take_exporters(&plan, &mut parts.built);
        let (options, sinks) = journal_options(&exporters, &parts.options);
        let (disk, clock, random) = parts.world();
        let (journal, report) = Journal::open(disk, clock, random, options, &sinks)?;
        tracing::info!(?report, "journal opened");
        Self::start_on(journal, exporters, plan, parts).await
    }

    /// The same over a journal without threads, whose work the caller does: for a simulator.
    pub async fn start_stepped(
        plan: Plan,
        mut parts: Parts,
    ) -> Result<(Self, bessemer_journal::Engine), EngineError> {
        let exporters = take_exporters(&plan, &mut parts.built);
        let (options, sinks) = journal_options(&exporters, &parts.options);
        let (disk, clock, random) = parts.world();
        let (journal, work, _) = Journal::open_stepped(disk, clock, random, options, &sinks)?;
        Ok((Self::start_on(journal, exporters, plan, parts).await?, work))
    }

    async fn start_on(
        journal: Journal,
        exporters: Destinations,
        plan: Plan,
        parts: Parts,
    ) -> Result<Self, EngineError> {
        debug_assert_eq!(exporters.len(), plan.sinks.len(), "one sink for each exporter");
        let (handles, queues): (Vec<SinkHandle>, Vec<Queues>) =
            plan.sinks.iter().map(|_| memory_queue()).unzip();
        let hub = Arc::new(Hub::new(
            journal,
            handles,
            Arc::clone(&parts.clock),
            &*parts.random,
            Arc::clone(&parts.metrics),
        ));
        let health = plan.sinks.iter().map(|id| (id.clone(), Arc::new(Health::default())));
        let destinations: Arc<Vec<(String, Arc<Health>)>> = Arc::new(health.collect());
        let receivers = plan.programs.keys().cloned().collect();
        let books = Arc::clone(&parts.metrics);
        let clock = Arc::clone(&parts.clock);
        let ledger =
            Ledger::resume(hub.journal.clone(), clock, (books, receivers), plan.sinks.len());
        let rules = exporters.iter().map(|(id, (_, queue))| Rule::new(id, queue)).collect();
        let engine = Self {
            ledger,
            status: Status {
                hub: Arc::clone(&hub),
                destinations: Arc::clone(&destinations),
                alerts: Arc::new(Alerts::new(rules, parts.options.journal_alert_percent)),
            },
            hub,
            receivers: Tasks::new(),
            exporters: Tasks::new(),
            observer: Tasks::new(),
        };
        for (_, exporter) in &exporters {
            exporter.0.open().await?;
        }
        for ((sink, (id, exporter)), ((assembly, queue), (_, health))) in exporters
            .into_iter()
            .enumerate()
            .zip(plan.assemblies.iter().zip(queues).zip(destinations.iter()))
        {
            let to = Destination {
                id,
                sink: SinkIndex(u8::try_from(sink).unwrap_or(u8::MAX)),
                exporter: exporter.0,
                sheet: engine.ledger.sheet(SinkIndex(u8::try_from(sink).unwrap_or(u8::MAX))),
                config_hash: parts.config_hash,
                when_full: exporter.1.when_full,
                health: Arc::clone(health),
            };
            engine.start_worker(to, assembly.clone(), queue, &parts.random, exporter.1.ordered);
        }
        engine.start_receivers(&plan, parts.built).await?;
        engine.observe();
        Ok(engine)
    }

    fn start_worker(
        &self,
        to: Destination,
        assembly: Assembly,
        queues: Queues,
        random: &Arc<dyn Random>,
        ordered: bool,
    ) {
        let journal = &self.hub.journal;
        let source = Source {
            urgent: journal.reader(to.sink, Lane::Urgent),
            normal: journal.reader(to.sink, Lane::Normal),
            urgent_direct: queues.0,
            normal_direct: queues.1,
            turn: 0,
        };
        let tries =
            Tries::new(to, Arc::clone(&self.hub), Arc::clone(random), self.exporters.clone());
        self.exporters.spawn(Worker::new(source, Arc::new(tries), assembly, ordered).run());
    }

    async fn start_receivers(
        &self,
        plan: &Plan,
        built: BTreeMap<String, Built>,
    ) -> Result<(), EngineError> {
        for (id, component) in built {
            let Built::Receiver { receiver, ack, ack_timeout, .. } = component else { continue };
            let programs = plan.programs.get(&id).cloned().unwrap_or_default();
            let outlet = Outlet::new(&id, (ack, ack_timeout), programs, Arc::clone(&self.hub));
            receiver.start(outlet, self.receivers.clone()).await?;
            if ack == Ack::Memory {
                tracing::warn!(component = %id, "ack = \"memory\": acknowledged records are lost when the process dies");
            }
        }
        Ok(())
    }
}

type Destinations = Vec<(String, (Arc<dyn Exporter>, QueueSettings))>;

/// Exporters in the order of their route bits.
fn take_exporters(plan: &Plan, built: &mut BTreeMap<String, Built>) -> Destinations {
    let mut exporters = Vec::with_capacity(plan.sinks.len());
    for id in &plan.sinks {
        if let Some(Built::Exporter { exporter, queue }) = built.remove(id) {
            exporters.push((id.clone(), (exporter, queue)));
        }
    }
    exporters
}

fn journal_options(
    exporters: &Destinations,
    options: &Options,
) -> (bessemer_journal::Options, Vec<SinkSpec>) {
    let sinks = exporters.iter().map(|(id, (_, queue))| SinkSpec {
        id: id.clone(),
        budget: queue.budget.map(|size| size.0),
        when_full: match queue.when_full {
            WhenFull::Block => bessemer_journal::WhenFull::Block,
            WhenFull::DeadLetter => bessemer_journal::WhenFull::DeadLetter,
        },
    });
    let options = bessemer_journal::Options {
        budget_bytes: options.journal_bytes_max,
        sync: options.sync,
        retention_bytes: options.retention.bytes,
        retention_age: options.retention.age,
        keys: options.keys.clone(),
        ..bessemer_journal::Options::new(options.storage.join("journal"))
    };
    (options, sinks.collect())
}

fn memory_queue() -> (SinkHandle, Queues) {
    let (urgent, urgent_direct) = mpsc::channel(DIRECT_QUEUE_MAX);
    let (normal, normal_direct) = mpsc::channel(DIRECT_QUEUE_MAX);
    (SinkHandle { urgent, normal }, (urgent_direct, normal_direct))
}
