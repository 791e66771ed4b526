//! Records that come back to where they were.
//!
//! A processor passes a record on in the signal it came in, a connector makes records of any
//! signal: so the search walks pairs of component and signal, and what looks like a circle but
//! changes its signal on the way, such as metrics made from spans, is none.

use std::collections::{HashMap, HashSet};

use bessemer_record::Signal;

use super::{Edge, Graph};
use crate::catalog::{Catalog, PIPELINE, Role, row};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Location;

type Place<'g> = (&'g str, Signal);

pub(super) fn cycles(graph: &Graph, catalog: &dyn Catalog) -> Vec<Diagnostic> {
    let mut next: HashMap<Place<'_>, Vec<(Place<'_>, &Location)>> = HashMap::new();
    let changes_signal: HashSet<&str> = graph
        .nodes
        .iter()
        .filter(|node| row(catalog, &node.kind).is_some_and(|row| row.role == Role::Connector))
        .map(|node| node.id.as_str())
        .collect();
    for edge in &graph.edges {
        for signal in signals_in(edge, changes_signal.contains(edge.from.as_str())) {
            let steps = next.entry((&edge.from, signal)).or_default();
            steps.push(((&edge.to, edge.signal), &edge.at));
        }
    }
    let pipelines: HashSet<&str> = graph
        .nodes
        .iter()
        .filter(|node| node.kind == PIPELINE)
        .map(|node| node.id.as_str())
        .collect();
    for link in &graph.links {
        let leads_on = pipelines.contains(link.to.as_str());
        for signal in Signal::ALL.into_iter().filter(|_| leads_on) {
            let steps = next.entry((&link.from, signal)).or_default();
            steps.push(((&link.to, signal), &link.at));
        }
    }
    let mut search =
        Search { next: &next, done: HashSet::new(), told: HashSet::new(), found: Vec::new() };
    for node in &graph.nodes {
        for signal in Signal::ALL {
            search.from((&node.id, signal));
        }
    }
    search.found
}

fn signals_in(edge: &Edge, changes_signal: bool) -> Vec<Signal> {
    if changes_signal { Signal::ALL.to_vec() } else { vec![edge.signal] }
}

struct Search<'s, 'g> {
    next: &'s HashMap<Place<'g>, Vec<(Place<'g>, &'g Location)>>,
    done: HashSet<Place<'g>>,
    /// The circles that were reported, by their components.
    told: HashSet<Vec<&'g str>>,
    found: Vec<Diagnostic>,
}

impl<'g> Search<'_, 'g> {
    /// Walks in depth without recursion: a chain of ten thousand components is allowed.
    fn from(&mut self, start: Place<'g>) {
        let mut path: Vec<(Place<'g>, usize)> = vec![(start, 0)];
        let mut on_path: HashSet<Place<'g>> = HashSet::from([start]);
        while let Some((place, step)) = path.last_mut() {
            let place = *place;
            let following = self.next.get(&place).and_then(|steps| steps.get(*step));
            *step += 1;
            let Some((target, at)) = following.filter(|_| !self.done.contains(&place)) else {
                self.done.insert(place);
                on_path.remove(&place);
                path.pop();
                continue;
            };
            if on_path.contains(target) {
                self.report(&path, *target, at);
            } else if !self.done.contains(target) {
                on_path.insert(*target);
                path.push((*target, 0));
            }
        }
    }

    fn report(&mut self, path: &[(Place<'g>, usize)], target: Place<'g>, at: &Location) {
        let start = path.iter().position(|(place, _)| *place == target).unwrap_or(0);
        let circle = path.get(start..).unwrap_or_default();
        let mut names: Vec<&str> = circle.iter().map(|((name, _), _)| *name).collect();
        let mut key = names.clone();
        key.sort_unstable();
        if self.told.insert(key) {
            names.push(target.0);
            let message = format!("records would go in a circle: {}", names.join(" -> "));
            self.found.push(Diagnostic::error(Code::Cycle, at, message));
        }
    }
}
