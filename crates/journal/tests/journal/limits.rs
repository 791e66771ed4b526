//! Every limit is one: budgets, sizes, queues, windows.

use std::time::Duration;

use bessemer_journal::disk::mem::{Call, Fault, Rule};
use bessemer_journal::format::{META_BYTES_MAX, PAYLOAD_BYTES_MAX};
use bessemer_journal::{
    Append, AppendError, Compression, DeadLetter, DeadLetterError, FullOf, Lane, MemDisk, WhenFull,
};
use bytes::Bytes;
use futures_util::FutureExt;

use crate::harness::{A, B, Live, World, entry, normal};

#[test]
fn appends_are_refused_at_the_budget_and_accepted_again_after_deletion() {
    let mut world = World::new(1);
    world.options.budget_bytes = 4 << 20;
    let mut live = world.open();
    for round in 0..3 {
        let mut count = 0;
        let refused = loop {
            match live.append(vec![normal(count, 90_000)]) {
                Ok(_) => count += 1,
                Err(error) => break error,
            }
        };
        let budget = matches!(refused, AppendError::Full { of: FullOf::Budget, .. });
        assert!(budget && count > 50, "round {round}: {refused} after {count}");
        assert!(live.journal.stats().disk_bytes <= 4 << 20);
        for sink in [A, B] {
            live.settle_each(sink, &live.read(sink, Lane::Normal));
        }
        live.engine.maintain();
    }
    assert_eq!(live.journal.stats().refused_full, 3);
}

/// Queues appends at once, writes one group, and counts who was told yes and who no.
fn one_group(world: &World, appends: Vec<Append>) -> (Live, usize, usize) {
    let mut live = world.open();
    let journal = live.journal.clone();
    let mut waiting: Vec<_> =
        appends.into_iter().map(|append| Box::pin(journal.append(vec![append]))).collect();
    assert!(waiting.iter_mut().all(|append| append.now_or_never().is_none()), "they wait");
    live.engine.write();
    let answers: Vec<_> = waiting.iter_mut().filter_map(FutureExt::now_or_never).collect();
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    drop(waiting);
    (live, taken, answers.len() - taken)
}

/// Promise: entries that wait together share what is left of the budget: no more are taken than fit,
/// and not many less.
#[test]
fn a_group_stays_within_what_is_left_of_the_budget() {
    for large in [false, true] {
        let (count, bytes) = if large { (40, 200_000) } else { (2_000, 4_000) };
        let mut world = World::new(1);
        world.options.budget_bytes = 4 << 20;
        world.options.compression = Compression::None;
        let appends = (0..count).map(|number| normal(number, bytes)).collect();
        let (live, taken, refused) = one_group(&world, appends);
        let stored = live.journal.stats().disk_bytes;
        assert!(refused > 0 && stored <= 4 << 20, "{stored} bytes, {refused} refused");
        let least = (4 << 20) / bytes / 4;
        assert!(taken > least, "{taken} of {count} were taken, {least} fit with ease");
    }
}

#[test]
fn a_group_ends_where_its_size_does() {
    let mut world = World::new(1);
    world.options.group_bytes = 64 << 10;
    let appends = (0..10).map(|number| normal(number, 40 << 10)).collect();
    let (mut live, taken, refused) = one_group(&world, appends);
    assert_eq!((taken, refused), (2, 0), "the one that reaches the size is the last");
    while live.engine.write() {}
    assert_eq!(live.read(A, Lane::Normal).len(), 10, "the others follow");
    let items: u64 = (0..10).map(|number| u64::from(normal(number, 0).items)).sum();
    assert_eq!(live.journal.stats().appended_records, items, "counted once over all groups");
}

#[test]
fn nobody_waits_for_a_writer_that_is_gone() {
    let Live { journal, engine } = World::new(1).open();
    let mut waiting = std::pin::pin!(journal.append(vec![normal(0, 10)]));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(engine);
    assert!(matches!(waiting.now_or_never(), Some(Err(AppendError::Closed))));
    let late = journal.append(vec![normal(1, 10)]);
    assert!(matches!(late.now_or_never(), Some(Err(AppendError::Closed))));
}

/// Promise: the header of a segment and the largest footers of two always find room: an entry is taken
/// when that much is left beside it, and not with a byte less.
#[test]
fn room_for_a_header_and_two_footers_is_kept() {
    const PAGE: u64 = 64 << 10;
    const FOOTER: u64 = 512 * 18 + 64 + 16 + 16 + 16;
    const KEPT: u64 = PAGE + 16 + 2 * (FOOTER + 4096);
    let append = normal(0, 2_000);
    let bytes = (append.payload.len() + append.meta.len()) as u64;
    let needed = bytes + bytes / 1024 + 4096;
    let is_taken = |budget: u64| {
        let mut world = World::new(1);
        world.options.budget_bytes = budget;
        world.open().append(vec![append.clone()]).is_ok()
    };
    let (mut low, mut high) = (0, 16 * PAGE);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if is_taken(middle) { high = middle } else { low = middle }
    }
    assert_eq!(high, KEPT + needed);
}

#[test]
fn a_sink_at_its_own_budget_blocks_what_is_routed_to_it_or_asks_for_dead_letters() {
    for when_full in [WhenFull::Block, WhenFull::DeadLetter] {
        let mut world = World::new(1);
        (world.sinks[0].budget, world.sinks[0].when_full) = (Some(1000), when_full);
        let mut live = world.open();
        live.append(vec![normal(0, 2000)]).unwrap();
        assert!(live.journal.stats().sinks[0].over_budget);
        let refused = live.append(vec![normal(1, 10)]);
        match when_full {
            WhenFull::Block => assert!(matches!(
                refused, Err(AppendError::Full { of: FullOf::Sink(id), .. }) if id == "a"
            )),
            WhenFull::DeadLetter => assert!(refused.is_ok()),
        }
        live.append(vec![entry(2, 10, &[B], Lane::Normal)]).unwrap();
        live.settle_each(A, &live.read(A, Lane::Normal));
        live.append(vec![normal(3, 10)]).unwrap();
    }
}

#[test]
fn a_sink_over_its_budget_refuses_once_its_dead_letters_take_nothing_either() {
    let mut world = World::new(1);
    world.options.dead_budget_bytes = 0;
    (world.sinks[0].budget, world.sinks[0].when_full) = (Some(1000), WhenFull::DeadLetter);
    let mut live = world.open();
    live.append(vec![normal(0, 2000)]).unwrap();
    let journal = live.journal.clone();
    live.append(vec![normal(1, 10)]).expect("room is made by dead letters");
    let mut burying = std::pin::pin!(journal.dead_letter(A, vec![letter()]));
    assert!(burying.as_mut().now_or_never().is_none());
    live.engine.maintain();
    assert!(matches!(burying.now_or_never(), Some(Err(DeadLetterError::Full { .. }))));
    let refused = live.append(vec![normal(2, 10)]);
    assert!(matches!(refused, Err(AppendError::Full { of: FullOf::Sink(id), .. }) if id == "a"));
    live.append(vec![entry(3, 10, &[B], Lane::Normal)]).expect("others go on");
    live.settle_each(A, &live.read(A, Lane::Normal));
    live.append(vec![normal(4, 10)]).expect("below its budget it takes entries again");
}

fn letter() -> DeadLetter {
    DeadLetter {
        records: 0..1,
        lane: Lane::Normal,
        refused_at_unix_nanos: 0,
        reason: "full".into(),
        status: String::new(),
        config_hash: 0,
        meta: Bytes::new(),
        payload: Bytes::from_static(b"x"),
    }
}

/// Scenario: the disk fills up, or fails, and is well again; nobody appends meanwhile.
/// Promise: the reason is told from the first failed append on, until one would succeed.
#[test]
fn trouble_with_the_disk_is_told_until_it_is_over_even_if_nobody_appends() {
    for fault in [None, Some(Fault::Io)] {
        let world = World::new(1);
        let mut live = world.open();
        live.append(vec![normal(0, 100)]).unwrap();
        assert_eq!(live.journal.trouble(), None);
        match fault {
            None => world.disk.set_capacity(Some(0)),
            Some(fault) => {
                let call = Some(Call::Sync);
                world.disk.fail(Rule { call, after: 0, times: u64::MAX, fault });
            }
        }
        live.append(vec![normal(1, 100_000)]).unwrap_err();
        let files = world.disk.files().len();
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(10));
            live.engine.write();
            assert!(live.journal.trouble().is_some(), "it is not over");
        }
        assert_eq!(world.disk.files().len(), files, "asking leaves nothing behind");
        world.disk.heal();
        world.disk.set_capacity(None);
        world.clock.advance(Duration::from_secs(10));
        live.engine.write();
        assert_eq!(live.journal.trouble(), None);
        let more = normal(2, 100);
        live.append(vec![more]).unwrap();
        assert_eq!(live.read(A, Lane::Normal).len(), 2, "both that were acknowledged");
    }
}

#[test]
fn a_disk_that_failed_is_asked_every_two_seconds_and_not_more_often() {
    let world = World::new(1);
    let mut live = world.open();
    world.disk.set_capacity(Some(0));
    live.append(vec![normal(0, 100)]).unwrap_err();
    let mut is_asked_after = |millis: u64| {
        let before = world.disk.calls();
        world.clock.advance(Duration::from_millis(millis));
        live.engine.write();
        world.disk.calls() > before
    };
    assert!(!is_asked_after(0));
    for _ in 0..2 {
        assert!(!is_asked_after(1_999));
        assert!(is_asked_after(1));
    }
}

#[test]
fn what_is_too_large_or_counts_nothing_is_refused_at_once() {
    let world = World::new(1);
    let mut live = world.open();
    let with = |items, meta: usize, payload: usize| Append {
        items,
        meta: vec![0; meta].into(),
        payload: vec![0; payload].into(),
        ..normal(0, 0)
    };
    assert!(matches!(live.append(vec![with(0, 0, 0)]), Err(AppendError::NoItems)));
    assert!(matches!(live.append(vec![]), Err(AppendError::NoItems)));
    let meta = live.append(vec![with(1, META_BYTES_MAX + 1, 0)]);
    assert!(matches!(meta, Err(AppendError::TooLarge { bytes }) if bytes == META_BYTES_MAX + 1));
    let payload = live.append(vec![with(1, 0, PAYLOAD_BYTES_MAX + 1)]);
    assert!(matches!(payload, Err(AppendError::TooLarge { .. })));
    assert_eq!(live.journal.stats().appended_entries, 0);
}

#[test]
fn an_entry_at_the_limit_is_served_from_memory_and_from_disk() {
    let mut world = World::new(1);
    world.options.budget_bytes = 1 << 30;
    world.options.cache_bytes = 0;
    let mut live = world.open();
    let largest = Append {
        meta: vec![7; META_BYTES_MAX].into(),
        payload: vec![9; PAYLOAD_BYTES_MAX].into(),
        ..normal(0, 0)
    };
    live.append(vec![largest.clone()]).unwrap();
    let read = live.read(A, Lane::Normal);
    assert_eq!((&read[0].meta, &read[0].payload), (&largest.meta, &largest.payload));
    drop(live);
    let read = world.with_disk(world.disk.after_kill()).open().read(A, Lane::Normal);
    assert_eq!((&read[0].meta, &read[0].payload), (&largest.meta, &largest.payload));
}

#[test]
fn appends_wait_while_the_queue_is_full() {
    let mut world = World::new(1);
    world.options.queue_bytes = 100_000;
    let mut live = world.open();
    let journal = live.journal.clone();
    let mut waiting: Vec<_> =
        (0..5).map(|n| Box::pin(journal.append(vec![normal(n, 30_000)]))).collect();
    for one in &mut waiting {
        assert!(one.now_or_never().is_none());
    }
    live.engine.write();
    for one in &mut waiting {
        if let Some(result) = one.now_or_never() {
            result.unwrap();
        }
    }
    assert_eq!(live.journal.stats().appended_entries, 3, "the others had to wait");
    live.engine.write();
    assert_eq!(live.journal.stats().appended_entries, 5);
}

#[test]
fn a_reader_pauses_while_a_cursor_cannot_describe_what_is_in_flight() {
    let world = World::new(1);
    let mut live = world.open();
    live.append((0..500).map(|n| normal(n, 1)).collect()).unwrap();
    let mut reader = live.journal.reader(A, Lane::Normal);
    let mut in_flight = Vec::new();
    let mut count = 0;
    while let Some(stored) = reader.try_next() {
        count += 1;
        if count % 2 == 0 {
            live.settle(A, &stored);
        } else {
            in_flight.push(stored);
        }
    }
    assert!((128..=130).contains(&count), "{count}");
    let killed = world.with_disk(world.disk.after_kill()).open();
    let mut again = killed.journal.reader(A, Lane::Normal);
    let mut left = 0;
    while let Some(stored) = again.try_next() {
        killed.settle(A, &stored);
        left += 1;
    }
    assert_eq!(left, 500 - count / 2, "no settlement is forgotten");
    live.settle_each(A, &in_flight);
    assert!(reader.try_next().is_some());
}

#[test]
fn a_cache_hit_is_the_payload_that_was_appended_not_a_copy() {
    let world = World::new(1);
    let mut live = world.open();
    let payload = Bytes::from(vec![1; 100_000]);
    let appended = Append { payload: payload.clone(), ..normal(0, 0) };
    live.append(vec![appended]).unwrap();
    assert_eq!(live.read(A, Lane::Normal)[0].payload.as_ptr(), payload.as_ptr());
}

/// Scenario: two groups of many blocks that fill a segment almost, exactly, and a little too much.
#[test]
fn a_segment_never_grows_beyond_its_size() {
    let mut world = World::new(1);
    world.options.compression = Compression::None;
    let mut shared = 0;
    for len in (37_700..38_300).step_by(8) {
        let world = world.with_disk(MemDisk::new());
        let mut live = world.open();
        for _ in 0..2 {
            live.append((0..6).map(|n| normal(n, len)).collect()).unwrap();
        }
        let segments = world.segments("main");
        shared += usize::from(segments.len() == 1);
        for path in segments {
            let bytes = world.disk.read(&path).unwrap().len() as u64;
            assert!(bytes <= world.options.segment_bytes, "{bytes} bytes with {len}");
        }
    }
    assert!((1..75).contains(&shared), "{shared} of 75: the size was not met");
}
