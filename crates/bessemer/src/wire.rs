//! Builds the components of a graph and compiles them into a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bessemer_config::{Code, Diagnostic, Graph, Link, Location, Node, Value};
use bessemer_pipeline::catalog::BuildError;
use bessemer_pipeline::{Built, Catalogs, Context, Plan, PlanError};
use bessemer_record::Tails;

/// Every component of this binary.
pub(crate) fn catalogs() -> Catalogs {
    Catalogs::new(&[
        bessemer_receivers::CATALOG,
        bessemer_processors::CATALOG,
        bessemer_classify::CATALOG,
        bessemer_exporters::CATALOG,
    ])
    .with_planned(bessemer_exporters::PLANNED)
}

/// A graph whose components are made and compiled, ready to start.
#[derive(Debug)]
pub(crate) struct Wired {
    pub(crate) built: BTreeMap<String, Built>,
    pub(crate) plan: Plan,
}

/// Makes every component; all errors at once.
pub(crate) fn wire(graph: &Graph, context: &Context) -> Result<Wired, Vec<Diagnostic>> {
    let catalogs = catalogs();
    let mut built = BTreeMap::new();
    let mut findings = Vec::new();
    let mut failed: BTreeSet<&str> = BTreeSet::new();
    // What others name comes first in a graph.
    for node in &graph.nodes {
        let names_failed = |link: &Link| link.from == node.id && failed.contains(link.to.as_str());
        if graph.links.iter().any(names_failed) {
            continue;
        }
        let Some(row) = catalogs.find(&node.kind) else { continue };
        match (row.build)(&node.settings, &context.of(&node.id)) {
            Ok(component) => drop(built.insert(node.id.clone(), component)),
            Err(error) => {
                failed.insert(&node.id);
                match error {
                    BuildError::Shape(more) => findings.extend(more),
                    BuildError::Value(error) => findings.push(of_value(node, &error)),
                }
            }
        }
    }
    for (id, error) in context.services.check() {
        findings.extend(graph.node(&id).map(|node| of_value(node, &error)));
    }
    findings.extend(shared_ports(graph, &built));
    if !findings.is_empty() {
        return Err(findings);
    }
    let tails: Arc<Tails> = std::mem::take(&mut *context.tails.lock()).build();
    match Plan::compile(graph, &built, &context.limits, &tails) {
        Ok(plan) => Ok(Wired { built, plan }),
        Err(error) => Err(vec![of_plan(graph, &error)]),
    }
}

fn of_value(node: &Node, error: &bessemer_pipeline::SettingsError) -> Diagnostic {
    let at = place(&node.settings, &error.path).unwrap_or(&node.at);
    Diagnostic::error(Code::WrongValue, at, format!("{} {}", error.path, error.problem))
        .with_help(error.remedy.clone())
}

/// Where the setting at a dotted path with indexes stands, or the innermost one around it that is
/// written.
fn place<'s>(settings: &'s Value, path: &str) -> Option<&'s Location> {
    let mut found = None;
    let mut value = settings;
    for step in path.split('.') {
        let (name, indexes) = step.split_at(step.find('[').unwrap_or(step.len()));
        let Some(inner) = value.get(name) else { return found };
        value = inner;
        found = Some(&value.at);
        for index in indexes.split(['[', ']']).filter_map(|index| index.parse::<usize>().ok()) {
            // One block where a list is wanted is no list.
            let Some(items) = value.as_array() else { continue };
            let Some(item) = items.get(index) else { return found };
            value = item;
            found = Some(&value.at);
        }
    }
    found
}

fn of_plan(graph: &Graph, error: &PlanError) -> Diagnostic {
    let id = match error {
        PlanError::UnknownPipeline { router, .. } => router,
        PlanError::TooManyBranches(receiver) => receiver,
        PlanError::TooManyDestinations(_) => "",
    };
    let at = graph.node(id).map(|node| node.at.clone()).unwrap_or_default();
    Diagnostic::error(Code::Wiring, &at, error.to_string())
}

/// Two components on one endpoint.
fn shared_ports(graph: &Graph, built: &BTreeMap<String, Built>) -> Vec<Diagnostic> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for (id, component) in built {
        for endpoint in component.listens().iter().filter(|endpoint| !endpoint.ends_with(":0")) {
            let Some(owner) = owners.insert(endpoint, id) else { continue };
            let at = graph.node(id).map(|node| node.at.clone()).unwrap_or_default();
            let message = format!("{id} listens on {endpoint}, and so does {owner}");
            findings.push(
                Diagnostic::error(Code::Duplicate, &at, message)
                    .with_help("give one of them another endpoint"),
            );
        }
    }
    findings
}
