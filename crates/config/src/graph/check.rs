//! Whether a graph can run, whichever dialect it came from.

use std::collections::{BTreeSet, HashMap, HashSet};

use bessemer_record::Signal;

use super::{Graph, Link, Node, cycle};
use crate::catalog::{Catalog, PIPELINE, Role, RowInfo, STORAGE, Stability, row};
use crate::diagnostic::{Code, Diagnostic};
use crate::schema;

/// Every finding about a graph; gives settings the form that decoding expects.
///
/// `incomplete` are components whose dialect has said everything about them.
pub(crate) fn check(
    graph: &mut Graph,
    catalog: &dyn Catalog,
    incomplete: &BTreeSet<String>,
) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let rows: HashMap<String, RowInfo> = graph
        .nodes
        .iter()
        .filter_map(|node| Some((node.id.clone(), row(catalog, &node.kind)?)))
        .collect();
    settings(graph, &rows, catalog, incomplete, &mut findings);
    duplicates(graph, &mut findings);
    narrow_pipelines(graph, &rows);
    wiring(graph, &rows, &mut findings);
    links(graph, &mut findings);
    findings.extend(cycle::cycles(graph, catalog));
    unwired(graph, &rows, &mut findings);
    without_storage(graph, &mut findings);
    findings
}

/// Takes out what has no effect.
fn without_storage(graph: &mut Graph, findings: &mut Vec<Diagnostic>) {
    let all = std::mem::take(&mut graph.nodes).into_iter();
    let (storage, nodes): (Vec<Node>, _) = all.partition(|node| node.kind == STORAGE);
    graph.nodes = nodes;
    for node in &storage {
        let message = format!("{} is accepted and has no effect", node.id);
        let finding = Diagnostic::warning(Code::Ignored, &node.at, message);
        findings.push(finding.with_help("queues are always kept in the journal"));
        graph.links.retain(|link| link.from != node.id && link.to != node.id);
    }
}

/// Settings against schemas; pipelines that settings name become links.
fn settings(
    graph: &mut Graph,
    rows: &HashMap<String, RowInfo>,
    catalog: &dyn Catalog,
    incomplete: &BTreeSet<String>,
    findings: &mut Vec<Diagnostic>,
) {
    let pipelines: Vec<String> = graph
        .nodes
        .iter()
        .filter(|node| node.kind == PIPELINE)
        .map(|node| node.label.clone())
        .collect();
    for node in &mut graph.nodes {
        let Some(row) = rows.get(&node.id) else {
            if !incomplete.contains(&node.id) {
                findings.push(unknown_kind(node, catalog));
            }
            continue;
        };
        if !incomplete.contains(&node.id) {
            findings.extend(schema::check(&mut node.settings, &row.schema, &node.kind));
        }
        if row.stability == Stability::Planned {
            findings.push(planned(node));
        }
        for (name, at) in schema::pipelines(&node.settings, &row.schema) {
            if !pipelines.contains(&name) {
                let message = format!("pipeline \"{name}\" does not exist");
                let help = format!("declare it: {PIPELINE} \"{name}\" {{ to = [...] }}");
                let names = pipelines.iter().map(String::as_str);
                let finding = Diagnostic::error(Code::Dangling, &at, message).with_help(help);
                findings.push(finding.with_nearest(&name, names));
                continue;
            }
            let to = format!("{PIPELINE}.{name}");
            let is_known = graph.links.iter().any(|link| link.from == node.id && link.to == to);
            if !is_known {
                graph.links.push(Link { from: node.id.clone(), to, at });
            }
        }
    }
}

fn unknown_kind(node: &Node, catalog: &dyn Catalog) -> Diagnostic {
    let kinds = catalog.kinds();
    let message = format!("unknown component \"{}\"", node.kind);
    Diagnostic::error(Code::UnknownComponent, &node.at, message)
        .with_nearest(&node.kind, kinds.iter().map(String::as_str))
}

fn planned(node: &Node) -> Diagnostic {
    let message = format!("{} comes with a later version", node.kind);
    Diagnostic::error(Code::Later, &node.at, message)
        .with_help("its settings are checked; it can not run yet")
}

fn duplicates(graph: &Graph, findings: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<&str, &Node> = HashMap::new();
    for node in &graph.nodes {
        if let Some(first) = seen.insert(&node.id, node)
            && first.at.range() != node.at.range()
        {
            let message = format!("{} is declared twice", node.id);
            let help = format!("the first is at {}", first.at);
            findings.push(Diagnostic::error(Code::Duplicate, &node.at, message).with_help(help));
        }
    }
}

/// A list of destinations sends each the signals that it takes.
fn narrow_pipelines(graph: &mut Graph, rows: &HashMap<String, RowInfo>) {
    graph.edges.retain(|edge| {
        let is_list = rows.get(&edge.from).is_some_and(|row| row.role == Role::Pipeline);
        !is_list || rows.get(&edge.to).is_none_or(|row| takes(row, edge.signal))
    });
}

fn takes(row: &RowInfo, signal: Signal) -> bool {
    row.signals.is_empty() || row.signals.contains(&signal)
}

fn wiring(graph: &Graph, rows: &HashMap<String, RowInfo>, findings: &mut Vec<Diagnostic>) {
    let ids: Vec<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
    let known: HashSet<&str> = ids.iter().copied().collect();
    let mut told = HashSet::new();
    for edge in &graph.edges {
        let (signal, to) = (edge.signal, &edge.to);
        if !known.contains(to.as_str()) {
            if told.insert((edge.at.range(), to)) {
                let message = format!("component \"{to}\" does not exist");
                let finding = Diagnostic::error(Code::Dangling, &edge.at, message);
                findings.push(finding.with_nearest(to, ids.iter().copied()));
            }
            continue;
        }
        let sender = rows.get(&edge.from).filter(|row| !row.role.has_output());
        if let Some(sender) = sender {
            let message = format!(
                "{} sends nothing on: it is of the role {}",
                edge.from,
                sender.role.as_str()
            );
            if told.insert((edge.at.range(), &edge.from)) {
                findings.push(Diagnostic::error(Code::Wiring, &edge.at, message));
            }
            continue;
        }
        let Some(target) = rows.get(to) else { continue };
        let problem = if !target.role.has_input() {
            format!("{to} takes no records: it is of the role {}", target.role.as_str())
        } else if !takes(target, signal) {
            let taken: Vec<_> = target.signals.iter().map(|signal| signal.as_str()).collect();
            format!("{to} takes {}, not {signal}", taken.join(" and "))
        } else {
            continue;
        };
        if told.insert((edge.at.range(), to)) {
            findings.push(Diagnostic::error(Code::Wiring, &edge.at, problem));
        }
    }
}

fn links(graph: &Graph, findings: &mut Vec<Diagnostic>) {
    let ids: HashSet<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
    for link in &graph.links {
        if !ids.contains(link.to.as_str()) {
            let message = format!("component \"{}\" does not exist", link.to);
            let finding = Diagnostic::error(Code::Dangling, &link.at, message);
            findings.push(finding.with_nearest(&link.to, ids.iter().copied()));
        }
    }
}

/// Components that no record can reach or leave.
fn unwired(graph: &Graph, rows: &HashMap<String, RowInfo>, findings: &mut Vec<Diagnostic>) {
    let fed: HashSet<&str> = graph.edges.iter().map(|edge| edge.to.as_str()).collect();
    let used: HashSet<&str> = graph.links.iter().map(|link| link.to.as_str()).collect();
    let feeding: HashSet<&str> = graph.edges.iter().map(|edge| edge.from.as_str()).collect();
    let routing: HashSet<&str> = graph
        .links
        .iter()
        .filter(|link| rows.get(&link.to).is_some_and(|row| row.role == Role::Pipeline))
        .map(|link| link.from.as_str())
        .collect();
    for node in &graph.nodes {
        let (Some(row), id) = (rows.get(&node.id), node.id.as_str()) else { continue };
        let is_reached = fed.contains(id) || used.contains(id) || !row.role.has_input();
        let is_left = feeding.contains(id) || routing.contains(id) || !row.role.has_output();
        let problem = match (is_reached, is_left) {
            (true, true) => continue,
            (false, true) => "receives nothing: no output names it",
            (true, false) => "sends its records nowhere: it has no output",
            (false, false) => "is not wired: no output names it and it has none",
        };
        let message = format!("{id} {problem}");
        findings.push(Diagnostic::warning(Code::Unwired, &node.at, message));
    }
}
