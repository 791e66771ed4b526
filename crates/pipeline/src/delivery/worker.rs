//! One worker per exporter: assembles parcels and keeps a bounded number of them in flight.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::assembly::Assembly;
use crate::delivery::parcel::Parcel;
use crate::delivery::source::Source;
use crate::delivery::tries::Tries;

/// Takes from the queues and delivers until told to stop.
pub(crate) struct Worker {
    source: Source,
    tries: Arc<Tries>,
    assembly: Assembly,
    ordered: bool,
    /// What the next parcel holds so far. Kept here and not in a future, so that a future
    /// dropped at shutdown loses nothing.
    gathering: Option<Parcel>,
    /// What did not fit to it.
    held: Option<Parcel>,
}

impl Worker {
    pub(crate) fn new(
        source: Source,
        tries: Arc<Tries>,
        assembly: Assembly,
        ordered: bool,
    ) -> Self {
        Self { source, tries, assembly, ordered, gathering: None, held: None }
    }

    /// Runs until the tasks are cancelled, then delivers what is ready while the destination
    /// takes it and leaves the rest in the journal.
    pub(crate) async fn run(mut self) {
        let concurrency =
            if self.ordered { 1 } else { self.tries.exporter.concurrency_max().max(1) };
        let slots = Arc::new(Semaphore::new(concurrency));
        let tasks = self.tries.tasks.clone();
        loop {
            let slot = tokio::select! {
                biased;
                () = tasks.cancelled() => break,
                slot = Arc::clone(&slots).acquire_owned() => slot,
            };
            let parcel = tokio::select! {
                biased;
                () = tasks.cancelled() => break,
                parcel = self.assemble() => parcel,
            };
            if let (Ok(slot), Some(parcel)) = (slot, parcel) {
                self.start(parcel, slot);
            }
        }
        self.drain(&slots).await;
        let all = u32::try_from(concurrency).unwrap_or(u32::MAX);
        drop(slots.acquire_many_owned(all).await);
        self.tries.exporter.close().await;
    }

    fn start(&self, parcel: Parcel, slot: OwnedSemaphorePermit) {
        let tries = Arc::clone(&self.tries);
        let records_max = self.assembly.records_max;
        self.tries.tasks.spawn(async move {
            for piece in pieces(parcel, records_max) {
                tries.settle(piece).await;
            }
            drop(slot);
        });
    }

    async fn drain(&mut self, slots: &Arc<Semaphore>) {
        while !self.tries.is_failing() {
            let Some(parcel) = self.next_held() else { return };
            let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return };
            self.start(parcel, slot);
        }
        for parcel in [self.gathering.take(), self.held.take()].into_iter().flatten() {
            self.tries.leave(&parcel).await;
        }
        while let Some(direct) = self.source.try_next_direct() {
            self.tries.rescue(&direct).await;
        }
    }

    fn next_held(&mut self) -> Option<Parcel> {
        self.gathering.take().or_else(|| self.held.take()).or_else(|| self.source.try_next())
    }

    /// The next parcel: full, or as full as the timeout allows.
    async fn assemble(&mut self) -> Option<Parcel> {
        if self.gathering.is_none() {
            self.gathering = match self.held.take() {
                Some(held) => Some(held),
                None => Some(self.source.next().await),
            };
        }
        let waits = self.assembly.timeout > Duration::ZERO;
        let mut deadline = waits.then(|| self.tries.hub.clock.sleep(self.assembly.timeout));
        while !self.is_full() {
            let next = match (self.source.try_next(), &mut deadline) {
                (Some(next), _) => Some(next),
                (None, None) => None,
                (None, Some(deadline)) => tokio::select! {
                    biased;
                    next = self.source.next() => Some(next),
                    () = deadline => None,
                },
            };
            let Some(next) = next else { break };
            if !self.gather(next) {
                break;
            }
        }
        self.gathering.take()
    }

    fn is_full(&self) -> bool {
        self.gathering.as_ref().is_none_or(|parcel| {
            parcel.records() >= self.assembly.records
                || parcel.delivery.bytes() >= self.assembly.bytes
        })
    }

    /// Joins the next batch, or holds it back for the parcel after this one.
    fn gather(&mut self, next: Parcel) -> bool {
        match &mut self.gathering {
            Some(parcel) if fits(&self.assembly, parcel, &next) => {
                parcel.join(next);
                true
            }
            _ => {
                self.held = Some(next);
                false
            }
        }
    }
}

fn fits(assembly: &Assembly, parcel: &Parcel, next: &Parcel) -> bool {
    let (Some(mine), Some(theirs)) = (parcel.delivery.parts.first(), next.delivery.parts.first())
    else {
        return false;
    };
    parcel.delivery.signal == next.delivery.signal
        && mine.meta.tenant == theirs.meta.tenant
        && parcel.delivery.bytes() + next.delivery.bytes() <= assembly.bytes
        && assembly.metadata_keys.iter().all(|key| mine.meta.header(key) == theirs.meta.header(key))
}

/// The parcel in pieces of at most `records_max` records; whole when that is zero.
fn pieces(parcel: Parcel, records_max: u32) -> Vec<Parcel> {
    let records = parcel.records();
    if records_max == 0 || records <= records_max {
        return vec![parcel];
    }
    let starts = (0..records).step_by(usize::try_from(records_max).unwrap_or(usize::MAX));
    starts
        .map(|start| parcel.range(start..start.saturating_add(records_max).min(records)))
        .collect()
}
