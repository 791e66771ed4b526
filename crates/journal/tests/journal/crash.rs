//! Whatever call fails and whenever the power goes: what was acknowledged is served, intact.

use std::path::PathBuf;
use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_journal::{AppendError, FullOf, Lane, MemDisk};
use bessemer_runtime::SystemRandom;

use crate::harness::{A, Again, B, Live, Oracle, World, entry};

fn small_world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.options.segment_bytes = 256 << 10;
    world
}

/// Appends, reads, settles, maintains and reopens; tolerates whatever fails.
fn work(world: &World, oracle: &mut Oracle) {
    let mut number = 0;
    for life in 0..2 {
        let Ok((mut live, _)) = world.try_open() else { continue };
        for round in 0..5_u64 {
            append(&mut live, oracle, &mut number, round);
            if round % 2 == 1 {
                settle_some(&live, oracle);
                world.clock.advance(Duration::from_millis(700));
                live.engine.maintain();
            }
        }
        if life == 0 {
            live.finish();
        }
    }
}

fn append(live: &mut Live, oracle: &mut Oracle, number: &mut u64, round: u64) {
    let sizes: &[usize] =
        if round.is_multiple_of(2) { &[10, 700, 5_000] } else { &[90_000, 40, 40_000] };
    let entries: Vec<_> = sizes
        .iter()
        .map(|len| {
            *number += 1;
            let lane = if number.is_multiple_of(4) { Lane::Urgent } else { Lane::Normal };
            entry(*number, *len, &[A, B], lane)
        })
        .collect();
    // Until it is answered, an append may be served and need not be.
    oracle.doubtful.extend(entries.iter().map(|entry| entry.meta.clone()));
    if let Ok(appended) = live.append(entries.clone()) {
        oracle.acked(appended.first, &entries);
    }
}

fn settle_some(live: &Live, oracle: &mut Oracle) {
    for lane in Lane::ALL {
        let served = live.read(A, lane);
        let some = served.len() * 2 / 3;
        for stored in &served[..some] {
            live.settle(A, stored);
            oracle.settled(A, stored);
        }
        for stored in live.read(B, lane) {
            live.settle(B, &stored);
            oracle.settled(B, &stored);
        }
    }
}

/// Opens what is left and checks it.
fn reopen(world: &World, oracle: &Oracle, again: Again) -> Live {
    let live = world.open();
    for sink in [A, B] {
        for lane in Lane::ALL {
            oracle.check(sink, lane, &live.read(sink, lane), again);
        }
    }
    live
}

/// Opens what is left twice, checks it, and that it can be used.
fn check(world: &World, oracle: &Oracle, again: Again) {
    reopen(world, oracle, again).engine.maintain();
    let mut live = reopen(world, oracle, again);
    let (mut oracle, mut number) = (oracle.clone(), 1_000_000);
    append(&mut live, &mut oracle, &mut number, 0);
    oracle.check(B, Lane::Normal, &live.read(B, Lane::Normal), again);
}

fn calls_of_a_healthy_run() -> u64 {
    let world = small_world(1);
    let mut oracle = Oracle::default();
    work(&world, &mut oracle);
    check(&world.with_disk(world.disk.after_kill()), &oracle, Again::Never);
    world.disk.calls()
}

#[test]
fn any_single_call_may_fail_in_any_way_without_losing_what_was_acknowledged() {
    let calls = calls_of_a_healthy_run();
    assert!(calls > 100, "{calls}");
    let kinds = [
        (Fault::Io, None, calls),
        (Fault::Full, None, calls),
        (Fault::Short, Some(Call::Write), calls / 3),
        (Fault::Interrupted, Some(Call::Write), calls / 3),
        (Fault::Interrupted, Some(Call::Read), calls / 3),
    ];
    for (fault, call, calls) in kinds {
        for after in 0..calls {
            let world = small_world(after);
            world.disk.fail(Rule { call, after, times: 1, fault });
            let mut oracle = Oracle::default();
            work(&world, &mut oracle);
            world.disk.heal();
            check(&world.with_disk(world.disk.after_kill()), &oracle, Again::Perhaps);
        }
    }
}

#[test]
fn the_disk_may_die_at_any_call_and_come_back_after_a_kill() {
    for after in 0..calls_of_a_healthy_run() {
        let world = small_world(after);
        world.disk.fail(Rule { call: None, after, times: u64::MAX, fault: Fault::Io });
        let mut oracle = Oracle::default();
        work(&world, &mut oracle);
        world.disk.heal();
        check(&world.with_disk(world.disk.after_kill()), &oracle, Again::Perhaps);
    }
}

#[test]
fn the_power_may_go_at_any_call_whatever_of_the_unsynced_sectors_is_kept() {
    for after in 0..calls_of_a_healthy_run() {
        let world = small_world(after);
        world.disk.fail(Rule { call: None, after, times: u64::MAX, fault: Fault::Off });
        let mut oracle = Oracle::default();
        work(&world, &mut oracle);
        world.disk.heal();
        for seed in 0..8 {
            let random = SystemRandom::seeded(after * 100 + seed);
            let cut = world.with_disk(world.disk.after_power_cut(&random));
            reopen(&cut, &oracle, Again::Perhaps);
        }
    }
}

#[test]
fn the_power_may_go_again_during_recovery() {
    let world = small_world(7);
    let mut oracle = Oracle::default();
    work(&world, &mut oracle);
    let mut disk = world.disk.clone();
    for depth in 0..12 {
        let random = SystemRandom::seeded(depth);
        disk = disk.after_power_cut(&random);
        let world = world.with_disk(disk.clone());
        disk.fail(Rule { call: None, after: depth * 5, times: u64::MAX, fault: Fault::Off });
        if let Ok((mut live, _)) = world.try_open() {
            live.engine.maintain();
        }
        disk.heal();
    }
    check(&world.with_disk(disk), &oracle, Again::Perhaps);
}

#[test]
fn a_failed_sync_poisons_the_segment_and_the_group_goes_to_a_new_one() {
    let world = small_world(1);
    let mut live = world.open();
    let mut oracle = Oracle::default();
    let mut number = 0;
    append(&mut live, &mut oracle, &mut number, 0);
    world.disk.record();
    world.disk.fail(Rule { call: Some(Call::Sync), after: 0, times: 1, fault: Fault::Io });
    append(&mut live, &mut oracle, &mut number, 0);
    append(&mut live, &mut oracle, &mut number, 0);
    live.engine.maintain();
    let calls = world.disk.recorded();
    let segments = world.segments("main");
    assert_eq!(segments.len(), 2);
    let syncs = |path: &PathBuf| {
        calls.iter().filter(|(call, of)| *call == Call::Sync && of == path).count()
    };
    assert_eq!(syncs(&segments[0]), 1, "never synced again");
    assert_eq!(syncs(&segments[1]), 2);
    assert_eq!(live.journal.stats().abandoned_segments, 1);
    assert_eq!(live.read(A, Lane::Normal).len() + live.read(A, Lane::Urgent).len(), 9);
    drop(live);
    // What the kernel has forgotten of the poisoned segment is lost with the power.
    for seed in 0..20 {
        let disk = world.disk.after_power_cut(&SystemRandom::seeded(seed));
        check(&world.with_disk(disk), &oracle, Again::Never);
    }
}

#[test]
fn a_disk_that_fails_twice_refuses_the_append_and_the_next_one_succeeds() {
    let world = small_world(1);
    let mut live = world.open();
    let mut oracle = Oracle::default();
    let mut number = 0;
    append(&mut live, &mut oracle, &mut number, 0);
    world.disk.fail(Rule { call: Some(Call::Sync), after: 0, times: 2, fault: Fault::Io });
    let refused = entry(100, 10, &[A], Lane::Normal);
    assert!(matches!(live.append(vec![refused]), Err(AppendError::Io(_))));
    append(&mut live, &mut oracle, &mut number, 0);
    oracle.check(A, Lane::Normal, &live.read(A, Lane::Normal), Again::Never);
    drop(live);
    check(&world.with_disk(world.disk.after_kill()), &oracle, Again::Never);
}

#[test]
fn a_full_disk_refuses_appends_while_delivery_and_deletion_go_on_until_space_returns() {
    let world = small_world(1);
    world.disk.set_capacity(Some(2 << 20));
    let mut live = world.open();
    for round in 0..10 {
        let mut oracle = Oracle::default();
        let mut number = round * 1000;
        let refused = loop {
            let mut one = vec![entry(number, 50_000, &[A, B], Lane::Normal)];
            number += 1;
            match live.append(one.clone()) {
                Ok(appended) => oracle.acked(appended.first, &one),
                Err(error) => {
                    oracle.doubtful.insert(one.remove(0).meta);
                    break error;
                }
            }
        };
        let full = matches!(&refused, AppendError::Full { of: FullOf::Disk, .. });
        assert!(full, "round {round}: {refused:?}");
        world.disk.set_capacity(Some(0));
        for sink in [A, B] {
            let served = live.read(sink, Lane::Normal);
            assert!(served.len() > 15, "round {round}: {}", served.len());
            oracle.check(sink, Lane::Normal, &served, Again::Never);
            live.settle_each(sink, &served);
        }
        live.engine.maintain();
        let left = world.segments("main");
        assert!(left.len() <= 1, "round {round}: {left:?}");
        world.disk.set_capacity(Some(2 << 20));
    }
}

#[test]
fn a_disk_smaller_than_a_segment_is_filled_and_drained_again_and_again() {
    let mut world = World::new(1);
    // Less than the segment, so that the newest one is all there is.
    world.options.segment_bytes = 2 << 20;
    let capacity = Some(800 << 10);
    world.disk.set_capacity(capacity);
    world.options.cache_bytes = 0;
    let mut next = 0;
    for round in 0..6 {
        let mut live = world.open();
        let mut numbers = Vec::new();
        for number in 0.. {
            match live.append(vec![entry(number, 9_000, &[A, B], Lane::Normal)]) {
                Ok(appended) => numbers.push(appended.first),
                Err(error) => {
                    let full = matches!(&error, AppendError::Full { of: FullOf::Disk, .. });
                    assert!(full, "round {round}: {error:?}");
                    break;
                }
            }
        }
        assert!(numbers.len() > 10, "round {round}: {} fit", numbers.len());
        assert!(numbers[0] >= next, "round {round}: {} was given before", numbers[0]);
        next = numbers[numbers.len() - 1] + 1;
        // Readers that stay, as deliveries do.
        let mut readers = [A, B].map(|sink| live.journal.reader(sink, Lane::Normal));
        for (sink, reader) in [A, B].into_iter().zip(&mut readers) {
            while let Some(stored) = reader.try_next() {
                live.settle(sink, &stored);
            }
        }
        world.clock.advance(Duration::from_secs(2));
        live.engine.maintain();
        let small = live.append(vec![entry(0, 1_000, &[A, B], Lane::Normal)]);
        assert!(small.is_ok(), "round {round}: {small:?}");
        drop((readers, live));
        world.disk = match round % 3 {
            0 => world.disk.after_kill(),
            _ => world.disk.after_power_cut(&SystemRandom::seeded(round)),
        };
        world.disk.set_capacity(capacity);
        // What was left of it.
        let mut live = world.open();
        for sink in [A, B] {
            for stored in live.read(sink, Lane::Normal) {
                live.settle(sink, &stored);
            }
        }
        world.clock.advance(Duration::from_secs(2));
        live.engine.maintain();
    }
}

#[test]
fn what_recovery_serves_survives_a_power_cut_though_it_was_never_acknowledged() {
    let world = small_world(1);
    let mut live = world.open();
    live.append(vec![entry(0, 100, &[A, B], Lane::Normal)]).unwrap();
    world.disk.fail(Rule { call: Some(Call::Sync), after: 0, times: u64::MAX, fault: Fault::Off });
    live.append(vec![entry(1, 100, &[A, B], Lane::Normal)]).unwrap_err();
    drop(live);
    world.disk.heal();
    let world = world.with_disk(world.disk.after_kill());
    let mut live = world.open();
    let served = live.read(A, Lane::Normal).len();
    live.append(vec![entry(2, 100, &[A, B], Lane::Normal)]).unwrap();
    drop(live);
    for seed in 0..20 {
        let disk = world.disk.after_power_cut(&SystemRandom::seeded(seed));
        let (live, report) = world.with_disk(disk).try_open().unwrap();
        assert_eq!(live.read(B, Lane::Normal).len(), served + 1);
        assert!(report.lost.is_empty(), "{report:?}");
    }
}

#[test]
fn opening_twice_leaves_the_same_bytes() {
    let world = small_world(3);
    let mut oracle = Oracle::default();
    work(&world, &mut oracle);
    let mut disk = world.disk.after_kill();
    let mut states = Vec::new();
    for _ in 0..3 {
        let world = world.with_disk(disk.clone());
        let mut live = world.open();
        live.engine.maintain();
        drop(live);
        disk = disk.after_kill();
        let bytes = |disk: &MemDisk| -> Vec<_> {
            world.segments("main").iter().map(|path| disk.read(path)).collect()
        };
        states.push(bytes(&disk));
    }
    assert!(states[0] == states[1] && states[1] == states[2]);
}
