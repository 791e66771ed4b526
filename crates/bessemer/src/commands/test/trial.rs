//! Runs a batch as the engine would, without a journal: stages that hold records let them go as if
//! their interval was over.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use bessemer_pipeline::program::{Output, Program};
use bessemer_pipeline::{Built, Holding, Incoming, Meta, Part, RecordId, Stateful};
use bessemer_runtime::Clock;
use bytes::Bytes;

use super::case::Case;
use super::slot;
use crate::wire::Wired;

/// Everything that a batch passes.
pub(super) struct Trial<'t> {
    pub(super) wired: &'t Wired,
    pub(super) clock: &'t dyn Clock,
}

/// What the stages hold, by their ids.
type Held = BTreeMap<String, Box<dyn Holding>>;

/// The batch that a test sends through a receiver.
pub(super) fn incoming(case: &Case, receiver: &str, bytes: Bytes) -> Incoming {
    let mut meta = Meta { receiver: receiver.to_owned(), ..Meta::default() };
    let lower = |(name, value): (&String, &String)| (name.to_ascii_lowercase(), value.clone());
    meta.set_headers(case.headers.iter().map(lower));
    Incoming { signal: case.signal(), bytes, encoded: None, meta, permit: None }
}

impl Trial<'_> {
    /// What leaves for exporters.
    pub(super) fn run(&self, program: &Program, incoming: Incoming) -> anyhow::Result<Vec<Output>> {
        let refused = |refusal| anyhow!("the batch is refused: {refusal}");
        let received_at = self.clock.unix_nanos();
        let incoming = Incoming { meta: Meta { received_at, ..incoming.meta }, ..incoming };
        let mut outputs = Vec::new();
        let mut held = Held::new();
        let processed = program.run(&incoming).map_err(refused)?;
        self.sort(processed.outputs, &incoming.meta, &mut held, &mut outputs);
        // The graph has no cycle: each round empties stages for good, or ends at exporters.
        while let Some((id, mut holding)) = held.pop_first() {
            for made in holding.emit(self.clock.unix_nanos()) {
                let programs = self.wired.plan.programs.get(&id);
                let Some(Some(program)) = programs.and_then(|all| all.get(slot(made.signal)))
                else {
                    continue;
                };
                let (signal, bytes, meta) = (made.signal, made.bytes, made.meta);
                let incoming = Incoming { signal, bytes, encoded: None, meta, permit: None };
                let processed = program.run_in(made.lane, &incoming).map_err(refused)?;
                self.sort(processed.outputs, &incoming.meta, &mut held, &mut outputs);
            }
        }
        Ok(outputs)
    }

    /// Gives to stages what they hold, and notes what goes to exporters.
    fn sort(&self, made: Vec<Output>, meta: &Meta, held: &mut Held, outputs: &mut Vec<Output>) {
        for output in made {
            let mut routes = bessemer_journal::Routes::default();
            for sink in output.routes.iter() {
                let Some(id) = self.wired.plan.sinks.get(usize::from(sink.0)) else { continue };
                match self.stage(id) {
                    Some(stage) => {
                        let tails = &self.wired.plan.tails;
                        let holding = held.entry(id.clone()).or_insert_with(|| stage.hold(tails));
                        holding.take(output.signal, output.lane, &part(&output, meta));
                    }
                    None => routes.insert(sink),
                }
            }
            if !routes.is_empty() {
                outputs.push(Output { routes, ..output });
            }
        }
    }

    fn stage(&self, id: &str) -> Option<&Arc<dyn Stateful>> {
        match self.wired.built.get(id) {
            Some(Built::Stateful(stage)) => Some(stage),
            _ => None,
        }
    }
}

fn part(output: &Output, meta: &Meta) -> Part {
    Part {
        first: RecordId { incarnation: 0, number: 0 },
        records: output.records,
        meta: Arc::new(meta.clone()),
        payload: output.payload.clone(),
    }
}
