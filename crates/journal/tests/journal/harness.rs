//! A journal without threads on a disk in memory, and what was promised about it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bessemer_journal::{
    Append, AppendError, Appended, Disk, Engine, Journal, Lane, MemDisk, OpenError, OpenReport,
    Options, Routes, SinkIndex, SinkSpec, Stored,
};
use bessemer_runtime::{BoxFuture, Clock, Random, SystemRandom};
use bytes::Bytes;
use futures_util::FutureExt;

pub(crate) const DIR: &str = "/j";
pub(crate) const A: SinkIndex = SinkIndex(0);
pub(crate) const B: SinkIndex = SinkIndex(1);
pub(crate) const C: SinkIndex = SinkIndex(2);

/// Time that passes only when told.
#[derive(Default)]
pub(crate) struct ManualClock {
    nanos: AtomicU64,
}

impl ManualClock {
    pub(crate) fn advance(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap();
        self.nanos.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.unix_nanos())
    }

    fn unix_nanos(&self) -> u64 {
        self.nanos.load(Ordering::SeqCst)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.advance(duration);
        Box::pin(async {})
    }
}

/// What a journal is opened with.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) disk: MemDisk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) random: Arc<SystemRandom>,
    pub(crate) options: Options,
    pub(crate) sinks: Vec<SinkSpec>,
}

impl World {
    /// Small segments, no reservation, two sinks called a and b.
    pub(crate) fn new(seed: u64) -> Self {
        let options = Options {
            segment_bytes: 512 << 10,
            budget_bytes: 64 << 20,
            preallocate: false,
            ..Options::new(DIR)
        };
        Self {
            disk: MemDisk::new(),
            clock: Arc::default(),
            random: Arc::new(SystemRandom::seeded(seed)),
            options,
            sinks: vec![SinkSpec::new("a"), SinkSpec::new("b")],
        }
    }

    pub(crate) fn with_disk(&self, disk: MemDisk) -> Self {
        Self { disk, ..self.clone() }
    }

    pub(crate) fn try_open(&self) -> Result<(Live, OpenReport), OpenError> {
        self.try_open_on(Arc::new(self.disk.clone()))
    }

    pub(crate) fn try_open_on(&self, disk: Arc<dyn Disk>) -> Result<(Live, OpenReport), OpenError> {
        let (journal, engine, report) = Journal::open_stepped(
            disk,
            Arc::<ManualClock>::clone(&self.clock),
            Arc::<SystemRandom>::clone(&self.random),
            self.options.clone(),
            &self.sinks,
        )?;
        Ok((Live { journal, engine }, report))
    }

    pub(crate) fn open(&self) -> Live {
        self.try_open().unwrap().0
    }

    /// The segment files of a log, oldest first.
    pub(crate) fn segments(&self, log: &str) -> Vec<PathBuf> {
        let dir = Path::new(DIR).join(log);
        let own = |path: &PathBuf| path.parent() == Some(&dir);
        self.disk.files().into_iter().filter(own).collect()
    }
}

/// An open journal.
pub(crate) struct Live {
    pub(crate) journal: Journal,
    pub(crate) engine: Engine,
}

impl Live {
    pub(crate) fn append(&mut self, entries: Vec<Append>) -> Result<Appended, AppendError> {
        let mut appending = pin!(self.journal.append(entries));
        if let Some(early) = appending.as_mut().now_or_never() {
            return early;
        }
        self.engine.write();
        appending.now_or_never().expect("a written group is answered")
    }

    /// All that a sink gets in a lane now.
    pub(crate) fn read(&self, sink: SinkIndex, lane: Lane) -> Vec<Stored> {
        let mut reader = self.journal.reader(sink, lane);
        std::iter::from_fn(|| reader.try_next()).collect()
    }

    pub(crate) fn settle(&self, sink: SinkIndex, stored: &Stored) {
        self.journal.settle(sink, stored.lane, covered(stored));
    }

    pub(crate) fn settle_each(&self, sink: SinkIndex, served: &[Stored]) {
        for stored in served {
            self.settle(sink, stored);
        }
    }

    pub(crate) fn finish(self) {
        drop(self.journal);
        self.engine.finish();
    }
}

pub(crate) fn covered(stored: &Stored) -> std::ops::Range<u64> {
    stored.sequence..stored.sequence + u64::from(stored.items)
}

/// An entry whose payload tells its number, `len` bytes long.
pub(crate) fn entry(number: u64, len: usize, routes: &[SinkIndex], lane: Lane) -> Append {
    Append {
        routes: Routes::to(routes.iter().copied()),
        lane,
        items: u32::try_from(number % 3 + 1).unwrap(),
        meta: Bytes::from(format!("meta of {number}")),
        payload: payload(number, len),
    }
}

/// Bytes that compress to about a third and differ for every number.
pub(crate) fn payload(number: u64, len: usize) -> Bytes {
    let random = SystemRandom::seeded(number);
    let mut bytes = Vec::with_capacity(len + 32);
    while bytes.len() < len {
        let word = random.next_u64().to_le_bytes();
        bytes.extend_from_slice(&word);
        bytes.extend_from_slice(b"telemetry telem");
    }
    bytes.truncate(len);
    bytes.into()
}

pub(crate) fn normal(number: u64, len: usize) -> Append {
    entry(number, len, &[A, B], Lane::Normal)
}

/// What was acknowledged and what was settled, to be compared with what is served.
#[derive(Default, Clone)]
pub(crate) struct Oracle {
    acked: BTreeMap<(u8, Lane), BTreeMap<u64, Append>>,
    settled: BTreeSet<(u8, u64)>,
    /// Meta of entries whose append failed: they may be served, and need not be.
    pub(crate) doubtful: BTreeSet<Bytes>,
}

impl Oracle {
    pub(crate) fn acked(&mut self, first: u64, entries: &[Append]) {
        let mut sequence = first;
        for entry in entries {
            for sink in [A, B, C].into_iter().filter(|sink| entry.routes.contains(*sink)) {
                let lane = self.acked.entry((sink.0, entry.lane)).or_default();
                assert!(lane.insert(sequence, entry.clone()).is_none(), "a number given twice");
            }
            sequence += u64::from(entry.items);
        }
    }

    pub(crate) fn settled(&mut self, sink: SinkIndex, stored: &Stored) {
        self.settled.insert((sink.0, stored.sequence));
    }

    /// Asserts that `served` is all that is owed to a sink in a lane, in order and intact. What
    /// was settled may be served again, when `again` says that settlements may be forgotten.
    pub(crate) fn check(&self, sink: SinkIndex, lane: Lane, served: &[Stored], again: Again) {
        let none = BTreeMap::new();
        let acked = self.acked.get(&(sink.0, lane)).unwrap_or(&none);
        let numbers: Vec<u64> = served.iter().map(|stored| stored.sequence).collect();
        assert!(numbers.is_sorted_by(|left, right| left < right), "out of order: {numbers:?}");
        for stored in served {
            match acked.get(&stored.sequence) {
                Some(entry) if entry.meta == stored.meta => {
                    assert_eq!(entry.payload, stored.payload, "payload of {}", stored.sequence);
                    assert_eq!((entry.items, entry.lane), (stored.items, stored.lane));
                }
                other => assert!(
                    other.is_none() && self.doubtful.contains(&stored.meta),
                    "{} was never appended: {:?}",
                    stored.sequence,
                    stored.meta,
                ),
            }
            if again == Again::Never {
                assert!(!self.settled.contains(&(sink.0, stored.sequence)), "settled, yet served");
            }
        }
        let owed = acked.keys().filter(|number| !self.settled.contains(&(sink.0, **number)));
        for number in owed {
            assert!(numbers.contains(number), "{number} is lost to {sink:?} in {lane:?}");
        }
    }
}

/// Whether settled entries may be served again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    Perhaps,
}
