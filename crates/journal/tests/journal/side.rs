//! Beside the main log: dead letters and spill logs.

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_journal::{DeadLetter, DeadLetterError, Lane, SinkSpec};
use bessemer_runtime::SystemRandom;
use futures_util::FutureExt;

use crate::asking::Asked;
use crate::harness::{A, Again, B, C, DIR, Live, Oracle, World, entry, payload};

fn letter(number: u64, len: usize) -> DeadLetter {
    DeadLetter {
        records: number * 10..number * 10 + 3,
        lane: Lane::Normal,
        refused_at_unix_nanos: number,
        reason: format!("field {number} is unknown"),
        status: "400".into(),
        config_hash: 77,
        meta: format!("meta of {number}").into(),
        payload: payload(number, len),
    }
}

fn bury(live: &mut Live, letters: Vec<DeadLetter>) -> Result<(), DeadLetterError> {
    let mut burying = pin!(live.journal.dead_letter(A, letters));
    if let Some(early) = burying.as_mut().now_or_never() {
        return early;
    }
    live.engine.maintain();
    burying.now_or_never().expect("a chore that was done is answered")
}

fn letters(live: &Live) -> Vec<DeadLetter> {
    let Some(letters) = live.journal.dead_letters("a") else { return Vec::new() };
    letters.map(|stored| stored.unwrap().letter).collect()
}

#[test]
fn dead_letters_outlive_the_cursor_file_when_the_main_log_is_empty() {
    let world = World::new(1);
    let mut live = world.open();
    let kept = vec![letter(0, 100), letter(1, 100)];
    bury(&mut live, kept.clone()).unwrap();
    live.finish();
    world.disk.remove(&Path::new(DIR).join("cursors"));
    let (live, report) = world.try_open().unwrap();
    assert_eq!(letters(&live), kept);
    assert_eq!(report.parked, []);
}

#[test]
fn dead_letters_are_kept_over_restarts_with_all_they_carried() {
    let world = World::new(1);
    let mut live = world.open();
    let kept: Vec<_> = (0..5).map(|n| letter(n, 100)).chain([letter(9, 400_000)]).collect();
    bury(&mut live, kept[..3].to_vec()).unwrap();
    bury(&mut live, kept[3..].to_vec()).unwrap();
    assert_eq!(letters(&live), kept);
    assert_eq!(live.journal.stats().sinks[0].dead_records, 18);
    drop(live);
    for world in [0, 1, 2]
        .map(|seed| world.with_disk(world.disk.after_power_cut(&SystemRandom::seeded(seed))))
    {
        let mut live = world.open();
        assert_eq!(letters(&live), kept);
        bury(&mut live, vec![letter(20, 10)]).unwrap();
        assert_eq!(letters(&live).len(), 7);
    }
}

#[test]
fn a_dead_letter_that_was_not_synced_is_not_acknowledged() {
    let world = World::new(1);
    let mut live = world.open();
    world.disk.fail(Rule { call: Some(Call::Sync), after: 0, times: 2, fault: Fault::Io });
    assert!(matches!(bury(&mut live, vec![letter(0, 10)]), Err(DeadLetterError::Io(_))));
    world.disk.fail(Rule { call: Some(Call::Write), after: 0, times: 9, fault: Fault::Full });
    assert!(matches!(bury(&mut live, vec![letter(1, 10)]), Err(DeadLetterError::Full { .. })));
    world.disk.heal();
    bury(&mut live, vec![letter(2, 10)]).unwrap();
    assert_eq!(letters(&live), [letter(2, 10)]);
}

#[test]
fn a_full_dead_letter_log_refuses_until_letters_are_dropped() {
    let mut world = World::new(1);
    world.options.dead_budget_bytes = 2 << 20;
    let mut live = world.open();
    let mut count = 0;
    let refused = loop {
        match bury(&mut live, vec![letter(count, 100_000)]) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, DeadLetterError::Full { sink } if sink == "a"), "{refused}");
    let half: Vec<_> =
        live.journal.dead_letters("a").unwrap().map(|l| l.unwrap().numbers).collect();
    let half = half[..half.len() / 2].to_vec();
    let dropping = live.journal.clone();
    let mut dropping = pin!(dropping.drop_dead_letters("a", half.clone()));
    assert!(dropping.as_mut().now_or_never().is_none());
    live.engine.maintain();
    dropping.now_or_never().unwrap().unwrap();
    live.engine.maintain();
    bury(&mut live, vec![letter(500, 100_000)]).unwrap();
    let left = letters(&live);
    assert_eq!(left.len(), usize::try_from(count).unwrap() - half.len() + 1);
    drop(live);
    let live = world.with_disk(world.disk.after_kill()).open();
    assert_eq!(letters(&live), left, "what was dropped stays dropped");
}

#[test]
fn dropping_every_dead_letter_gives_all_space_back() {
    let world = World::new(1);
    let mut live = world.open();
    bury(&mut live, (0..9).map(|n| letter(n, 50_000)).collect()).unwrap();
    let journal = live.journal.clone();
    let mut dropping = pin!(journal.drop_dead_letters("a", vec![0..u64::MAX]));
    assert!(dropping.as_mut().now_or_never().is_none());
    live.engine.maintain();
    dropping.now_or_never().unwrap().unwrap();
    assert!(world.segments("dead/a").is_empty());
    bury(&mut live, vec![letter(10, 10)]).unwrap();
    assert_eq!(letters(&live), [letter(10, 10)]);
}

#[test]
fn a_dead_letter_for_nobody_is_refused() {
    let world = World::new(1);
    let live = world.open();
    let refused = live.journal.dead_letter(C, vec![letter(0, 1)]).now_or_never().unwrap();
    assert!(matches!(refused, Err(DeadLetterError::UnknownSink)));
    assert!(live.journal.dead_letters("c").is_none());
}

/// Sink c is slow and takes one entry in ten; a and b take the rest at once.
fn spilling_world() -> World {
    let mut world = World::new(1);
    world.sinks.push(SinkSpec::new("c"));
    world.options.budget_bytes = 16 << 20;
    world.options.spill_after_percent = 10;
    world.options.cache_bytes = 100_000;
    world
}

fn append_and_deliver_to_the_fast(
    live: &mut Live,
    oracle: &mut Oracle,
    numbers: std::ops::Range<u64>,
) {
    for n in numbers {
        let lane = if n % 20 == 0 { Lane::Urgent } else { Lane::Normal };
        let routes: &[_] = if n % 10 == 0 { &[A, C] } else { &[A, B] };
        let group = vec![entry(n, 60_000, routes, lane)];
        oracle.acked(live.append(group.clone()).unwrap().first, &group);
        if n % 25 == 0 {
            for (sink, lane) in [(A, Lane::Urgent), (A, Lane::Normal), (B, Lane::Normal)] {
                live.settle_each(sink, &live.read(sink, lane));
            }
            live.engine.maintain();
        }
    }
}

fn maintain_until_quiet(live: &mut Live) {
    (0..20).for_each(|_| live.engine.maintain());
}

#[test]
fn a_slow_sink_is_spilled_so_that_the_others_segments_can_go() {
    let world = spilling_world();
    let mut live = world.open();
    let mut oracle = Oracle::default();
    append_and_deliver_to_the_fast(&mut live, &mut oracle, 0..800);
    maintain_until_quiet(&mut live);
    let stats = live.journal.stats();
    assert!(stats.sinks[2].spill_bytes > 500_000, "{stats:?}");
    assert!(stats.disk_bytes < 6 << 20, "{stats:?}");
    for lane in Lane::ALL {
        oracle.check(C, lane, &live.read(C, lane), Again::Never);
    }
}

#[test]
fn spilled_entries_survive_restarts_and_their_space_comes_back_when_they_are_settled() {
    let world = spilling_world();
    let mut live = world.open();
    let mut oracle = Oracle::default();
    append_and_deliver_to_the_fast(&mut live, &mut oracle, 0..600);
    drop(live);
    let world = world.with_disk(world.disk.after_power_cut(&SystemRandom::seeded(5)));
    let mut live = world.open();
    append_and_deliver_to_the_fast(&mut live, &mut oracle, 600..700);
    maintain_until_quiet(&mut live);
    for lane in Lane::ALL {
        let served = live.read(C, lane);
        oracle.check(C, lane, &served, Again::Never);
        live.settle_each(C, &served);
    }
    for (sink, lane) in [(A, Lane::Urgent), (A, Lane::Normal), (B, Lane::Normal)] {
        live.settle_each(sink, &live.read(sink, lane));
    }
    world.clock.advance(Duration::from_secs(2));
    maintain_until_quiet(&mut live);
    assert!(world.segments("spill/c").is_empty(), "{:?}", world.segments("spill/c"));
    assert_eq!(world.segments("main").len(), 1);
    assert_eq!(live.journal.stats().sinks[2].backlog_records, 0);
}

#[test]
fn a_reader_in_the_middle_of_its_backlog_goes_on_in_the_spill_log() {
    let world = spilling_world();
    let mut live = world.open();
    let mut oracle = Oracle::default();
    append_and_deliver_to_the_fast(&mut live, &mut oracle, 0..60);
    let mut reader = live.journal.reader(C, Lane::Normal);
    let mut served: Vec<_> = std::iter::from_fn(|| reader.try_next()).take(2).collect();
    append_and_deliver_to_the_fast(&mut live, &mut oracle, 60..600);
    maintain_until_quiet(&mut live);
    assert!(live.journal.stats().sinks[2].spill_bytes > 0);
    served.extend(std::iter::from_fn(|| reader.try_next()));
    oracle.check(C, Lane::Normal, &served, Again::Never);
}

#[test]
fn a_sink_that_everything_goes_to_is_not_copied() {
    let mut world = World::new(1);
    world.options.budget_bytes = 16 << 20;
    world.options.spill_after_percent = 10;
    let mut live = world.open();
    for n in 0..150 {
        live.append(vec![entry(n, 60_000, &[A, B], Lane::Normal)]).unwrap();
    }
    live.settle_each(A, &live.read(A, Lane::Normal));
    maintain_until_quiet(&mut live);
    assert_eq!(live.journal.stats().sinks[1].spill_bytes, 0);
}

#[test]
fn spilling_may_fail_at_any_call_without_losing_an_entry() {
    let run = |after: Option<u64>, times: u64| {
        let world = spilling_world();
        let mut live = world.open();
        let mut oracle = Oracle::default();
        append_and_deliver_to_the_fast(&mut live, &mut oracle, 0..150);
        let before = world.disk.calls();
        if let Some(after) = after {
            world.disk.fail(Rule { call: None, after, times, fault: Fault::Io });
        }
        maintain_until_quiet(&mut live);
        world.disk.heal();
        let calls = world.disk.calls() - before;
        for lane in Lane::ALL {
            oracle.check(C, lane, &live.read(C, lane), Again::Never);
        }
        drop(live);
        let live = world.with_disk(world.disk.after_kill()).open();
        for lane in Lane::ALL {
            oracle.check(C, lane, &live.read(C, lane), Again::Never);
        }
        calls
    };
    let calls = run(None, 0);
    for after in (0..calls).step_by(usize::try_from(calls / 40).unwrap().max(1)) {
        run(Some(after), 1);
        run(Some(after), u64::MAX);
    }
}

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

#[test]
fn a_segment_spilled_and_deleted_while_it_is_about_to_be_read_is_read_from_the_spill_log() {
    let world = spilling_world();
    let hook = Hook::default();
    let hooked = Arc::clone(&hook);
    let (mut live, _) = world
        .try_open_asking(move |asked, path| {
            let is_read = asked == Asked::OpenToRead && path.starts_with("/j/main");
            let hook = if is_read { hooked.lock().unwrap().take() } else { None };
            if let Some(hook) = hook {
                hook();
            }
            Ok(())
        })
        .unwrap();
    let mut oracle = Oracle::default();
    for n in 0..200 {
        let routes: &[_] = if n % 10 == 0 { &[A, C] } else { &[A, B] };
        let group = vec![entry(n, 60_000, routes, Lane::Normal)];
        oracle.acked(live.append(group.clone()).unwrap().first, &group);
    }
    for sink in [A, B] {
        live.settle_each(sink, &live.read(sink, Lane::Normal));
    }
    let Live { journal, engine } = live;
    let mut engine = Some(engine);
    let engine_back = Arc::new(Mutex::new(None));
    let back = Arc::clone(&engine_back);
    let segments = world.segments("main").len();
    *hook.lock().unwrap() = engine.take().map(|mut engine| -> Box<dyn FnOnce() + Send> {
        Box::new(move || {
            (0..20).for_each(|_| engine.maintain());
            *back.lock().unwrap() = Some(engine);
        })
    });
    let mut reader = journal.reader(C, Lane::Normal);
    let served: Vec<_> = std::iter::from_fn(|| reader.try_next()).collect();
    assert!(engine_back.lock().unwrap().is_some(), "the hook was called");
    assert!(world.segments("main").len() < segments, "and segments went");
    oracle.check(C, Lane::Normal, &served, Again::Never);
    assert_eq!(journal.stats().corrupt_blocks, 0);
}

#[test]
fn a_dead_letter_is_refused_from_the_first_byte_too_many() {
    use bessemer_journal::format::{META_BYTES_MAX, PAYLOAD_BYTES_MAX};
    let world = World::new(1);
    let live = world.open();
    let refused = |meta: usize, payload: usize| {
        let letter = DeadLetter {
            meta: vec![0; meta].into(),
            payload: vec![0; payload].into(),
            ..letter(0, 0)
        };
        match live.journal.dead_letter(A, vec![letter]).now_or_never() {
            Some(Err(DeadLetterError::TooLarge { bytes })) => Some(bytes),
            other => other.map(|result| result.map(|()| 0).unwrap()),
        }
    };
    assert_eq!(refused(META_BYTES_MAX, 10), None, "it is on its way");
    assert_eq!(refused(META_BYTES_MAX + 1, 10), Some(META_BYTES_MAX + 1));
    assert_eq!(refused(10, PAYLOAD_BYTES_MAX), None);
    assert_eq!(refused(10, PAYLOAD_BYTES_MAX + 1), Some(PAYLOAD_BYTES_MAX + 1));
}

/// Three segments of the main log that nobody needs any more.
fn settled_segments(world: &World) -> Live {
    let mut live = world.open();
    for n in 0..30 {
        live.append(vec![entry(n, 90_000, &[A], Lane::Normal)]).unwrap();
    }
    live.settle_each(A, &live.read(A, Lane::Normal));
    live
}

#[test]
fn a_segment_that_somebody_else_deleted_is_forgotten_and_one_that_stays_is_deleted_later() {
    let world = World::new(1);
    let mut live = settled_segments(&world);
    let segments = world.segments("main");
    assert!(segments.len() >= 3);
    world.disk.remove(&segments[0]);
    live.engine.maintain();
    assert_eq!(live.journal.stats().segments, 1);

    let world = World::new(1);
    let mut live = settled_segments(&world);
    world.disk.fail(Rule { call: Some(Call::Unlink), after: 0, times: 1, fault: Fault::Io });
    live.engine.maintain();
    assert_eq!(world.segments("main").len(), 2, "one could not be removed");
    live.engine.maintain();
    assert_eq!(world.segments("main").len(), 1);
}

/// Scenario: two sinks have dead letters; some of one are dropped, out of order.
#[test]
fn dead_letter_logs_are_told_with_their_ends_and_gaps() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..5 {
        bury(&mut live, vec![letter(n, 10)]).unwrap();
    }
    let mut burying = pin!(live.journal.dead_letter(B, vec![letter(9, 10)]));
    assert!(burying.as_mut().now_or_never().is_none());
    live.engine.maintain();
    burying.now_or_never().unwrap().unwrap();
    assert_eq!(live.journal.dead_letter_logs(), ["a", "b"]);
    assert_eq!(live.journal.dead_letters_end("a"), 15, "three records each");
    assert_eq!((live.journal.dead_letters_end("b"), live.journal.dead_letters_end("c")), (3, 0));
    let numbers: Vec<_> =
        live.journal.dead_letters("a").unwrap().map(|one| one.unwrap().numbers).collect();
    for (dropped, gaps) in [(1, 1), (3, 2), (0, 1)] {
        let dropping = vec![numbers[dropped].clone()];
        let mut dropping = pin!(live.journal.drop_dead_letters("a", dropping));
        assert!(dropping.as_mut().now_or_never().is_none());
        live.engine.maintain();
        dropping.now_or_never().unwrap().unwrap();
        assert_eq!(live.journal.dead_letters_gaps("a"), gaps, "{dropped} dropped");
    }
    assert_eq!(letters(&live).len(), 2);
}
