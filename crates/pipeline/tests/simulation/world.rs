//! A process and the world around it: lives that end by a stop, a kill or a power cut, on one disk.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bessemer_config::{Edge, Graph, Location};
use bessemer_journal::MemDisk;
use bessemer_pipeline::catalog::QueueSettings;
use bessemer_pipeline::outlet::Ack;
use bessemer_pipeline::{
    Built, Engine, Exporter, Metrics, Options, Outlet, Parts, Plan, Receiver, Refusal, Retention,
    Scratch, StartError, Step,
};
use bessemer_record::{Draft, Limits, Signal, Tails};
use bessemer_runtime::{BoxFuture, Clock, Random, SystemRandom, Tasks};
use tokio::sync::{Notify, oneshot};

use crate::clock::SimClock;
use crate::ledger::{self, Held, Ledger};
use crate::net::{Destination, Wire};
use crate::{records, stages};

/// How long the journal rests at most when there is nothing to do.
const REST_MAX: Duration = Duration::from_secs(1);
const REST_MIN: Duration = Duration::from_millis(2);
/// How long a stop may take.
pub(crate) const GRACE: Duration = Duration::from_mins(1);

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Stop,
    Kill,
    PowerCut,
}

/// Everything that outlives a process.
pub(crate) struct World {
    pub(crate) disk: MemDisk,
    pub(crate) random: Arc<SystemRandom>,
    pub(crate) net: Vec<Arc<Destination>>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) journal_bytes_max: u64,
    /// The longest time that one round of the journal's work takes.
    pub(crate) slow: Duration,
    pub(crate) ordered: bool,
    /// Queues that are not as by default, by destination.
    pub(crate) queues: BTreeMap<&'static str, QueueSettings>,
    pub(crate) retention: Retention,
    /// What the receiver's acknowledgement means.
    pub(crate) ack: Ack,
    /// How long a stage before the destinations holds every other record; without it, there is none.
    pub(crate) stage: Option<Duration>,
    /// Whether a step behind that stage refuses a certain record.
    pub(crate) picky: bool,
    pub(crate) now: Duration,
    pub(crate) lives: u64,
    /// The journal has said that something it wrote cannot be read.
    pub(crate) damaged: Cell<bool>,
    /// Follows from all that happened.
    pub(crate) trace: u64,
}

/// A running process.
pub(crate) struct Live {
    pub(crate) outlet: Outlet,
    pub(crate) engine: Engine,
    pub(crate) clock: SimClock,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) poke: Arc<Notify>,
}

impl World {
    pub(crate) fn new(seed: u64, net: Vec<Arc<Destination>>) -> Self {
        Self {
            disk: MemDisk::new(),
            random: Arc::new(SystemRandom::seeded(seed)),
            net,
            ledger: Arc::default(),
            journal_bytes_max: 16 << 20,
            slow: Duration::ZERO,
            ordered: false,
            queues: BTreeMap::new(),
            retention: Retention::default(),
            ack: Ack::Disk,
            stage: None,
            picky: false,
            now: Duration::ZERO,
            lives: 0,
            damaged: Cell::default(),
            trace: seed,
        }
    }

    /// Runs a process until `script` ends it, then checks what is left.
    pub(crate) fn live<F>(&mut self, script: impl FnOnce(Arc<Live>) -> F) -> Arc<Metrics>
    where
        F: Future<Output = End>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (end, metrics) = runtime.block_on(self.run(script));
        // What was running ends where it stood.
        drop(runtime);
        self.lives += 1;
        self.disk.heal();
        self.disk = match end {
            End::Stop | End::Kill => self.disk.after_kill(),
            End::PowerCut => self.disk.after_power_cut(&*self.random),
        };
        let mut hasher = DefaultHasher::new();
        (self.trace, self.now, end).hash(&mut hasher);
        for destination in &self.net {
            destination.seen.lock().log.hash(&mut hasher);
        }
        self.trace = hasher.finish();
        ledger::check(&self.ledger, &self.net, &self.held());
        metrics
    }

    /// What the disk holds now.
    pub(crate) fn held(&self) -> BTreeMap<&'static str, Held> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let options = bessemer_journal::Options {
            budget_bytes: self.journal_bytes_max,
            ..bessemer_journal::Options::new(storage().join("journal"))
        };
        let ids: Vec<&'static str> = self.readers().collect();
        let clock: Arc<dyn Clock> = Arc::new(SimClock::new(self.now));
        ledger::held(&self.disk, &clock, &options, &ids, &self.damaged)
    }

    /// What reads the journal.
    pub(crate) fn readers(&self) -> impl Iterator<Item = &'static str> {
        let stage = self.stage.map(|_| stages::ID);
        self.net.iter().map(|destination| destination.id).chain(stage)
    }

    /// Whether the journal says that something it wrote cannot be read.
    pub(crate) fn is_damaged(&self) -> bool {
        ledger::is_damaged(&self.damaged, &self.disk, &storage().join("journal"))
    }

    async fn run<F>(&mut self, script: impl FnOnce(Arc<Live>) -> F) -> (End, Arc<Metrics>)
    where
        F: Future<Output = End>,
    {
        let clock = SimClock::new(self.now);
        let metrics = Arc::new(Metrics::default());
        let (parts, outlet, graph) = self.parts(&clock, &metrics);
        let plan = Plan::compile(&graph, &parts.built, &Limits::default(), &Tails::none()).unwrap();
        let Ok((engine, work)) = Engine::start_stepped(plan, parts).await else {
            // The disk failed; the next life may fare better.
            self.now = clock.now() + Duration::from_secs(1);
            return (End::Kill, metrics);
        };
        let (poke, tasks) = (Arc::new(Notify::new()), Tasks::new());
        let (give_back, work_back) = oneshot::channel();
        let driver = Driver {
            work,
            clock: clock.clone(),
            random: Arc::clone(&self.random),
            slow: self.slow,
            poke: Arc::clone(&poke),
            stop: tasks.clone(),
        };
        tasks.spawn(async move {
            let work = driver.run().await;
            assert!(give_back.send(work).is_ok(), "somebody waits");
        });
        let live = Arc::new(Live {
            outlet: outlet.await.unwrap(),
            engine,
            clock: clock.clone(),
            ledger: Arc::clone(&self.ledger),
            poke,
        });
        let end = script(Arc::clone(&live)).await;
        if end == End::Stop {
            let live = Arc::into_inner(live).expect("the script is over");
            let begin = clock.now();
            drop(live.outlet);
            live.engine.drain(GRACE).await;
            let took = clock.now().saturating_sub(begin);
            assert!(took <= GRACE * 2, "the stop took {took:?}");
            tasks.cancel();
            work_back.await.unwrap().finish();
        }
        self.now = clock.now();
        (end, metrics)
    }

    fn parts(
        &self,
        clock: &SimClock,
        metrics: &Arc<Metrics>,
    ) -> (Parts, oneshot::Receiver<Outlet>, Graph) {
        let (door, outlet) = oneshot::channel();
        let mut built = BTreeMap::new();
        let (receiver, ack_timeout): (Box<dyn Receiver>, _) =
            (Box::new(Door(door)), Duration::from_secs(30));
        let (ack, listens) = (self.ack, Vec::new());
        built.insert("in".into(), Built::Receiver { receiver, ack, ack_timeout, listens });
        built.insert("lane".into(), Built::Step(Arc::new(UrgentBySeventh)));
        let mut graph = Graph::default();
        let mut wire = |from: &str, to: &str| {
            let (from, to, at) = (from.to_owned(), to.to_owned(), Location::nowhere());
            graph.edges.push(Edge { from, signal: Signal::Logs, to, at });
        };
        wire("in", "lane");
        let before = if let Some(interval) = self.stage {
            let stage = Arc::new(stages::Hoard { interval });
            built.insert(stages::ID.into(), Built::Stateful(stage));
            built.insert("picky".into(), Built::Step(Arc::new(stages::Picky(self.picky))));
            wire("lane", stages::ID);
            wire(stages::ID, "picky");
            "picky"
        } else {
            "lane"
        };
        for destination in &self.net {
            let (to, clock) = (Arc::clone(destination), clock.clone());
            let exporter: Arc<dyn Exporter> =
                Arc::new(Wire { to, clock, random: Arc::clone(&self.random) });
            let queue = self.queues.get(destination.id).cloned().unwrap_or_default();
            let queue = QueueSettings { ordered: self.ordered, ..queue };
            built.insert(destination.id.into(), Built::Exporter { exporter, queue });
            wire(before, destination.id);
        }
        let random: Arc<dyn Random> = Arc::<SystemRandom>::clone(&self.random);
        let parts = Parts {
            built,
            disk: Arc::new(self.disk.clone()),
            clock: Arc::new(clock.clone()),
            random,
            metrics: Arc::clone(metrics),
            config_hash: 7,
            options: Options {
                storage: storage(),
                journal_bytes_max: self.journal_bytes_max,
                journal_alert_percent: 90,
                sync: true,
                keys: None,
                retention: self.retention,
            },
        };
        (parts, outlet, graph)
    }
}

fn storage() -> PathBuf {
    PathBuf::from("/data")
}

impl Live {
    /// Sends a batch of new records and notes the answer.
    pub(crate) async fn send(&self, size: u64) -> Result<(), Refusal> {
        self.hand_over(self.ledger.claim(size)).await
    }

    /// Sends a batch of these records, which may have been sent before, and notes the answer.
    pub(crate) async fn hand_over(&self, ids: Range<u64>) -> Result<(), Refusal> {
        self.poke.notify_one();
        let sent = self.outlet.send(records::incoming(ids.clone()));
        let waiting = self.poke.clone();
        tokio::pin!(sent);
        // The journal looks again once the append is queued.
        let answer = tokio::select! {
            biased;
            answer = &mut sent => answer,
            () = std::future::ready(()) => {
                waiting.notify_one();
                sent.await
            }
        };
        answer.map(|count| {
            assert_eq!(u64::from(count), ids.end - ids.start);
            self.ledger.ack(ids);
        })
    }

    /// Waits until every destination took, or has in its dead-letter log, all that was
    /// acknowledged; at most `limit`.
    pub(crate) async fn settled(&self, limit: Duration) -> bool {
        let deadline = self.clock.now() + limit;
        while self.clock.now() < deadline {
            let queues = self.engine.status().destinations();
            if queues.iter().all(|queue| queue.queue_records == 0) {
                return true;
            }
            self.clock.sleep(Duration::from_secs(1)).await;
        }
        false
    }
}

struct Driver {
    work: bessemer_journal::Engine,
    clock: SimClock,
    random: Arc<SystemRandom>,
    slow: Duration,
    poke: Arc<Notify>,
    stop: Tasks,
}

impl Driver {
    // Works at once when poked, else ever more seldom while nothing is to do.
    async fn run(mut self) -> bessemer_journal::Engine {
        let mut rest = REST_MIN;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return self.work,
                () = self.poke.notified() => rest = REST_MIN,
                () = self.clock.sleep(rest) => rest = (rest * 2).min(REST_MAX),
            }
            if self.slow > Duration::ZERO {
                self.clock.sleep(self.random.between(Duration::ZERO, self.slow)).await;
            }
            while self.work.write() {}
            self.work.maintain();
        }
    }
}

/// Hands its outlet to the simulation.
struct Door(oneshot::Sender<Outlet>);

impl Receiver for Door {
    fn start(
        self: Box<Self>,
        outlet: Outlet,
        _: Tasks,
    ) -> BoxFuture<'static, Result<(), StartError>> {
        assert!(self.0.send(outlet).is_ok(), "the simulation waits for the outlet");
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Every seventh record of a batch takes the urgent lane.
struct UrgentBySeventh;

impl Step for UrgentBySeventh {
    fn run(&self, draft: &mut Draft, _: &mut Scratch) {
        for (number, item) in draft.items_mut().iter_mut().enumerate() {
            item.class = if number % 7 == 6 { 3 } else { 1 };
        }
    }
}
