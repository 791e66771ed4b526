//! Where receivers put what arrived: `send` returns once the batch is as safe as the receiver's
//! `ack` setting promises.

use std::sync::Arc;
use std::time::Duration;

use bessemer_net::body::Encoded;
use bessemer_record::{CheckError, Signal, Tails};
use bessemer_runtime::Permit;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::Hub;
use crate::meta::Meta;
use crate::metrics::{Counter, Gauge, Metrics, ReasonLabels, SignalLabels, component};
use crate::program::{Processed, Program};
use crate::stateful::Made;

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ack {
    /// Written to the journal and synced to the disk.
    #[default]
    Disk,
    /// Handed to the exporters in memory; lost when the process dies before they deliver.
    Memory,
    /// Delivered by every destination, or in its dead-letter log.
    Delivered,
}

/// A batch as a receiver got it: one OTLP export request, not yet checked.
#[derive(Debug)]
pub struct Incoming {
    /// Which of the three requests it is.
    pub signal: Signal,
    /// The request, inflated.
    pub bytes: Bytes,
    /// The request as it arrived compressed, to be sent on as it is when nothing changes it.
    pub encoded: Option<Encoded>,
    /// Who sent it and when.
    pub meta: Meta,
    /// The share of the global body budget that it holds, given back when it is safe.
    pub permit: Option<Permit>,
}

/// Why a batch was not taken. Nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the format it claims to be, or over a limit of one record.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Out of a budget; the client should come back after this time.
    #[error("{reason}")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
        /// Which budget.
        reason: String,
    },
    /// Not now: a disk error, a destination that did not answer in time, or shutdown.
    #[error("{reason}")]
    Unavailable {
        /// When to come back.
        retry_after: Duration,
        /// What is wrong.
        reason: String,
    },
    /// Never: sending the same again will not help.
    #[error("{reason}")]
    Rejected {
        /// What is wrong.
        reason: String,
    },
}

impl Refusal {
    /// When to come back; never, if it is of no use.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                Some(*retry_after)
            }
            Self::Check(_) | Self::Rejected { .. } => None,
        }
    }

    /// The word that counts it in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Check(error) if error.is_too_large() => "too_large",
            Self::Check(_) => "malformed",
            Self::Overloaded { .. } => "overloaded",
            Self::Unavailable { .. } => "unavailable",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// One receiver's way into the engine. Clones share it.
#[derive(Debug, Clone)]
pub struct Outlet {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    receiver: String,
    ack: Ack,
    ack_timeout: Duration,
    programs: [Option<Arc<Program>>; 3],
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    received: [Counter; 3],
    accepted: [Counter; 3],
    generated: Counter,
    folded: Counter,
    filtered: Counter,
    kept: Counter,
    merged: Counter,
    routed: Counter,
    unaccounted: Gauge,
}

impl Outlet {
    pub(crate) fn new(
        receiver: &str,
        ack: (Ack, Duration),
        programs: [Option<Arc<Program>>; 3],
        hub: Arc<Hub>,
    ) -> Self {
        let metrics = Arc::clone(hub.metrics());
        let counters =
            |family: &prometheus_client::metrics::family::Family<SignalLabels, Counter>| {
                [Signal::Logs, Signal::Metrics, Signal::Traces].map(|signal| {
                    let labels =
                        SignalLabels { component: receiver.to_owned(), signal: signal.as_str() };
                    family.get_or_create_owned(&labels)
                })
            };
        Self {
            inner: Arc::new(Inner {
                receiver: receiver.to_owned(),
                ack: ack.0,
                ack_timeout: ack.1,
                programs,
                received: counters(&metrics.received),
                accepted: counters(&metrics.accepted),
                generated: metrics.generated.get_or_create_owned(&component(receiver)),
                folded: metrics.folded.get_or_create_owned(&component(receiver)),
                filtered: metrics.filtered.get_or_create_owned(&component(receiver)),
                kept: metrics.kept.get_or_create_owned(&component(receiver)),
                merged: metrics.merged.get_or_create_owned(&component(receiver)),
                routed: metrics.routed.get_or_create_owned(&component(receiver)),
                unaccounted: metrics.unaccounted.get_or_create_owned(&component(receiver)),
                hub,
                metrics,
            }),
        }
    }

    /// Id of the receiver this outlet belongs to.
    pub fn receiver(&self) -> &str {
        &self.inner.receiver
    }

    /// Whether anything is wired to take this signal.
    pub fn accepts(&self, signal: Signal) -> bool {
        self.program(signal).is_some()
    }

    fn program(&self, signal: Signal) -> Option<&Arc<Program>> {
        self.inner.programs.get(slot(signal))?.as_ref()
    }

    /// Checks, processes and routes a batch and makes it as safe as promised; the number of
    /// records in it.
    ///
    /// Dropping the future before it is ready leaves open whether the batch was taken.
    pub async fn send(&self, incoming: Incoming) -> Result<u32, Refusal> {
        let taken = self.take(incoming).await;
        if let Err(refusal) = &taken {
            self.count_refusal(refusal.label());
        }
        taken
    }

    /// Counts a batch that the receiver itself turned away, for one of a fixed set of reasons.
    pub fn count_refusal(&self, reason: &'static str) {
        let labels = ReasonLabels { component: self.inner.receiver.clone(), reason };
        self.inner.metrics.refused.get_or_create(&labels).inc();
    }

    async fn take(&self, incoming: Incoming) -> Result<u32, Refusal> {
        let inner = &*self.inner;
        let Some(program) = self.program(incoming.signal) else {
            return Err(Refusal::Rejected {
                reason: format!(
                    "{} sends no {} anywhere: wire its output",
                    inner.receiver,
                    incoming.signal.as_str()
                ),
            });
        };
        let processed = program.run(&incoming)?;
        count(&inner.received, incoming.signal, processed.records.into());
        inner.hub.take(&incoming, &processed, inner.ack, inner.ack_timeout).await?;
        count(&inner.accepted, incoming.signal, processed.records.into());
        inner.enter(&processed);
        inner.hub.count_processed(processed.records);
        processed.after.run();
        Ok(processed.records)
    }

    /// Puts records that a processor made beside those that passed it into the journal, all or none.
    pub async fn say(&self, made: &[Made]) -> Result<(), Refusal> {
        self.put(made, [0; 3]).await
    }

    /// The sets of attributes that the programs behind can add.
    pub(crate) fn tails(&self) -> Arc<Tails> {
        let program = self.inner.programs.iter().flatten().next();
        program.map_or_else(Tails::none, |program| Arc::clone(&program.tails))
    }

    /// Puts what a stage made of records, counted by signal, into the journal: all of it or nothing,
    /// also while the process is on its way down.
    pub(crate) async fn put(&self, made: &[Made], folded: [u64; 3]) -> Result<(), Refusal> {
        let inner = &*self.inner;
        let mut ready = Vec::with_capacity(made.len());
        for Made { signal, lane, bytes, meta } in made {
            // A stage whose output nothing takes ends here.
            let Some(program) = self.program(*signal) else { continue };
            let (signal, bytes, meta) = (*signal, bytes.clone(), meta.clone());
            let incoming = Incoming { signal, bytes, encoded: None, meta, permit: None };
            ready.push((program.run_in(*lane, &incoming)?, incoming.meta));
        }
        let batches = ready.iter().map(|(processed, meta)| (meta, processed.outputs.as_slice()));
        inner.hub.append(batches).await?;
        for (signal, records) in crate::engine::SIGNALS.into_iter().zip(folded) {
            count(&inner.received, signal, records);
            count(&inner.accepted, signal, records);
            inner.folded.inc_by(records);
        }
        for (processed, _) in ready {
            inner.generated.inc_by(u64::from(processed.records));
            inner.enter(&processed);
            processed.after.run();
        }
        Ok(())
    }
}

impl Inner {
    /// Enters an acknowledged batch into the books.
    fn enter(&self, processed: &Processed) {
        self.generated.inc_by(u64::from(processed.generated));
        self.filtered.inc_by(u64::from(processed.filtered));
        self.kept.inc_by(u64::from(processed.kept));
        self.merged.inc_by(processed.merged);
        self.routed.inc_by(processed.routed);
        self.unaccounted.inc_by(processed.unaccounted);
    }
}

pub(crate) const fn slot(signal: Signal) -> usize {
    match signal {
        Signal::Logs => 0,
        Signal::Metrics => 1,
        Signal::Traces => 2,
    }
}

fn count(counters: &[Counter; 3], signal: Signal, records: u64) {
    if let Some(counter) = counters.get(slot(signal)) {
        counter.inc_by(records);
    }
}
