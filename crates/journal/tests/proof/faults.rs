//! Every call of the journal to its disk fails once, in every way a disk fails.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Rule, chance};
use bessemer_journal::{Append, AppendError, Lane};
use bessemer_runtime::{Clock, SystemRandom};

use crate::harness::{A, Again, B, DIR, Live, Oracle, World, entry};
use crate::size::{say, sized};

/// Three processes, one after another, that append, deliver in part and keep house.
fn work(world: &World, oracle: &mut Oracle, lives: u64) {
    for life in 0..lives {
        let Ok((mut live, _)) = world.try_open() else { continue };
        for round in 0..4 {
            let number = life * 100 + round * 10;
            append(&mut live, oracle, number);
            deliver_some(&live, oracle);
            world.clock.advance(Duration::from_millis(700));
            live.engine.maintain();
        }
        live.finish();
    }
}

fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.options.segment_bytes = 128 << 10;
    world
}

fn batch(number: u64) -> Vec<Append> {
    let sizes = [40, 9_000, 34_000];
    (number..).zip(sizes).map(|(n, len)| entry(n, len, &[A, B], Lane::Normal)).collect()
}

fn append(live: &mut Live, oracle: &mut Oracle, number: u64) -> Option<AppendError> {
    let entries = batch(number);
    oracle.doubtful.extend(entries.iter().map(|entry| entry.meta.clone()));
    match live.append(entries.clone()) {
        Ok(appended) => {
            oracle.acked(appended.first, &entries);
            None
        }
        Err(error) => Some(error),
    }
}

fn deliver_some(live: &Live, oracle: &mut Oracle) {
    let served = live.read(A, Lane::Normal);
    for stored in &served[..served.len() / 2] {
        live.settle(A, stored);
        oracle.settled(A, stored);
    }
}

fn check(world: &World, oracle: &Oracle) {
    let live = world.open();
    for sink in [A, B] {
        oracle.check(sink, Lane::Normal, &live.read(sink, Lane::Normal), Again::Perhaps);
    }
}

fn calls_of(kind: Call) -> u64 {
    let world = world(1);
    world.disk.record();
    work(&world, &mut Oracle::default(), 3);
    let calls = world.disk.recorded().iter().filter(|(call, _)| *call == kind).count();
    u64::try_from(calls).unwrap()
}

/// Scenario: `fdatasync` number n fails, for all n, then the power goes.
/// Promise: nothing acknowledged is lost; a segment whose sync failed is not synced again by the
/// process that saw it.
#[test]
fn a_failed_fdatasync_at_any_index_loses_nothing_and_is_never_repeated() {
    let syncs = calls_of(Call::Sync);
    assert!(syncs > 20, "{syncs}");
    for times in [1, 2] {
        for after in 0..syncs {
            let world = world(after);
            world.disk.record();
            world.disk.fail(Rule { call: Some(Call::Sync), after, times, fault: Fault::Io });
            let mut oracle = Oracle::default();
            work(&world, &mut oracle, 1);
            assert_not_synced_again(&world, after, times);
            for seed in 0..sized(2, 40) {
                let random = SystemRandom::seeded(seed);
                let cut = world.disk.image().after_power_cut(&mut |unit| chance(unit, &random));
                check(&world.with_disk(cut), &oracle);
            }
        }
    }
    say(&format!("failed fdatasync: {} points", syncs * 2));
}

fn assert_not_synced_again(world: &World, after: u64, times: u64) {
    let calls = world.disk.recorded();
    let syncs: Vec<&PathBuf> =
        calls.iter().filter(|(call, _)| *call == Call::Sync).map(|(_, path)| path).collect();
    let after = usize::try_from(after).unwrap();
    for failed in after..after + usize::try_from(times).unwrap() {
        let Some(path) = syncs.get(failed).filter(|path| path.ends_with_segment()) else {
            continue;
        };
        let again = syncs[failed + 1..].iter().any(|other| other == path);
        assert!(!again, "{} was synced again", path.display());
    }
}

trait SegmentPath {
    fn ends_with_segment(&self) -> bool;
}

impl SegmentPath for PathBuf {
    fn ends_with_segment(&self) -> bool {
        self.extension().is_some_and(|extension| extension == "segment")
    }
}

/// Scenario: write number n, or any other call that takes space, fails once, for all n.
/// Promise: nothing acknowledged is lost, in memory and over a kill or a power cut.
#[test]
fn a_write_that_fails_at_any_index_in_any_way_loses_nothing() {
    let mut points = 0;
    let writes = calls_of(Call::Write);
    assert!(writes > 60, "{writes}");
    let faults = [Fault::Full, Fault::Quota, Fault::Short, Fault::Interrupted, Fault::Io];
    for fault in faults {
        for after in (0..writes).step_by(sized(5, 1)) {
            one_failing_call(Rule { call: Some(Call::Write), after, times: 1, fault });
            points += 1;
        }
    }
    let others = [Call::Create, Call::Allocate, Call::Rename, Call::SyncDir, Call::Unlink];
    for call in others.into_iter().chain([Call::Truncate, Call::Open, Call::Read]) {
        for fault in [Fault::Full, Fault::Quota, Fault::Io] {
            for after in (0..calls_of(call)).step_by(sized(5, 1)) {
                one_failing_call(Rule { call: Some(call), after, times: 1, fault });
                points += 1;
            }
        }
    }
    say(&format!("failing calls: {points} points"));
}

fn one_failing_call(rule: Rule) {
    let world = world(rule.after);
    world.disk.fail(rule);
    let mut oracle = Oracle::default();
    work(&world, &mut oracle, 3);
    world.disk.heal();
    check(&world.with_disk(world.disk.after_kill()), &oracle);
    let random = SystemRandom::seeded(rule.after);
    let cut = world.disk.image().after_power_cut(&mut |unit| chance(unit, &random));
    check(&world.with_disk(cut), &oracle);
}

/// Promise: a write that is interrupted or short goes on where it ended; no segment is given up.
#[test]
fn an_interrupted_or_short_write_at_any_index_is_continued() {
    for fault in [Fault::Interrupted, Fault::Short] {
        for after in 0..calls_of(Call::Write) {
            let world = world(after);
            world.disk.fail(Rule { call: Some(Call::Write), after, times: 1, fault });
            let (mut live, mut oracle) = (world.open(), Oracle::default());
            for round in 0..8 {
                assert!(
                    append(&mut live, &mut oracle, round * 10).is_none(),
                    "{fault:?} at {after}"
                );
                live.engine.maintain();
            }
            assert_eq!(live.journal.stats().abandoned_segments, 0, "{fault:?} at {after}");
        }
    }
}

/// Scenario: from write n on the disk is full, in one of two ways, for all n of a process.
/// Promise: appends are refused with a time to come back; delivery and deletion go on; once there
/// is space, the next append is taken.
#[test]
fn a_disk_full_from_any_write_on_refuses_appends_and_goes_on_delivering_and_deleting() {
    for fault in [Fault::Full, Fault::Quota] {
        for after in 0..sized(24, 60) {
            let world = world(after);
            let mut live = world.open();
            let mut oracle = Oracle::default();
            for round in 0..3 {
                append(&mut live, &mut oracle, round * 10);
            }
            for call in [Call::Write, Call::Create, Call::Allocate] {
                world.disk.fail(Rule { call: Some(call), after, times: u64::MAX, fault });
            }
            for round in 3..80 {
                match append(&mut live, &mut oracle, round * 10) {
                    None => {}
                    Some(AppendError::Full { retry_after, .. }) => {
                        assert!(retry_after > Duration::ZERO);
                        break;
                    }
                    Some(other) => panic!("a full disk was taken for {other}"),
                }
                assert!(round < 79, "never full");
            }
            for sink in [A, B] {
                let served = live.read(sink, Lane::Normal);
                oracle.check(sink, Lane::Normal, &served, Again::Never);
                live.settle_each(sink, &served);
            }
            world.disk.heal();
            world.clock.advance(Duration::from_secs(2));
            live.engine.maintain();
            assert!(world.segments("main").len() <= 2, "{:?}", world.segments("main"));
            assert!(append(&mut live, &mut oracle, 5_000).is_none(), "space is back");
        }
    }
}

/// Scenario: a sync takes half a minute.
/// Promise: an append is acknowledged after it and not before.
#[test]
fn an_append_is_acknowledged_after_a_slow_sync_and_not_before() {
    for delay in [Duration::from_secs(2), Duration::from_secs(30)] {
        let world = world(1);
        let (clock, synced) = (Arc::clone(&world.clock), Arc::new(AtomicBool::new(false)));
        let mut live = world.open();
        let done = Arc::clone(&synced);
        world.disk.delay_syncs(Arc::new(move || {
            clock.advance(delay);
            done.store(true, Ordering::SeqCst);
        }));
        let before = world.clock.monotonic();
        live.append(batch(0)).unwrap();
        assert!(synced.load(Ordering::SeqCst) && world.clock.monotonic() >= before + delay);
        assert!(live.journal.stats().sync_time >= delay);
    }
}

/// All bytes of all segments.
fn segments(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    let files = world.disk.files().into_iter().filter(SegmentPath::ends_with_segment);
    files.map(|path| (path.clone(), world.disk.read(&path).unwrap())).collect()
}

/// Scenario: the process is killed, or the power goes, at any call of a recovery, three deep.
/// Promise: nothing acknowledged is lost, and two opens leave the same bytes.
#[test]
fn a_recovery_may_crash_three_deep_and_two_opens_leave_the_same_bytes() {
    for round in 0..sized(30, 200) {
        let mut world = world(round);
        let mut oracle = Oracle::default();
        let after = 20 + round * 7 % 120;
        world.disk.fail(Rule { call: None, after, times: u64::MAX, fault: Fault::Off });
        work(&world, &mut oracle, 2);
        for depth in 0..3 {
            world.disk.heal();
            let random = SystemRandom::seeded(round * 3 + depth);
            let next = if (round + depth).is_multiple_of(2) {
                world.disk.after_kill()
            } else {
                world.disk.after_power_cut(&random)
            };
            world = world.with_disk(next);
            let after = (round * 5 + depth * 11) % 40;
            world.disk.fail(Rule { call: None, after, times: u64::MAX, fault: Fault::Off });
            if let Ok((mut live, _)) = world.try_open() {
                live.engine.maintain();
            }
        }
        world.disk.heal();
        let mut states = Vec::new();
        for _ in 0..2 {
            world = world.with_disk(world.disk.after_kill());
            let mut live = world.open();
            live.engine.maintain();
            drop(live);
            states.push(segments(&world));
        }
        assert!(states[0] == states[1], "round {round}: a second open changed what the first left");
        check(&world, &oracle);
        assert!(world.disk.files().iter().all(|path| path.starts_with(DIR)));
    }
}
