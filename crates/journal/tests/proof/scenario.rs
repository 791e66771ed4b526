//! One seed's life of a journal: appends, settlements, upkeep, dead letters, faults and crashes,
//! with an image of the disk after everything that changed it.

use std::pin::pin;
use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Image, Rule, chance};
use bessemer_journal::{Append, Compression, DeadLetter, Lane, MemDisk, Routes};
use bessemer_runtime::{Random, SystemRandom};
use bytes::Bytes;
use futures_util::FutureExt;

use crate::harness::{A, B, Live, World, covered};
use crate::promise::{Buried, Promise, Sent, meta};

/// Lives of one scenario.
const LIVES: u64 = 3;
/// Steps of one life at most.
const STEPS_MAX: u64 = 9;

/// A played scenario.
pub(crate) struct Scenario {
    pub(crate) world: World,
    pub(crate) images: Vec<Image>,
    pub(crate) promise: Promise,
}

struct Player {
    world: World,
    random: SystemRandom,
    images: Vec<Image>,
    promise: Promise,
}

impl Scenario {
    /// Plays the scenario of a seed.
    pub(crate) fn play(seed: u64) -> Self {
        let random = SystemRandom::seeded(seed);
        let mut world = World::new(seed);
        world.options.segment_bytes = (80 << 10) + random.next_u64() % (64 << 10);
        world.options.preallocate = random.next_u64().is_multiple_of(4);
        world.options.cache_bytes = 0;
        if !random.next_u64().is_multiple_of(4) {
            world.options.compression = Compression::None;
        }
        let faulty = random.next_u64().is_multiple_of(3);
        let promise = Promise { faulty, ..Promise::default() };
        let mut player = Player { world, random, images: Vec::new(), promise };
        for life in 0..LIVES {
            player.live(life);
        }
        let Player { world, images, promise, .. } = player;
        Self { world, images, promise }
    }
}

impl Player {
    fn live(&mut self, life: u64) {
        self.world.disk.keep_images();
        for sent in &mut self.promise.sent {
            sent.fresh = [false; 2];
        }
        if self.promise.faulty && life > 0 {
            self.plan_fault();
        }
        if let Ok((mut live, _)) = self.world.try_open() {
            self.collect();
            for _ in 0..self.random.next_u64() % STEPS_MAX {
                self.step(&mut live);
                self.collect();
            }
            if self.random.next_u64().is_multiple_of(3) {
                live.finish();
            }
        }
        self.collect();
        self.world.disk = self.next_disk();
    }

    fn plan_fault(&self) {
        let drawn = self.random.next_u64();
        let (call, fault) = match drawn % 6 {
            0 | 1 => (Call::Sync, Fault::Io),
            2 => (Call::Write, Fault::Full),
            3 => (Call::Write, Fault::Short),
            4 => (Call::SyncDir, Fault::Io),
            _ => (Call::Write, Fault::Io),
        };
        let after = drawn / 8 % 24;
        self.world.disk.fail(Rule { call: Some(call), after, times: 1 + drawn / 256 % 2, fault });
    }

    // Killed, or without power for a moment.
    fn next_disk(&self) -> MemDisk {
        self.world.disk.heal();
        if self.random.next_u64().is_multiple_of(2) {
            self.world.disk.after_kill()
        } else {
            self.world.disk.image().after_power_cut(&mut |unit| chance(unit, &self.random))
        }
    }

    fn collect(&mut self) {
        self.images.extend(self.world.disk.take_images());
    }

    fn now(&mut self) -> usize {
        self.collect();
        self.images.len()
    }

    fn step(&mut self, live: &mut Live) {
        match self.random.next_u64() % 8 {
            0..=3 => self.append(live),
            4 | 5 => self.settle(live),
            6 => self.maintain(live),
            _ => self.bury_or_drop(live),
        }
    }

    fn append(&mut self, live: &mut Live) {
        let from = self.promise.sent.len();
        let start = self.now();
        for _ in 0..=self.random.next_u64() % 3 {
            let entry = self.entry(self.promise.sent.len());
            let (acked, settled, fresh, forgotten) = (None, [None; 2], [false; 2], [None; 2]);
            self.promise.sent.push(Sent { entry, from: start, acked, settled, fresh, forgotten });
        }
        let entries = self.promise.sent[from..].iter().map(|sent| sent.entry.clone());
        let result = live.append(entries.collect());
        let now = self.now();
        if let Ok(appended) = result {
            let mut sequence = appended.first;
            for sent in &mut self.promise.sent[from..] {
                sent.acked = Some((now, sequence));
                sequence += u64::from(sent.entry.items);
            }
        }
    }

    fn entry(&self, number: usize) -> Append {
        let drawn = self.random.next_u64();
        let len = match drawn % 64 {
            0 => 33_000,
            1..4 => 4_000 + drawn / 64 % 9_000,
            _ => drawn / 64 % 700,
        };
        let routes = match (drawn >> 30) % 4 {
            0 => Routes::to([A]),
            1 => Routes::to([B]),
            _ => Routes::to([A, B]),
        };
        let lane = if (drawn >> 40).is_multiple_of(4) { Lane::Urgent } else { Lane::Normal };
        let items = u32::try_from(1 + (drawn >> 50) % 5).unwrap();
        Append { routes, lane, items, meta: meta(number), payload: payload(drawn, len) }
    }

    fn settle(&mut self, live: &Live) {
        for (index, sink) in [A, B].into_iter().enumerate() {
            let lane =
                if self.random.next_u64().is_multiple_of(2) { Lane::Normal } else { Lane::Urgent };
            for stored in live.read(sink, lane) {
                if self.random.next_u64().is_multiple_of(3) {
                    continue;
                }
                let number = u64::from_le_bytes(stored.meta[..].try_into().unwrap());
                let now = self.now();
                let sent = &mut self.promise.sent[usize::try_from(number).unwrap()];
                sent.settled[index].get_or_insert(now);
                sent.fresh[index] = true;
                live.journal.settle(sink, stored.lane, covered(&stored));
            }
        }
    }

    fn maintain(&mut self, live: &mut Live) {
        self.world.clock.advance(Duration::from_millis(self.random.next_u64() % 2_000));
        // Twice an interval: the cursors are due whatever was due before.
        let due = self.random.next_u64().is_multiple_of(2);
        if due {
            self.world.clock.advance(Duration::from_secs(2));
        }
        live.engine.maintain();
        let now = self.now();
        if due && !self.promise.faulty {
            self.promise.sent.iter_mut().for_each(|sent| sent.settled_durably(now));
        }
    }

    fn bury_or_drop(&mut self, live: &mut Live) {
        if self.random.next_u64().is_multiple_of(4) {
            return self.drop_letters(live);
        }
        let letters: Vec<DeadLetter> = (0..=self.random.next_u64() % 2)
            .map(|n| letter(&format!("reason {} {n}", self.promise.letters.len())))
            .collect();
        let Live { journal, engine } = live;
        let mut burial = pin!(journal.dead_letter(A, letters.clone()));
        let early = burial.as_mut().now_or_never();
        engine.maintain();
        if early.or_else(|| burial.now_or_never()).is_some_and(|result| result.is_ok()) {
            let from = self.now();
            let kept = |letter: DeadLetter| Buried { reason: letter.reason, from, dropped: None };
            self.promise.letters.extend(letters.into_iter().map(kept));
        }
    }

    fn drop_letters(&mut self, live: &mut Live) {
        let Some(stored) = live.journal.dead_letters("a").and_then(|mut letters| letters.next())
        else {
            return;
        };
        let Ok(stored) = stored else { return };
        let now = self.now();
        let dropped = |letter: &&mut Buried| letter.reason == stored.letter.reason;
        if let Some(letter) = self.promise.letters.iter_mut().find(dropped) {
            letter.dropped.get_or_insert(now);
        }
        let Live { journal, engine } = live;
        let mut dropping = pin!(journal.drop_dead_letters("a", vec![stored.numbers]));
        let early = dropping.as_mut().now_or_never();
        engine.maintain();
        assert!(early.or_else(|| dropping.now_or_never()).is_some(), "a chore is answered");
    }
}

fn letter(reason: &str) -> DeadLetter {
    DeadLetter {
        records: 0..2,
        lane: Lane::Normal,
        refused_at_unix_nanos: 1,
        reason: reason.into(),
        status: "400".into(),
        config_hash: 1,
        meta: Bytes::new(),
        payload: Bytes::from_static(b"refused"),
    }
}

// Half of it compresses.
fn payload(seed: u64, len: u64) -> Bytes {
    let random = SystemRandom::seeded(seed);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len {
        bytes.extend_from_slice(&random.next_u64().to_le_bytes());
        bytes.extend_from_slice(b"the same");
    }
    bytes.truncate(usize::try_from(len).unwrap());
    bytes.into()
}
