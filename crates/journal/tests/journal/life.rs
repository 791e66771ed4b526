//! What goes in comes out: once, in order, to those it was routed to.

use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_journal::{Lane, SinkSpec};
use bessemer_runtime::Random;
use proptest::prelude::*;

use crate::harness::{A, Again, B, C, Live, Oracle, World, covered, entry, normal};

#[test]
fn an_entry_is_served_to_its_routes_in_its_lane_with_what_it_carried() {
    let world = World::new(1);
    let mut live = world.open();
    let entries = vec![
        entry(1, 100, &[A], Lane::Normal),
        entry(2, 300_000, &[A, B], Lane::Urgent),
        entry(3, 0, &[B], Lane::Normal),
    ];
    let appended = live.append(entries.clone()).unwrap();
    let mut oracle = Oracle::default();
    oracle.acked(appended.first, &entries);
    for sink in [A, B] {
        for lane in Lane::ALL {
            oracle.check(sink, lane, &live.read(sink, lane), Again::Never);
        }
    }
    assert_eq!(live.read(B, Lane::Urgent).len(), 1);
}

#[test]
fn nothing_is_visible_before_it_is_synced() {
    let world = World::new(1);
    let mut live = world.open();
    let mut reader = live.journal.reader(A, Lane::Normal);
    let journal = live.journal.clone();
    let mut appending = Box::pin(journal.append(vec![normal(1, 10)]));
    assert!(futures_util::FutureExt::now_or_never(&mut appending).is_none());
    assert!(reader.try_next().is_none());
    live.engine.write();
    assert!(reader.try_next().is_some());
}

#[test]
fn one_sync_serves_all_that_waited() {
    let world = World::new(1);
    let mut live = world.open();
    live.append(vec![normal(0, 10)]).unwrap();
    let mut waiting: Vec<_> = (1..50)
        .map(|n| {
            let journal = live.journal.clone();
            Box::pin(async move { journal.append(vec![normal(n, 1000)]).await })
        })
        .collect();
    for one in &mut waiting {
        assert!(futures_util::FutureExt::now_or_never(one).is_none());
    }
    world.disk.record();
    live.engine.write();
    let syncs = world.disk.recorded().iter().filter(|(call, _)| *call == Call::Sync).count();
    assert_eq!(syncs, 1);
    for one in &mut waiting {
        futures_util::FutureExt::now_or_never(one).unwrap().unwrap();
    }
}

#[test]
fn settled_entries_are_deleted_cursor_first_then_directory_then_file() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..40 {
        live.append(vec![normal(n, 90_000)]).unwrap();
    }
    let before = world.segments("main").len();
    assert!(before > 3, "{before}");
    for sink in [A, B] {
        for stored in live.read(sink, Lane::Normal) {
            live.settle(sink, &stored);
        }
    }
    world.disk.record();
    live.engine.maintain();
    assert_eq!(world.segments("main").len(), 1);
    let calls = world.disk.recorded();
    let at = |wanted: Call, name: &str| {
        let here = |path: &std::path::Path| path.to_string_lossy().contains(name);
        calls.iter().position(|(call, path)| *call == wanted && here(path)).unwrap()
    };
    let (cursors, directory) = (at(Call::Sync, "cursors"), at(Call::SyncDir, "main"));
    let unlink = at(Call::Unlink, "main");
    assert!(cursors < directory && directory < unlink, "{calls:?}");
}

#[test]
fn nothing_is_deleted_while_cursors_cannot_be_made_durable() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..40 {
        live.append(vec![normal(n, 90_000)]).unwrap();
    }
    live.engine.maintain();
    let before = world.segments("main");
    for sink in [A, B] {
        live.settle_each(sink, &live.read(sink, Lane::Normal));
    }
    world.disk.fail(Rule { call: Some(Call::Sync), after: 0, times: 3, fault: Fault::Io });
    for _ in 0..3 {
        live.engine.maintain();
        assert_eq!(world.segments("main"), before);
    }
    live.engine.maintain();
    assert_eq!(world.segments("main").len(), 1);
    drop(live);
    let live = world.with_disk(world.disk.after_power_cut(&*world.random)).open();
    assert!(live.read(A, Lane::Normal).is_empty());
}

#[test]
fn entries_of_others_do_not_pin_a_segment() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..40 {
        live.append(vec![entry(n, 90_000, &[A], Lane::Normal)]).unwrap();
    }
    for stored in live.read(A, Lane::Normal) {
        live.settle(A, &stored);
    }
    live.engine.maintain();
    assert_eq!(world.segments("main").len(), 1);
    assert_eq!(live.journal.stats().sinks[0].backlog_records, 0);
}

#[test]
fn retention_keeps_settled_segments_by_bytes_and_by_age() {
    for (bytes, age) in [(1 << 20, Duration::ZERO), (0, Duration::from_mins(1))] {
        let mut world = World::new(1);
        (world.options.retention_bytes, world.options.retention_age) = (bytes, age);
        let mut live = world.open();
        for n in 0..60 {
            live.append(vec![entry(n, 90_000, &[A], Lane::Normal)]).unwrap();
        }
        let all = world.segments("main").len();
        for stored in live.read(A, Lane::Normal) {
            live.settle(A, &stored);
        }
        live.engine.maintain();
        let kept = world.segments("main").len();
        if bytes > 0 {
            assert!(kept > 1 && kept < all, "{kept} of {all}");
        } else {
            assert_eq!(kept, all);
            world.clock.advance(Duration::from_secs(61));
            live.engine.maintain();
            assert_eq!(world.segments("main").len(), 1);
        }
    }
}

#[test]
fn a_second_reader_takes_over_where_the_first_left_things_unsettled() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..3 {
        live.append(vec![normal(n, 10)]).unwrap();
    }
    let mut first = live.journal.reader(A, Lane::Normal);
    let read: Vec<_> = std::iter::from_fn(|| first.try_next()).collect();
    live.settle(A, &read[1]);
    let mut second = live.journal.reader(A, Lane::Normal);
    assert!(first.try_next().is_none());
    let again: Vec<_> = std::iter::from_fn(|| second.try_next()).collect();
    assert_eq!(again, [read[0].clone(), read[2].clone()]);
}

#[test]
fn a_partly_settled_entry_says_which_part() {
    let world = World::new(1);
    let mut live = world.open();
    live.append(vec![normal(2, 10), normal(5, 10)]).unwrap();
    let read = live.read(A, Lane::Normal);
    assert_eq!((covered(&read[0]), covered(&read[1])), (0..3, 3..6));
    live.journal.settle(A, Lane::Normal, 0..2);
    live.journal.settle(A, Lane::Normal, 4..5);
    for live in [live, world.with_disk(world.disk.after_kill()).open()] {
        let again = live.read(A, Lane::Normal);
        assert_eq!(again[0].settled, [0..2]);
        assert_eq!(again[1].settled, [4..5]);
    }
}

#[test]
fn numbers_go_on_after_everything_was_deleted_and_the_journal_reopened() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..30 {
        live.append(vec![entry(n, 90_000, &[A], Lane::Normal)]).unwrap();
    }
    for stored in live.read(A, Lane::Normal) {
        live.settle(A, &stored);
    }
    let next = live.journal.stats().next_sequence;
    live.engine.maintain();
    live.finish();
    let (mut live, report) = world.try_open().unwrap();
    assert_eq!(report.next_sequence, next);
    assert_eq!(live.append(vec![normal(0, 1)]).unwrap().first, next);
}

#[test]
fn stats_tell_backlog_age_and_bytes() {
    let world = World::new(1);
    let mut live = world.open();
    live.append(vec![normal(0, 1000), normal(1, 40_000)]).unwrap();
    let read = live.read(B, Lane::Normal);
    world.clock.advance(Duration::from_secs(7));
    live.settle(B, &read[0]);
    let stats = live.journal.stats();
    assert_eq!((stats.sinks[0].backlog_records, stats.sinks[1].backlog_records), (3, 2));
    assert_eq!(stats.sinks[1].in_flight, 1);
    assert_eq!(stats.sinks[1].oldest_age, Duration::from_secs(7));
    assert_eq!((stats.appended_entries, stats.appended_records), (2, 3));
    assert!(stats.appended_bytes_stored < stats.appended_bytes_raw);
    assert_eq!((stats.segments, stats.syncs), (1, 1));
    assert_eq!((stats.next_sequence, stats.parked_files), (3, 0));
    assert_eq!(stats.budget_bytes, world.options.budget_bytes);
    assert!((10_000..200_000).contains(&stats.disk_bytes), "{}", stats.disk_bytes);
    assert_eq!(stats.trouble, None);
    world.disk.set_capacity(Some(0));
    live.append(vec![normal(2, 10)]).unwrap_err();
    assert!(live.journal.stats().trouble.is_some());
}

#[derive(Debug, Clone)]
enum Step {
    Append { count: u8, urgent: bool, size: Size },
    Read { sink: u8, lane: bool },
    Settle { sink: u8, every: u8 },
    Kill,
    Finish,
    Maintain,
}

#[derive(Debug, Clone, Copy)]
enum Size {
    Tiny,
    Small,
    Medium,
    Large,
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![
        5 => Just(Size::Tiny),
        5 => Just(Size::Small),
        3 => Just(Size::Medium),
        1 => Just(Size::Large),
    ];
    prop_oneof![
        8 => (1..20_u8, any::<bool>(), size)
            .prop_map(|(count, urgent, size)| Step::Append { count, urgent, size }),
        3 => (0..2_u8, any::<bool>()).prop_map(|(sink, lane)| Step::Read { sink, lane }),
        4 => (0..2_u8, 1..4_u8).prop_map(|(sink, every)| Step::Settle { sink, every }),
        1 => Just(Step::Kill),
        1 => Just(Step::Finish),
        2 => Just(Step::Maintain),
    ]
}

fn length(size: Size, random: &dyn Random) -> usize {
    let below = |max: u64| usize::try_from(random.next_u64() % max).unwrap();
    match size {
        Size::Tiny => below(50),
        Size::Small => below(5_000),
        Size::Medium => below(100_000),
        Size::Large => below(1 << 20),
    }
}

struct Run {
    world: World,
    live: Option<Live>,
    oracle: Oracle,
    numbers: u64,
}

impl Run {
    fn take(&mut self, step: &Step) {
        let mut live = self.live.take().unwrap();
        match step {
            Step::Append { count, urgent, size } => {
                let entries: Vec<_> = (0..*count)
                    .map(|n| {
                        self.numbers += 1;
                        let routes: &[_] = match self.numbers % 4 {
                            0 => &[A],
                            1 => &[B],
                            _ => &[A, B],
                        };
                        let lane = if *urgent && n % 3 == 0 { Lane::Urgent } else { Lane::Normal };
                        let len = length(*size, &*self.world.random);
                        entry(self.numbers, len, routes, lane)
                    })
                    .take(if matches!(size, Size::Large) { 2 } else { 20 })
                    .collect();
                let appended = live.append(entries.clone()).unwrap();
                self.oracle.acked(appended.first, &entries);
            }
            Step::Read { sink, lane } => {
                let (sink, lane) = ([A, B][usize::from(*sink)], Lane::ALL[usize::from(*lane)]);
                self.oracle.check(sink, lane, &live.read(sink, lane), Again::Never);
            }
            Step::Settle { sink, every } => {
                let sink = [A, B][usize::from(*sink)];
                for lane in Lane::ALL {
                    for stored in live.read(sink, lane).iter().step_by(usize::from(*every)).take(40)
                    {
                        live.settle(sink, stored);
                        self.oracle.settled(sink, stored);
                    }
                }
            }
            Step::Kill => {
                self.world.disk = self.world.disk.after_kill();
                live = self.world.open();
            }
            Step::Finish => {
                live.finish();
                live = self.world.open();
            }
            Step::Maintain => live.engine.maintain(),
        }
        self.live = Some(live);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_everything_unsettled_is_served_and_nothing_else(
        seed: u64, cache in prop_oneof![Just(0_usize), Just(100_000), Just(16 << 20)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut world = World::new(seed);
        world.options.cache_bytes = cache;
        world.sinks.push(SinkSpec::new("c"));
        let live = Some(world.open());
        let mut run = Run { world, live, oracle: Oracle::default(), numbers: 0 };
        for step in &steps {
            run.take(step);
        }
        for sink in [0, 1] {
            for lane in [false, true] {
                run.take(&Step::Read { sink, lane });
            }
        }
        assert!(run.live.unwrap().read(C, Lane::Normal).is_empty());
    }
}

/// Scenario: some entries are settled, and all are still kept.
#[test]
fn a_history_gives_all_that_is_kept_and_says_what_was_settled() {
    let mut world = World::new(1);
    world.options.cache_bytes = 0;
    let mut live = world.open();
    let incarnation = live.journal.incarnation();
    for n in 0..40 {
        live.append(vec![normal(n, 20_000)]).unwrap();
    }
    let served = live.read(A, Lane::Normal);
    live.settle_each(A, &served[..15]);
    let past = |range| -> Vec<_> {
        live.journal.history("a", range).unwrap().map(|past| past.unwrap()).collect()
    };
    let all = past(0..u64::MAX);
    assert_eq!(all.len(), 40);
    assert_eq!(all.iter().filter(|past| past.is_settled).count(), 15);
    for (past, stored) in all.iter().zip(&served) {
        assert_eq!(past.entry.payload, stored.payload);
        assert_eq!(past.entry.incarnation, incarnation);
    }
    let middle = served[10].sequence..served[20].sequence;
    assert_eq!(past(middle).len(), 10, "only what was asked for");
    assert!(live.journal.history("nobody", 0..9).is_none());
    live.finish();
    assert_eq!(world.open().journal.incarnation(), incarnation);
}

#[test]
fn an_open_tells_what_it_found() {
    let world = World::new(1);
    let mut live = world.open();
    for n in 0..8 {
        live.append(vec![entry(n, 90_000, &[A, B], Lane::Normal)]).unwrap();
    }
    live.settle_each(A, &live.read(A, Lane::Normal));
    let before = live.journal.stats();
    live.finish();
    let mut world = world.with_disk(world.disk.after_kill());
    world.sinks.remove(1);
    let (live, report) = world.try_open().unwrap();
    let files = world.segments("main");
    let bytes: usize = files.iter().map(|path| world.disk.read(path).unwrap().len()).sum();
    assert_eq!((report.segments, report.next_sequence), (files.len(), before.next_sequence));
    assert_eq!(report.bytes, bytes as u64);
    let [orphan] = &report.orphans[..] else { panic!("{report:?}") };
    assert_eq!((orphan.id.as_str(), orphan.records), ("b", before.sinks[1].backlog_records));
    assert!(orphan.bytes >= 8 * 90_000);
    assert!(!live.journal.is_over_budget(A));
}

#[test]
fn a_sink_whose_budget_is_used_up_says_so() {
    let mut world = World::new(1);
    world.sinks[0].budget = Some(1_000);
    let mut live = world.open();
    assert!(!live.journal.is_over_budget(A));
    live.append(vec![normal(0, 2_000)]).unwrap();
    assert!(live.journal.is_over_budget(A) && !live.journal.is_over_budget(B));
}
