//! Damage costs the blocks it touches: never a wrong payload, never what comes after.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_journal::{Append, Compression, Lane};
use bessemer_runtime::{Random, SystemRandom};

use crate::harness::{A, Again, B, DIR, Live, Oracle, World, normal};

/// A journal killed after these appends, each a group of its own.
fn killed_after(world: &World, groups: &[Vec<Append>]) -> Oracle {
    let mut live = world.open();
    let mut oracle = Oracle::default();
    for group in groups {
        let appended = live.append(group.clone()).unwrap();
        oracle.acked(appended.first, group);
    }
    oracle
}

/// Small groups, then one entry over several pages, then small groups.
fn mixed_groups() -> Vec<Vec<Append>> {
    let small = (0..5).map(|n| vec![normal(n, 300), normal(n + 10, 100)]);
    let large = [vec![normal(20, 600_000)]];
    let last = (30..35).map(|n| vec![normal(n, 300)]);
    small.chain(large).chain(last).collect()
}

/// Every entry served must be one that was appended; says how many were.
fn served(live: &Live, groups: &[Vec<Append>]) -> usize {
    let known: Vec<&Append> = groups.iter().flatten().collect();
    let served = live.read(A, Lane::Normal);
    for stored in &served {
        let appended = known.iter().find(|entry| entry.meta == stored.meta).unwrap();
        assert_eq!(appended.payload, stored.payload, "a wrong payload was served");
        assert_eq!(appended.items, stored.items);
    }
    served.len()
}

fn only_segment(world: &World) -> (PathBuf, Vec<u8>) {
    let [path] = world.segments("main").try_into().unwrap();
    let bytes = world.disk.read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_tail_cut_anywhere_leaves_exactly_the_complete_groups_before_the_cut() {
    let world = World::new(1);
    let groups: Vec<_> = (0..24).map(|n| vec![normal(n, 2000)]).collect();
    killed_after(&world, &groups);
    let (path, bytes) = only_segment(&world);
    let mut before = 0;
    let data_start = 64 << 10;
    for cut in (data_start..bytes.len()).step_by(23).chain([bytes.len()]) {
        let world = world.with_disk(world.disk.after_kill());
        world.disk.overwrite(&path, &bytes[..cut]);
        let (live, report) = world.try_open().unwrap();
        let count = served(&live, &groups);
        assert!(count >= before, "{count} of a longer file, {before} of a shorter one");
        let numbers: Vec<u64> =
            live.read(A, Lane::Normal).iter().map(|stored| stored.sequence).collect();
        assert!(
            numbers.iter().zip(numbers.iter().skip(1)).all(|(a, b)| b - a <= 3),
            "a hole: {numbers:?}"
        );
        assert!(report.torn_tails.len() <= 1 && report.corrupt_blocks == 0);
        before = count;
    }
    assert_eq!(before, groups.len());
}

#[test]
fn a_torn_tail_is_counted_once_and_numbers_behind_it_are_not_given_again() {
    let world = World::new(1);
    let groups = [vec![normal(2, 2000)], vec![normal(5, 20_000)]];
    killed_after(&world, &groups);
    let (path, bytes) = only_segment(&world);
    world.disk.overwrite(&path, &bytes[..bytes.len() - 50]);
    let world = world.with_disk(world.disk.after_kill());
    let (mut live, report) = world.try_open().unwrap();
    assert_eq!(report.torn_tails.len(), 1);
    assert_eq!(live.journal.stats().torn_tails, 1);
    let first = live.append(vec![normal(8, 10)]).unwrap().first;
    assert!(first > 6, "{first} was given before");
    live.engine.maintain();
    drop(live);
    let (live, report) = world.with_disk(world.disk.after_kill()).try_open().unwrap();
    assert_eq!((report.torn_tails.len(), report.lost.len()), (0, 0));
    assert_eq!(live.read(A, Lane::Normal).len(), 2);
}

fn check_flips(reseal: bool, step: usize) {
    let mut world = World::new(1);
    let groups = mixed_groups();
    killed_after(&world, &groups);
    if reseal {
        world.disk = world.disk.after_kill();
        world.open().engine.maintain();
    }
    let (path, bytes) = only_segment(&world);
    let random = SystemRandom::seeded(9);
    for byte in (0..bytes.len()).step_by(step) {
        let mut flipped = bytes.clone();
        flipped[byte] ^= 1 << (random.next_u64() % 8);
        let world = world.with_disk(world.disk.after_kill());
        world.disk.overwrite(&path, flipped);
        let (live, _) = world.try_open().unwrap();
        let count = served(&live, &groups);
        // One block is hit: a group of two small entries, or one entry; or nothing that matters.
        assert!(count >= 14, "byte {byte}: {count} of 16 served");
    }
}

#[test]
fn a_flipped_bit_of_an_unsealed_segment_costs_at_most_the_block_it_hits() {
    check_flips(false, 97);
}

#[test]
fn a_flipped_bit_of_a_sealed_segment_costs_at_most_the_block_it_hits() {
    check_flips(true, 101);
}

#[test]
fn every_bit_of_a_block_header_and_a_page_header_may_flip() {
    let world = World::new(1);
    let groups = mixed_groups();
    killed_after(&world, &groups);
    let (path, bytes) = only_segment(&world);
    let header = 65_536..65_536 + 16 + 120;
    let later_page = 3 * 65_536..3 * 65_536 + 16;
    for bit in header.chain(later_page).flat_map(|byte| byte * 8..byte * 8 + 8) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let world = world.with_disk(world.disk.after_kill());
        world.disk.overwrite(&path, flipped);
        assert!(served(&world.open(), &groups) >= 14, "bit {bit}");
    }
}

#[test]
fn damage_is_counted_exactly_and_its_segment_kept_in_quarantine() {
    let world = World::new(1);
    let groups = mixed_groups();
    killed_after(&world, &groups);
    let (path, mut bytes) = only_segment(&world);
    // In the middle of the large entry.
    bytes[200_000] ^= 0x10;
    let world = world.with_disk(world.disk.after_kill());
    world.disk.overwrite(&path, bytes);
    let (mut live, report) = world.try_open().unwrap();
    assert_eq!(report.corrupt_blocks, 1);
    assert_eq!(served(&live, &groups), 15);
    assert_eq!(served(&live, &groups), 15);
    assert_eq!(live.journal.stats().corrupt_blocks, 1);
    live.append(vec![normal(50, 10)]).unwrap();
    for sink in [A, B] {
        for stored in live.read(sink, Lane::Normal) {
            live.settle(sink, &stored);
        }
    }
    live.engine.maintain();
    assert_eq!(world.segments("quarantine").len(), 1);
    assert_eq!(world.segments("main").len(), 1);
    assert!(live.journal.stats().quarantined_bytes > 200_000);
}

/// Scenario: a process passes over a damaged block and dies; the next one finds everything settled.
/// Promise: the damaged segment is put aside by the next one too, and the others are deleted.
#[test]
fn damage_that_a_dead_process_came_upon_is_kept_in_quarantine() {
    let mut world = World::new(1);
    world.options.segment_bytes = 256 << 10;
    world.options.cache_bytes = 0;
    let mut live = world.open();
    for number in 0..30 {
        live.append(vec![normal(number, 40_000)]).unwrap();
    }
    live.finish();
    let segments = world.segments("main");
    assert!(segments.len() >= 3, "{segments:?}");
    let damaged = &segments[1];
    let mut bytes = world.disk.read(damaged).unwrap();
    bytes[100_000] ^= 0x10;
    world.disk.overwrite(damaged, bytes);
    // It settles all it gets, durably, and dies before a file is moved or deleted.
    let refuse = |call| Rule { call: Some(call), after: 0, times: u64::MAX, fault: Fault::Io };
    world.disk.fail(refuse(Call::Unlink));
    world.disk.fail(refuse(Call::Rename));
    let mut live = world.open();
    for sink in [A, B] {
        for stored in live.read(sink, Lane::Normal) {
            live.settle(sink, &stored);
        }
    }
    assert_eq!(live.journal.stats().corrupt_blocks, 1);
    world.clock.advance(Duration::from_secs(2));
    live.engine.maintain();
    drop(live);
    assert_eq!(world.segments("main").len(), segments.len());
    world.disk.heal();
    let world = world.with_disk(world.disk.after_kill());
    let mut live = world.open();
    world.clock.advance(Duration::from_secs(2));
    live.engine.maintain();
    assert_eq!(world.segments("main").len(), 1, "the newest");
    assert_eq!(world.segments("quarantine").len(), 1);
    assert_eq!(live.journal.stats().corrupt_blocks, 1);
}

#[test]
fn a_zeroed_sector_costs_the_blocks_in_it() {
    let world = World::new(1);
    let groups = mixed_groups();
    killed_after(&world, &groups);
    let (path, bytes) = only_segment(&world);
    for start in (0..bytes.len() - 4096).step_by(4096) {
        let mut zeroed = bytes.clone();
        zeroed[start..start + 4096].fill(0);
        let world = world.with_disk(world.disk.after_kill());
        world.disk.overwrite(&path, zeroed);
        let (live, _) = world.try_open().unwrap();
        assert!(served(&live, &groups) >= 14, "sector at {start}");
    }
}

#[test]
fn random_damage_never_panics_nor_serves_a_wrong_payload() {
    let world = World::new(1);
    let groups = mixed_groups();
    killed_after(&world, &groups);
    let (path, bytes) = only_segment(&world);
    for seed in 0..150 {
        let random = SystemRandom::seeded(seed);
        let at = |len: usize| usize::try_from(random.next_u64()).unwrap() % len;
        let mut broken = bytes.clone();
        for _ in 0..random.next_u64() % 6 {
            let (from, len) = (at(bytes.len()), at(5000));
            let to = at(bytes.len());
            let len = len.min(bytes.len() - from.max(to));
            broken[to..to + len].copy_from_slice(&bytes[from..from + len]);
        }
        broken.truncate(bytes.len() - at(bytes.len() / 4));
        let world = world.with_disk(world.disk.after_kill());
        world.disk.overwrite(&path, broken);
        let (mut live, _) = world.try_open().unwrap();
        served(&live, &groups);
        let more = vec![normal(99, 10)];
        live.append(more).unwrap();
    }
}

#[test]
fn a_missing_segment_is_reported_with_its_records_and_the_rest_is_served() {
    let world = World::new(1);
    let groups: Vec<_> = (0..60).map(|n| vec![normal(n, 90_000)]).collect();
    killed_after(&world, &groups);
    let segments = world.segments("main");
    assert!(segments.len() >= 4);
    world.disk.remove(&segments[1]);
    let world = world.with_disk(world.disk.after_kill());
    let (live, report) = world.try_open().unwrap();
    assert_eq!(report.lost.len(), 1);
    let lost = &report.lost[0].records;
    let numbers: Vec<u64> = live.read(A, Lane::Normal).iter().map(|s| s.sequence).collect();
    assert!(numbers.iter().all(|number| !lost.contains(number)));
    assert!(numbers.contains(&lost.end) && numbers.len() > 40);
}

#[test]
fn copies_strangers_and_other_versions_are_parked_and_left_alone() {
    let world = World::new(1);
    let groups = mixed_groups();
    let mut live = world.open();
    let mut oracle = Oracle::default();
    for group in &groups {
        oracle.acked(live.append(group.clone()).unwrap().first, group);
    }
    drop(live);
    let (own, bytes) = only_segment(&world);
    let stranger = {
        let world = World::new(2);
        killed_after(&world, &(0..60).map(|n| vec![normal(n, 90_000)]).collect::<Vec<_>>());
        world.disk.read(&world.segments("main")[2]).unwrap()
    };
    let mut newer = bytes.clone();
    for copy in [0, 32 << 10] {
        newer[copy + 8] = 9;
        let len = u32::from_le_bytes(newer[copy + 12..copy + 16].try_into().unwrap()) as usize;
        let crc = crc32c::crc32c(&newer[copy..copy + 16]);
        let crc = crc32c::crc32c_append(crc, &newer[copy + 20..copy + len]);
        newer[copy + 16..copy + 20].copy_from_slice(&crc.to_le_bytes());
    }
    let main = Path::new(DIR).join("main");
    let place = |name: &str, bytes: Vec<u8>| world.disk.overwrite(&main.join(name), bytes);
    place("00000000000000aa.segment", bytes.clone());
    place("0000000000000003.segment", stranger);
    place("00000000000000ac.segment", newer);
    place("00000000000000ad.segment", b"something else entirely".to_vec());
    place("notes.txt", b"hello".to_vec());
    let world = world.with_disk(world.disk.after_kill());
    let (mut live, report) = world.try_open().unwrap();
    let reasons: Vec<_> = report.parked.iter().map(|parked| parked.reason.as_str()).collect();
    assert_eq!(reasons.len(), 5, "{reasons:?}");
    for word in ["copy of segment", "belongs to journal", "version 9", "not a journal", "name"] {
        assert!(reasons.iter().any(|reason| reason.contains(word)), "{word}: {reasons:?}");
    }
    oracle.check(A, Lane::Normal, &live.read(A, Lane::Normal), Again::Never);
    live.append(vec![normal(60, 10)]).unwrap();
    for sink in [A, B] {
        live.settle_each(sink, &live.read(sink, Lane::Normal));
    }
    live.engine.maintain();
    let left = world.disk.files();
    assert!(!left.contains(&own) && left.contains(&main.join("notes.txt")));
    assert_eq!(world.segments("main").len(), 6);
}

#[test]
fn a_segment_whose_first_header_is_gone_is_read_by_its_second() {
    let world = World::new(1);
    let groups = mixed_groups();
    killed_after(&world, &groups);
    let (path, bytes) = only_segment(&world);
    for copy in [0, 32 << 10] {
        let mut broken = bytes.clone();
        broken[copy..copy + (32 << 10)].fill(0xEE);
        let world = world.with_disk(world.disk.after_kill());
        world.disk.overwrite(&path, broken);
        assert_eq!(served(&world.open(), &groups), 16);
    }
}

#[test]
fn a_block_the_drive_cannot_read_is_tried_again_then_passed() {
    let mut world = World::new(1);
    world.options.cache_bytes = 0;
    let groups = mixed_groups();
    let mut live = world.open();
    for group in &groups {
        live.append(group.clone()).unwrap();
    }
    world.disk.fail(Rule { call: Some(Call::Read), after: 0, times: 3, fault: Fault::Io });
    let mut reader = live.journal.reader(A, Lane::Normal);
    for _ in 0..3 {
        assert!(reader.try_next().is_none());
    }
    let mut count = std::iter::from_fn(|| reader.try_next()).count();
    assert_eq!(count, 16, "nothing is passed that can be read in the end");
    world.disk.fail(Rule { call: Some(Call::Read), after: 0, times: 5, fault: Fault::Io });
    let mut reader = live.journal.reader(A, Lane::Normal);
    count = 0;
    for _ in 0..30 {
        count += usize::from(reader.try_next().is_some());
    }
    assert_eq!(count, 14, "one block of two entries is given up");
    assert_eq!(live.journal.stats().corrupt_blocks, 1);
}

/// Scenario: entries are read from the disk, and once a segment cannot be opened.
/// Promise: that is no reason to pass its entries over, unless the file is gone.
#[test]
fn a_segment_that_cannot_be_opened_for_a_moment_is_read_later() {
    let mut world = World::new(1);
    world.options.cache_bytes = 0;
    let mut live = world.open();
    for n in 0..20 {
        live.append(vec![normal(n, 90_000)]).unwrap();
    }
    let mut reader = live.journal.reader(A, Lane::Normal);
    for fault in [Fault::Io, Fault::Quota] {
        let mut served = 0;
        for after in 0..3 {
            world.disk.fail(Rule { call: Some(Call::Open), after, times: 1, fault });
        }
        for _ in 0..10 {
            served += std::iter::from_fn(|| reader.try_next()).count();
        }
        assert_eq!(served, 20, "{fault:?}");
        assert!(live.journal.stats().read_errors > 0);
        assert_eq!(live.journal.stats().corrupt_blocks, 0);
        reader = live.journal.reader(A, Lane::Normal);
    }
}

/// One group of entries that are not compressed, served from disk after a kill.
fn world_of(payloads: &[usize]) -> World {
    let mut world = World::new(1);
    world.options.compression = Compression::None;
    world.options.cache_bytes = 0;
    let group = (0..).zip(payloads).map(|(n, len)| normal(n, *len)).collect();
    world.open().append(group).unwrap();
    world.with_disk(world.disk.after_kill())
}

/// Scenario: the header of the second block ends where its page does, and at every place before.
#[test]
fn a_block_is_read_wherever_in_its_page_it_stands() {
    for shorter in (0..400).step_by(8) {
        let payloads = [(64 << 10) - shorter, 100_000];
        let live = world_of(&payloads).open();
        let read = live.read(A, Lane::Normal);
        let lens: Vec<_> = read.iter().map(|stored| stored.payload.len()).collect();
        assert_eq!(lens, payloads, "{shorter} bytes shorter");
        for (n, stored) in (0..).zip(&read) {
            assert_eq!(stored.payload, normal(n, stored.payload.len()).payload);
        }
    }
}

/// Scenario: the header of the last block, which spans pages, is damaged; or its end is cut off in the
/// middle of a page.
#[test]
fn a_torn_tail_is_counted_to_its_last_byte() {
    let world = world_of(&[10, 300_000]);
    let (path, bytes) = only_segment(&world);
    let last = bytes.windows(4).rposition(|four| four == b"BSMB").unwrap();
    let mut damaged = bytes.clone();
    damaged[last + 20] ^= 1;
    for left in [damaged, bytes[..last + 150_000].to_vec()] {
        let world = world.with_disk(world.disk.after_kill());
        let end = left.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        world.disk.overwrite(&path, left);
        let (live, report) = world.try_open().unwrap();
        assert_eq!(live.read(A, Lane::Normal).len(), 1);
        let [torn] = &report.torn_tails[..] else { panic!("{report:?}") };
        let whole = (end - last) as u64;
        assert!((whole..whole + 8).contains(&torn.bytes), "{} of {whole}", torn.bytes);
        assert_eq!(live.journal.stats().torn_tails, 1);
    }
}

/// Scenario: a damaged block whose payload looks like many beginnings of blocks.
#[test]
fn what_only_looks_like_a_block_is_not_counted_as_one() {
    let mut world = World::new(1);
    world.options.compression = Compression::None;
    let payload: Vec<u8> = b"BSMB0000".repeat(10_000);
    let looks = Append { payload: payload.into(), ..normal(1, 0) };
    let mut live = world.open();
    for group in [vec![normal(0, 10), looks], vec![normal(2, 10)]] {
        live.append(group).unwrap();
    }
    drop(live);
    let world = world.with_disk(world.disk.after_kill());
    let (path, mut bytes) = only_segment(&world);
    let heads: Vec<usize> = bytes
        .windows(8)
        .enumerate()
        .filter_map(|(at, eight)| {
            (eight.starts_with(b"BSMB") && &eight[4..] != b"0000").then_some(at)
        })
        .collect();
    let [_, looks, _] = heads[..] else { panic!("{heads:?}") };
    bytes[looks + 20] ^= 1;
    world.disk.overwrite(&path, bytes);
    let (live, report) = world.try_open().unwrap();
    assert_eq!((report.corrupt_blocks, live.read(A, Lane::Normal).len()), (1, 2));
}
