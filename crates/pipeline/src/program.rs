//! The fused program of one receiver and signal: one walk that checks and indexes, every
//! stateless processor over that index, one emission per set of destinations.

use std::cell::RefCell;
use std::sync::Arc;

use bessemer_journal::{Lane, Routes};
use bessemer_record::{Checked, Draft, Item, Limits, Signal, Tails};
use bytes::Bytes;

use crate::gate::{Gate, Overload};
use crate::outlet::{Incoming, Refusal};
use crate::step::{Route, Scratch, Step};

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
}

/// What a program made of a batch.
#[derive(Debug)]
pub struct Processed {
    /// Records in the batch as it came.
    pub records: u32,
    /// Records that reach no destination.
    pub filtered: u32,
    /// Records times destinations.
    pub routed: u64,
    /// What is to be delivered; empty when nothing is left.
    pub outputs: Vec<Output>,
}

/// Records with equal content, destinations and urgency.
#[derive(Debug, Clone)]
pub struct Output {
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

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

impl Program {
    /// Checks a batch and runs it through every step.
    pub fn run(&self, incoming: &Incoming) -> Result<Processed, Refusal> {
        for gate in &self.gates {
            gate.admit(&incoming.meta, incoming.bytes.len()).map_err(refusal)?;
        }
        if let Some(routes) = self.passthrough() {
            let checked = Checked::check(self.signal, incoming.bytes.clone(), &self.limits)?;
            return Ok(whole(&checked, routes));
        }
        let mut draft =
            Draft::check(self.signal, incoming.bytes.clone(), &self.limits, &self.tails)?;
        let records = draft.records();
        let mut outputs = Vec::new();
        let refusal = SCRATCH.with_borrow_mut(|scratch| {
            scratch.refusal = None;
            scratch.headers.clone_from(&incoming.meta.headers);
            self.root.run(&mut draft, scratch, &mut outputs);
            scratch.refusal.take()
        });
        if let Some(reason) = refusal {
            return Err(Refusal::Rejected { reason });
        }
        merge_equal(&mut outputs);
        Ok(tally(records, outputs, &incoming.bytes))
    }

    fn passthrough(&self) -> Option<Routes> {
        match (&self.root.exit, self.root.steps.is_empty()) {
            (Exit::All(fork), true) if fork.branches.is_empty() => Some(fork.routes),
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

fn whole(checked: &Checked, routes: Routes) -> Processed {
    let records = checked.records();
    let mut outputs = Vec::with_capacity(1);
    if records > 0 && !routes.is_empty() {
        outputs.push(Output {
            routes,
            lane: Lane::Normal,
            records,
            payload: checked.bytes().clone(),
            unchanged: true,
        });
    }
    tally(records, outputs, checked.bytes())
}

fn tally(records: u32, mut outputs: Vec<Output>, input: &Bytes) -> Processed {
    let mut routed = 0;
    let mut reached = 0_u32;
    for output in &mut outputs {
        output.unchanged =
            output.payload.as_ptr() == input.as_ptr() && output.payload.len() == input.len();
        routed += u64::from(output.records) * u64::from(output.routes.count());
        reached = reached.saturating_add(output.records);
    }
    // Branches can carry a record more than once, so this is a floor and exact without branches.
    let filtered = records.saturating_sub(reached);
    Processed { records, filtered, routed, outputs }
}

impl Stage {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch, outputs: &mut Vec<Output>) {
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
                leave(std::slice::from_ref(fork), draft, scratch, outputs);
            }
            Exit::Chosen(route, forks) => {
                route.run(draft, scratch);
                if scratch.refusal.is_some() {
                    return;
                }
                leave(forks, draft, scratch, outputs);
            }
        }
    }
}

/// Branches first, because they need the records as they are here; then what leaves as it is.
fn leave(forks: &[Fork], draft: &mut Draft, scratch: &mut Scratch, outputs: &mut Vec<Output>) {
    for (index, fork) in forks.iter().enumerate() {
        let taken =
            draft.items().iter().any(|item| usize::from(item.route) == index && !item.is_dropped());
        if !taken {
            continue;
        }
        for branch in &fork.branches {
            let mut copy = draft.fork();
            keep_only(&mut copy, index);
            branch.run(&mut copy, scratch, outputs);
        }
    }
    emit(forks, draft, outputs);
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
            routes: fork.routes,
            lane,
            records: emitted.records,
            payload: emitted.bytes,
            unchanged: false,
        });
    }
}

/// Branches whose bytes came out equal share one output.
fn merge_equal(outputs: &mut Vec<Output>) {
    let mut kept: Vec<Output> = Vec::with_capacity(outputs.len());
    for output in outputs.drain(..) {
        let twin = kept.iter_mut().find(|other| {
            other.lane == output.lane
                && other.records == output.records
                && other.payload == output.payload
        });
        match twin {
            Some(twin) => twin.routes = twin.routes.union(&output.routes),
            None => kept.push(output),
        }
    }
    *outputs = kept;
}
