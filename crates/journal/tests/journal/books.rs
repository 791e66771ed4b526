//! The books of sinks: routed = delivered + dead + dropped + queued, whatever happens in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_journal::{
    Compression, Journal, Lane, NOTE_BYTES_MAX, Outcome, Place, SinkIndex, SinkSpec, Stored,
    Whereabouts,
};
use bessemer_runtime::{Random, SystemRandom};
use proptest::prelude::*;

use crate::asking::Asked;
use crate::harness::{A, B, Live, World, covered, entry, normal};

fn balanced(live: &Live, when: &str) {
    for standing in live.journal.standings() {
        let open = standing.account.unaccounted(standing.queued);
        assert_eq!(open, 0, "{when}: {standing:?}");
    }
}

/// What is served to a sink and not settled, in records.
fn served(live: &Live, sink: SinkIndex) -> u64 {
    let unsettled = |stored: &Stored| {
        let done: u64 = stored.settled.iter().map(|range| range.end - range.start).sum();
        u64::from(stored.items) - done
    };
    Lane::ALL.iter().flat_map(|lane| live.read(sink, *lane)).map(|one| unsettled(&one)).sum()
}

#[derive(Debug, Clone)]
enum Act {
    Append {
        count: u8,
        len: u16,
        routes: u8,
        urgent: bool,
    },
    /// Settles every so many of what is served.
    Settle {
        sink: u8,
        every: u8,
        outcome: u8,
        part: bool,
    },
    Step,
    Kill,
    PowerCut,
    Stop,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (1..4_u8, 0..9000_u16, 1..4_u8, any::<bool>())
            .prop_map(|(count, len, routes, urgent)| Act::Append { count, len, routes, urgent }),
        5 => (0..2_u8, 1..4_u8, 0..3_u8, any::<bool>())
            .prop_map(|(sink, every, outcome, part)| Act::Settle { sink, every, outcome, part }),
        3 => Just(Act::Step),
        1 => Just(Act::Kill),
        1 => Just(Act::PowerCut),
        1 => Just(Act::Stop),
    ]
}

fn settle(live: &Live, sink: SinkIndex, every: usize, outcome: Outcome, part: bool) {
    for lane in Lane::ALL {
        for stored in live.read(sink, lane).iter().step_by(every) {
            let mut records = covered(stored);
            if part {
                records.end = records.start + 1;
            }
            live.journal.settle_as(sink, lane, &[records.clone()], outcome);
            // A settlement said twice is one.
            live.journal.settle_as(sink, lane, &[records], outcome);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Scenario: appends to one or both of two sinks, whole and partial settlements of every kind,
    /// spilling, kills, power cuts and stops in any order.
    /// Promise: at every moment and after every restart the books balance, and what they call
    /// queued is what is served.
    #[test]
    fn the_books_balance_whatever_happens(acts in proptest::collection::vec(act(), 1..40), seed: u64) {
        let mut world = World::new(seed);
        world.options.segment_bytes = 96 << 10;
        let mut live = world.open();
        let mut number = 0;
        for act in acts {
            let when = format!("{act:?}");
            match act {
                Act::Append { count, len, routes, urgent } => {
                    let lane = if urgent { Lane::Urgent } else { Lane::Normal };
                    let routes: Vec<SinkIndex> =
                        [A, B].into_iter().filter(|sink| routes >> sink.0 & 1 == 1).collect();
                    let entries = (0..count).map(|_| {
                        number += 1;
                        entry(number, usize::from(len), &routes, lane)
                    });
                    let entries = entries.collect();
                    live.append(entries).unwrap();
                }
                Act::Settle { sink, every, outcome, part } => {
                    let outcomes = [Outcome::Delivered, Outcome::Dead, Outcome::Dropped];
                    let outcome = outcomes[usize::from(outcome)];
                    settle(&live, SinkIndex(sink), usize::from(every), outcome, part);
                }
                Act::Step => live.engine.step(),
                Act::Kill | Act::PowerCut | Act::Stop => {
                    let disk = match act {
                        Act::PowerCut => world.disk.after_power_cut(&*world.random),
                        Act::Kill => world.disk.after_kill(),
                        Act::Stop | Act::Append { .. } | Act::Settle { .. } | Act::Step => {
                            live.finish();
                            world.disk.after_kill()
                        }
                    };
                    world = world.with_disk(disk);
                    live = world.open();
                }
            }
            balanced(&live, &when);
        }
        for (sink, standing) in [A, B].into_iter().zip(live.journal.standings()) {
            prop_assert_eq!(standing.queued, served(&live, sink));
        }
    }
}

/// Promise: what a build without books left, or a lost cursor file, starts books that balance.
#[test]
fn books_begin_with_the_backlog_where_there_were_none() {
    let world = World::new(3);
    let mut live = world.open();
    live.append(vec![normal(1, 100), normal(2, 100)]).unwrap();
    live.finish();
    world.disk.overwrite(Path::new("/j/cursors"), Vec::new());
    let live = world.open();
    balanced(&live, "without cursors");
    assert_eq!(live.journal.standings()[0].account.routed, 5);
}

/// Scenario: a block that records were acknowledged in is damaged on the disk.
/// Promise: the sink passes it by, and the books say how many records are unaccounted for.
#[test]
fn records_lost_to_damage_are_unaccounted_for() {
    let mut world = World::new(5);
    world.options.compression = Compression::None;
    let mut live = world.open();
    live.append(vec![normal(1, 5000)]).unwrap();
    live.append(vec![normal(3, 5000)]).unwrap();
    live.finish();
    let segment = world.segments("main")[0].clone();
    let mut bytes = world.disk.read(&segment).unwrap();
    let place = bytes.windows(15).position(|window| window == b"telemetry telem").unwrap();
    bytes[place + 40] ^= 0xFF;
    world.disk.overwrite(&segment, bytes);
    let live = world.open();
    for sink in [A, B] {
        assert!(live.read(sink, Lane::Urgent).is_empty());
        let served = live.read(sink, Lane::Normal);
        assert_eq!(served.len(), 1, "the other block is served");
        live.settle_each(sink, &served);
    }
    let standings = live.journal.standings();
    let open: Vec<i64> = standings.iter().map(|one| one.account.unaccounted(one.queued)).collect();
    assert_eq!(open, [2, 2], "{standings:?}");
}

/// Scenario: the disk fails to read while the journal is opened.
/// Promise: the backlog is an estimate then, and raises no false alarm.
#[test]
fn a_backlog_that_cannot_be_counted_raises_no_alarm() {
    let mut world = World::new(6);
    world.options.preallocate = false;
    let mut live = world.open();
    live.append((1..20).map(|number| normal(number, 3000)).collect()).unwrap();
    let stored = live.read(A, Lane::Normal);
    live.settle(A, &stored[0]);
    live.finish();
    for after in 0..60 {
        let disk = world.disk.after_kill();
        disk.fail(Rule { call: Some(Call::Read), after, times: 1, fault: Fault::Io });
        if let Ok((live, _)) = world.with_disk(disk).try_open() {
            balanced(&live, "after a failed read");
        }
    }
}

/// Promise: a number is found with who it is for and where it stands with each.
#[test]
fn a_number_is_found_wherever_it_stands() {
    let world = World::new(8);
    let mut live = world.open();
    live.append(vec![entry(1, 10, &[A, B], Lane::Normal), entry(2, 10, &[B], Lane::Urgent)])
        .unwrap();
    let places = |live: &Live, number: u64| {
        let found = live.journal.whereabouts(number).unwrap();
        let Whereabouts::Entry { sinks, .. } = found else { panic!("{found:?}") };
        sinks.into_iter().collect::<BTreeMap<_, _>>()
    };
    let both = |a, b| BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
    assert_eq!(places(&live, 1), both(Place::Queued, Place::Queued));
    let read = live.read(A, Lane::Normal);
    assert_eq!(places(&live, 1), both(Place::InFlight, Place::Queued));
    live.journal.settle(A, Lane::Normal, 0..1);
    assert_eq!(places(&live, 0), both(Place::Settled, Place::Queued));
    assert_eq!(places(&live, 1), both(Place::InFlight, Place::Queued));
    live.settle(A, &read[0]);
    assert_eq!(places(&live, 2), BTreeMap::from([("b".to_owned(), Place::Queued)]));
    assert_eq!(live.journal.whereabouts(5).unwrap(), Whereabouts::Future);
}

/// Promise: notes ride on the cursors, survive a stop, and have a limit.
#[test]
fn a_note_is_found_again() {
    let world = World::new(9);
    let live = world.open();
    assert!(live.journal.note(A, "of a".into()));
    assert!(!live.journal.note(B, vec![0; NOTE_BYTES_MAX + 1].into()));
    live.finish();
    let standings = world.open().journal.standings();
    assert_eq!((&standings[0].note[..], &standings[1].note[..]), (&b"of a"[..], &b""[..]));
}

/// Promise: looking at a directory changes no byte, makes no file, and tells what is there.
#[test]
fn a_directory_is_looked_at_without_a_trace() {
    let world = World::new(10);
    let mut live = world.open();
    live.append(vec![normal(1, 100), normal(2, 100)]).unwrap();
    let stored = live.read(A, Lane::Normal);
    live.settle(A, &stored[0]);
    live.journal.note(A, "of a".into());
    live.engine.step();
    drop(live);
    let content = |world: &World| {
        let files = world.disk.files();
        files.into_iter().map(|path| (world.disk.read(&path), path)).collect::<Vec<_>>()
    };
    let before = content(&world);
    let (journal, _) = Journal::read_only(
        Arc::new(world.disk.clone()),
        world.clock.clone(),
        Arc::new(SystemRandom::seeded(world.random.next_u64())),
        world.options.clone(),
    )
    .unwrap();
    let standings = journal.standings();
    let ids: Vec<&str> = standings.iter().map(|standing| standing.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!((standings[0].account.delivered, standings[0].queued), (2, 3));
    assert!(matches!(journal.whereabouts(0).unwrap(), Whereabouts::Entry { .. }));
    assert_eq!(before, content(&world));
    assert_eq!(SinkSpec::new("a").id, standings[0].id);
}

/// Scenario: every other of 300 entries is settled, more gaps than a slot of a cursor holds, and the
/// process is killed.
/// Promise: what is served again is queued again in the books, and they balance.
#[test]
fn settlements_that_a_crash_forgets_are_taken_back() {
    let world = World::new(11);
    let mut live = world.open();
    live.append((0..300).map(|number| entry(number, 10, &[A], Lane::Normal)).collect()).unwrap();
    let mut reader = live.journal.reader(A, Lane::Normal);
    let all: Vec<Stored> = std::iter::from_fn(|| reader.try_next()).collect();
    assert_eq!(all.len(), 300);
    live.settle_each(A, &all.into_iter().step_by(2).collect::<Vec<_>>());
    balanced(&live, "before");
    let delivered = live.journal.standings()[0].account.delivered;
    let live = world.with_disk(world.disk.after_kill()).open();
    balanced(&live, "after");
    let standing = live.journal.standings()[0].clone();
    assert!(standing.account.delivered < delivered, "{standing:?}");
    let again = live.journal.standings()[0].account.settled();
    // A reader pauses while too many gaps lie behind it.
    for _ in 0..300 {
        live.settle_each(A, &live.read(A, Lane::Normal));
    }
    let last = live.journal.standings()[0].account;
    assert_eq!((last.settled() - again, last.settled()), (standing.queued, last.routed));
}

/// Scenario: a segment that is settled in part cannot be read beyond its header and footer.
/// Promise: what is queued is estimated by its numbers, which is exact where all are for one sink.
#[test]
fn a_backlog_that_cannot_be_counted_is_estimated_by_its_numbers() {
    let world = World::new(6);
    let mut live = world.open();
    live.append((1..20).map(|number| normal(number, 3000)).collect()).unwrap();
    let stored = live.read(A, Lane::Normal);
    live.settle_each(A, &stored[..14]);
    live.finish();
    let left = &stored[14..];
    let records: u64 = left.iter().map(|one| u64::from(one.items)).sum();
    let bytes: u64 = left.iter().map(|one| (one.meta.len() + one.payload.len()) as u64).sum();
    let opens = AtomicU64::new(0);
    let is_first = move |path: &Path| {
        !path.starts_with("/j/main") || opens.fetch_add(1, Ordering::Relaxed) < 2
    };
    let (live, report) = world
        .try_open_asking(move |asked, path| {
            let fails = asked == Asked::OpenToRead && !is_first(path);
            if fails { Err(std::io::Error::from_raw_os_error(5)) } else { Ok(()) }
        })
        .unwrap();
    assert!(report.parked.is_empty(), "{report:?}");
    let sink = &live.journal.stats().sinks[0];
    assert_eq!(sink.backlog_records, records);
    let (low, high) = (bytes / 2, bytes * 2);
    assert!((low..high).contains(&sink.backlog_bytes), "{} for {bytes}", sink.backlog_bytes);
    balanced(&live, "after an estimate");
}
