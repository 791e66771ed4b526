//! No key meets a nonce twice, whatever is killed, cut, written again or given up on the way: every
//! call that seals is watched. `BESSEMER_PROOF=ci` runs the published size.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use bessemer_runtime::{Random, SystemClock, SystemRandom};
use bytes::Bytes;
use futures_util::FutureExt;

use crate::disk::mem::{Call, Fault, Rule};
use crate::keys::{CurrentKey, KEY_BYTES, Key, KeyError, KeySource};
use crate::{
    Append, DeadLetter, Engine, Journal, Lane, MemDisk, Options, Routes, SinkIndex, SinkSpec,
};

#[derive(Default)]
struct Seen {
    pairs: HashSet<([u8; KEY_BYTES], u64)>,
    repeated: u64,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// Notes that `number` is used with a subkey. Tests run in threads of their own.
pub(super) fn note(subkey: [u8; KEY_BYTES], number: u64) {
    SEEN.with_borrow_mut(|seen| {
        if !seen.pairs.insert((subkey, number)) {
            seen.repeated += 1;
        }
    });
}

#[derive(Debug)]
struct OneKey {
    salts: Salts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Salts {
    Fresh,
    AlwaysTheSame,
}

impl KeySource for OneKey {
    fn current(&self) -> Result<CurrentKey, KeyError> {
        Ok(CurrentKey { id: "k".into(), key: Key::new([1; 32]), wrapped: Bytes::new() })
    }

    fn find(&self, _: &str, _: &[u8]) -> Result<Key, KeyError> {
        Ok(Key::new([1; 32]))
    }

    fn fill_salt(&self, salt: &mut [u8]) -> Result<(), KeyError> {
        if self.salts == Salts::Fresh {
            return aws_lc_rs::rand::fill(salt)
                .map_err(|_| KeyError::Unknown("random numbers".into()));
        }
        salt.fill(7);
        Ok(())
    }
}

fn open(disk: &MemDisk, random: &Arc<SystemRandom>, salts: Salts) -> (Journal, Engine) {
    let options = Options {
        segment_bytes: 256 << 10,
        budget_bytes: 16 << 20,
        preallocate: false,
        keys: Some(Arc::new(OneKey { salts })),
        ..Options::new("/j")
    };
    let (journal, engine, _) = Journal::open_stepped(
        Arc::new(disk.clone()),
        Arc::new(SystemClock::default()),
        Arc::<SystemRandom>::clone(random),
        options,
        &[SinkSpec::new("a")],
    )
    .unwrap();
    (journal, engine)
}

// One life: some appends, a failed write among them at times, a settlement, a dead letter.
fn live(disk: &MemDisk, random: &Arc<SystemRandom>, salts: Salts) {
    let (journal, mut engine) = open(disk, random, salts);
    for _ in 0..=random.next_u64() % 3 {
        if random.next_u64().is_multiple_of(8) {
            let call =
                Some(if random.next_u64().is_multiple_of(2) { Call::Write } else { Call::Sync });
            disk.fail(Rule { call, after: 0, times: 1, fault: Fault::Io });
        }
        // The same content at the same offset as the life before, or other content there.
        let append = Append {
            routes: Routes::to([SinkIndex(0)]),
            lane: Lane::Normal,
            items: 1,
            meta: Bytes::new(),
            payload: vec![random.next_u64().to_le_bytes()[0]; 200].into(),
        };
        let mut appending = pin!(journal.append(vec![append]));
        assert!(appending.as_mut().now_or_never().is_none());
        engine.write();
        disk.heal();
    }
    let mut reader = journal.reader(SinkIndex(0), Lane::Normal);
    while let Some(stored) = reader.try_next() {
        journal.settle(SinkIndex(0), Lane::Normal, stored.sequence..stored.sequence + 1);
    }
    if random.next_u64().is_multiple_of(4) {
        let letter = DeadLetter {
            records: 0..1,
            lane: Lane::Normal,
            refused_at_unix_nanos: 0,
            reason: String::new(),
            status: String::new(),
            config_hash: 0,
            meta: Bytes::new(),
            payload: Bytes::from_static(b"dead"),
        };
        drop(pin!(journal.dead_letter(SinkIndex(0), vec![letter])).now_or_never());
    }
    if random.next_u64().is_multiple_of(2) {
        engine.maintain();
    }
}

// What a kill leaves: a segment that is cut anywhere, or gone so that its id is given again.
fn ruin(disk: &MemDisk, random: &SystemRandom) -> MemDisk {
    let disk = if random.next_u64().is_multiple_of(2) {
        disk.after_kill()
    } else {
        disk.after_power_cut(random)
    };
    let is_segment = |path: &PathBuf| path.starts_with(Path::new("/j/main"));
    let segments: Vec<_> = disk.files().into_iter().filter(is_segment).collect();
    let Some(newest) = segments.last() else { return disk };
    if random.next_u64().is_multiple_of(3) {
        disk.remove(newest);
    } else if let Some(mut bytes) = disk.read(newest) {
        let len = bytes.len() as u64 + 1;
        bytes.truncate(usize::try_from(random.next_u64() % len).unwrap());
        disk.overwrite(newest, bytes);
    }
    // Opening must not take longer from life to life.
    for log in ["/j/main", "/j/dead/a", "/j/quarantine"] {
        let files = disk.files();
        let of_log: Vec<_> = files.iter().filter(|path| path.starts_with(log)).collect();
        for old in of_log.iter().rev().skip(4) {
            disk.remove(old);
        }
    }
    disk
}

fn repeated_over(restarts: u64, salts: Salts) -> u64 {
    SEEN.take();
    let random = Arc::new(SystemRandom::seeded(restarts));
    let mut disk = MemDisk::new();
    for _ in 0..restarts {
        live(&disk, &random, salts);
        disk = ruin(&disk, &random);
    }
    let seen = SEEN.take();
    assert!(seen.pairs.len() as u64 + seen.repeated > restarts, "little was sealed");
    seen.repeated
}

#[expect(clippy::disallowed_methods, reason = "sizes of proofs are set from outside")]
fn restarts() -> u64 {
    if std::env::var("BESSEMER_PROOF").is_ok_and(|proof| proof == "ci") { 100_000 } else { 2_000 }
}

#[test]
fn no_key_meets_a_nonce_twice_over_kills_cuts_and_rewrites() {
    assert_eq!(repeated_over(restarts(), Salts::Fresh), 0);
}

#[test]
fn without_fresh_salts_the_watch_would_see_it() {
    assert!(repeated_over(50, Salts::AlwaysTheSame) > 0);
}
