//! Programs drawn at random, against a model that follows each record on its own.

use std::collections::BTreeMap;

use bessemer_journal::SinkIndex;
use bessemer_record::json;
use bessemer_record::view::LogsView;
use proptest::prelude::*;

use super::*;
use crate::meta::Meta;

/// Sinks that a fork may lead to.
const SINKS: u8 = 4;

/// A stage as it is drawn.
#[derive(Debug, Clone)]
struct Drawn {
    /// Drops every item whose place divided by the first leaves the second.
    drops: Option<(usize, usize)>,
    /// Whether a router chooses, by the item's place, or all go the only way.
    chosen: bool,
    forks: Vec<DrawnFork>,
}

#[derive(Debug, Clone)]
struct DrawnFork {
    sinks: Vec<u8>,
    branches: Vec<Drawn>,
    /// Where a connector sends what it makes, if there is one; nowhere beyond the last sink.
    derives: Option<u8>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let stage = |branch: BoxedStrategy<Vec<Drawn>>| {
        let drops = proptest::option::of((2..5_usize, 0..3_usize));
        let sinks = proptest::collection::vec(0..SINKS, 0..3);
        let derives = proptest::option::of(0..SINKS + 1);
        let fork = (sinks, branch, derives);
        let fork =
            fork.prop_map(|(sinks, branches, derives)| DrawnFork { sinks, branches, derives });
        (drops, any::<bool>(), proptest::collection::vec(fork, 1..4)).prop_map(
            |(drops, chosen, mut forks)| {
                if !chosen {
                    forks.truncate(1);
                }
                Drawn { drops, chosen, forks }
            },
        )
    };
    stage(Just(Vec::new()).boxed()).boxed().prop_recursive(3, 12, 3, move |inner| {
        stage(proptest::collection::vec(inner, 0..3).boxed())
    })
}

impl Drawn {
    fn drops(&self, place: usize) -> bool {
        self.drops.is_some_and(|(every, at)| place % every == at)
    }

    /// The fork that an item takes; none beyond the last.
    fn choice(&self, place: usize) -> usize {
        if self.chosen { place % (self.forks.len() + 1) } else { 0 }
    }

    fn stage(&self) -> Stage {
        let mut steps: Vec<Arc<dyn Step>> = Vec::new();
        if self.drops.is_some() {
            steps.push(Arc::new(self.clone()));
        }
        let fork = |fork: &DrawnFork| Fork {
            routes: Routes::to(fork.sinks.iter().map(|sink| SinkIndex(*sink))),
            branches: fork.branches.iter().map(Self::stage).collect(),
            derived: fork.derives.into_iter().map(derived).collect(),
        };
        let mut forks: Vec<Fork> = self.forks.iter().map(fork).collect();
        let exit = if self.chosen {
            Exit::Chosen(Arc::new(self.clone()), forks)
        } else {
            Exit::All(forks.remove(0))
        };
        Stage { steps, exit }
    }

    /// The sinks that the item at a place goes to, once for each way.
    fn sinks(&self, place: usize) -> Vec<u8> {
        let Some(fork) = self.forks.get(self.choice(place)).filter(|_| !self.drops(place)) else {
            return Vec::new();
        };
        let mut own = fork.sinks.clone();
        own.sort_unstable();
        own.dedup();
        own.extend(fork.branches.iter().flat_map(|branch| branch.sinks(place)));
        own
    }
}

impl Drawn {
    /// Where the connectors send what they make of the item at a place.
    fn derives(&self, place: usize) -> Vec<u8> {
        let Some(fork) = self.forks.get(self.choice(place)).filter(|_| !self.drops(place)) else {
            return Vec::new();
        };
        let behind = fork.branches.iter().flat_map(|branch| branch.derives(place));
        fork.derives.into_iter().chain(behind).collect()
    }
}

/// A connector and the stage behind it.
fn derived(sink: u8) -> (Arc<dyn Derive>, Stage) {
    let sinks = (sink < SINKS).then_some(SinkIndex(sink));
    let fork = Fork { routes: Routes::to(sinks), ..Fork::default() };
    (Arc::new(AddsTen), Stage { steps: Vec::new(), exit: Exit::All(fork) })
}

/// Makes of each record one whose body is ten more.
struct AddsTen;

impl Derive for AddsTen {
    fn signal(&self) -> Signal {
        Signal::Logs
    }

    fn run(&self, draft: &mut Draft, _: &mut Scratch) -> Option<Bytes> {
        let bodies = draft.items().iter().enumerate().filter(|(_, item)| !item.is_dropped());
        let bodies = bodies.map(|(place, _)| std::str::from_utf8(draft.body(place)).unwrap());
        let more: Vec<u8> = bodies.map(|body| 10 + body.parse::<u8>().unwrap()).collect();
        Some(incoming(&more).bytes)
    }
}

impl Step for Drawn {
    fn run(&self, draft: &mut Draft, _: &mut Scratch) {
        for place in (0..draft.len()).filter(|place| self.drops(*place)) {
            draft.drop_item(place);
        }
    }
}

impl Route for Drawn {
    fn run(&self, draft: &mut Draft, _: &mut Scratch) {
        for (place, item) in draft.items_mut().iter_mut().enumerate() {
            item.route = u16::try_from(self.choice(place)).unwrap();
        }
    }

    fn targets(&self) -> &[Vec<String>] {
        &[]
    }
}

fn incoming(bodies: &[u8]) -> Incoming {
    let record = |body: &u8| format!(r#"{{"body":{{"stringValue":"{body}"}}}}"#);
    let records: Vec<String> = bodies.iter().map(record).collect();
    let text = format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#,
        records.join(",")
    );
    let checked = json::from_otlp_json(Signal::Logs, text.as_bytes(), &Limits::default());
    let bytes = checked.unwrap().into_bytes();
    Incoming { signal: Signal::Logs, bytes, encoded: None, meta: Meta::default(), permit: None }
}

/// How often each body is in what goes to each sink.
fn delivered(outputs: &[Output]) -> BTreeMap<(u8, String), usize> {
    let mut found = BTreeMap::new();
    for output in outputs {
        for record in LogsView::new(&output.payload).records() {
            let body = record.record.body().as_str().unwrap().to_owned();
            for sink in output.routes.iter() {
                *found.entry((sink.0, body.clone())).or_default() += 1;
            }
        }
    }
    found
}

/// A step made of a function.
struct With<F>(F);

impl<F: Fn(&mut Draft) + Send + Sync + 'static> Step for With<F> {
    fn run(&self, draft: &mut Draft, _: &mut Scratch) {
        (self.0)(draft);
    }
}

/// Drops all records but those of these severities.
fn only(severities: &'static [u8]) -> impl Fn(&mut Draft) + Send + Sync + 'static {
    move |draft| {
        for place in 0..draft.len() {
            if !severities.contains(&draft.items()[place].severity) {
                draft.drop_item(place);
            }
        }
    }
}

fn branch(steps: Vec<Arc<dyn Step>>) -> Stage {
    let fork = Fork { routes: Routes::to([SinkIndex(0)]), ..Fork::default() };
    Stage { steps, exit: Exit::All(fork) }
}

fn program(signal: Signal, branches: Vec<Stage>) -> Program {
    let fork = Fork { branches, ..Fork::default() };
    let root = Stage { steps: Vec::new(), exit: Exit::All(fork) };
    Program { signal, limits: Limits::default(), tails: Tails::none(), gates: Vec::new(), root }
}

fn parsed(signal: Signal, text: &str) -> Incoming {
    let checked = json::from_otlp_json(signal, text.as_bytes(), &Limits::default());
    let bytes = checked.unwrap().into_bytes();
    Incoming { signal, bytes, encoded: None, meta: Meta::default(), permit: None }
}

/// Scenario: one branch puts every other record under a resource of its own, which changes their
/// order, and keeps three of six; the other keeps one of those three.
#[test]
fn a_record_that_moved_in_one_branch_is_still_the_same_record() {
    let regroup = |draft: &mut Draft| {
        let homes: Vec<_> = (0..6_usize).map(|place| (place % 2 == 0).then_some(0)).collect();
        draft.regroup(&[vec![0x10, 1]], &homes);
    };
    let moving = branch(vec![Arc::new(With(regroup)), Arc::new(With(only(&[4, 5, 6])))]);
    let staying = branch(vec![Arc::new(With(only(&[4])))]);
    let records: Vec<String> =
        (1..=6).map(|severity| format!(r#"{{"severityNumber":{severity}}}"#)).collect();
    let scope = format!(r#"{{"logRecords":[{}]}}"#, records.join(","));
    let text = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{scope}]}}]}}"#);
    let incoming = parsed(Signal::Logs, &text);
    let processed = program(Signal::Logs, vec![moving, staying]).run(&incoming).unwrap();
    let Processed { records, kept, filtered, generated, unaccounted, .. } = processed;
    assert_eq!((records, kept, filtered, generated, unaccounted), (6, 3, 3, 0, 0));
}

/// Scenario: a metric of three data points is divided into three, one of which is dropped; another
/// metric stands behind it.
#[test]
fn pieces_of_a_metric_are_counted_as_what_they_are_pieces_of() {
    let divide = |draft: &mut Draft| {
        let piece = |time: u8| {
            // A gauge with one point that has a time, under a name.
            let point = [0x19, time, 0, 0, 0, 0, 0, 0, 0];
            let gauge = [&[0x0a, 9][..], &point].concat();
            [&[0x0a, 1, b'm', 0x2a, 11][..], &gauge].concat()
        };
        draft.divide_item(0, &[piece(1), piece(2), piece(3)]);
        draft.drop_item(1);
    };
    let point = r#"{"timeUnixNano":"1"}"#;
    let metric = |name: &str, points: &[&str]| {
        format!(r#"{{"name":"{name}","gauge":{{"dataPoints":[{}]}}}}"#, points.join(","))
    };
    let metrics = [metric("m", &[point; 3]), metric("n", &[point])].join(",");
    let scope = format!(r#"{{"metrics":[{metrics}]}}"#);
    let text = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{scope}]}}]}}"#);
    let stage = branch(vec![Arc::new(With(divide))]);
    let processed =
        program(Signal::Metrics, vec![stage]).run(&parsed(Signal::Metrics, &text)).unwrap();
    let Processed { records, kept, filtered, generated, unaccounted, .. } = processed;
    assert_eq!((records, kept, filtered, generated, unaccounted), (4, 3, 1, 0, 0));
}

proptest! {
    /// Scenario: forks, routers, branches and connectors, steps that drop, records with equal bytes.
    /// Promise: a record is filtered when it ends in no destination and else kept, each counted
    /// once; what connectors make is generated and then kept or filtered; the books of copies
    /// balance.
    #[test]
    fn every_record_is_kept_or_filtered_and_every_copy_routed_or_merged(
        drawn in drawn(),
        bodies in proptest::collection::vec(0..3_u8, 0..20),
    ) {
        let program = Program {
            signal: Signal::Logs,
            limits: Limits::default(),
            tails: Tails::none(),
            gates: Vec::new(),
            root: drawn.stage(),
        };
        let processed = program.run(&incoming(&bodies)).unwrap();
        let ways: Vec<Vec<u8>> = (0..bodies.len()).map(|place| drawn.sinks(place)).collect();
        let kept = ways.iter().filter(|sinks| !sinks.is_empty()).count();
        let derives: Vec<Vec<u8>> = (0..bodies.len()).map(|place| drawn.derives(place)).collect();
        let made: usize = derives.iter().map(Vec::len).sum();
        let arrived = derives.iter().flatten().filter(|sink| **sink < SINKS).count();
        prop_assert_eq!(processed.generated as usize, made);
        prop_assert_eq!(processed.kept as usize, kept + arrived);
        prop_assert_eq!(processed.filtered as usize, bodies.len() - kept + made - arrived);
        prop_assert_eq!(processed.unaccounted, 0);
        let copies: usize = ways.iter().map(Vec::len).sum::<usize>() + arrived;
        prop_assert_eq!(processed.routed + processed.merged, copies as u64);
        let found = delivered(&processed.outputs);
        prop_assert_eq!(found.values().sum::<usize>() as u64, processed.routed);
        for (place, sinks) in ways.iter().enumerate() {
            for sink in sinks {
                prop_assert!(found.contains_key(&(*sink, bodies[place].to_string())));
            }
            for sink in derives[place].iter().filter(|sink| **sink < SINKS) {
                prop_assert!(found.contains_key(&(*sink, (10 + bodies[place]).to_string())));
            }
        }
    }
}
