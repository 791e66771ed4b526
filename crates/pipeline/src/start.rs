//! Brings an engine up, back to front: journal, then exporters, then receivers, so that nothing
//! arrives before it can leave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::{Disk, Journal, Lane, Routes, SinkIndex, SinkSpec};
use bessemer_runtime::{Clock, Random, Span, Tasks};
use tokio::sync::mpsc;

use crate::alerts::{Alerts, Rule};
use crate::assembly::Assembly;
use crate::catalog::{Built, QueueSettings, WhenFull};
use crate::delivery::hold::{BACKLOG_SHARE, Holder, Seat};
use crate::delivery::source::Source;
use crate::delivery::tries::{Destination, Tries};
use crate::delivery::worker::Worker;
use crate::engine::{DIRECT_QUEUE_MAX, Engine, EngineError, Hub, Options, SinkHandle};
use crate::exporter::Exporter;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::outlet::{Ack, Outlet};
use crate::plan::Plan;
use crate::receiver::Receiver;
use crate::stateful::Stateful;
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
        let readers = take_readers(&plan, &mut parts.built);
        let (options, sinks) = journal_options(&plan, &readers, &parts.options);
        let (disk, clock, random) = parts.world();
        let (journal, report) = Journal::open(disk, clock, random, options, &sinks)?;
        tracing::info!(?report, "journal opened");
        Self::start_on(journal, readers, plan, parts).await
    }

    /// The same over a journal without threads, whose work the caller does: for a simulator.
    pub async fn start_stepped(
        plan: Plan,
        mut parts: Parts,
    ) -> Result<(Self, bessemer_journal::Engine), EngineError> {
        let readers = take_readers(&plan, &mut parts.built);
        let (options, sinks) = journal_options(&plan, &readers, &parts.options);
        let (disk, clock, random) = parts.world();
        let (journal, work, _) = Journal::open_stepped(disk, clock, random, options, &sinks)?;
        Ok((Self::start_on(journal, readers, plan, parts).await?, work))
    }

    async fn start_on(
        journal: Journal,
        readers: Readers,
        plan: Plan,
        parts: Parts,
    ) -> Result<Self, EngineError> {
        let speakers = speakers(&plan, &readers, &parts.built);
        debug_assert_eq!(readers.len(), plan.sinks.len(), "one reader for each sink");
        let (handles, queues): (Vec<SinkHandle>, Vec<Queues>) =
            plan.sinks.iter().map(|_| memory_queue()).unzip();
        let staged = (0..=u8::MAX).map(SinkIndex).zip(&readers);
        let staged = staged.filter(|(_, reader)| matches!(reader, Reader::Stage(_)));
        let hub = Arc::new(Hub::new(
            journal,
            (handles, Routes::to(staged.map(|(sink, _)| sink))),
            Arc::clone(&parts.clock),
            &*parts.random,
            Arc::clone(&parts.metrics),
        ));
        let health = plan.sinks.iter().map(|id| (id.clone(), Arc::new(Health::default())));
        let destinations: Arc<Vec<(String, Arc<Health>)>> = Arc::new(health.collect());
        let books = (Arc::clone(&parts.metrics), plan.programs.keys().cloned().collect());
        let clock = Arc::clone(&parts.clock);
        let ledger = Ledger::resume(hub.journal.clone(), clock, books, plan.sinks.len());
        let rules =
            plan.sinks.iter().zip(&readers).map(|(id, reader)| Rule::new(id, &reader.queue()));
        let rules = rules.collect();
        let engine = Self {
            ledger,
            status: Status {
                hub: Arc::clone(&hub),
                destinations: Arc::clone(&destinations),
                alerts: Arc::new(Alerts::new(rules, parts.options.journal_alert_percent)),
            },
            hub,
            receivers: Tasks::new(),
            stages: Tasks::new(),
            exporters: Tasks::new(),
            observer: Tasks::new(),
        };
        for reader in &readers {
            if let Reader::Exporter(exporter, _) = reader {
                exporter.open().await?;
            }
        }
        engine.start_readers(&plan, readers, queues, &parts);
        engine.start_speakers(&plan, speakers).await?;
        engine.start_receivers(&plan, parts.built).await?;
        engine.observe();
        Ok(engine)
    }

    fn start_readers(&self, plan: &Plan, readers: Readers, queues: Vec<Queues>, parts: &Parts) {
        let config_hash = parts.config_hash;
        let destinations = self.status.destinations.iter();
        let sinks = (0..=u8::MAX).map(SinkIndex).zip(destinations).zip(&plan.assemblies);
        for (((sink, (id, health)), assembly), (reader, queues)) in
            sinks.zip(readers.into_iter().zip(queues))
        {
            let (id, health) = (id.clone(), Arc::clone(health));
            match reader {
                Reader::Exporter(exporter, queue) => {
                    let sheet = self.ledger.sheet(sink);
                    let when_full = queue.when_full;
                    let to =
                        Destination { id, sink, exporter, config_hash, when_full, sheet, health };
                    let assembly = assembly.clone();
                    self.start_worker(to, assembly, queues, &parts.random, queue.ordered);
                }
                Reader::Stage(stage) => {
                    let programs = plan.programs.get(&id).cloned().unwrap_or_default();
                    let ack = (Ack::Disk, Duration::ZERO);
                    let outlet = Outlet::new(&id, ack, programs, Arc::clone(&self.hub));
                    let seat = Seat { id, sink, stage, outlet, health, config_hash };
                    self.start_stage(seat, queues);
                }
            }
        }
    }

    fn source(&self, sink: SinkIndex, queues: Queues) -> Source {
        let journal = &self.hub.journal;
        Source {
            urgent: journal.reader(sink, Lane::Urgent),
            normal: journal.reader(sink, Lane::Normal),
            urgent_direct: queues.0,
            normal_direct: queues.1,
            turn: 0,
        }
    }

    fn start_stage(&self, seat: Seat, mut queues: Queues) {
        // What a stage holds must be in the journal.
        queues.0.close();
        queues.1.close();
        let source = self.source(seat.sink, queues);
        let holder = Holder::new(seat, Arc::clone(&self.hub), source, self.stages.clone());
        self.stages.spawn(holder.run());
    }

    fn start_worker(
        &self,
        to: Destination,
        assembly: Assembly,
        queues: Queues,
        random: &Arc<dyn Random>,
        ordered: bool,
    ) {
        let source = self.source(to.sink, queues);
        let tries =
            Tries::new(to, Arc::clone(&self.hub), Arc::clone(random), self.exporters.clone());
        self.exporters.spawn(Worker::new(source, Arc::new(tries), assembly, ordered).run());
    }

    async fn start_speakers(&self, plan: &Plan, speakers: Speakers) -> Result<(), EngineError> {
        for (id, speaker) in speakers {
            let programs = plan.programs.get(&id).cloned().unwrap_or_default();
            let ack = (Ack::Disk, Duration::ZERO);
            let outlet = Outlet::new(&id, ack, programs, Arc::clone(&self.hub));
            speaker.start(outlet, self.receivers.clone()).await?;
        }
        Ok(())
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

/// What reads the journal.
enum Reader {
    Exporter(Arc<dyn Exporter>, QueueSettings),
    Stage(Arc<dyn Stateful>),
}

type Readers = Vec<Reader>;

impl Reader {
    fn queue(&self) -> QueueSettings {
        match self {
            Self::Exporter(_, queue) => queue.clone(),
            Self::Stage(stage) => {
                // What a stage holds for its interval is not late.
                let usual = QueueSettings::default();
                let alert_age = Span(usual.alert_age.0.saturating_add(stage.interval()));
                QueueSettings { alert_age, ..usual }
            }
        }
    }
}

type Speakers = Vec<(String, Box<dyn Receiver>)>;

/// What puts records into the pipeline behind a processor, by its id.
fn speakers(plan: &Plan, readers: &Readers, built: &BTreeMap<String, Built>) -> Speakers {
    let stages = plan.sinks.iter().zip(readers).filter_map(|(id, reader)| match reader {
        Reader::Stage(stage) => Some((id.clone(), stage.speaker()?)),
        Reader::Exporter(..) => None,
    });
    let steps = built.iter().filter_map(|(id, built)| Some((id.clone(), built.speaker()?)));
    stages.chain(steps).collect()
}

/// Exporters and stages in the order of their route bits.
fn take_readers(plan: &Plan, built: &mut BTreeMap<String, Built>) -> Readers {
    let mut readers = Vec::with_capacity(plan.sinks.len());
    for id in &plan.sinks {
        match built.remove(id) {
            Some(Built::Exporter { exporter, queue }) => {
                readers.push(Reader::Exporter(exporter, queue));
            }
            Some(Built::Stateful(stage)) => readers.push(Reader::Stage(stage)),
            Some(other) => drop(built.insert(id.clone(), other)),
            None => {}
        }
    }
    readers
}

fn journal_options(
    plan: &Plan,
    readers: &Readers,
    options: &Options,
) -> (bessemer_journal::Options, Vec<SinkSpec>) {
    let stages = readers.iter().filter(|reader| matches!(reader, Reader::Stage(_))).count();
    let share = options.journal_bytes_max / BACKLOG_SHARE / (stages as u64).max(1);
    let sinks = plan.sinks.iter().zip(readers).map(|(id, reader)| match reader {
        Reader::Exporter(_, queue) => SinkSpec {
            id: id.clone(),
            budget: queue.budget.map(|size| size.0),
            when_full: match queue.when_full {
                WhenFull::Block => bessemer_journal::WhenFull::Block,
                WhenFull::DeadLetter => bessemer_journal::WhenFull::DeadLetter,
            },
        },
        Reader::Stage(_) => SinkSpec { budget: Some(share), ..SinkSpec::new(id.clone()) },
    });
    let sinks = sinks.collect();
    let options = bessemer_journal::Options {
        budget_bytes: options.journal_bytes_max,
        sync: options.sync,
        retention_bytes: options.retention.bytes,
        retention_age: options.retention.age,
        keys: options.keys.clone(),
        ..bessemer_journal::Options::new(options.storage.join("journal"))
    };
    (options, sinks)
}

fn memory_queue() -> (SinkHandle, Queues) {
    let (urgent, urgent_direct) = mpsc::channel(DIRECT_QUEUE_MAX);
    let (normal, normal_direct) = mpsc::channel(DIRECT_QUEUE_MAX);
    (SinkHandle { urgent, normal }, (urgent_direct, normal_direct))
}
