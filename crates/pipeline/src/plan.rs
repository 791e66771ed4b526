//! From graph to programs: which steps each receiver's batches pass, and where they leave.
//!
//! The graph is a DAG (config refuses cycles). Starting at a receiver's edges, consecutive
//! processors become steps of one stage; a router or a fan-out ends the stage. `batch` leaves a
//! mark on the exporters behind it and `memory_limiter` one on the way in; neither is a step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bessemer_config::Graph;
use bessemer_journal::SinkIndex;
use bessemer_record::{Limits, Signal, Tails};

use crate::assembly::Assembly;
use crate::catalog::Built;
use crate::gate::Gate;
use crate::program::{Exit, Fork, Program, Stage};
use crate::stateful::Entrance;
use crate::step::Derive;

/// Destinations of one graph at most: one bit each in a route set.
pub const DESTINATIONS_MAX: usize = 256;
/// Stages of one program at most; fan-outs multiply.
const STAGES_MAX: usize = 4096;

/// Why a graph could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// More exporters than route bits.
    #[error("the graph has {0} exporters and stages with memory, at most {DESTINATIONS_MAX} fit")]
    TooManyDestinations(usize),
    /// A routing table names a pipeline that nothing defines.
    #[error("{router} routes to the pipeline {pipeline:?}, which nothing defines{}", hint(.nearest.as_deref()))]
    UnknownPipeline {
        /// Id of the routing component.
        router: String,
        /// The name in its table.
        pipeline: String,
        /// The nearest name that exists.
        nearest: Option<String>,
    },
    /// The fan-outs multiply beyond reason.
    #[error("the graph behind {0} unfolds into more than {STAGES_MAX} branches")]
    TooManyBranches(String),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

/// A compiled graph.
#[derive(Debug)]
pub struct Plan {
    /// Ids of what reads the journal, exporters and stages with memory; the position is the route
    /// bit.
    pub sinks: Vec<String>,
    /// How each exporter assembles, by position.
    pub assemblies: Vec<Assembly>,
    /// Programs of each receiver, of each stage with memory and of each step that makes records, by
    /// signal slot.
    pub programs: BTreeMap<String, [Option<Arc<Program>>; 3]>,
    /// The sets of attributes that all programs can add.
    pub tails: Arc<Tails>,
}

impl Plan {
    /// Compiles `graph`, whose components are `built`.
    pub fn compile(
        graph: &Graph,
        built: &BTreeMap<String, Built>,
        limits: &Limits,
        tails: &Arc<Tails>,
    ) -> Result<Self, PlanError> {
        let sinks: Vec<String> = built
            .iter()
            .filter(|(_, built)| matches!(built, Built::Exporter { .. } | Built::Stateful(_)))
            .map(|(id, _)| id.clone())
            .collect();
        if sinks.len() > DESTINATIONS_MAX {
            return Err(PlanError::TooManyDestinations(sinks.len()));
        }
        let mut plan = Self {
            assemblies: vec![Assembly::default(); sinks.len()],
            sinks,
            programs: BTreeMap::new(),
            tails: Arc::clone(tails),
        };
        for (id, component) in built {
            let sends = matches!(component, Built::Receiver { .. } | Built::Stateful(_));
            if sends || component.speaker().is_some() {
                let programs = plan.sender(graph, built, id, limits, tails)?;
                plan.programs.insert(id.clone(), programs);
            }
        }
        Ok(plan)
    }

    /// The programs of what puts records into the pipeline.
    fn sender(
        &mut self,
        graph: &Graph,
        built: &BTreeMap<String, Built>,
        id: &str,
        limits: &Limits,
        tails: &Arc<Tails>,
    ) -> Result<[Option<Arc<Program>>; 3], PlanError> {
        let mut programs = [None, None, None];
        for (slot, signal) in programs.iter_mut().zip(crate::engine::SIGNALS) {
            let next = successors(graph, id, signal);
            if next.is_empty() {
                continue;
            }
            let mut compiler = Compiler {
                graph,
                built,
                signal,
                plan: self,
                gates: Vec::new(),
                stages: 0,
                receiver: id,
            };
            let mut root =
                Stage { steps: Vec::new(), exit: Exit::All(compiler.fork(&next, None)?) };
            flatten(&mut root);
            *slot = Some(Arc::new(Program {
                signal,
                limits: *limits,
                tails: Arc::clone(tails),
                gates: compiler.gates,
                root,
            }));
        }
        Ok(programs)
    }
}

struct Compiler<'a> {
    graph: &'a Graph,
    built: &'a BTreeMap<String, Built>,
    signal: Signal,
    plan: &'a mut Plan,
    gates: Vec<Arc<dyn Gate>>,
    stages: usize,
    receiver: &'a str,
}

impl Compiler<'_> {
    /// Everything that takes the same records: exporters by bit, processors as branches.
    fn fork(&mut self, inputs: &[String], assembly: Option<&Assembly>) -> Result<Fork, PlanError> {
        let mut fork = Fork::default();
        for id in inputs {
            self.enter(id, assembly, &mut fork)?;
        }
        Ok(fork)
    }

    fn enter(
        &mut self,
        id: &str,
        assembly: Option<&Assembly>,
        fork: &mut Fork,
    ) -> Result<(), PlanError> {
        let built = self.built;
        match built.get(id) {
            Some(Built::Exporter { .. }) => {
                self.insert(id, assembly, fork);
                Ok(())
            }
            Some(Built::Pipeline) => self.enter_all(id, assembly, fork),
            Some(Built::Gate(gate)) => {
                self.gates.push(Arc::clone(gate));
                self.enter_all(id, assembly, fork)
            }
            Some(Built::Assembly(own, gate)) => {
                self.gates.extend(gate.clone());
                self.enter_all(id, Some(own), fork)
            }
            Some(Built::Step(_) | Built::Route(_) | Built::Stateful(_)) => {
                let stage = self.stage(id, assembly)?;
                fork.branches.push(stage);
                Ok(())
            }
            Some(Built::Derive(connector)) => self.derive(id, connector, fork),
            Some(Built::Receiver { .. } | Built::Extension { .. }) | None => Ok(()),
        }
    }

    fn insert(&mut self, id: &str, assembly: Option<&Assembly>, fork: &mut Fork) {
        let Some(index) = self.plan.sinks.iter().position(|sink| sink == id) else { return };
        fork.routes.insert(SinkIndex(u8::try_from(index).unwrap_or(u8::MAX)));
        if let (Some(assembly), Some(slot)) = (assembly, self.plan.assemblies.get_mut(index)) {
            *slot = assembly.clone();
        }
    }

    fn derive(
        &mut self,
        id: &str,
        connector: &Arc<dyn Derive>,
        fork: &mut Fork,
    ) -> Result<(), PlanError> {
        self.count_stage()?;
        let came = std::mem::replace(&mut self.signal, connector.signal());
        let next = successors(self.graph, id, self.signal);
        let behind = self.fork(&next, None);
        self.signal = came;
        let mut stage = Stage { steps: Vec::new(), exit: Exit::All(behind?) };
        flatten(&mut stage);
        fork.derived.push((Arc::clone(connector), stage));
        Ok(())
    }

    fn count_stage(&mut self) -> Result<(), PlanError> {
        self.stages += 1;
        if self.stages > STAGES_MAX {
            return Err(PlanError::TooManyBranches(self.receiver.to_owned()));
        }
        Ok(())
    }

    fn enter_all(
        &mut self,
        id: &str,
        assembly: Option<&Assembly>,
        fork: &mut Fork,
    ) -> Result<(), PlanError> {
        for next in successors(self.graph, id, self.signal) {
            self.enter(&next, assembly, fork)?;
        }
        Ok(())
    }

    fn stage(&mut self, id: &str, assembly: Option<&Assembly>) -> Result<Stage, PlanError> {
        self.count_stage()?;
        let built = self.built;
        if let Some(Built::Route(route)) = built.get(id) {
            let mut forks = Vec::new();
            for target in route.targets() {
                let inputs = self.pipelines(id, target)?;
                forks.push(self.fork(&inputs, assembly)?);
            }
            return Ok(Stage { steps: Vec::new(), exit: Exit::Chosen(Arc::clone(route), forks) });
        }
        if let Some(Built::Stateful(stateful)) = built.get(id) {
            let mut held = Fork::default();
            self.insert(id, None, &mut held);
            let next = successors(self.graph, id, self.signal);
            let forks = vec![held, self.fork(&next, assembly)?];
            let entrance = Arc::new(Entrance(Arc::clone(stateful)));
            return Ok(Stage { steps: Vec::new(), exit: Exit::Chosen(entrance, forks) });
        }
        let steps = match built.get(id) {
            Some(Built::Step(step)) => vec![Arc::clone(step)],
            _ => Vec::new(),
        };
        let next = successors(self.graph, id, self.signal);
        let mut stage = Stage { steps, exit: Exit::All(self.fork(&next, assembly)?) };
        flatten(&mut stage);
        Ok(stage)
    }

    /// The nodes that define the named pipelines.
    fn pipelines(&self, router: &str, names: &[String]) -> Result<Vec<String>, PlanError> {
        let mut found = BTreeSet::new();
        for name in names {
            let id = self
                .built
                .iter()
                .filter(|(_, component)| matches!(component, Built::Pipeline))
                .map(|(id, _)| id)
                .find(|id| pipeline_name(id) == name);
            match id {
                Some(id) => found.insert(id.clone()),
                None => return Err(self.unknown_pipeline(router, name)),
            };
        }
        Ok(found.into_iter().collect())
    }

    fn unknown_pipeline(&self, router: &str, name: &str) -> PlanError {
        let known = self
            .built
            .iter()
            .filter(|(_, component)| matches!(component, Built::Pipeline))
            .map(|(id, _)| pipeline_name(id));
        PlanError::UnknownPipeline {
            router: router.to_owned(),
            pipeline: name.to_owned(),
            nearest: bessemer_config::nearest::nearest(name, known).map(str::to_owned),
        }
    }
}

/// `critical` of `bessemer.pipeline.critical`.
fn pipeline_name(id: &str) -> &str {
    id.strip_prefix("bessemer.pipeline.").unwrap_or(id)
}

fn successors(graph: &Graph, id: &str, signal: Signal) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let edges = graph.edges.iter().filter(|edge| edge.from == id && edge.signal == signal);
    edges.filter(|edge| seen.insert(edge.to.as_str())).map(|edge| edge.to.clone()).collect()
}

/// A stage whose only exit is one branch is that branch: one program, no copy.
fn flatten(stage: &mut Stage) {
    let Exit::All(fork) = &mut stage.exit else { return };
    if fork.routes.is_empty()
        && fork.derived.is_empty()
        && fork.branches.len() == 1
        && let Some(branch) = fork.branches.pop()
    {
        stage.steps.extend(branch.steps);
        stage.exit = branch.exit;
    }
}
