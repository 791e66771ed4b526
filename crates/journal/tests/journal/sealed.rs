//! Encryption at rest: nothing readable on disk, nothing moved or changed goes unseen, and a key
//! that is missing costs nothing but its own segments until it is given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use bessemer_journal::{
    Append, CurrentKey, DeadLetter, Key, KeyError, KeySource, Lane, MemDisk, OpenError, SinkSpec,
    Stored,
};
use bessemer_runtime::SystemRandom;
use bytes::Bytes;
use futures_util::FutureExt;

use crate::harness::{A, Again, B, DIR, Live, Oracle, World, entry, normal};

const CANARY: &[u8] = b"the canary sings in plain text";
/// Bytes of a segment before its first block.
const DATA_START: usize = (64 << 10) + 16;
const SECTOR: usize = 4096;
const BLOCK_HEADER: usize = 120;

/// Keys by id, one of them current.
#[derive(Debug, Default)]
pub(crate) struct TestKeys {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    current: String,
    keys: BTreeMap<String, u8>,
    down: bool,
    /// Salts are counted, not drawn: for bytes that are the same every time.
    counted: Option<u8>,
}

impl TestKeys {
    pub(crate) fn new(id: &str, byte: u8) -> Arc<Self> {
        let keys = Self::default();
        keys.rotate(id, byte);
        Arc::new(keys)
    }

    fn rotate(&self, id: &str, byte: u8) {
        self.give(id, byte);
        self.inner.lock().unwrap().current = id.into();
    }

    /// The source of the fixtures.
    pub(crate) fn counted() -> Arc<Self> {
        let keys = Self::new("fixture", 42);
        keys.inner.lock().unwrap().counted = Some(0);
        keys
    }

    fn give(&self, id: &str, byte: u8) {
        self.inner.lock().unwrap().keys.insert(id.into(), byte);
    }

    fn take(&self, id: &str) {
        self.inner.lock().unwrap().keys.remove(id);
    }

    fn set_down(&self, down: bool) {
        self.inner.lock().unwrap().down = down;
    }
}

impl KeySource for TestKeys {
    fn current(&self) -> Result<CurrentKey, KeyError> {
        let id = self.inner.lock().unwrap().current.clone();
        Ok(CurrentKey { key: self.find(&id, &[])?, id, wrapped: Bytes::new() })
    }

    fn find(&self, id: &str, _: &[u8]) -> Result<Key, KeyError> {
        let inner = self.inner.lock().unwrap();
        if inner.down {
            let (source_name, reason) = ("test".into(), "down".into());
            return Err(KeyError::Unavailable { source_name, reason });
        }
        let byte = inner.keys.get(id).ok_or_else(|| KeyError::Unknown(id.into()))?;
        Ok(Key::new([*byte; 32]))
    }

    fn fill_salt(&self, salt: &mut [u8]) -> Result<(), KeyError> {
        match &mut self.inner.lock().unwrap().counted {
            Some(count) => {
                *count += 1;
                salt.fill(*count);
            }
            None => aws_lc_rs::rand::fill(salt).unwrap(),
        }
        Ok(())
    }
}

pub(crate) fn sealed_world(keys: &Arc<TestKeys>) -> World {
    let mut world = World::new(5);
    world.options.keys = Some(Arc::<TestKeys>::clone(keys));
    world
}

fn files(disk: &MemDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| disk.read(&path).map(|bytes| (path, bytes));
    disk.files().into_iter().filter_map(read).collect()
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn canary(number: u64) -> Append {
    Append { meta: CANARY.into(), payload: CANARY.repeat(3).into(), ..normal(number, 0) }
}

pub(crate) fn letter() -> DeadLetter {
    DeadLetter {
        records: 0..1,
        lane: Lane::Normal,
        refused_at_unix_nanos: 1,
        reason: String::from_utf8(CANARY.into()).unwrap(),
        status: "400".into(),
        config_hash: 7,
        meta: CANARY.into(),
        payload: CANARY.into(),
    }
}

pub(crate) fn bury(live: &mut Live) {
    let mut burying = pin!(live.journal.dead_letter(A, vec![letter()]));
    assert!(burying.as_mut().now_or_never().is_none());
    live.engine.maintain();
    burying.now_or_never().unwrap().unwrap();
}

/// Scenario: entries, dead letters and cursors of a journal that compresses nothing.
/// Promise: with a key, no file holds what they said; without one, the same check finds it.
#[test]
fn no_file_of_a_sealed_journal_holds_plain_text() {
    for keys in [None, Some(TestKeys::new("k1", 1))] {
        let mut world = World::new(5);
        world.options.compression = bessemer_journal::Compression::None;
        world.options.keys = keys.clone().map(|keys| keys as Arc<dyn KeySource>);
        let mut live = world.open();
        live.append(vec![canary(1), Append { payload: CANARY.repeat(9000).into(), ..canary(2) }])
            .unwrap();
        bury(&mut live);
        let served = live.read(A, Lane::Normal);
        live.settle(A, &served[0]);
        live.finish();
        let found: Vec<_> = files(&world.disk)
            .into_iter()
            .filter(|(_, bytes)| holds(bytes, CANARY))
            .map(|(path, _)| path)
            .collect();
        let cursors = world.disk.read(&Path::new(DIR).join("cursors")).unwrap();
        assert_eq!(found.len(), if keys.is_some() { 0 } else { 2 }, "{found:?}");
        assert_eq!(holds(&cursors, b"dead/a"), keys.is_none());
        assert_eq!(holds(&cursors, b"k1"), keys.is_some());
        let mut live = world.open();
        assert_eq!(live.read(A, Lane::Normal).len(), 1);
        assert_eq!(live.read(B, Lane::Normal)[0].meta, CANARY);
        assert_eq!(
            live.journal.dead_letters("a").unwrap().next().unwrap().unwrap().letter,
            letter()
        );
        live.engine.maintain();
    }
}

#[test]
fn a_sealed_journal_survives_kills_and_power_cuts() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    let mut live = world.open();
    let mut oracle = Oracle::default();
    for number in 0..20_u64 {
        let len = if number.is_multiple_of(3) { 90_000 } else { 700 };
        let group = vec![entry(number * 2, len, &[A, B], Lane::Normal), normal(number * 2 + 1, 40)];
        let appended = live.append(group.clone()).unwrap();
        oracle.acked(appended.first, &group);
        if number.is_multiple_of(4) {
            for stored in live.read(A, Lane::Normal) {
                live.settle(A, &stored);
                oracle.settled(A, &stored);
            }
        }
        if number == 10 {
            live.engine.maintain();
        }
    }
    let disks = (0..30).map(|seed| world.disk.after_power_cut(&SystemRandom::seeded(seed)));
    for disk in disks.chain([world.disk.after_kill()]) {
        let live = world.with_disk(disk).open();
        for sink in [A, B] {
            oracle.check(sink, Lane::Normal, &live.read(sink, Lane::Normal), Again::Perhaps);
        }
    }
}

/// Writes groups of one entry with equal lengths, so that blocks can change places; returns the
/// segment.
fn segment_of_equals(world: &World, numbers: std::ops::Range<u64>) -> PathBuf {
    let mut live = world.open();
    for number in numbers {
        let one = Append { items: 1, ..entry(number, 1000, &[A, B], Lane::Normal) };
        live.append(vec![Append { meta: Bytes::new(), ..one }]).unwrap();
    }
    drop(live);
    world.segments("main").pop().unwrap()
}

// Makes the checksums of the block header at `at` match again, as anybody can.
fn mend_header(bytes: &mut [u8], at: usize) {
    let (salt, id) = (&bytes[64..80], &bytes[32..40]);
    let seed = crc32c::crc32c_append(crc32c::crc32c(salt), id);
    let stored = u32::from_le_bytes(bytes[at + 12..at + 16].try_into().unwrap()) as usize;
    let payload_crc = crc32c::crc32c(&bytes[at + BLOCK_HEADER..at + BLOCK_HEADER + stored]);
    bytes[at + 8..at + 12].copy_from_slice(&payload_crc.to_le_bytes());
    let crc = crc32c::crc32c_append(seed, &(at as u64).to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &bytes[at + 8..at + BLOCK_HEADER]);
    bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
}

fn place(group: usize) -> usize {
    if group == 0 { DATA_START } else { (64 << 10) + group * SECTOR }
}

// Each way in which somebody with the disk could pass one block off as another, checksums mended.
fn forgeries(bytes: &[u8], other: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let block = |bytes: &[u8], at: usize| bytes[at..at + BLOCK_HEADER + 1100].to_vec();
    let put = |to: usize, from: &[u8]| {
        let mut forged = bytes.to_vec();
        forged[to..to + from.len()].copy_from_slice(from);
        mend_header(&mut forged, to);
        forged
    };
    let (one, two) = (place(1), place(2));
    let mut swapped = put(one, &block(bytes, two));
    swapped[two..two + BLOCK_HEADER + 1100].copy_from_slice(&block(bytes, one));
    mend_header(&mut swapped, two);
    let mut routed = bytes.to_vec();
    routed[one + 64] ^= 3;
    mend_header(&mut routed, one);
    let mut cut = bytes.to_vec();
    cut[one + BLOCK_HEADER + 20] ^= 1;
    mend_header(&mut cut, one);
    vec![
        ("swapped", swapped),
        ("repeated", put(two, &block(bytes, one))),
        ("of another segment", put(one, &block(other, one))),
        ("routed elsewhere", routed),
        ("payload changed", cut),
    ]
}

/// Promise: what a plain journal cannot see, a sealed one does: it serves nothing but what was
/// appended, where it was appended, and says what is damaged.
#[test]
fn blocks_that_were_swapped_repeated_or_moved_are_not_served() {
    for keys in [None, Some(TestKeys::new("k1", 1))] {
        let mut world = sealed_world(&TestKeys::new("k1", 1));
        world.options.keys = keys.clone().map(|keys| keys as Arc<dyn KeySource>);
        world.options.compression = bessemer_journal::Compression::None;
        let path = segment_of_equals(&world, 0..4);
        let truth = world.open().read(A, Lane::Normal);
        assert_eq!(truth.len(), 4);
        let genuine = world.disk.read(&path).unwrap();
        let elsewhere = world.with_disk(MemDisk::new());
        let other = segment_of_equals(&elsewhere, 10..14);
        let other = elsewhere.disk.read(&other).unwrap();
        let mut deceived = 0;
        for (name, forged) in forgeries(&genuine, &other) {
            let disk = world.disk.after_kill();
            disk.overwrite(&path, forged);
            let (live, report) = world.with_disk(disk).try_open().unwrap();
            let served = live.read(A, Lane::Normal);
            let fooled = served.iter().any(|stored| !truth.contains(stored))
                || (report.corrupt_blocks == 0 && served != truth);
            deceived += usize::from(fooled);
            assert!(!(fooled && keys.is_some()), "{name}: {served:?} {report:?}");
            if keys.is_some() {
                assert!(report.corrupt_blocks > 0 && served.len() >= 2, "{name}: {report:?}");
            }
        }
        assert!(keys.is_some() || deceived >= 3, "the forgeries are no forgeries: {deceived}");
    }
}

#[test]
fn any_flipped_bit_of_a_sealed_segment_costs_its_block_at_most_and_is_counted() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    segment_of_equals(&world, 0..4);
    let mut live = world.open();
    let truth = live.read(A, Lane::Normal);
    live.engine.maintain();
    drop(live);
    let path = world.segments("main").remove(0);
    let genuine = world.disk.read(&path).unwrap();
    let bits = (DATA_START * 8..genuine.len() * 8).step_by(61);
    for bit in bits {
        let mut flipped = genuine.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let disk = world.disk.after_kill();
        disk.overwrite(&path, flipped);
        let live = world.with_disk(disk).open();
        let served = live.read(A, Lane::Normal);
        assert!(served.iter().all(|stored| truth.contains(stored)), "bit {bit}");
        assert!(served.len() + 1 >= truth.len(), "bit {bit}: {}", served.len());
        let counted = live.journal.stats().corrupt_blocks > 0;
        assert!(counted || served.len() == truth.len(), "bit {bit} went unseen");
    }
}

#[test]
fn a_segment_header_that_was_changed_is_not_believed() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    let path = segment_of_equals(&world, 0..2);
    let mut bytes = world.disk.read(&path).unwrap();
    for copy in [0, 32 << 10] {
        let len = u32::from_le_bytes(bytes[copy + 12..copy + 16].try_into().unwrap()) as usize;
        // The number of its first record, with a checksum to match.
        bytes[copy + 40] ^= 1;
        let crc = crc32c::crc32c(&bytes[copy..copy + 16]);
        let crc = crc32c::crc32c_append(crc, &bytes[copy + 20..copy + len]);
        bytes[copy + 16..copy + 20].copy_from_slice(&crc.to_le_bytes());
    }
    world.disk.overwrite(&path, bytes.clone());
    let (live, report) = world.try_open().unwrap();
    assert_eq!(report.parked.len(), 1, "{report:?}");
    assert!(report.parked[0].reason.contains("does not fit"), "{report:?}");
    assert!(live.read(A, Lane::Normal).is_empty());
    assert_eq!(world.disk.read(&path), Some(bytes));
}

// A group that fills a segment, so that the next one starts another.
fn fill(live: &mut Live, oracle: &mut Oracle, number: u64) {
    let group: Vec<_> = (0..6).map(|n| normal(number * 100 + n, 90_000)).collect();
    let appended = live.append(group.clone()).unwrap();
    oracle.acked(appended.first, &group);
}

fn check(live: &Live, oracle: &Oracle) -> Vec<Stored> {
    let served = live.read(A, Lane::Normal);
    oracle.check(A, Lane::Normal, &served, Again::Never);
    served
}

#[test]
fn a_key_is_rotated_without_a_stop_and_the_old_one_goes_with_its_segments() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    let mut live = world.open();
    let mut oracle = Oracle::default();
    fill(&mut live, &mut oracle, 1);
    keys.rotate("k2", 2);
    for number in 2..5 {
        fill(&mut live, &mut oracle, number);
    }
    live.engine.maintain();
    assert_eq!(check(&live, &oracle).len(), 24);
    live.finish();
    let names_key = |path: &PathBuf, id: &[u8]| holds(&world.disk.read(path).unwrap()[..1024], id);
    let by_key = |id: &[u8]| world.segments("main").iter().filter(|p| names_key(p, id)).count();
    assert!(by_key(b"k1") >= 1 && by_key(b"k2") >= 2);
    // Both keys: all is there. Once the old segments are settled, the old key may go.
    let mut live = world.open();
    for stored in &check(&live, &oracle)[..8] {
        live.settle(A, stored);
        oracle.settled(A, stored);
    }
    for stored in live.read(B, Lane::Normal) {
        live.settle(B, &stored);
    }
    live.engine.maintain();
    live.finish();
    assert_eq!(by_key(b"k1"), 0);
    keys.take("k1");
    let (live, report) = world.try_open().unwrap();
    assert!(report.parked.is_empty() && report.cursors_lost.is_empty(), "{report:?}");
    check(&live, &oracle);
}

/// Scenario: the key of the oldest segments is lost, then found again after the pipeline went on.
/// Promise: they are named and stay untouched, the others are served and deleted as ever, and what
/// was not delivered is, once the key is back.
#[test]
fn segments_of_a_missing_key_wait_for_it_while_all_others_go_on() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    let mut live = world.open();
    let mut oracle = Oracle::default();
    fill(&mut live, &mut oracle, 1);
    let first = check(&live, &oracle);
    live.settle(A, &first[0]);
    oracle.settled(A, &first[0]);
    keys.rotate("k2", 2);
    fill(&mut live, &mut oracle, 2);
    fill(&mut live, &mut oracle, 3);
    live.finish();
    let before = files(&world.disk);
    let locked = world.segments("main").remove(0);
    for (id, byte) in [("other", 9), ("k1", 7)] {
        // Once the key is missing, once another has its name.
        keys.take("k1");
        keys.give(id, byte);
        let (mut live, report) = world.try_open().unwrap();
        assert_eq!(report.parked.len(), 1, "{report:?}");
        assert_eq!(report.parked[0].path, locked);
        assert_eq!(report.parked[0].key.as_deref(), Some("k1"));
        assert!(report.lost.is_empty() && report.cursors_lost.is_empty(), "{report:?}");
        let served = live.read(A, Lane::Normal);
        for stored in &served {
            live.settle(A, stored);
            oracle.settled(A, stored);
        }
        for stored in live.read(B, Lane::Normal) {
            live.settle(B, &stored);
        }
        fill(&mut live, &mut oracle, 10 + u64::from(byte));
        live.engine.maintain();
        live.finish();
        assert_eq!(world.disk.read(&locked), before.get(&locked).cloned(), "touched");
    }
    assert!(
        world.segments("main").len() <= 3,
        "settled segments stay: {:?}",
        world.segments("main")
    );
    keys.give("k1", 1);
    let (live, report) = world.try_open().unwrap();
    assert!(report.parked.is_empty(), "{report:?}");
    let back = check(&live, &oracle);
    assert!(back.iter().any(|stored| stored.sequence == first[1].sequence), "not back");
}

/// Scenario: the newest segment's key is lost.
/// Promise: no record number is given twice, and all is there once the key is back.
#[test]
fn numbers_go_on_above_a_newest_segment_whose_key_is_missing() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    let mut live = world.open();
    let mut oracle = Oracle::default();
    fill(&mut live, &mut oracle, 1);
    bury(&mut live);
    live.finish();
    let cursors = Path::new(DIR).join("cursors");
    world.disk.remove(&cursors);
    keys.rotate("k2", 2);
    keys.take("k1");
    let mut live = world.open();
    fill(&mut live, &mut oracle, 2);
    bury(&mut live);
    assert_eq!(live.read(A, Lane::Normal).len(), 6);
    assert_eq!(live.journal.stats().sinks[0].dead_records, 1);
    live.finish();
    keys.give("k1", 1);
    let live = world.open();
    check(&live, &oracle);
    assert_eq!(live.journal.dead_letters("a").unwrap().count(), 2);
}

/// Promise: the wrong key is refused and leaves every byte as it was.
#[test]
fn a_cursor_file_whose_key_is_missing_refuses_the_open_and_changes_nothing() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    segment_of_equals(&world, 0..3);
    let before = files(&world.disk);
    keys.take("k1");
    keys.rotate("k2", 2);
    let refused = |world: &World| world.try_open().map(|_| ()).unwrap_err();
    assert!(matches!(refused(&world), OpenError::CursorsSealed { .. }), "{}", refused(&world));
    keys.rotate("k1", 9);
    let error = refused(&world);
    assert!(error.to_string().contains("\"k1\" as given does not fit"), "{error}");
    let mut plain = world.clone();
    plain.options.keys = None;
    let error = refused(&plain);
    assert!(error.to_string().contains("no keys are configured"), "{error}");
    keys.set_down(true);
    assert!(matches!(refused(&world), OpenError::Io { .. }), "{}", refused(&world));
    assert!(files(&world.disk) == before, "a refused open changed something");
    keys.set_down(false);
    keys.rotate("k1", 1);
    assert_eq!(world.open().read(A, Lane::Normal).len(), 3);
}

#[test]
fn a_cursor_slot_of_another_place_is_not_believed() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    segment_of_equals(&world, 0..3);
    let live = world.open();
    for stored in live.read(A, Lane::Normal) {
        live.settle(A, &stored);
    }
    live.finish();
    // The slots of a over those of b, which has read nothing.
    let path = Path::new(DIR).join("cursors");
    let mut bytes = world.disk.read(&path).unwrap();
    bytes.copy_within(SECTOR..4 * SECTOR, 4 * SECTOR);
    world.disk.overwrite(&path, bytes);
    let error = world.try_open().map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::CursorsSealed { .. }), "{error}");
}

#[test]
fn a_plain_journal_is_sealed_from_the_next_open_and_back() {
    let keys = TestKeys::new("k1", 1);
    let mut world = World::new(5);
    let mut oracle = Oracle::default();
    for round in 0..4_u64 {
        world.options.keys =
            (round % 2 == 1).then(|| Arc::<TestKeys>::clone(&keys) as Arc<dyn KeySource>);
        if round == 2 {
            // Without its keys the sealed cursor file cannot be told; with them all goes on.
            world.try_open().map(|_| ()).unwrap_err();
            continue;
        }
        let mut live = world.open();
        let group = vec![normal(round, 500)];
        let appended = live.append(group.clone()).unwrap();
        oracle.acked(appended.first, &group);
        let served = check(&live, &oracle);
        live.settle(A, &served[0]);
        oracle.settled(A, &served[0]);
        live.finish();
    }
    check(&world.open(), &oracle);
}

#[test]
fn spill_logs_are_sealed_too() {
    let keys = TestKeys::new("k1", 1);
    let mut world = sealed_world(&keys);
    world.sinks = ["a", "b", "c"].map(SinkSpec::new).to_vec();
    world.options.budget_bytes = 8 << 20;
    world.options.compression = bessemer_journal::Compression::None;
    let mut live = world.open();
    let mut spilled = false;
    for number in 0..60 {
        let own = if number % 2 == 0 { &[A, B][..] } else { &[B][..] };
        let payload = CANARY.repeat(3000);
        let one = Append { payload: payload.into(), ..entry(number, 0, own, Lane::Normal) };
        live.append(vec![one]).unwrap();
        for stored in live.read(B, Lane::Normal) {
            live.settle(B, &stored);
        }
        live.engine.maintain();
        spilled |= live.journal.stats().sinks[0].spill_bytes > 0;
    }
    assert!(spilled, "nothing was spilled");
    for (path, bytes) in files(&world.disk) {
        assert!(!holds(&bytes, CANARY), "{}", path.display());
    }
    live.finish();
    assert_eq!(world.open().read(A, Lane::Normal).len(), 30);
}

/// Scenario: of three segments the one in the middle has a key that is missing; all else is delivered,
/// also what came after it.
/// Promise: what it holds is delivered once its key is back, and nothing else again.
#[test]
fn a_segment_in_the_middle_whose_key_is_missing_is_delivered_when_the_key_is_back() {
    let keys = TestKeys::new("k1", 1);
    let world = sealed_world(&keys);
    let mut live = world.open();
    let mut oracle = Oracle::default();
    for (number, id, byte) in [(1, "k1", 1), (2, "k2", 2), (3, "k1", 1)] {
        keys.rotate(id, byte);
        fill(&mut live, &mut oracle, number);
    }
    let all = check(&live, &oracle);
    live.finish();
    keys.take("k2");
    let (mut live, report) = world.try_open().unwrap();
    assert_eq!(report.parked.len(), 1, "{report:?}");
    let served = live.read(A, Lane::Normal);
    assert_eq!(served.len(), 12);
    for stored in &served {
        live.settle(A, stored);
        oracle.settled(A, stored);
    }
    live.engine.maintain();
    live.finish();
    keys.give("k2", 2);
    let back = check(&world.open(), &oracle);
    let numbers = |entries: &[Stored]| entries.iter().map(|e| e.sequence).collect::<Vec<_>>();
    assert_eq!(numbers(&back), numbers(&all[6..12]));
}
