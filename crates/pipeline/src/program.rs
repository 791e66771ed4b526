//! The fused program of one receiver and signal: one walk that checks and indexes, every
//! stateless processor over that index, one emission per set of destinations.

use std::cell::RefCell;
use std::sync::Arc;

use bessemer_journal::{Lane, Routes};
use bessemer_record::{CheckError, Checked, Draft, Item, Limits, Signal, Tails};
use bytes::Bytes;

use crate::fates::{Fates, Sum};
use crate::gate::{Gate, Overload};
use crate::outlet::{Incoming, Refusal};
use crate::step::{After, Derive, Route, Scratch, Step};

/// Marks a record that goes nowhere.
pub const NO_ROUTE: u16 = u16::MAX;
/// The class from which a record takes the urgent lane.
const CRITICAL: u8 = 3;

/// What one receiver does with one signal.
pub struct Program {
    pub(crate) signal: Signal,
    pub(crate) limits: Limits,
    pub(crate) tails: Arc<Tails>,
    pub(crate) gates: Vec<Arc<dyn Gate>>,
    pub(crate) root: Stage,
}

/// Steps without a fork between them, then where the records go.
pub(crate) struct Stage {
    pub(crate) steps: Vec<Arc<dyn Step>>,
    pub(crate) exit: Exit,
}

/// How records leave a stage.
pub(crate) enum Exit {
    /// All the same way.
    All(Fork),
    /// Each by the choice of a router, an index into the forks.
    Chosen(Arc<dyn Route>, Vec<Fork>),
}

/// Where one choice leads.
#[derive(Default)]
pub(crate) struct Fork {
    /// Destinations that take the records as they are here.
    pub(crate) routes: Routes,
    /// Stages that work on a copy.
    pub(crate) branches: Vec<Stage>,
    /// Connectors that make other records of them, and where these go.
    pub(crate) derived: Vec<(Arc<dyn Derive>, Stage)>,
}

impl Fork {
    /// Whether records leave here only as they are.
    fn is_plain(&self) -> bool {
        self.branches.is_empty() && self.derived.is_empty()
    }
}

/// What a program made of a batch.
#[derive(Debug)]
pub struct Processed {
    /// Records in the batch as it came.
    pub records: u32,
    /// Records beyond those that came: data points of metrics that a step made longer, and what
    /// connectors made.
    pub generated: u32,
    /// Records that reach no destination.
    pub filtered: u32,
    /// Records that reach at least one, each counted once.
    pub kept: u32,
    /// Copies of records that a destination would have got twice, because branches came out equal.
    pub merged: u64,
    /// Records times destinations.
    pub routed: u64,
    /// What the books do not explain: zero, or there is a defect in the program.
    pub unaccounted: i64,
    /// What is to be delivered; empty when nothing is left.
    pub outputs: Vec<Output>,
    /// What steps want to be done once the batch is safe.
    pub after: After,
}

/// Records with equal content, destinations and urgency.
#[derive(Debug, Clone)]
pub struct Output {
    /// The kind of request that the payload is.
    pub signal: Signal,
    /// Destinations.
    pub routes: Routes,
    /// How urgent.
    pub lane: Lane,
    /// Log records, spans or data points.
    pub records: u32,
    /// An OTLP export request.
    pub payload: Bytes,
    /// Whether the payload is the request as it came.
    pub unchanged: bool,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = self.root.steps.len();
        formatter
            .debug_struct("Program")
            .field("signal", &self.signal)
            .field("steps", &steps)
            .finish_non_exhaustive()
    }
}

/// What has left a program so far.
#[derive(Default)]
struct Left {
    outputs: Vec<Output>,
    fates: Fates,
    /// The books of what connectors made.
    derived: Sum,
    /// Why what a connector made is not well formed.
    fault: Option<CheckError>,
}

impl Left {
    fn begin(&mut self, items: &[Item]) {
        self.outputs.clear();
        self.fates.begin(items);
        (self.derived, self.fault) = (Sum::default(), None);
    }

    /// The books of the batch with those of what connectors made.
    fn sum(&self) -> Sum {
        self.fates.sum().and(self.derived)
    }

    /// Runs a batch that a connector made of a draft through the stage behind it.
    fn derive(
        &mut self,
        signal: Signal,
        bytes: Bytes,
        (from, stage): (&Draft, &Stage),
        scratch: &mut Scratch,
    ) {
        let mut draft = match Draft::check(signal, bytes, &Limits::default(), from.tails()) {
            Ok(draft) => draft,
            Err(error) => return self.fault = Some(error),
        };
        let mut own = Self::default();
        own.begin(draft.items());
        let came = draft.records();
        stage.run(&mut draft, scratch, &mut own);
        let sum = own.sum();
        let generated = sum.generated.saturating_add(came);
        self.derived = self.derived.and(Sum { generated, ..sum });
        self.outputs.append(&mut own.outputs);
        self.fault = self.fault.take().or(own.fault);
    }
}

thread_local! {
    static SCRATCH: RefCell<(Scratch, Left)> = RefCell::default();
}

impl Program {
    /// Checks a batch and runs it through every step.
    pub fn run(&self, incoming: &Incoming) -> Result<Processed, Refusal> {
        self.run_in(Lane::Normal, incoming)
    }

    /// The same with a batch that was in a lane before.
    pub fn run_in(&self, lane: Lane, incoming: &Incoming) -> Result<Processed, Refusal> {
        for gate in &self.gates {
            gate.admit(&incoming.meta, incoming.bytes.len()).map_err(refusal)?;
        }
        if let Some(routes) = self.passthrough() {
            let checked = Checked::check(self.signal, incoming.bytes.clone(), &self.limits)?;
            return Ok(whole(&checked, routes, lane));
        }
        let mut draft =
            Draft::check(self.signal, incoming.bytes.clone(), &self.limits, &self.tails)?;
        let records = draft.records();
        if lane == Lane::Urgent {
            draft.items_mut().iter_mut().for_each(|item| item.class = CRITICAL);
        }
        SCRATCH.with_borrow_mut(|(scratch, left)| {
            scratch.refusal = None;
            scratch.after = After::default();
            scratch.headers.clone_from(&incoming.meta.headers);
            left.begin(draft.items());
            self.root.run(&mut draft, scratch, left);
            if let Some(reason) = scratch.refusal.take() {
                return Err(Refusal::Rejected { reason });
            }
            if let Some(error) = left.fault.take() {
                return Err(error.into());
            }
            let mut outputs = std::mem::take(&mut left.outputs);
            let merged = merge_equal(&mut outputs);
            let sum = Sum { merged, ..left.sum() };
            let after = std::mem::take(&mut scratch.after);
            Ok(Processed { after, ..tally(records, sum, outputs, &incoming.bytes) })
        })
    }

    fn passthrough(&self) -> Option<Routes> {
        match (&self.root.exit, self.root.steps.is_empty()) {
            (Exit::All(fork), true) if fork.is_plain() => Some(fork.routes),
            _ => None,
        }
    }
}

fn refusal(overload: Overload) -> Refusal {
    match overload {
        Overload::Wait { retry_after, reason } => Refusal::Overloaded { retry_after, reason },
        Overload::Never { reason } => Refusal::Rejected { reason },
    }
}

fn whole(checked: &Checked, routes: Routes, lane: Lane) -> Processed {
    let records = checked.records();
    let mut outputs = Vec::with_capacity(1);
    let goes = records > 0 && !routes.is_empty();
    if goes {
        outputs.push(Output {
            signal: checked.signal(),
            routes,
            lane,
            records,
            payload: checked.bytes().clone(),
            unchanged: true,
        });
    }
    let (kept, filtered) = if goes { (records, 0) } else { (0, records) };
    let copies = u64::from(kept) * u64::from(routes.count());
    tally(records, Sum { filtered, kept, copies, ..Sum::default() }, outputs, checked.bytes())
}

fn tally(records: u32, sum: Sum, mut outputs: Vec<Output>, input: &Bytes) -> Processed {
    let mut routed = 0;
    for output in &mut outputs {
        output.unchanged =
            output.payload.as_ptr() == input.as_ptr() && output.payload.len() == input.len();
        routed += u64::from(output.records) * u64::from(output.routes.count());
    }
    let Sum { generated, filtered, kept, copies, merged } = sum;
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let records_open =
        i64::from(records) + i64::from(generated) - i64::from(filtered) - i64::from(kept);
    let copies_open = signed(copies) - signed(merged) - signed(routed);
    let unaccounted = records_open + copies_open;
    let after = After::default();
    Processed { records, generated, filtered, kept, merged, routed, unaccounted, outputs, after }
}

impl Stage {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch, left: &mut Left) {
        for step in &self.steps {
            step.run(draft, scratch);
            if scratch.refusal.is_some() {
                return;
            }
        }
        match &self.exit {
            Exit::All(fork) => {
                for item in draft.items_mut().iter_mut().filter(|item| !item.is_dropped()) {
                    item.route = 0;
                }
                leave(std::slice::from_ref(fork), draft, scratch, left);
            }
            Exit::Chosen(route, forks) => {
                route.run(draft, scratch);
                if scratch.refusal.is_some() {
                    return;
                }
                leave(forks, draft, scratch, left);
            }
        }
    }
}

/// Branches first, because they need the records as they are here; then what leaves as it is.
fn leave(forks: &[Fork], draft: &mut Draft, scratch: &mut Scratch, left: &mut Left) {
    for (index, fork) in forks.iter().enumerate() {
        let taken =
            draft.items().iter().any(|item| usize::from(item.route) == index && !item.is_dropped());
        if !taken {
            continue;
        }
        for branch in &fork.branches {
            let mut copy = draft.fork();
            keep_only(&mut copy, index);
            branch.run(&mut copy, scratch, left);
        }
        for (connector, stage) in &fork.derived {
            let mut copy = draft.fork();
            keep_only(&mut copy, index);
            if let Some(bytes) = connector.run(&mut copy, scratch) {
                left.derive(connector.signal(), bytes, (&copy, stage), scratch);
            }
        }
    }
    left.fates.note(draft.items(), |item| destinations(forks, item));
    emit(forks, draft, &mut left.outputs);
}

/// How many destinations take an item as it leaves here.
fn destinations(forks: &[Fork], item: &Item) -> u32 {
    let fork = forks.get(usize::from(item.route)).filter(|_| !item.is_dropped());
    fork.map_or(0, |fork| fork.routes.count())
}

fn keep_only(draft: &mut Draft, route: usize) {
    for index in 0..draft.len() {
        if draft.items().get(index).is_some_and(|item| usize::from(item.route) != route) {
            draft.drop_item(index);
        }
    }
}

fn emit(forks: &[Fork], draft: &mut Draft, outputs: &mut Vec<Output>) {
    let by = |item: &Item| match forks.get(usize::from(item.route)) {
        Some(fork) if !fork.routes.is_empty() => item.route * 2 + u16::from(item.class >= CRITICAL),
        _ => NO_ROUTE,
    };
    for emitted in draft.emit(by, forks.len() * 2) {
        let Some(fork) = forks.get(usize::from(emitted.output / 2)) else { continue };
        let lane = if emitted.output % 2 == 1 { Lane::Urgent } else { Lane::Normal };
        outputs.push(Output {
            signal: draft.signal(),
            routes: fork.routes,
            lane,
            records: emitted.records,
            payload: emitted.bytes,
            unchanged: false,
        });
    }
}

/// Branches whose bytes came out equal share one output; the copies that this saves.
fn merge_equal(outputs: &mut Vec<Output>) -> u64 {
    let mut merged = 0;
    let mut kept: Vec<Output> = Vec::with_capacity(outputs.len());
    for output in outputs.drain(..) {
        let twin = kept.iter_mut().find(|other| {
            other.signal == output.signal
                && other.lane == output.lane
                && other.records == output.records
                && other.payload == output.payload
        });
        match twin {
            Some(twin) => {
                let union = twin.routes.union(&output.routes);
                let saved = twin.routes.count() + output.routes.count() - union.count();
                merged += u64::from(saved) * u64::from(output.records);
                twin.routes = union;
            }
            None => kept.push(output),
        }
    }
    *outputs = kept;
    merged
}

#[cfg(test)]
mod tests;
