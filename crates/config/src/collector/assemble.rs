//! From components and pipelines to a graph.
//!
//! The Collector makes a processor anew for every pipeline, the graph has one node for it. That is
//! the same as long as no two pipelines of one signal share it; if they do, it becomes one node for
//! each name of a pipeline. A pipeline that a routing table names becomes a node of its own.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bessemer_record::Signal;

use super::components::{self, Component, Components};
use super::names::{self, Section};
use super::pipelines::{self, Pipeline, Target, Use};
use super::{Reader, service};
use crate::catalog::PIPELINE;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Edge, Graph, Link, Node};
use crate::schema;
use crate::source::Location;
use crate::value::{Data, Object, Value};

/// The graph of a document; what is wrong is reported.
pub(super) fn graph(reader: &mut Reader<'_>, document: Value) -> Graph {
    let mut document = match document.data {
        Data::Object(object) => object,
        _ => Object::default(),
    };
    let mut graph = Graph::default();
    let mut components = components::read(reader, &mut document);
    service::options(&mut document, &mut graph.options);
    let pipelines = service::read(reader, &mut document, &components, &mut graph.options);
    for field in &document.fields {
        let message = format!("a configuration has no section \"{}\"", field.name);
        let names = Section::ALL.iter().map(|section| section.as_str()).chain(["service"]);
        let finding = Diagnostic::error(Code::UnknownSetting, &field.name_at, message)
            .with_nearest(&field.name, names);
        reader.diagnostics.push(finding);
    }
    let pipelines = pipelines
        .map(|pipelines| pipelines::read(reader, &pipelines, &components))
        .unwrap_or_default();
    let routes = routes(reader, &mut components, &pipelines);
    let mut assembly = Assembly { reader, components: &components, routes, graph };
    assembly.nodes(&pipelines);
    assembly.graph
}

/// Which component names which pipeline, and the nodes of those pipelines.
#[derive(Default)]
struct Routes {
    /// Router and pipeline, by their numbers.
    pairs: BTreeSet<(usize, usize)>,
    /// The label of a pipeline that is named, by its number.
    labels: BTreeMap<usize, BTreeSet<String>>,
}

fn routes(reader: &mut Reader<'_>, components: &mut Components, pipelines: &[Pipeline]) -> Routes {
    let mut routes = Routes::default();
    let declared: HashSet<String> = components
        .all
        .iter()
        .filter(|component| component.node.kind == PIPELINE)
        .map(|component| component.node.label.clone())
        .collect();
    for (router, component) in components.all.iter_mut().enumerate() {
        let Some(row) = &component.row else { continue };
        let mut renamed = BTreeMap::new();
        for (name, at) in schema::pipelines(&component.node.settings, &row.schema) {
            let named = |pipeline: &Pipeline| pipeline.key == name || pipeline.name == name;
            let found: Vec<usize> =
                (0..pipelines.len()).filter(|at| pipelines.get(*at).is_some_and(named)).collect();
            if declared.contains(&name) {
                continue;
            }
            if found.is_empty() {
                unknown_pipeline(reader, &name, &at, pipelines);
                continue;
            }
            let label = names::label_of(&name);
            for pipeline in found {
                routes.pairs.insert((router, pipeline));
                routes.labels.entry(pipeline).or_default().insert(label.clone());
            }
            renamed.insert(name, label);
        }
        schema::rename_pipelines(&mut component.node.settings, &row.schema, &renamed);
    }
    routes
}

/// Says so if the name is close to one that is there; another text may declare it otherwise.
fn unknown_pipeline(reader: &mut Reader<'_>, name: &str, at: &Location, pipelines: &[Pipeline]) {
    let keys = pipelines.iter().flat_map(|pipeline| [&pipeline.key, &pipeline.name]);
    let keys = keys.map(String::as_str).filter(|key| !key.is_empty());
    let message = format!("pipeline \"{name}\" does not exist");
    let finding = Diagnostic::error(Code::Dangling, at, message).with_nearest(name, keys);
    if finding.help.is_some() {
        reader.diagnostics.push(finding);
    }
}

struct Assembly<'r, 'a> {
    reader: &'r mut Reader<'a>,
    components: &'r Components,
    routes: Routes,
    graph: Graph,
}

impl Assembly<'_, '_> {
    fn nodes(&mut self, pipelines: &[Pipeline]) {
        let shared = shared(pipelines);
        for (index, component) in self.components.all.iter().enumerate() {
            if !shared.contains(&index) {
                self.node(component.node.clone());
            }
        }
        let labels: BTreeMap<String, Location> = pipelines
            .iter()
            .enumerate()
            .filter_map(|(at, pipeline)| Some((self.routes.labels.get(&at)?, pipeline)))
            .flat_map(|(labels, pipeline)| {
                labels.iter().map(|label| (label.clone(), pipeline.at.clone()))
            })
            .collect();
        for (label, at) in labels {
            self.node(Node::new(PIPELINE, &label, Value::block(at.clone()), at));
        }
        let mut made = BTreeSet::new();
        for (number, pipeline) in pipelines.iter().enumerate() {
            for step in &pipeline.processors {
                let Target::Own(index) = step.target else { continue };
                let Some(component) = self.components.all.get(index) else { continue };
                if shared.contains(&index) && made.insert((index, pipeline.name.clone())) {
                    self.node(instance(component, pipeline));
                }
            }
            self.edges(number, pipeline, &shared);
        }
    }

    /// Adds a component with what it uses.
    fn node(&mut self, node: Node) {
        let link = |(reference, at): (&crate::value::Reference, &Location)| Link {
            from: node.id.clone(),
            to: reference.node.clone(),
            at: at.clone(),
        };
        self.graph.links.extend(node.settings.references().into_iter().map(link));
        self.graph.nodes.push(node);
    }

    fn id(&self, target: &Target) -> String {
        match target {
            Target::Foreign(id) => id.clone(),
            Target::Own(index) => self
                .components
                .all
                .get(*index)
                .map(|known| known.node.id.clone())
                .unwrap_or_default(),
        }
    }

    fn edges(&mut self, number: usize, pipeline: &Pipeline, shared: &BTreeSet<usize>) {
        let mut steps = Vec::new();
        for step in &pipeline.processors {
            let is_shared = matches!(step.target, Target::Own(index) if shared.contains(&index));
            let id = match (&step.target, is_shared) {
                (Target::Own(index), true) => self
                    .components
                    .all
                    .get(*index)
                    .map(|known| instance(known, pipeline).id)
                    .unwrap_or_default(),
                (target, _) => self.id(target),
            };
            steps.push((id, step.at.clone()));
        }
        let senders = self.senders(number, pipeline, shared);
        let takers: Vec<_> = self.ends(&pipeline.exporters, shared);
        let mut stages = vec![senders];
        stages.extend(steps.into_iter().map(|step| vec![step]));
        stages.push(takers);
        for pair in stages.windows(2) {
            let [from, to] = pair else { continue };
            for (sender, _) in from {
                for (taker, at) in to {
                    self.edge(sender, pipeline.signal, taker, at);
                }
            }
        }
    }

    fn edge(&mut self, from: &str, signal: Signal, to: &str, at: &Location) {
        let (from, to, at) = (from.to_owned(), to.to_owned(), at.clone());
        self.graph.edges.push(Edge { from, signal, to, at });
    }

    /// Who sends into a pipeline: its receivers, and the node that stands for it in tables.
    fn senders(
        &mut self,
        number: usize,
        pipeline: &Pipeline,
        shared: &BTreeSet<usize>,
    ) -> Vec<(String, Location)> {
        let is_direct = |sender: &&Use| {
            let Target::Own(index) = sender.target else { return true };
            !self.routes.pairs.contains(&(index, number))
        };
        let direct: Vec<&Use> = pipeline.receivers.iter().filter(is_direct).collect();
        let direct = direct.into_iter().map(|sender| (sender.target.clone(), sender.at.clone()));
        let mut senders = Vec::new();
        for (target, at) in direct.collect::<Vec<_>>() {
            if self.is_whole(&target, &at, shared) {
                senders.push((self.id(&target), at));
            }
        }
        for label in self.routes.labels.get(&number).into_iter().flatten() {
            senders.push((format!("{PIPELINE}.{label}"), pipeline.at.clone()));
        }
        senders
    }

    fn ends(&mut self, uses: &[Use], shared: &BTreeSet<usize>) -> Vec<(String, Location)> {
        let mut ends = Vec::new();
        for taker in uses {
            if self.is_whole(&taker.target, &taker.at, shared) {
                ends.push((self.id(&taker.target), taker.at.clone()));
            }
        }
        ends
    }

    /// Whether a name means one node; reports if several pipelines have their own of it.
    fn is_whole(&mut self, target: &Target, at: &Location, shared: &BTreeSet<usize>) -> bool {
        let Target::Own(index) = target else { return true };
        if !shared.contains(index) {
            return true;
        }
        let name = self.components.all.get(*index).map_or("", |known| known.name.as_str());
        let message = format!("several pipelines have a processor \"{name}\" of their own");
        self.reader.report(Code::Wiring, at, message);
        false
    }
}

/// Processors that two pipelines of one signal have.
fn shared(pipelines: &[Pipeline]) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut shared = BTreeSet::new();
    for pipeline in pipelines {
        for step in &pipeline.processors {
            if let Target::Own(index) = step.target
                && !seen.insert((pipeline.signal.as_str(), index))
            {
                shared.insert(index);
            }
        }
    }
    shared
}

/// The node of a processor in the pipelines of one name.
fn instance(component: &Component, pipeline: &Pipeline) -> Node {
    let mut node = component.node.clone();
    if !pipeline.name.is_empty() {
        node.label = names::label_of(&format!("{}_{}", node.label, pipeline.name));
        node.id = format!("{}.{}", node.kind, node.label);
    }
    node
}
