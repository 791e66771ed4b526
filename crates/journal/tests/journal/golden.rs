//! Files of every format version, kept for good: what was written once can be read forever.
//!
//! A fixture is never changed. A new version gets new files, and a test beside these.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bessemer_journal::{Append, Compression, KeySource, Lane, OpenError};

use crate::harness::{A, Again, B, DIR, Oracle, World, entry};
use crate::sealed::{TestKeys, bury, letter};

const SEGMENT: &str = "main/0000000000000001.segment";
const DEAD: &str = "dead/a/0000000000000001.segment";
const CURSORS: &str = "cursors";

/// What the fixtures hold: small entries that share a block, a large one over several pages.
fn groups() -> Vec<Vec<Append>> {
    vec![
        vec![entry(1, 100, &[A, B], Lane::Normal), entry(2, 0, &[B], Lane::Urgent)],
        vec![entry(3, 70_000, &[A], Lane::Normal)],
        vec![entry(4, 1000, &[A, B], Lane::Normal)],
    ]
}

fn fixture(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(dir.join(name)).unwrap()
}

fn in_dir(file: &str) -> PathBuf {
    Path::new(DIR).join(file)
}

fn world(keys: Option<Arc<TestKeys>>) -> World {
    let mut world = World::new(7);
    world.options.keys = keys.map(|keys| keys as Arc<dyn KeySource>);
    world
}

fn oracle() -> (Oracle, u64) {
    let mut oracle = Oracle::default();
    let mut next = 0;
    for group in groups() {
        oracle.acked(next, &group);
        next += group.iter().map(|entry| u64::from(entry.items)).sum::<u64>();
    }
    (oracle, next)
}

fn check_reads(name: &str, keys: Option<Arc<TestKeys>>) {
    let world = world(keys);
    world.disk.overwrite(&in_dir(SEGMENT), fixture(name));
    let (live, report) = world.try_open().unwrap();
    assert!(report.parked.is_empty() && report.torn_tails.is_empty(), "{report:?}");
    let (oracle, next) = oracle();
    assert_eq!(report.next_sequence, next);
    for sink in [A, B] {
        for lane in Lane::ALL {
            oracle.check(sink, lane, &live.read(sink, lane), Again::Never);
        }
    }
}

/// Reads a whole directory: entries of which the first is settled for one sink, and a dead letter.
fn check_reads_all(dir: &str, keys: Option<Arc<TestKeys>>) {
    let world = world(keys);
    for file in [SEGMENT, DEAD, CURSORS] {
        let name = file.replace("main/", "").replace("dead/a/", "dead-");
        world.disk.overwrite(&in_dir(file), fixture(&format!("{dir}/{name}")));
    }
    let (live, report) = world.try_open().unwrap();
    assert!(report.parked.is_empty() && report.cursors_lost.is_empty(), "{report:?}");
    let (oracle, _) = oracle();
    let served = live.read(A, Lane::Normal);
    assert_eq!(served.len(), 2, "the first was settled");
    oracle.check(B, Lane::Normal, &live.read(B, Lane::Normal), Again::Never);
    let letters: Vec<_> = live.journal.dead_letters("a").unwrap().collect();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].as_ref().unwrap().letter, letter());
    drop((served, letters, live));
    world.disk.overwrite(&in_dir(CURSORS), fixture(&format!("{dir}/cursors-with-books")));
    let (live, _) = world.try_open().unwrap();
    assert_eq!(live.read(A, Lane::Normal).len(), 2, "the first was settled");
    let account = live.journal.standings()[0].account;
    assert_eq!((account.routed, account.delivered), (5, 2), "entries of 2, 1 and 2 records");
}

/// A journal that holds what a directory of fixtures does, as this build writes it.
fn world_of_all(keys: Option<Arc<TestKeys>>) -> World {
    let mut world = world(keys);
    world.options.compression = Compression::None;
    let mut live = world.open();
    for group in groups() {
        live.append(group).unwrap();
    }
    let served = live.read(A, Lane::Normal);
    live.settle(A, &served[0]);
    bury(&mut live);
    live.finish();
    world
}

fn check_writes(dir: &str, keys: Option<Arc<TestKeys>>) {
    let world = world_of_all(keys);
    for file in [SEGMENT, DEAD, CURSORS] {
        // The cursor file has books since, behind what earlier builds read of it.
        let name = file.replace("main/", "").replace("dead/a/", "dead-");
        let name = name.replace("cursors", "cursors-with-books");
        let written = world.disk.read(&in_dir(file)).unwrap();
        assert!(written == fixture(&format!("{dir}/{name}")), "the format of {file} has changed");
    }
}

fn write(compression: Compression) -> Vec<u8> {
    let mut world = World::new(7);
    world.options.compression = compression;
    let mut live = world.open();
    for group in groups() {
        live.append(group).unwrap();
    }
    live.finish();
    world.disk.read(&in_dir(SEGMENT)).unwrap()
}

#[test]
fn segments_of_version_1_are_read() {
    check_reads("journal-v1/lz4.segment", None);
    check_reads("journal-v1/raw.segment", None);
    check_reads_all("journal-v1", None);
    // With keys too: what was written before they were given.
    check_reads("journal-v1/lz4.segment", Some(TestKeys::counted()));
    check_reads_all("journal-v1", Some(TestKeys::counted()));
}

#[test]
fn version_1_is_still_what_is_written() {
    let written = write(Compression::None);
    assert!(written == fixture("journal-v1/raw.segment"), "the format has changed");
    check_writes("journal-v1", None);
}

#[test]
fn segments_of_version_2_are_read() {
    check_reads("journal-v2/zstd.segment", None);
    check_reads_all("journal-v2", Some(TestKeys::counted()));
}

#[test]
fn version_2_is_still_what_is_written() {
    check_writes("journal-v2", Some(TestKeys::counted()));
}

/// Promise: a directory that a newer build has used is refused by name and not touched.
#[test]
fn a_newer_version_is_refused_by_name() {
    let world = world_of_all(None);
    let raise = |file: &str, at: usize, body: std::ops::Range<usize>, crc_at: usize| {
        let mut bytes = world.disk.read(&in_dir(file)).unwrap();
        bytes[at] = 3;
        let crc = crc32c::crc32c(&bytes[body]);
        bytes[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
        world.disk.overwrite(&in_dir(file), bytes.clone());
        bytes
    };
    let cursors = world.disk.read(&in_dir(CURSORS)).unwrap();
    let raised = raise(CURSORS, 8, 0..20, 20);
    let error = world.try_open().map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Version { version: 3, .. }), "{error}");
    assert_eq!(world.disk.read(&in_dir(CURSORS)), Some(raised));
    world.disk.overwrite(&in_dir(CURSORS), cursors);
    let mut segment = world.disk.read(&in_dir(SEGMENT)).unwrap();
    for copy in [0, 32 << 10] {
        segment[copy + 8] = 3;
        let len = u32::from_le_bytes(segment[copy + 12..copy + 16].try_into().unwrap()) as usize;
        let crc = crc32c::crc32c(&segment[copy..copy + 16]);
        let crc = crc32c::crc32c_append(crc, &segment[copy + 20..copy + len]);
        segment[copy + 16..copy + 20].copy_from_slice(&crc.to_le_bytes());
    }
    world.disk.overwrite(&in_dir(SEGMENT), segment.clone());
    let (_, report) = world.try_open().unwrap();
    assert_eq!(report.parked.len(), 1);
    assert!(report.parked[0].reason.contains("version 3"), "{report:?}");
    assert_eq!(world.disk.read(&in_dir(SEGMENT)), Some(segment));
}
