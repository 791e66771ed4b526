//! What operators look at a journal with: it finds what is wrong and changes nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bessemer_journal::{
    Check, Dumped, Inspector, Lane, MemDisk, OpenError, Severity, SinkSpec, Stat, ToolError,
};
use bessemer_runtime::{Random, SystemRandom};

use crate::harness::{A, B, DIR, Live, World, entry, normal};
use crate::sealed::{TestKeys, sealed_world};

fn inspector(disk: &MemDisk) -> Inspector {
    Inspector::new(Arc::new(disk.clone()), None, DIR)
}

fn contents(disk: &MemDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    disk.files().into_iter().map(|path| (path.clone(), disk.read(&path).unwrap())).collect()
}

/// Entries for two sinks in both lanes, over several segments, some of them settled.
fn filled(world: &World) -> Live {
    let mut live = world.open();
    for n in 0..12 {
        let lane = if n % 3 == 0 { Lane::Urgent } else { Lane::Normal };
        let sinks: &[_] = if n % 2 == 0 { &[A] } else { &[A, B] };
        live.append(vec![entry(n, 400_000, sinks, lane), normal(n + 100, 50)]).unwrap();
        live.engine.maintain();
    }
    live.settle_each(A, &live.read(A, Lane::Normal)[..3]);
    live.settle(A, &live.read(A, Lane::Normal)[2]);
    live.settle_each(B, &live.read(B, Lane::Urgent));
    live.engine.maintain();
    live
}

fn backlog(stat: &Stat, sink: &str) -> u64 {
    let sink = stat.sinks.iter().find(|found| found.id == sink).unwrap();
    sink.lanes.iter().map(|lane| lane.backlog_records).sum()
}

fn damage(check: &Check) -> Vec<&Path> {
    let bad = check.findings.iter().filter(|finding| finding.severity == Severity::Damage);
    bad.map(|finding| finding.path.as_path()).collect()
}

fn all(inspector: &Inspector, from: u64) -> Vec<Dumped> {
    let mut dumped = Vec::new();
    let found = inspector.dump("main", from, &mut |entry| {
        dumped.push(entry);
        ControlFlow::Continue(())
    });
    assert!(found.unwrap());
    dumped
}

/// Scenario: the tools are run on a journal that is open, and on what it leaves when killed.
/// Promise: not a byte changes, no file appears, and the lock is not asked for.
#[test]
fn looking_changes_nothing_on_a_live_and_on_a_dead_directory() {
    let world = World::new(1);
    let mut live = filled(&world);
    let look = |disk: &MemDisk| {
        let before = contents(disk);
        let inspector = inspector(disk);
        let (stat, check) = (inspector.stat().unwrap(), inspector.check().unwrap());
        assert_eq!(damage(&check), Vec::<&Path>::new(), "{check:?}");
        let count = all(&inspector, 0).len();
        assert!(contents(disk) == before, "a file changed");
        (stat, check.entries, count)
    };
    let (stat, entries, count) = look(&world.disk);
    assert_eq!((entries, count), (24, 24));
    assert_eq!(stat.logs[0].numbers.end, live.journal.stats().next_sequence);
    live.append(vec![normal(50, 10)]).unwrap();
    drop(live);
    let (stat, entries, _) = look(&world.disk.after_kill());
    assert_eq!((entries, stat.logs[0].unsealed), (25, 1));
}

#[test]
fn the_backlog_of_each_sink_is_counted_to_the_record() {
    let world = World::new(1);
    let live = filled(&world);
    let stat = inspector(&world.disk).stat().unwrap();
    drop(live);
    let world = world.with_disk(world.disk.after_kill());
    let live = world.open();
    for (sink, id) in [(A, "a"), (B, "b")] {
        let served = Lane::ALL.map(|lane| live.read(sink, lane));
        let left = served.iter().flatten().map(|stored| {
            let settled: u64 = stored.settled.iter().map(|range| range.end - range.start).sum();
            u64::from(stored.items) - settled
        });
        assert_eq!(backlog(&stat, id), left.sum::<u64>(), "{id}");
    }
    assert!(stat.logs[0].segments > 2 && stat.sinks.iter().all(|sink| sink.has_cursor));
}

#[test]
fn what_was_spilled_is_counted_once() {
    let mut world = World::new(1);
    world.options.budget_bytes = 8 << 20;
    let mut live = world.open();
    for n in 0..60 {
        let sinks: &[_] = if n % 4 == 0 { &[A, B] } else { &[A] };
        live.append(vec![entry(n, 90_000, sinks, Lane::Normal)]).unwrap();
        live.settle_each(A, &live.read(A, Lane::Normal));
        live.engine.maintain();
    }
    assert!(live.journal.stats().sinks[1].spill_bytes > 0, "nothing was spilled");
    let stat = inspector(&world.disk).stat().unwrap();
    let left: u64 = live.read(B, Lane::Normal).iter().map(|stored| u64::from(stored.items)).sum();
    assert_eq!(backlog(&stat, "b"), left);
    assert!(stat.logs.iter().any(|log| log.name == "spill/b" && log.segments > 0));
}

/// Promise: a flipped bit in any place that means something is found, and nothing else is.
#[test]
fn any_flipped_bit_of_a_sealed_segment_is_found_where_it_is() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..20 {
        live.append(vec![normal(n, 9000)]).unwrap();
    }
    live.finish();
    let [path] = world.segments("main").try_into().unwrap();
    let bytes = world.disk.read(&path).unwrap();
    let header = bytes.iter().take(32 << 10).rposition(|byte| *byte != 0).unwrap();
    let random = SystemRandom::seeded(7);
    let mut found = 0;
    let data = 64 << 10;
    for byte in (0..=header).chain((data..bytes.len()).step_by(13)) {
        let mut flipped = bytes.clone();
        flipped[byte] ^= 1 << (random.next_u64() % 8);
        let disk = world.disk.after_kill();
        disk.overwrite(&path, flipped);
        let check = inspector(&disk).check().unwrap();
        let bad = damage(&check);
        // Padding between groups, and page headers, mean nothing to what is stored.
        assert!(bad.iter().all(|found| **found == path), "{bad:?}");
        assert!(!bad.is_empty() || byte >= data, "byte {byte} of the header");
        found += usize::from(!bad.is_empty());
        assert!(check.entries >= 19, "byte {byte}: {} entries", check.entries);
    }
    assert!(found > (bytes.len() - data) / 13 / 2, "{found}");
}

#[test]
fn missing_segments_and_garbage_for_cursors_are_damage_and_torn_tails_are_not() {
    let world = World::new(1);
    let live = filled(&world);
    drop(live);
    let segments = world.segments("main");
    let newest = world.disk.read(segments.last().unwrap()).unwrap();
    let disk = world.disk.after_kill();
    disk.overwrite(segments.last().unwrap(), &newest[..newest.len() - 60]);
    let check = inspector(&disk).check().unwrap();
    assert_eq!((check.worst(), check.findings.len()), (Some(Severity::Note), 1), "{check:?}");
    disk.remove(&segments[1]);
    disk.overwrite(&Path::new(DIR).join("cursors"), vec![7; 40_000]);
    let check = inspector(&disk).check().unwrap();
    let problems: Vec<&str> = check.findings.iter().map(|one| one.problem.as_str()).collect();
    assert!(problems.iter().any(|problem| problem.contains("are missing")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("areas")), "{problems:?}");
}

#[test]
fn without_its_key_a_journal_is_unchecked_and_with_it_intact() {
    let keys = TestKeys::new("first", 1);
    let world = sealed_world(&keys);
    drop(filled(&world));
    let locked = inspector(&world.disk).check().unwrap();
    assert_eq!((locked.worst(), locked.entries), (Some(Severity::Unchecked), 0), "{locked:?}");
    let inspector = Inspector::new(Arc::new(world.disk.clone()), Some(keys), DIR);
    let open = inspector.check().unwrap();
    assert_eq!((open.worst(), open.entries), (None, 24), "{open:?}");
    assert_eq!(inspector.stat().unwrap().logs[0].keys.len(), 1);
}

#[test]
fn a_dump_starts_at_the_number_asked_for_and_ends_when_told() {
    let world = World::new(1);
    let live = filled(&world);
    let inspector = inspector(&world.disk);
    let entries = all(&inspector, 0);
    let middle = &entries[10];
    assert_eq!(all(&inspector, middle.sequence)[0], *middle);
    assert_eq!(entries[2].sinks, ["a", "b"].map(str::to_owned)[..entries[2].sinks.len()]);
    let mut shown = 0;
    let enough = inspector.dump("main", 0, &mut |_| {
        shown += 1;
        if shown == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(enough.unwrap() && shown == 5);
    assert!(!inspector.dump("spill/none", 0, &mut |_| ControlFlow::Break(())).unwrap());
    drop(live);
}

/// Scenario: one segment of which nothing can be read, one with a damaged block, a live journal.
/// Promise: only the first is moved, whole, into quarantine; the rest is served as before.
#[test]
fn a_repair_moves_what_cannot_be_read_and_deletes_nothing() {
    let world = World::new(1);
    let live = filled(&world);
    assert!(matches!(
        inspector(&world.disk).repair(),
        Err(ToolError::Lock(OpenError::Locked { .. }))
    ));
    drop(live);
    let disk = world.disk.after_kill();
    let segments = world.segments("main");
    let mut ruined = disk.read(&segments[1]).unwrap();
    ruined.iter_mut().take(64 << 10).for_each(|byte| *byte = !*byte);
    disk.overwrite(&segments[1], &ruined[..]);
    let mut dented = disk.read(&segments[0]).unwrap();
    dented[(64 << 10) + 200] ^= 1;
    disk.overwrite(&segments[0], &dented[..]);
    let before = contents(&disk);
    let repair = inspector(&disk).repair().unwrap();
    let [moved] = &repair.moved[..] else { panic!("{repair:?}") };
    assert_eq!(moved.from, segments[1]);
    assert_eq!(disk.read(&moved.to).unwrap(), ruined);
    assert_eq!(repair.left.len(), 1, "{repair:?}");
    let mut after = contents(&disk);
    let back = after.remove(&moved.to).unwrap();
    after.insert(moved.from.clone(), back);
    assert!(after == before, "something else was changed");
    let again = inspector(&disk).repair().unwrap();
    assert_eq!((again.moved.len(), again.left.len()), (0, 1));
    let (live, report) = world.with_disk(disk).try_open().unwrap();
    assert!(report.parked.is_empty() && report.lost.len() == 1, "{report:?}");
    assert!(!live.read(A, Lane::Normal).is_empty());
}

#[test]
fn the_newest_segment_stays_even_when_it_cannot_be_read() {
    let world = World::new(1);
    drop(filled(&world));
    let disk = world.disk.after_kill();
    let newest = world.segments("main").pop().unwrap();
    let len = disk.read(&newest).unwrap().len();
    disk.overwrite(&newest, vec![9; len]);
    let next = inspector(&disk).stat().unwrap().logs[0].numbers.end;
    let repair = inspector(&disk).repair().unwrap();
    assert!(repair.moved.is_empty() && repair.left.len() == 1, "{repair:?}");
    let mut live = world.with_disk(disk).open();
    assert!(live.append(vec![normal(1, 1)]).unwrap().first > next + (1 << 31));
}

/// Scenario: a spill log is emptied, so its segments count from one again, and is damaged each time.
/// Promise: what went to quarantine first is still there after the second went.
#[test]
fn quarantine_keeps_both_of_two_segments_of_one_name() {
    let mut world = World::new(1);
    world.sinks = vec![SinkSpec::new("a")];
    let segment = Path::new(DIR).join("main/0000000000000001.segment");
    let mut kept = Vec::new();
    for round in 0..3_u8 {
        let disk = MemDisk::new();
        let mut live = world.with_disk(disk.clone()).open();
        for n in 0..8 {
            live.append(vec![entry(n, 400_000, &[A], Lane::Normal)]).unwrap();
        }
        live.finish();
        for (name, bytes) in &kept {
            let quarantine = Path::new(DIR).join("quarantine");
            disk.overwrite(&quarantine.join(name), Vec::clone(bytes));
        }
        let mut ruined = disk.read(&segment).unwrap();
        ruined.iter_mut().take(64 << 10).for_each(|byte| *byte = round);
        disk.overwrite(&segment, &ruined[..]);
        let disk = disk.after_kill();
        let repair = inspector(&disk).repair().unwrap();
        let name = repair.moved[0].to.file_name().unwrap().to_owned();
        kept.push((name, ruined));
        for (name, bytes) in &kept {
            let path = Path::new(DIR).join("quarantine").join(name);
            assert!(disk.read(&path).as_ref() == Some(bytes), "{} is gone", path.display());
        }
    }
}

#[test]
fn a_directory_without_a_journal_is_refused_and_stays_empty() {
    let disk = MemDisk::new();
    let inspector = inspector(&disk);
    assert!(matches!(inspector.stat(), Err(ToolError::NoJournal { .. })));
    assert!(matches!(inspector.repair(), Err(ToolError::NoJournal { .. })));
    assert!(disk.files().is_empty());
}

/// Promise: what is told of a journal is what lies there: its identity, owner, files, keys, sizes.
#[test]
fn a_journal_is_told_as_it_lies_there() {
    let keys = TestKeys::new("first", 1);
    let world = sealed_world(&keys);
    let live = filled(&world);
    let incarnation = live.journal.incarnation();
    let quarantine = Path::new(DIR).join("quarantine");
    for name in ["one", "two"] {
        world.disk.overwrite(&quarantine.join(name), b"x");
    }
    let inspector = Inspector::new(Arc::new(world.disk.clone()), Some(keys), DIR);
    assert_eq!(inspector.owner(), None);
    world.disk.overwrite(&Path::new(DIR).join("lock"), "4711\n");
    let stat = inspector.stat().unwrap();
    assert_eq!((stat.incarnation, stat.owner), (incarnation, Some(4711)));
    assert_eq!((stat.quarantined, stat.parked.len()), (2, 0));
    let main = &stat.logs[0];
    let files = world.segments("main");
    let bytes: usize = files.iter().map(|path| world.disk.read(path).unwrap().len()).sum();
    assert_eq!(
        (main.name.as_str(), main.segments, main.bytes),
        ("main", files.len(), bytes as u64)
    );
    assert_eq!((main.numbers.start, main.damaged_blocks), (0, 0));
    assert_eq!(main.keys, ["first"]);
    let ids: Vec<&str> = stat.sinks.iter().map(|sink| sink.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"], "and no dead-letter log or blank area");
    let served = Lane::ALL.map(|lane| live.read(B, lane));
    for (lane, served) in stat.sinks[1].lanes.iter().zip(served) {
        let bytes: usize = served.iter().map(|one| one.meta.len() + one.payload.len()).sum();
        assert_eq!(lane.backlog_bytes, bytes as u64);
    }
    let check = inspector.check().unwrap();
    assert_eq!((check.segments, check.entries), (files.len(), 24));
    let records: u64 = all(&inspector, 0).iter().map(|entry| u64::from(entry.items)).sum();
    assert_eq!(check.records, records);
    assert!(check.blocks >= 12 && check.blocks <= 24, "{}", check.blocks);
}

/// Scenario: one segment has a damaged block, one is not of this journal.
#[test]
fn damaged_blocks_and_strangers_are_counted() {
    let world = World::new(1);
    drop(filled(&world));
    let disk = world.disk.after_kill();
    let segments = world.segments("main");
    for path in &segments[..2] {
        let mut dented = disk.read(path).unwrap();
        dented[(64 << 10) + 200] ^= 1;
        disk.overwrite(path, &dented[..]);
    }
    let stranger = World::new(2);
    drop(filled(&stranger));
    let foreign = stranger.disk.read(&stranger.segments("main")[0]).unwrap();
    disk.overwrite(&segments[2], foreign);
    let inspector = inspector(&disk);
    let stat = inspector.stat().unwrap();
    assert_eq!(stat.parked.len(), 1, "{:?}", stat.parked);
    assert_eq!(stat.parked[0].path, segments[2]);
    // What is settled is not read, so damage there is not known to it.
    assert_eq!(stat.logs[0].damaged_blocks, 1);
    assert_eq!(stat.logs[0].segments, segments.len() - 1);
    let check = inspector.check().unwrap();
    let blocks = check.findings.iter().filter(|finding| finding.offset.is_some()).count();
    assert_eq!((blocks, check.more), (2, 0), "{:?}", check.findings);
    assert_eq!(all(&inspector, 0).len() as u64, check.entries, "what is intact, and no more");
}
