//! Asks every destination of a configuration whether it would take records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bessemer_config::{Code, Diagnostic, Graph, Signal};
use bessemer_pipeline::{Built, Exporter, Probe};
use tokio::task::JoinSet;

use crate::wire::Wired;

/// How long one answer may take, whatever the settings of the client say.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What asking found.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) findings: Vec<Diagnostic>,
    /// Destinations that would take all signals they are to get.
    pub(crate) ready: Vec<String>,
}

/// Asks all destinations at once, each for the signals that reach it.
pub(crate) async fn ask(graph: &Graph, wired: &Wired) -> Asked {
    let reaching = reaching(graph, wired);
    let mut waiting = JoinSet::new();
    // At most as many as a plan has routes.
    for (id, component) in &wired.built {
        let Built::Exporter { exporter, .. } = component else { continue };
        let signals = reaching.get(id.as_str()).cloned().unwrap_or_default();
        waiting.spawn(ask_one(id.clone(), Arc::clone(exporter), signals));
    }
    let mut answers: BTreeMap<String, Vec<(Signal, Probe)>> = BTreeMap::new();
    while let Some(answer) = waiting.join_next().await {
        // Not joined only after a panic, which has been reported.
        answers.extend(answer.ok());
    }
    let mut asked = Asked::default();
    for (id, answers) in answers {
        let findings = findings(graph, &id, &answers);
        if findings.is_empty() && answers.iter().any(|(_, probe)| *probe == Probe::Ready) {
            asked.ready.push(id);
        }
        asked.findings.extend(findings);
    }
    asked
}

async fn ask_one(
    id: String,
    exporter: Arc<dyn Exporter>,
    signals: BTreeSet<Signal>,
) -> (String, Vec<(Signal, Probe)>) {
    let mut answers = Vec::new();
    for signal in signals {
        let asked = tokio::time::timeout(ANSWER_WITHIN, exporter.probe(signal)).await;
        let probe = asked.unwrap_or_else(|_| Probe::Failed {
            reason: format!("no answer within {ANSWER_WITHIN:?}"),
            remedy: "check firewalls between here and the endpoint",
        });
        let is_over = matches!(probe, Probe::Failed { .. } | Probe::Local);
        answers.push((signal, probe));
        if is_over {
            break;
        }
    }
    (id, answers)
}

fn findings(graph: &Graph, id: &str, answers: &[(Signal, Probe)]) -> Vec<Diagnostic> {
    let at = graph.node(id).map(|node| node.at.clone()).unwrap_or_default();
    let finding = |(signal, probe): &(Signal, Probe)| match probe {
        Probe::Local | Probe::Ready => None,
        Probe::Busy { reason } => {
            let message = format!("{id} does not take {} now: {reason}", signal.as_str());
            let help = "what it is owed waits in the journal until it does";
            Some(Diagnostic::warning(Code::Unreachable, &at, message).with_help(help))
        }
        Probe::Failed { reason, remedy } => {
            let message = format!("{id} does not take {}: {reason}", signal.as_str());
            Some(Diagnostic::error(Code::Unreachable, &at, message).with_help(*remedy))
        }
    };
    answers.iter().filter_map(finding).collect()
}

/// The signals that receivers can send to each component, over edges and routing tables.
fn reaching<'a>(graph: &'a Graph, wired: &Wired) -> BTreeMap<&'a str, BTreeSet<Signal>> {
    // What a connector makes reaches on, whatever it makes it of.
    let is_source =
        |id: &str| matches!(wired.built.get(id), Some(Built::Receiver { .. } | Built::Derive(_)));
    let mut reached: BTreeMap<&str, BTreeSet<Signal>> = BTreeMap::new();
    // Each round reaches one component further.
    for _ in 0..=graph.nodes.len() {
        let before = reached.clone();
        for edge in &graph.edges {
            let passes = |from: &BTreeSet<Signal>| from.contains(&edge.signal);
            if is_source(&edge.from) || before.get(edge.from.as_str()).is_some_and(passes) {
                reached.entry(&edge.to).or_default().insert(edge.signal);
            }
        }
        for link in &graph.links {
            let signals = before.get(link.from.as_str()).cloned().unwrap_or_default();
            reached.entry(&link.to).or_default().extend(signals);
        }
        if reached == before {
            break;
        }
    }
    reached
}
