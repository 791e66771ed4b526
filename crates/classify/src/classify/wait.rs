//! Records that wait for an LLM: those of a template that it is being asked about are held until it
//! has answered or the time is over, and then go on with the class that they have by then.
//!
//! What waits is in the journal, for this stage, and leaves it once it is there again for what comes
//! behind, so a crash loses none. When as many wait as may, further ones pass as they are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::receiver::Receiver;
use bessemer_pipeline::stateful::{Lane, Made, PASSES};
use bessemer_pipeline::{Holding, Part, Scratch, Stateful, Step as _};
use bessemer_record::{Checked, Draft, Signal, Tails};
use bessemer_runtime::BoxFuture;
use parking_lot::Mutex;

use super::Classify;
use crate::class::Class;
use crate::llm::TemplateId;
use crate::llm::ask::Asker;

/// Bytes of records that wait at most.
pub(super) const WAITING_BYTES_MAX: u64 = 16 << 20;

/// The stage.
pub(super) struct Waiting {
    classify: Arc<Classify>,
    asker: Asker,
    interval: Duration,
    room: Arc<Room>,
}

impl Waiting {
    pub(super) fn new(
        classify: Arc<Classify>,
        asker: Asker,
        interval: Duration,
        records_max: u64,
    ) -> Self {
        let room = Room { records_max, now: Mutex::default() };
        Self { classify, asker, interval, room: Arc::new(room) }
    }
}

/// How much waits, as far as this process held it.
#[derive(Debug)]
pub(super) struct Room {
    records_max: u64,
    now: Mutex<Load>,
}

/// What a batch adds to what waits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    records: u64,
    bytes: u64,
}

impl Load {
    pub(super) fn add(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
    }
}

impl Room {
    /// Whether a record of so many bytes may wait beside what the batch adds.
    pub(super) fn takes(&self, load: Load, bytes: usize) -> bool {
        let now = *self.now.lock();
        now.records + load.records < self.records_max
            && now.bytes + load.bytes + bytes as u64 <= WAITING_BYTES_MAX
    }

    fn enter(&self, load: Load) {
        let mut now = self.now.lock();
        now.records += load.records;
        now.bytes += load.bytes;
    }

    /// So many records went on. What an earlier process held was never counted here, and what they
    /// take in the journal is more than they came with: bytes go with the share of the records.
    fn leave(&self, records: u64) {
        let mut now = self.now.lock();
        let left = now.records.saturating_sub(records);
        now.bytes = now.bytes.checked_div(now.records).unwrap_or_default().saturating_mul(left);
        now.records = left;
    }
}

/// How records are labelled.
#[derive(Debug)]
pub(super) enum Turn<'a> {
    /// As they come; they go on at once.
    Pass,
    /// As they come; those that an LLM is being asked about are held while there is room.
    Hold(&'a Room),
    /// While they wait: which templates an LLM is still being asked about.
    Look(&'a mut BTreeSet<TemplateId>),
    /// For the last time, before they go on.
    Release,
}

impl Turn<'_> {
    /// Whether the records are seen for the first time.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Self::Pass | Self::Hold(_))
    }
}

impl Stateful for Waiting {
    fn choose(&self, draft: &mut Draft, scratch: &mut Scratch) {
        draft.items_mut().iter_mut().for_each(|item| item.route = PASSES);
        let load = self.classify.label(draft, scratch, Turn::Hold(&self.room));
        if load.records > 0 {
            let room = Arc::clone(&self.room);
            scratch.after.then(move || room.enter(load));
        }
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn hold(&self, tails: &Arc<Tails>) -> Box<dyn Holding> {
        Box::new(Held {
            classify: Arc::clone(&self.classify),
            asker: self.asker.clone(),
            room: Arc::clone(&self.room),
            tails: Arc::clone(tails),
            scratch: Scratch::default(),
            parts: Vec::new(),
            load: Load::default(),
            awaited: BTreeSet::new(),
        })
    }

    fn speaker(&self) -> Option<Box<dyn Receiver>> {
        self.classify.speaker()
    }
}

/// What waits.
struct Held {
    classify: Arc<Classify>,
    asker: Asker,
    room: Arc<Room>,
    tails: Arc<Tails>,
    scratch: Scratch,
    parts: Vec<(Lane, Part)>,
    load: Load,
    awaited: BTreeSet<TemplateId>,
}

impl Held {
    fn draft(&self, part: &Part) -> Draft {
        let checked = Checked::trusted(Signal::Logs, part.payload.clone(), part.records);
        Draft::from_checked(&checked, &self.tails)
    }

    fn release(&mut self, lane: Lane, part: &Part) -> Vec<Made> {
        let mut draft = self.draft(part);
        let _load = self.classify.label(&mut draft, &mut self.scratch, Turn::Release);
        let by = |item: &bessemer_record::Item| u16::from(item.class >= Class::Critical.code());
        let made = draft.emit(by, 2).into_iter().map(|emitted| Made {
            signal: Signal::Logs,
            lane: if emitted.output == 1 { Lane::Urgent } else { lane },
            bytes: emitted.bytes,
            meta: (*part.meta).clone(),
        });
        made.collect()
    }
}

impl Holding for Held {
    fn take(&mut self, signal: Signal, lane: Lane, part: &Part) {
        if signal != Signal::Logs {
            return;
        }
        let mut draft = self.draft(part);
        let turn = Turn::Look(&mut self.awaited);
        let _load = self.classify.label(&mut draft, &mut self.scratch, turn);
        self.load.records += u64::from(part.records);
        self.load.bytes += part.payload.len() as u64;
        self.parts.push((lane, part.clone()));
    }

    fn bytes(&self) -> usize {
        let is_full = self.load.records >= self.room.records_max;
        if is_full { usize::MAX } else { usize::try_from(self.load.bytes).unwrap_or(usize::MAX) }
    }

    fn ready(&self) -> BoxFuture<'static, ()> {
        let awaited: Vec<TemplateId> = self.awaited.iter().copied().collect();
        let asker = self.asker.clone();
        Box::pin(async move { asker.answered(&awaited).await })
    }

    fn emit(&mut self, _: u64) -> Vec<Made> {
        let parts = std::mem::take(&mut self.parts);
        let made = parts.iter().flat_map(|(lane, part)| self.release(*lane, part)).collect();
        self.room.leave(std::mem::take(&mut self.load).records);
        self.awaited.clear();
        made
    }
}

#[cfg(test)]
mod tests;
