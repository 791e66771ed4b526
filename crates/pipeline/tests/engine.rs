//! The engine with destinations that answer anything: no record is lost, none is invented.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bessemer_config::{Edge, Graph, Location};
use bessemer_journal::RealDisk;
use bessemer_net::body::Encoding;
use bessemer_pipeline::catalog::QueueSettings;
use bessemer_pipeline::metrics::component;
use bessemer_pipeline::outlet::Ack;
use bessemer_pipeline::stateful::Lane;
use bessemer_pipeline::{
    Built, Delivery, Engine, Exporter, Incoming, Made, Meta, Metrics, Options, Outlet, Parts, Plan,
    Receiver, Retention, Scratch, StartError, Step, Verdict,
};
use bessemer_record::view::LogsView;
use bessemer_record::{Draft, Limits, Signal, Tails, json};
use bessemer_runtime::{BoxFuture, Random, SystemClock, SystemRandom, Tasks};
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::sync::oneshot;

/// Time is paused here and jumps whenever the runtime is idle, also while the journal's threads
/// work in real time: a wait that must not end by such jumps is this long.
const PATIENT: Duration = Duration::from_hours(24 * 365);

/// Put off this often while others were delivered, a record is buried although nobody refused it.
const PUT_OFF_MAX: u32 = 5;

/// Hands its outlet to the test.
struct Door(oneshot::Sender<Outlet>);

impl Receiver for Door {
    fn start(
        self: Box<Self>,
        outlet: Outlet,
        _: Tasks,
    ) -> BoxFuture<'static, Result<(), StartError>> {
        assert!(self.0.send(outlet).is_ok(), "the test waits for the outlet");
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Answers by a seed and keeps what it said yes to.
struct Moody {
    random: SystemRandom,
    taken: Mutex<Vec<u64>>,
    refused: Mutex<BTreeSet<u64>>,
    put_off: Mutex<BTreeMap<u64, u32>>,
    patience: Mutex<u32>,
}

impl Moody {
    fn new(seed: u64, patience: u32) -> Arc<Self> {
        Arc::new(Self {
            random: SystemRandom::seeded(seed),
            taken: Mutex::default(),
            refused: Mutex::default(),
            put_off: Mutex::default(),
            patience: Mutex::new(patience),
        })
    }

    fn take(&self, ids: &[u64]) {
        self.taken.lock().extend(ids);
    }

    fn answer(&self, ids: &[u64]) -> Verdict {
        let mut patience = self.patience.lock();
        if *patience == 0 {
            self.take(ids);
            return Verdict::Delivered;
        }
        *patience -= 1;
        match self.random.next_u64() % 5 {
            0 => {
                self.take(ids);
                Verdict::Delivered
            }
            1 => self.put_off(ids, "not now"),
            2 => {
                self.refused.lock().extend(ids);
                Verdict::Refused { status: 400, reason: "never".into() }
            }
            3 if ids.len() > 1 => Verdict::Refused { status: 413, reason: "too large".into() },
            _ => self.split(ids),
        }
    }

    /// The first record is refused, the last is to come again, those between are taken.
    fn split(&self, ids: &[u64]) -> Verdict {
        let count = u32::try_from(ids.len()).unwrap();
        let refused = Verdict::Refused { status: 400, reason: "this one".into() };
        self.refused.lock().extend(&ids[..1]);
        if count == 1 {
            return Verdict::Split(vec![(0..1, refused)]);
        }
        self.take(&ids[1..ids.len() - 1]);
        let later = (count - 1..count, self.put_off(&ids[ids.len() - 1..], "later"));
        // A destination need not name records in their order.
        let verdicts = [(0..1, refused), later];
        Verdict::Split(if ids[0].is_multiple_of(2) {
            verdicts.into()
        } else {
            verdicts.into_iter().rev().collect()
        })
    }

    fn put_off(&self, ids: &[u64], reason: &str) -> Verdict {
        let mut put_off = self.put_off.lock();
        for id in ids {
            *put_off.entry(*id).or_default() += 1;
        }
        Verdict::retry(reason)
    }

    /// What may be in the dead-letter log.
    fn gone(&self) -> BTreeSet<u64> {
        let put_off = self.put_off.lock();
        let often = put_off.iter().filter(|(_, times)| **times >= PUT_OFF_MAX).map(|(id, _)| *id);
        self.refused.lock().iter().copied().chain(often).collect()
    }
}

/// The engine's handle on a destination that the test keeps.
struct Handle(Arc<Moody>);

impl Exporter for Handle {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        let ids = ids_of(delivery);
        assert_eq!(ids.len(), usize::try_from(delivery.records()).unwrap());
        Box::pin(std::future::ready(self.0.answer(&ids)))
    }
}

fn request(ids: std::ops::Range<u64>) -> bytes::Bytes {
    let records: Vec<_> =
        ids.map(|id| serde_json::json!({ "timeUnixNano": id.to_string() })).collect();
    let request =
        serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
    let text = request.to_string();
    json::from_otlp_json(Signal::Logs, text.as_bytes(), &Limits::default()).unwrap().into_bytes()
}

fn incoming(ids: std::ops::Range<u64>) -> Incoming {
    let bytes = request(ids);
    Incoming { signal: Signal::Logs, bytes, encoded: None, meta: Meta::default(), permit: None }
}

/// One receiver wired to the given destinations.
async fn engine(
    storage: &std::path::Path,
    ack: Ack,
    destinations: &[(&str, Arc<Moody>)],
) -> (Engine, Outlet) {
    let (door, outlet) = oneshot::channel();
    let mut built = BTreeMap::new();
    let receiver = Built::Receiver {
        receiver: Box::new(Door(door)),
        ack,
        ack_timeout: PATIENT,
        listens: Vec::new(),
    };
    built.insert("in".to_owned(), receiver);
    let mut graph = Graph::default();
    for (id, exporter) in destinations {
        let exporter: Arc<dyn Exporter> = Arc::new(Handle(Arc::clone(exporter)));
        built.insert(
            (*id).to_owned(),
            Built::Exporter { exporter, queue: QueueSettings::default() },
        );
        let (from, to, at) = ("in".to_owned(), (*id).to_owned(), Location::nowhere());
        graph.edges.push(Edge { from, signal: Signal::Logs, to, at });
    }
    let (engine, _) = start(storage, built, &graph).await;
    (engine, outlet.await.unwrap())
}

/// The engine of a graph, and its counters.
async fn start(
    storage: &std::path::Path,
    built: BTreeMap<String, Built>,
    graph: &Graph,
) -> (Engine, Arc<Metrics>) {
    let plan = Plan::compile(graph, &built, &Limits::default(), &Tails::none()).unwrap();
    let metrics = Arc::new(Metrics::default());
    let parts = Parts {
        built,
        disk: Arc::new(RealDisk),
        clock: Arc::new(SystemClock::default()),
        random: Arc::new(SystemRandom::seeded(1)),
        metrics: Arc::clone(&metrics),
        config_hash: 7,
        options: Options {
            storage: storage.to_owned(),
            journal_bytes_max: 64 << 20,
            journal_alert_percent: 90,
            sync: false,
            keys: None,
            retention: Retention::default(),
        },
    };
    (Engine::start(plan, parts).await.unwrap(), metrics)
}

/// Waits until a destination took or refused every id; the ones in its dead-letter log.
async fn settled(
    engine: &Engine,
    id: &str,
    moody: &Moody,
    ids: std::ops::Range<u64>,
) -> BTreeSet<u64> {
    loop {
        let mut dead = BTreeSet::new();
        for letter in engine.journal().dead_letters(id).into_iter().flatten() {
            let letter = letter.unwrap();
            let records = LogsView::new(&letter.letter.payload);
            dead.extend(records.records().map(|found| found.record.time_unix_nano()));
        }
        let taken: BTreeSet<u64> = moody.taken.lock().iter().copied().collect();
        if ids.clone().all(|id| taken.contains(&id) || dead.contains(&id)) {
            return dead;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn run(seed: u64, ack: Ack, sizes: &[u64]) {
    let folder = tempfile::tempdir().unwrap();
    let moody = [Moody::new(seed, 40), Moody::new(seed + 1, 40)];
    let destinations = [("a", Arc::clone(&moody[0])), ("b", Arc::clone(&moody[1]))];
    let (engine, outlet) = engine(folder.path(), ack, &destinations).await;
    let mut next = 1;
    for size in sizes {
        assert_eq!(
            outlet.send(incoming(next..next + size)).await,
            Ok(u32::try_from(*size).unwrap())
        );
        next += size;
    }
    for (id, moody) in &destinations {
        let dead = settled(&engine, id, moody, 1..next).await;
        let taken: BTreeSet<u64> = moody.taken.lock().iter().copied().collect();
        assert!(taken.iter().chain(&dead).all(|id| (1..next).contains(id)), "invented");
        assert!(dead.is_subset(&moody.gone()), "dead-lettered without a reason");
    }
    engine.drain(Duration::from_secs(5)).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_destinations_answer_every_record_is_delivered_or_dead(
        seed: u32,
        sizes in proptest::collection::vec(1_u64..40, 1..8),
        ack in prop_oneof![Just(Ack::Disk), Just(Ack::Memory), Just(Ack::Delivered)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(u64::from(seed), ack, &sizes));
    }
}

/// Found by the property above: a record that five answers put off is buried without a refusal.
#[test]
fn a_record_that_is_put_off_while_others_are_taken_is_dead_at_last() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(run(3_645_645_821, Ack::Disk, &[39, 5, 3, 27, 29, 36]));
}

/// When a destination was asked, and about what.
type Asked = (tokio::time::Instant, Vec<u64>);

/// Answers once that it wants these ranges later.
struct Busy {
    later: Vec<std::ops::Range<u32>>,
    asked: Mutex<Vec<Asked>>,
}

/// What it wants to be left alone for.
const REST: Duration = Duration::from_secs(200);

impl Exporter for Busy {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        let mut asked = self.asked.lock();
        asked.push((tokio::time::Instant::now(), ids_of(delivery)));
        let later = || Verdict::Retry { after: Some(REST), reason: "busy".into() };
        let verdict = if asked.len() == 1 {
            Verdict::Split(self.later.iter().map(|range| (range.clone(), later())).collect())
        } else {
            Verdict::Delivered
        };
        Box::pin(std::future::ready(verdict))
    }
}

fn ids_of(delivery: &Delivery) -> Vec<u64> {
    let payload = delivery.payload();
    LogsView::new(&payload).records().map(|found| found.record.time_unix_nano()).collect()
}

/// Scenario: a destination wants some or all records of a delivery later, says when, and names them
/// in any order.
/// Promise: it is left alone until then, gets all of those records and no others, and is called
/// failing if it took none.
#[tokio::test(start_paused = true)]
async fn a_destination_that_puts_records_off_gets_them_when_it_asks() {
    #[expect(clippy::single_range_in_vec_init, reason = "a list of ranges")]
    let cases = [
        (vec![0..3], vec![1, 2, 3], 1),
        (vec![1..3, 0..1], vec![1, 2, 3], 1),
        (vec![2..3], vec![3], 0),
        (vec![2..3, 0..1], vec![1, 3], 0),
    ];
    for (later, missing, failures) in cases {
        let busy = Arc::new(Busy { later, asked: Mutex::default() });
        let (door, outlet) = oneshot::channel();
        let receiver: Box<dyn Receiver> = Box::new(Door(door));
        let receiver =
            Built::Receiver { receiver, ack: Ack::Disk, ack_timeout: PATIENT, listens: Vec::new() };
        let exporter: Arc<dyn Exporter> = Arc::<Busy>::clone(&busy);
        let exporter = Built::Exporter { exporter, queue: QueueSettings::default() };
        let built = [("in", receiver), ("a", exporter)];
        let built = built.map(|(id, built)| (id.to_owned(), built)).into();
        let mut graph = Graph::default();
        let (from, to, at) = ("in".to_owned(), "a".to_owned(), Location::nowhere());
        graph.edges.push(Edge { from, signal: Signal::Logs, to, at });
        let folder = tempfile::tempdir().unwrap();
        let (engine, metrics) = start(folder.path(), built, &graph).await;
        assert_eq!(outlet.await.unwrap().send(incoming(1..4)).await, Ok(3));
        let again = || -> BTreeSet<u64> {
            busy.asked.lock().iter().skip(1).flat_map(|(_, ids)| ids.clone()).collect()
        };
        while again().len() < missing.len() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        engine.drain(Duration::from_secs(5)).await;
        assert!(again().iter().eq(&missing), "{:?}", again());
        let asked = busy.asked.lock().clone();
        assert!(asked[1].0 - asked[0].0 >= REST, "{asked:?}");
        let retried = metrics.retried.get_or_create_owned(&component("a")).get();
        assert_eq!(retried, failures);
    }
}

#[test]
fn an_unchanged_batch_keeps_the_encoding_it_arrived_in() {
    struct Last(Arc<Mutex<Option<Encoding>>>);
    impl Exporter for Last {
        fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
            *self.0.lock() = delivery.encoded.as_ref().map(|encoded| encoded.encoding);
            Box::pin(std::future::ready(Verdict::Delivered))
        }
    }
    let seen = Arc::new(Mutex::new(None));
    let mut built = BTreeMap::new();
    let exporter: Arc<dyn Exporter> = Arc::new(Last(Arc::clone(&seen)));
    built.insert("out".to_owned(), Built::Exporter { exporter, queue: QueueSettings::default() });
    let (door, outlet) = oneshot::channel();
    let receiver: Box<dyn Receiver> = Box::new(Door(door));
    let ack_timeout = Duration::from_secs(5);
    built.insert(
        "in".to_owned(),
        Built::Receiver { receiver, ack: Ack::Delivered, ack_timeout, listens: Vec::new() },
    );
    let mut graph = Graph::default();
    let (from, to, at) = ("in".to_owned(), "out".to_owned(), Location::nowhere());
    graph.edges.push(Edge { from, signal: Signal::Logs, to, at });
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (engine, _) = start(folder.path(), built, &graph).await;
        let encoded = bessemer_net::body::Encoded {
            encoding: Encoding::Gzip,
            bytes: bytes::Bytes::from_static(b"as it came"),
        };
        let incoming = Incoming { encoded: Some(encoded), ..incoming(1..3) };
        assert_eq!(outlet.await.unwrap().send(incoming).await, Ok(2));
        assert_eq!(*seen.lock(), Some(Encoding::Gzip));
        engine.drain(Duration::from_secs(5)).await;
    });
}

/// A step that changes nothing, and whose outlet the test has.
struct Voice(Arc<Mutex<Option<oneshot::Sender<Outlet>>>>);

impl Step for Voice {
    fn run(&self, _: &mut Draft, _: &mut Scratch) {}

    fn speaker(&self) -> Option<Box<dyn Receiver>> {
        Some(Box::new(Self(Arc::clone(&self.0))))
    }
}

impl Receiver for Voice {
    fn start(
        self: Box<Self>,
        outlet: Outlet,
        tasks: Tasks,
    ) -> BoxFuture<'static, Result<(), StartError>> {
        Box::new(Door(self.0.lock().take().unwrap())).start(outlet, tasks)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_step_says_of_its_own_goes_where_its_records_go_and_is_counted() {
    let moody = Moody::new(1, 0);
    let (door, outlet) = oneshot::channel();
    let (mouth, voice) = oneshot::channel();
    let receiver: Box<dyn Receiver> = Box::new(Door(door));
    let receiver =
        Built::Receiver { receiver, ack: Ack::Disk, ack_timeout: PATIENT, listens: Vec::new() };
    let exporter: Arc<dyn Exporter> = Arc::new(Handle(Arc::clone(&moody)));
    let exporter = Built::Exporter { exporter, queue: QueueSettings::default() };
    let step = Built::Step(Arc::new(Voice(Arc::new(Mutex::new(Some(mouth))))));
    let built = [("in", receiver), ("step", step), ("a", exporter)];
    let built = built.map(|(id, built)| (id.to_owned(), built)).into();
    let mut graph = Graph::default();
    for (from, to) in [("in", "step"), ("step", "a")] {
        let (from, to, at) = (from.to_owned(), to.to_owned(), Location::nowhere());
        graph.edges.push(Edge { from, signal: Signal::Logs, to, at });
    }
    let folder = tempfile::tempdir().unwrap();
    let (engine, metrics) = start(folder.path(), built, &graph).await;
    assert_eq!(outlet.await.unwrap().send(incoming(1..3)).await, Ok(2));
    let (signal, lane, meta) = (Signal::Logs, Lane::Urgent, Meta::default());
    let made = Made { signal, lane, bytes: request(3..4), meta };
    assert_eq!(voice.await.unwrap().say(&[made]).await, Ok(()));
    assert!(settled(&engine, "a", &moody, 1..4).await.is_empty());
    let mut taken = moody.taken.lock().clone();
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3]);
    assert_eq!(metrics.generated.get_or_create_owned(&component("step")).get(), 1);
    engine.drain(Duration::from_secs(5)).await;
}
