//! From edges to pipelines: the inverse of what `assemble` does.
//!
//! For each signal every processor stands in one chain, from what sends to its first to what the
//! last sends to. A chain goes on while the one follower has no other sender; another processor
//! then starts a chain of its own, with the last of this one among its `receivers`. Edges between
//! other components make pipelines without processors.

use std::collections::{BTreeMap, BTreeSet};

use bessemer_record::Signal;

use crate::graph::Graph;

/// A pipeline as ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) signal: Signal,
    pub(super) senders: Vec<String>,
    pub(super) steps: Vec<String>,
    pub(super) takers: Vec<String>,
}

/// The chains of a graph; `processors` are the ids of its processors.
pub(super) fn chains(graph: &Graph, processors: &BTreeSet<String>) -> Vec<Chain> {
    let signals = [Signal::Traces, Signal::Metrics, Signal::Logs];
    signals.into_iter().flat_map(|signal| Wires::new(graph, signal, processors).chains()).collect()
}

struct Wires<'g> {
    signal: Signal,
    processors: &'g BTreeSet<String>,
    /// Components in the order of the graph.
    order: Vec<&'g str>,
    into: BTreeMap<&'g str, Vec<&'g str>>,
    out_of: BTreeMap<&'g str, Vec<&'g str>>,
}

impl<'g> Wires<'g> {
    fn new(graph: &'g Graph, signal: Signal, processors: &'g BTreeSet<String>) -> Self {
        let order = graph.nodes.iter().map(|node| node.id.as_str()).collect();
        let (into, out_of) = (BTreeMap::new(), BTreeMap::new());
        let mut wires = Self { signal, processors, order, into, out_of };
        for edge in graph.edges.iter().filter(|edge| edge.signal == signal) {
            let (from, to) = (edge.from.as_str(), edge.to.as_str());
            let takers = wires.out_of.entry(from).or_default();
            if !takers.contains(&to) {
                takers.push(to);
                wires.into.entry(to).or_default().push(from);
            }
        }
        wires
    }

    fn is_processor(&self, id: &str) -> bool {
        self.processors.contains(id)
    }

    fn senders(&self, id: &str) -> &[&'g str] {
        self.into.get(id).map_or(&[], Vec::as_slice)
    }

    fn takers(&self, id: &str) -> &[&'g str] {
        self.out_of.get(id).map_or(&[], Vec::as_slice)
    }

    /// The processor that goes on a chain: the one taker, which has one sender.
    fn next(&self, id: &str) -> Option<&'g str> {
        let [taker] = self.takers(id) else { return None };
        let is_alone = self.is_processor(taker) && self.senders(taker).len() == 1;
        is_alone.then_some(*taker)
    }

    fn is_start(&self, id: &str) -> bool {
        let [sender] = self.senders(id) else { return true };
        !self.is_processor(sender) || self.next(sender) != Some(id)
    }

    fn chains(&self) -> Vec<Chain> {
        let is_wired = |id: &&&str| !self.senders(id).is_empty() || !self.takers(id).is_empty();
        let wired: Vec<&str> = self.order.iter().filter(is_wired).copied().collect();
        let mut chains = Vec::new();
        let mut done = BTreeSet::new();
        let (starts, others): (Vec<&str>, Vec<&str>) =
            wired.iter().filter(|id| self.is_processor(id)).partition(|id| self.is_start(id));
        // Processors in a circle have no start; any will do.
        for start in starts.into_iter().chain(others) {
            if !done.contains(start) {
                chains.push(self.chain(start, &mut done));
            }
        }
        chains.extend(self.direct(&wired));
        chains
    }

    fn chain(&self, start: &'g str, done: &mut BTreeSet<&'g str>) -> Chain {
        let mut steps = vec![start];
        done.insert(start);
        let mut last = start;
        while let Some(next) = self.next(last).filter(|next| !done.contains(next)) {
            done.insert(next);
            steps.push(next);
            last = next;
        }
        let takers = self.takers(last).iter().filter(|taker| !self.is_processor(taker));
        self.made(self.senders(start), &steps, takers.copied())
    }

    fn made(
        &self,
        senders: &[&str],
        steps: &[&str],
        takers: impl Iterator<Item = &'g str>,
    ) -> Chain {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let takers: Vec<&str> = takers.collect();
        let (senders, steps, takers) = (owned(senders), owned(steps), owned(&takers));
        Chain { signal: self.signal, senders, steps, takers }
    }

    /// Edges without a processor at either end: senders with the same takers share a pipeline.
    fn direct(&self, wired: &[&'g str]) -> Vec<Chain> {
        let mut groups: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
        for sender in wired.iter().filter(|id| !self.is_processor(id)) {
            let takers = self.takers(sender).iter().filter(|taker| !self.is_processor(taker));
            let mut takers: Vec<&str> = takers.copied().collect();
            takers.sort_unstable();
            if takers.is_empty() {
                continue;
            }
            match groups.iter_mut().find(|(_, known)| *known == takers) {
                Some((senders, _)) => senders.push(sender),
                None => groups.push((vec![sender], takers)),
            }
        }
        let chain = |(senders, takers): (Vec<&str>, Vec<&'g str>)| {
            self.made(&senders, &[], takers.into_iter())
        };
        groups.into_iter().map(chain).collect()
    }
}
