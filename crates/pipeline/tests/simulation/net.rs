//! Simulated destinations: what they answer follows from their mood, the time and a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::{Delivery, Exporter, Verdict};
use bessemer_runtime::{BoxFuture, Clock, Random, SystemRandom};
use parking_lot::Mutex;

use crate::clock::SimClock;
use crate::records;

/// How a destination behaves.
pub(crate) struct Mood {
    /// Whether it answers at a time.
    pub(crate) up: Box<dyn Fn(Duration) -> bool + Send + Sync>,
    /// The longest time it takes to answer.
    pub(crate) latency: Duration,
    /// Of a hundred deliveries, those that are to come again.
    pub(crate) retry_percent: u64,
    /// Of a hundred deliveries, those that it takes and whose answer is lost.
    pub(crate) answer_lost_percent: u64,
    /// When a delivery that is to come again should come.
    pub(crate) wish: Option<Duration>,
    /// Records that it refuses for good, by id.
    pub(crate) refuses: fn(u64) -> bool,
    /// Whether it says which it refuses, and takes the others; or else takes none.
    pub(crate) names_refused: bool,
    /// Records that bring it down, by id.
    pub(crate) dies_of: fn(u64) -> bool,
    /// Records above which it answers 413.
    pub(crate) records_max: usize,
    pub(crate) concurrency: usize,
}

impl Default for Mood {
    fn default() -> Self {
        Self {
            up: Box::new(|_| true),
            latency: Duration::from_millis(20),
            retry_percent: 0,
            answer_lost_percent: 0,
            wish: None,
            refuses: |_| false,
            names_refused: true,
            dies_of: |_| false,
            records_max: usize::MAX,
            concurrency: 4,
        }
    }
}

/// A destination, over all lives of the process that sends to it.
pub(crate) struct Destination {
    pub(crate) id: &'static str,
    pub(crate) mood: Mutex<Arc<Mood>>,
    pub(crate) seen: Mutex<Seen>,
}

/// What a destination saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// How often it took a record.
    pub(crate) taken: BTreeMap<u64, u32>,
    /// Records it took and did not say so.
    pub(crate) unanswered: u64,
    /// Records it refused for good, and how often they came.
    pub(crate) refused: BTreeMap<u64, u32>,
    /// The id of every record number that came.
    pub(crate) numbers: BTreeMap<u64, u64>,
    /// Every delivery: when, the ids, whether it was taken.
    pub(crate) log: Vec<(Duration, Vec<u64>, bool)>,
}

impl Destination {
    pub(crate) fn new(id: &'static str, mood: Mood) -> Arc<Self> {
        Arc::new(Self { id, mood: Mutex::new(Arc::new(mood)), seen: Mutex::default() })
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock() = Arc::new(mood);
    }

    pub(crate) fn taken(&self) -> BTreeSet<u64> {
        self.seen.lock().taken.keys().copied().collect()
    }

    /// Records that came more than once without need.
    pub(crate) fn duplicates(&self) -> u64 {
        let seen = self.seen.lock();
        let again: u64 = seen.taken.values().map(|count| u64::from(*count) - 1).sum();
        again.saturating_sub(seen.unanswered)
    }
}

/// The exporter of one life to a destination.
pub(crate) struct Wire {
    pub(crate) to: Arc<Destination>,
    pub(crate) clock: SimClock,
    pub(crate) random: Arc<SystemRandom>,
}

impl Exporter for Wire {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let mood = Arc::clone(&self.to.mood.lock());
            self.clock.sleep(self.random.between(Duration::ZERO, mood.latency)).await;
            let ids: Vec<u64> =
                delivery.parts.iter().flat_map(|part| records::ids(&part.payload)).collect();
            assert_eq!(ids.len(), usize::try_from(delivery.records()).unwrap());
            self.number(delivery, &ids);
            let verdict = self.answer(&mood, &ids);
            self.clock.sleep(self.random.between(Duration::ZERO, mood.latency)).await;
            verdict
        })
    }

    fn blames_content(&self, status: u16) -> bool {
        status == 400
    }

    fn concurrency_max(&self) -> usize {
        self.to.mood.lock().concurrency
    }
}

impl Wire {
    fn answer(&self, mood: &Mood, ids: &[u64]) -> Verdict {
        let drawn = self.random.next_u64() % 100;
        let retry = Verdict::Retry { after: mood.wish, reason: "not now".into() };
        if !(mood.up)(self.clock.now())
            || ids.iter().any(|id| (mood.dies_of)(*id))
            || drawn < mood.retry_percent
        {
            self.note(ids, &[]);
            return retry;
        }
        if ids.len() > mood.records_max {
            self.note(ids, &[]);
            return Verdict::Refused { status: 413, reason: "too large".into() };
        }
        let refused: Vec<u64> = ids.iter().copied().filter(|id| (mood.refuses)(*id)).collect();
        let mut taken: Vec<u64> = ids.iter().copied().filter(|id| !(mood.refuses)(*id)).collect();
        if !mood.names_refused && !refused.is_empty() {
            taken.clear();
        }
        if drawn < mood.retry_percent + mood.answer_lost_percent {
            self.note(ids, &taken);
            self.to.seen.lock().unanswered += taken.len() as u64;
            return Verdict::retry("no answer");
        }
        self.note(ids, &taken);
        let mut seen = self.to.seen.lock();
        for id in &refused {
            *seen.refused.entry(*id).or_default() += 1;
        }
        drop(seen);
        let verdict = Verdict::Refused { status: 400, reason: "never".into() };
        match (refused.len(), taken.len()) {
            (0, _) => Verdict::Delivered,
            (_, 0) => verdict,
            _ => Verdict::Split(ranges(ids, mood.refuses, &verdict)),
        }
    }

    // A number means the same record over all retries and lives.
    fn number(&self, delivery: &Delivery, ids: &[u64]) {
        let parts = delivery.parts.iter();
        let numbers = parts.flat_map(|part| (part.first.number..).take(part.records as usize));
        let mut seen = self.to.seen.lock();
        for (number, id) in numbers.zip(ids) {
            let known = *seen.numbers.entry(number).or_insert(*id);
            assert_eq!(known, *id, "record number {number} has changed its record");
        }
    }

    fn note(&self, ids: &[u64], taken: &[u64]) {
        let mut seen = self.to.seen.lock();
        for id in taken {
            *seen.taken.entry(*id).or_default() += 1;
        }
        seen.log.push((self.clock.now(), ids.to_vec(), !taken.is_empty()));
    }
}

fn ranges(ids: &[u64], refuses: fn(u64) -> bool, verdict: &Verdict) -> Vec<(Range<u32>, Verdict)> {
    let refused = (0_u32..).zip(ids).filter(|(_, id)| refuses(**id));
    refused.map(|(at, _)| (at..at + 1, verdict.clone())).collect()
}
