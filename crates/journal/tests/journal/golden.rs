//! Segments of every format version, kept for good: what was written once can be read forever.

use std::path::Path;

use bessemer_journal::{Append, Compression, Lane};

use crate::harness::{A, Again, B, DIR, Oracle, World, entry};

const FIRST_SEGMENT: &str = "0000000000000001.segment";

/// What the fixtures hold: small entries that share a block, a large one over several pages.
fn groups() -> Vec<Vec<Append>> {
    vec![
        vec![entry(1, 100, &[A, B], Lane::Normal), entry(2, 0, &[B], Lane::Urgent)],
        vec![entry(3, 70_000, &[A], Lane::Normal)],
        vec![entry(4, 1000, &[A, B], Lane::Normal)],
    ]
}

fn fixture(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/journal-v1");
    std::fs::read(dir.join(name)).unwrap()
}

fn check_reads(name: &str) {
    let world = World::new(7);
    world.disk.overwrite(&Path::new(DIR).join("main").join(FIRST_SEGMENT), fixture(name));
    let (live, report) = world.try_open().unwrap();
    assert!(report.parked.is_empty() && report.torn_tails.is_empty(), "{report:?}");
    let mut oracle = Oracle::default();
    let mut next = 0;
    for group in groups() {
        oracle.acked(next, &group);
        next += group.iter().map(|entry| u64::from(entry.items)).sum::<u64>();
    }
    assert_eq!(report.next_sequence, next);
    for sink in [A, B] {
        for lane in Lane::ALL {
            oracle.check(sink, lane, &live.read(sink, lane), Again::Never);
        }
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
    world.disk.read(&Path::new(DIR).join("main").join(FIRST_SEGMENT)).unwrap()
}

#[test]
fn segments_of_version_1_are_read() {
    check_reads("lz4.segment");
    check_reads("raw.segment");
}

#[test]
fn version_1_is_still_what_is_written() {
    assert!(write(Compression::None) == fixture("raw.segment"), "the format has changed");
}
