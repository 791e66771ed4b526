//! Opening: cursors, sinks that come and go, one process at a time.

use std::path::Path;

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_journal::{Lane, OpenError, SinkSpec};
use bessemer_runtime::{Random, SystemRandom};

use crate::asking::Asked;
use crate::harness::{A, Again, B, C, DIR, Oracle, World, entry, normal};

fn cursors() -> std::path::PathBuf {
    Path::new(DIR).join("cursors")
}

/// Ten entries, of which `a` has settled the first six.
fn settled_in_part(world: &World) -> Oracle {
    let mut live = world.open();
    let mut oracle = Oracle::default();
    for n in 0..10 {
        let group = vec![normal(n, 100)];
        oracle.acked(live.append(group.clone()).unwrap().first, &group);
    }
    for stored in &live.read(A, Lane::Normal)[..6] {
        live.settle(A, stored);
        oracle.settled(A, stored);
    }
    live.finish();
    oracle
}

#[test]
fn a_settlement_survives_a_kill_at_once_and_a_power_cut_after_its_sync() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..10 {
        live.append(vec![normal(n, 100)]).unwrap();
    }
    for stored in &live.read(A, Lane::Normal)[..6] {
        live.settle(A, stored);
    }
    let killed = world.with_disk(world.disk.after_kill()).open();
    assert_eq!(killed.read(A, Lane::Normal).len(), 4);
    world.clock.advance(std::time::Duration::from_secs(1));
    live.engine.maintain();
    for seed in 0..20 {
        let disk = world.disk.after_power_cut(&SystemRandom::seeded(seed));
        assert_eq!(world.with_disk(disk).open().read(A, Lane::Normal).len(), 4);
    }
    // Later settlements that are not synced may be forgotten, and must not take these with them.
    for stored in live.read(A, Lane::Normal) {
        live.settle(A, &stored);
    }
    for seed in 0..20 {
        let disk = world.disk.after_power_cut(&SystemRandom::seeded(seed));
        let (live, report) = world.with_disk(disk).try_open().unwrap();
        assert!(live.read(A, Lane::Normal).len() <= 4 && report.cursors_lost.is_empty());
    }
}

#[test]
fn numbers_are_not_given_again_when_all_segments_are_gone() {
    let world = World::new(1);
    let mut live = world.open();
    live.append((0..10).map(|n| normal(n, 100)).collect()).unwrap();
    let next = live.journal.stats().next_sequence;
    live.finish();
    for path in world.segments("main") {
        world.disk.remove(&path);
    }
    let mut live = world.with_disk(world.disk.after_kill()).open();
    assert!(live.append(vec![normal(0, 1)]).unwrap().first >= next);
}

#[test]
fn a_torn_cursor_slot_falls_back_to_the_one_before() {
    let world = World::new(1);
    let oracle = settled_in_part(&world);
    let bytes = world.disk.read(&cursors()).unwrap();
    for byte in (0..bytes.len()).step_by(61) {
        let world = world.with_disk(world.disk.after_kill());
        let mut broken = bytes.clone();
        broken[byte] ^= 0xFF;
        world.disk.overwrite(&cursors(), broken);
        for sink in [A, B] {
            let served = world.open().read(sink, Lane::Normal);
            oracle.check(sink, Lane::Normal, &served, Again::Perhaps);
        }
    }
}

#[test]
fn garbage_for_cursors_costs_duplicates_only() {
    let world = World::new(1);
    let oracle = settled_in_part(&world);
    let bytes = world.disk.read(&cursors()).unwrap();
    for seed in 0..40 {
        let world = world.with_disk(world.disk.after_kill());
        let random = SystemRandom::seeded(seed);
        let mut broken = bytes.clone();
        let from = usize::try_from(random.next_u64()).unwrap() % bytes.len();
        for byte in &mut broken[from / 2..] {
            *byte = random.next_u64().to_le_bytes()[0];
        }
        world.disk.overwrite(&cursors(), broken);
        let (live, _) = world.try_open().unwrap();
        for sink in [A, B] {
            oracle.check(sink, Lane::Normal, &live.read(sink, Lane::Normal), Again::Perhaps);
        }
    }
}

#[test]
fn a_lost_cursor_file_starts_every_sink_at_its_oldest_entry_and_says_so() {
    let world = World::new(1);
    let oracle = settled_in_part(&world);
    world.disk.remove(&cursors());
    let world = world.with_disk(world.disk.after_kill());
    let (live, report) = world.try_open().unwrap();
    assert_eq!(report.cursors_lost, ["a", "b"]);
    let served = live.read(A, Lane::Normal);
    oracle.check(A, Lane::Normal, &served, Again::Perhaps);
    assert_eq!(served.len(), 10);
}

#[test]
fn cursors_of_another_journal_are_put_aside_and_not_believed() {
    let world = World::new(1);
    let mut oracle = settled_in_part(&world);
    let other = World::new(2);
    let mut live = other.open();
    live.append((0..100).map(|n| normal(n, 10)).collect()).unwrap();
    live.settle_each(A, &live.read(A, Lane::Normal));
    live.finish();
    let foreign = other.disk.read(&cursors()).unwrap();
    world.disk.overwrite(&cursors(), foreign.clone());
    let world = world.with_disk(world.disk.after_kill());
    let (mut live, report) = world.try_open().unwrap();
    assert_eq!(report.parked.len(), 1);
    assert_eq!(world.disk.read(&report.parked[0].path), Some(foreign));
    let more = vec![normal(50, 10)];
    oracle.acked(live.append(more.clone()).unwrap().first, &more);
    for sink in [A, B] {
        oracle.check(sink, Lane::Normal, &live.read(sink, Lane::Normal), Again::Perhaps);
    }
}

#[test]
fn a_cursor_older_than_the_oldest_segment_goes_on_with_that() {
    let world = World::new(1);
    let mut live = world.open();
    live.append(vec![normal(0, 100)]).unwrap();
    live.engine.maintain();
    let old = world.disk.read(&cursors()).unwrap();
    for n in 1..30 {
        live.append(vec![normal(n, 90_000)]).unwrap();
    }
    for sink in [A, B] {
        live.settle_each(sink, &live.read(sink, Lane::Normal)[..20]);
    }
    live.finish();
    let world = world.with_disk(world.disk.after_kill());
    world.disk.overwrite(&cursors(), old);
    let (mut live, _) = world.try_open().unwrap();
    let served = live.read(A, Lane::Normal).len();
    assert!((10..30).contains(&served), "{served}");
    assert!(live.append(vec![normal(40, 1)]).unwrap().first >= 30);
}

#[test]
fn a_second_process_is_refused_and_a_stale_lock_taken_over() {
    let world = World::new(1);
    let live = world.open();
    assert!(matches!(world.try_open(), Err(OpenError::Locked { .. })));
    drop(live);
    world.open();
}

#[test]
fn sinks_find_their_entries_by_id_whatever_their_number() {
    let mut world = World::new(1);
    let mut live = world.open();
    let mut oracle = Oracle::default();
    for n in 0..6 {
        let group = vec![entry(n, 100, if n % 2 == 0 { &[A] } else { &[B] }, Lane::Normal)];
        oracle.acked(live.append(group.clone()).unwrap().first, &group);
    }
    live.finish();
    world.sinks = ["new", "b", "a"].map(SinkSpec::new).to_vec();
    let mut live = world.open();
    assert!(live.read(A, Lane::Normal).is_empty(), "a new sink has no past");
    oracle.check(B, Lane::Normal, &live.read(B, Lane::Normal), Again::Never);
    assert_eq!(live.read(C, Lane::Normal).len(), 3);
    let later = vec![entry(10, 100, &[A], Lane::Normal)];
    live.append(later).unwrap();
    assert_eq!(live.read(A, Lane::Normal).len(), 1);
    assert_eq!(live.read(C, Lane::Normal).len(), 3);
}

#[test]
fn a_removed_sink_keeps_its_backlog_until_it_is_drained_or_dropped_or_comes_back() {
    let mut world = World::new(1);
    let mut live = world.open();
    for n in 0..60 {
        live.append(vec![normal(n, 90_000)]).unwrap();
    }
    live.settle_each(A, &live.read(A, Lane::Normal));
    live.finish();
    let both = world.sinks.clone();
    world.sinks.pop();
    let (mut live, report) = world.try_open().unwrap();
    assert_eq!(report.orphans.len(), 1);
    assert_eq!((report.orphans[0].id.as_str(), report.orphans[0].records), ("b", 120));
    live.engine.maintain();
    assert!(world.segments("main").len() > 3, "its segments stay");
    let mut reader = live.journal.orphan_reader("b", Lane::Normal).unwrap();
    let read: Vec<_> = std::iter::from_fn(|| reader.try_next()).take(10).collect();
    for stored in &read {
        live.journal.settle_orphan("b", Lane::Normal, crate::harness::covered(stored));
    }
    live.finish();
    world.sinks = both.clone();
    let live = world.open();
    assert_eq!(live.read(B, Lane::Normal).len(), 50, "it goes on where it was");
    live.finish();
    world.sinks = both[..1].to_vec();
    let mut live = world.open();
    assert!(live.journal.drop_orphan("b") && !live.journal.drop_orphan("x"));
    live.append(vec![normal(99, 10)]).unwrap();
    live.engine.maintain();
    assert_eq!(world.segments("main").len(), 1);
}

#[test]
fn opening_reads_sealed_segments_by_header_and_footer_only() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..60 {
        live.append(vec![normal(n, 90_000)]).unwrap();
    }
    live.finish();
    let segments = world.segments("main").len();
    assert!(segments > 5);
    let world = world.with_disk(world.disk.after_kill());
    world.disk.record();
    world.open();
    let reads = world.disk.recorded();
    let of_segments = reads
        .iter()
        .filter(|(call, path)| *call == Call::Read && path.to_string_lossy().contains("main"));
    assert!(of_segments.count() <= segments * 4, "{reads:?}");
}

#[test]
fn sinks_must_have_usable_names() {
    let mut world = World::new(1);
    for (sinks, reason) in [
        (vec![SinkSpec::new("")], "must have"),
        (vec![SinkSpec::new("x".repeat(121))], "must have"),
        (vec![SinkSpec::new("x"), SinkSpec::new("x")], "two sinks"),
        ((0..257).map(|n| SinkSpec::new(n.to_string())).collect(), "at most 256"),
    ] {
        world.sinks = sinks;
        let error = world.try_open().err().unwrap().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_segment_of_the_main_log_in_a_spill_log_is_parked_and_not_served_twice() {
    let world = World::new(1);
    let oracle = settled_in_part(&world);
    let [path] = world.segments("main").try_into().unwrap();
    let bytes = world.disk.read(&path).unwrap();
    let copy = Path::new(DIR).join("spill/a").join(path.file_name().unwrap());
    world.disk.overwrite(&copy, bytes);
    let world = world.with_disk(world.disk.after_kill());
    let (live, report) = world.try_open().unwrap();
    let [parked] = &report.parked[..] else { panic!("{report:?}") };
    assert!(parked.path == copy && parked.reason.contains("another kind"), "{parked:?}");
    oracle.check(A, Lane::Normal, &live.read(A, Lane::Normal), Again::Never);
}

#[test]
fn a_file_of_zeros_is_neither_parked_nor_a_reason_to_leave_numbers_out() {
    let world = World::new(1);
    settled_in_part(&world);
    let blank = Path::new(DIR).join("main/0000000000000009.segment");
    world.disk.overwrite(&blank, vec![0; 200_000]);
    let world = world.with_disk(world.disk.after_kill());
    let (mut live, report) = world.try_open().unwrap();
    assert!(report.parked.is_empty(), "{report:?}");
    assert!(live.append(vec![normal(1, 1)]).unwrap().first < 100);
    live.engine.maintain();
    assert!(!world.disk.files().contains(&blank));
}

/// Scenario: the drive cannot read the header of the only segment, however often it is asked.
#[test]
fn a_header_that_the_drive_cannot_read_parks_its_segment_and_does_not_refuse_the_open() {
    let world = World::new(1);
    settled_in_part(&world);
    let world = world.with_disk(world.disk.after_kill());
    world.disk.remove(&cursors());
    world.disk.fail(Rule { call: Some(Call::Read), after: 0, times: 2, fault: Fault::Io });
    let (mut live, report) = world.try_open().unwrap();
    assert_eq!(report.parked.len(), 1, "{report:?}");
    assert_eq!(live.journal.stats().parked_files, 1);
    assert!(live.append(vec![normal(1, 1)]).unwrap().first > 1 << 31);
}

/// Scenario: the cursor file is gone, and one segment of another journal lies among many own ones.
#[test]
fn a_journal_is_the_one_that_most_of_its_segments_belong_to() {
    let fill = |world: &World, count: u64| {
        let mut live = world.open();
        for n in 0..count {
            live.append(vec![normal(n, 400_000)]).unwrap();
        }
        live.finish();
    };
    let (world, stranger) = (World::new(1), World::new(2));
    fill(&world, 12);
    fill(&stranger, 1);
    let foreign = stranger.disk.read(&stranger.segments("main")[0]).unwrap();
    let disk = world.disk.after_kill();
    disk.remove(&cursors());
    let own = world.segments("main");
    disk.overwrite(&own[0], foreign);
    let (live, report) = world.with_disk(disk).try_open().unwrap();
    let [parked] = &report.parked[..] else { panic!("{report:?}") };
    assert_eq!(parked.path, own[0]);
    assert!(!live.read(A, Lane::Normal).is_empty());
}

/// Scenario: one open of a file fails, for each that there is: as the drive fails, twice in a row, or
/// for want of something else, once.
/// Promise: a segment that the drive does not give is parked; for want of anything else the start is
/// refused, as to go on would be to pass over good records.
#[test]
fn a_segment_is_parked_for_damage_and_for_nothing_else() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..4 {
        live.append((0..6).map(|k| normal(n * 10 + k, 90_000)).collect()).unwrap();
    }
    drop(live);
    let segments = world.segments("main").len();
    let open = |after: u64, times: u64, fault: Fault| {
        let world = world.with_disk(world.disk.after_kill());
        world.disk.fail(Rule { call: Some(Call::Open), after, times, fault });
        world.try_open().map(|(_, report)| report)
    };
    let mut parked = 0;
    for after in 0..40 {
        if open(after, 2, Fault::Io).is_ok_and(|report| !report.parked.is_empty()) {
            parked += 1;
            assert!(open(after, 1, Fault::Quota).is_err(), "call {after} was passed over");
        }
    }
    assert!(segments >= 3 && parked >= 2 * segments, "{parked} times, {segments} segments");
}

/// Scenario: the journal lies deep, and a directory above it cannot be synced, for some reason.
/// Promise: what lies above and is not ours need not be synced; where it may be ours, or the drive
/// failed, the start is refused.
#[test]
fn only_directories_that_are_not_ours_may_stay_unsynced() {
    use std::io::ErrorKind::{InvalidInput, NotFound, PermissionDenied, TimedOut};
    let opens = |dir: &'static str, kind: std::io::ErrorKind| {
        let mut world = World::new(1);
        world.options.dir = "/above/mine/j".into();
        let refuse = move |asked, path: &Path| {
            let is_it = asked == Asked::SyncDir && path == Path::new(dir);
            if is_it { Err(kind.into()) } else { Ok(()) }
        };
        world.try_open_asking(refuse).is_ok()
    };
    for kind in [PermissionDenied, InvalidInput] {
        assert!(opens("/above", kind) && opens("/above/mine", kind), "{kind}");
        assert!(!opens("/above/mine/j", kind), "{kind}: the journal's own");
    }
    for kind in [TimedOut, NotFound] {
        assert!(!opens("/above", kind), "{kind}");
    }
}

/// Scenario: a file of zeros that a crash left cannot be removed at first.
#[test]
fn what_a_crash_left_empty_is_removed_later_if_not_at_once() {
    let world = World::new(1);
    settled_in_part(&world);
    let blank = Path::new(DIR).join("main/0000000000000009.segment");
    world.disk.overwrite(&blank, vec![0; 200_000]);
    let world = world.with_disk(world.disk.after_kill());
    let mut live = world.open();
    world.disk.fail(Rule { call: Some(Call::Unlink), after: 0, times: 1, fault: Fault::Io });
    live.engine.maintain();
    assert!(world.disk.files().contains(&blank));
    live.engine.maintain();
    assert!(!world.disk.files().contains(&blank));
}

#[test]
fn a_cursor_file_that_may_not_be_read_refuses_the_start() {
    let world = World::new(1);
    settled_in_part(&world);
    let refuse = |asked, path: &Path| {
        let is_it = asked == Asked::OpenToRead && path == cursors();
        if is_it { Err(std::io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    };
    assert!(world.try_open_asking(refuse).is_err(), "settled entries would be served again");
    assert!(world.try_open().is_ok());
}

#[test]
fn as_many_sinks_and_as_long_names_are_taken_as_promised() {
    let mut world = World::new(1);
    world.sinks = (0..256).map(|n| SinkSpec::new(format!("{n:0>120}"))).collect();
    let (_, report) = world.try_open().unwrap();
    assert!(report.cursors_lost.is_empty());
}
