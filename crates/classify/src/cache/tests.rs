//! All levels together, with a shared level that misbehaves on demand.

use std::collections::BTreeMap;
use std::time::Duration;

use bessemer_pipeline::state::{MemoryState, State};
use bessemer_runtime::{BoxFuture, SystemClock};
use parking_lot::Mutex;

use super::shared::{SharedCache, SharedError};
use super::*;
use crate::class::Class;
use crate::llm::lab;

/// A shared level in memory.
#[derive(Default)]
struct Fake {
    entries: Mutex<BTreeMap<Key, Vec<u8>>>,
    mood: Mutex<Mood>,
    asked: Mutex<u32>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Mood {
    #[default]
    Well,
    Down,
    Slow,
}

impl Fake {
    async fn answer(&self) -> Result<(), SharedError> {
        *self.asked.lock() += 1;
        let mood = *self.mood.lock();
        match mood {
            Mood::Well => Ok(()),
            Mood::Down => Err(SharedError::Refused("connection refused".into())),
            Mood::Slow => std::future::pending().await,
        }
    }
}

impl SharedCache for Fake {
    fn get<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, SharedError>> {
        Box::pin(async {
            self.answer().await?;
            let entries = self.entries.lock();
            Ok(keys.iter().map(|key| entries.get(key).cloned()).collect())
        })
    }

    fn put<'a>(&'a self, entries: &'a [(Key, Vec<u8>)]) -> BoxFuture<'a, Result<(), SharedError>> {
        Box::pin(async {
            self.answer().await?;
            self.entries.lock().extend(entries.iter().cloned());
            Ok(())
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), SharedError>> {
        Box::pin(async {
            self.answer().await?;
            self.entries.lock().remove(key);
            Ok(())
        })
    }
}

struct Node {
    shared: Arc<Fake>,
    state: Arc<MemoryState>,
    metrics: LlmMetrics,
}

impl Node {
    fn new(shared: &Arc<Fake>) -> Self {
        Self { shared: Arc::clone(shared), state: Arc::default(), metrics: LlmMetrics::default() }
    }

    /// What a process of this node has after its start.
    fn start(&self, version: u64) -> Caches {
        let clock = Arc::new(SystemClock::default());
        let shared = Arc::clone(&self.shared) as Arc<dyn SharedCache>;
        let guarded = Guarded::new(shared, clock, Duration::from_millis(250), &self.metrics);
        let state = Arc::clone(&self.state) as Arc<dyn State>;
        let durable = Durable::open(state, version).unwrap();
        Caches::new(Arc::default(), Some(guarded), durable, version, &self.metrics)
    }

    fn count(&self, level: &'static str, outcome: &'static str) -> u64 {
        self.metrics.cache.get_or_create_owned(&CacheLabels { level, outcome }).get()
    }
}

fn verdict(template: u64) -> Arc<Verdict> {
    Arc::new(lab::verdict(template, Class::Critical))
}

fn text() -> Redacted {
    Redacted::new("disk failed")
}

async fn find(caches: &Caches, template: u64) -> Option<Arc<Verdict>> {
    caches.find(&[(TemplateId(template), caches.key(&text()))]).await.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_found_by_another_node_and_after_a_restart() {
    let shared = Arc::new(Fake::default());
    let (one, two) = (Node::new(&shared), Node::new(&shared));
    let caches = one.start(1);
    caches.keep(vec![(caches.key(&text()), verdict(1))]).await;
    // The number of a template is a node's own; its text is not.
    assert_eq!(find(&two.start(1), 77).await.unwrap().template, TemplateId(77));
    assert_eq!(two.count("shared", "hit"), 1);
    shared.entries.lock().clear();
    let again = one.start(1);
    assert_eq!(find(&again, 1).await, Some(verdict(1)));
    assert_eq!(one.count("durable", "hit"), 1);
    assert_eq!(again.verdicts().get(TemplateId(1)), Some(verdict(1)));
    assert_eq!(shared.entries.lock().len(), 1, "promoted for the others");
}

#[tokio::test(start_paused = true)]
async fn another_prompt_model_or_policy_finds_nothing() {
    let node = Node::new(&Arc::default());
    let caches = node.start(1);
    caches.keep(vec![(caches.key(&text()), verdict(1))]).await;
    assert_eq!(find(&node.start(2), 1).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_verdict_is_gone_from_every_level() {
    let node = Node::new(&Arc::default());
    let caches = node.start(1);
    caches.keep(vec![(caches.key(&text()), verdict(1))]).await;
    caches.forget(TemplateId(1), &text()).await;
    assert_eq!(find(&caches, 1).await, None);
    assert_eq!(find(&node.start(1), 1).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_sick_shared_level_is_a_miss_that_costs_no_time_twice() {
    for (mood, outcome) in [(Mood::Down, "error"), (Mood::Slow, "slow")] {
        let node = Node::new(&Arc::default());
        let caches = node.start(1);
        caches.keep(vec![(caches.key(&text()), verdict(1))]).await;
        *node.shared.mood.lock() = mood;
        let asked = *node.shared.asked.lock();
        let again = node.start(1);
        let began = tokio::time::Instant::now();
        assert_eq!(find(&again, 1).await, Some(verdict(1)), "from the durable level");
        assert_eq!(find(&again, 2).await.unwrap().class, Class::Critical);
        assert!(began.elapsed() <= Duration::from_millis(300), "{:?}", began.elapsed());
        assert_eq!(*node.shared.asked.lock(), asked + 1);
        assert_eq!(node.count("shared", outcome), 1);
        assert!(node.count("shared", "resting") > 0);
        *node.shared.mood.lock() = Mood::Well;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(find(&again, 3).await.unwrap().template, TemplateId(3));
        assert!(*node.shared.asked.lock() > asked + 1, "it is asked again after a rest");
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_wrote_into_the_shared_level_is_not_trusted() {
    let node = Node::new(&Arc::default());
    let caches = node.start(1);
    let key = caches.key(&text());
    let wild = Verdict { confidence: 7.0, ..(*verdict(1)).clone() };
    for bytes in [b"garbage".to_vec(), vec![b' '; 10_000], serde_json::to_vec(&wild).unwrap()] {
        node.shared.entries.lock().insert(key.clone(), bytes);
        assert_eq!(find(&caches, 1).await, None);
    }
    assert_eq!(node.count("shared", "unreadable"), 3);
    let steering = Verdict { reason: "\u{1b}[2Jgone".into(), ..(*verdict(1)).clone() };
    node.shared.entries.lock().insert(key, serde_json::to_vec(&steering).unwrap());
    assert_eq!(find(&caches, 1).await.unwrap().reason, "[2Jgone");
}
