//! The cursor against a model that remembers every number.
#![expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of them of one")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Read,
    Skip,
    Settle(usize),
    SettlePart(usize),
    Rewind,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Read),
        2 => Just(Step::Skip),
        5 => any::<usize>().prop_map(Step::Settle),
        2 => any::<usize>().prop_map(Step::SettlePart),
        1 => Just(Step::Rewind),
        1 => Just(Step::Reopen),
    ]
}

/// The journal as the cursor sees it: entries of four numbers, every third for somebody else.
fn own(entry: u64) -> bool {
    !entry.is_multiple_of(3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_unsettled_number_is_ever_forgotten(steps in prop::collection::vec(step(), 1..300)) {
        let mut cursor = Cursor::default();
        let mut settled = BTreeSet::new();
        let mut in_flight: Vec<Range<u64>> = Vec::new();
        for step in steps {
            match step {
                Step::Read if cursor.has_room() => {
                    let entry = cursor.position() / 4;
                    let range = entry * 4..entry * 4 + 4;
                    if own(entry) {
                        match cursor.give(range.clone(), 10, entry) {
                            Given::Settled => {
                                prop_assert!(range.clone().all(|n| settled.contains(&n)));
                            }
                            Given::Serve(parts) => {
                                let known: BTreeSet<u64> = parts.into_iter().flatten().collect();
                                prop_assert!(known.iter().all(|n| settled.contains(n)));
                                in_flight.push(range);
                            }
                        }
                    } else {
                        cursor.skip_to(range.end);
                    }
                }
                Step::Skip | Step::Read => {
                    let entry = cursor.position() / 4;
                    if !own(entry) {
                        cursor.skip_to(entry * 4 + 4);
                    }
                }
                Step::Settle(n) if !in_flight.is_empty() => {
                    let range = in_flight.remove(n % in_flight.len());
                    settled.extend(range.clone());
                    cursor.settle(range);
                }
                Step::SettlePart(n) if !in_flight.is_empty() => {
                    let range = in_flight[n % in_flight.len()].clone();
                    let part = range.start + n as u64 % 4..range.end;
                    settled.extend(part.clone());
                    cursor.settle(part);
                }
                Step::Settle(_) | Step::SettlePart(_) => {}
                Step::Rewind => {
                    cursor.rewind();
                }
                Step::Reopen => {
                    cursor = Cursor::restore(&cursor.save());
                    in_flight.clear();
                }
            }
            let saved = cursor.save();
            prop_assert!(saved.settled.len() <= RANGES_MAX);
            let claimed = saved.settled.iter().cloned().flatten().chain(0..saved.low);
            for number in claimed {
                prop_assert!(
                    settled.contains(&number) || !own(number / 4),
                    "{number} is claimed settled: {saved:?}",
                );
            }
        }
        // Whatever happened, settling the rest ends with a cursor that holds nothing.
        cursor.rewind();
        let end = cursor.position().max(settled.last().copied().unwrap_or(0)) + 1;
        cursor.settle(0..end);
        cursor.skip_to(end);
        prop_assert_eq!(cursor.save(), Saved { low: end, settled: vec![], passed: end });
    }
}

#[test]
fn settling_counts_every_record_once() {
    let mut cursor = Cursor::default();
    cursor.give(0..10, 100, 1);
    cursor.give(10..20, 100, 1);
    assert_eq!(cursor.settle(5..12), Freed { records: 7, bytes: 0 });
    assert_eq!(cursor.settle(0..20), Freed { records: 13, bytes: 200 });
    assert_eq!(cursor.settle(0..20), Freed::default());
}

#[test]
fn a_reader_pauses_before_precision_is_lost_and_goes_on_when_gaps_close() {
    let mut cursor = Cursor::default();
    let mut entry = 0;
    while cursor.has_room() {
        cursor.give(entry..entry + 1, 1, 1);
        if entry % 2 == 1 {
            cursor.settle(entry..entry + 1);
        }
        entry += 1;
    }
    assert_eq!(cursor.save().settled.len(), RANGES_MAX);
    cursor.settle(0..1);
    assert!(cursor.has_room());
}

#[test]
fn entries_of_others_do_not_keep_settled_ranges_apart() {
    let mut cursor = Cursor::default();
    cursor.give(0..1, 1, 1);
    for entry in 0..200 {
        cursor.skip_to(entry * 10 + 5);
        cursor.give(entry * 10 + 5..entry * 10 + 6, 1, 1);
        cursor.settle(entry * 10 + 5..entry * 10 + 6);
    }
    assert_eq!(cursor.save(), Saved { low: 0, settled: vec![5..1996], passed: 0 });
}

#[test]
fn what_a_replaced_reader_had_in_flight_is_served_again_unless_it_was_settled_since() {
    let mut cursor = Cursor::default();
    for start in [0, 10, 20] {
        cursor.give(start..start + 10, 1, 1);
    }
    cursor.settle(10..20);
    assert_eq!(cursor.rewind(), 1);
    assert_eq!(cursor.settle(20..25), Freed { records: 5, bytes: 0 });
    assert_eq!(cursor.give(0..10, 1, 1), Given::Serve(vec![]));
    assert_eq!(cursor.give(10..20, 1, 1), Given::Settled);
    assert_eq!(cursor.give(20..30, 1, 1), Given::Serve(vec![20..25]));
}

/// What is known of a cursor by whoever remembers every number.
#[derive(Debug, Default)]
struct Model {
    settled: BTreeSet<u64>,
    in_flight: BTreeSet<u64>,
}

impl Model {
    fn entry(number: u64) -> Range<u64> {
        let entry = number / 4;
        entry * 4..entry * 4 + 4
    }

    /// Runs of numbers in flight, each within one entry.
    fn pieces(&self) -> usize {
        let begins =
            |number: &&u64| number.is_multiple_of(4) || !self.in_flight.contains(&(*number - 1));
        self.in_flight.iter().filter(begins).count()
    }

    fn place(&self, number: u64) -> Place {
        match (self.in_flight.contains(&number), self.settled.contains(&number)) {
            (true, _) => Place::InFlight,
            (false, true) => Place::Settled,
            (false, false) => Place::Queued,
        }
    }

    fn settle(&mut self, range: Range<u64>) -> u64 {
        self.in_flight.retain(|number| !range.contains(number));
        range.filter(|number| self.settled.insert(*number)).count() as u64
    }

    /// Compares what the cursor says about every number that concerns it.
    fn check(&self, cursor: &Cursor) -> Result<(), TestCaseError> {
        prop_assert_eq!(cursor.in_flight(), self.pieces());
        let oldest = self.in_flight.first().map(|number| number / 4 + 1);
        prop_assert_eq!(cursor.oldest_unix_nanos(), oldest);
        let own = (0..cursor.position() + 40).filter(|number| own(number / 4));
        for number in own {
            prop_assert_eq!(cursor.place(number), self.place(number), "{}", number);
            if number.is_multiple_of(4) {
                let entry = Self::entry(number);
                let left = entry.clone().filter(|number| !self.settled.contains(number)).count();
                prop_assert_eq!(cursor.unsettled(entry.clone()), left as u64, "{:?}", &entry);
                prop_assert_eq!(cursor.is_settled(&entry), left == 0, "{:?}", &entry);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Settlements may come from a reader that was replaced, twice, and in parts.
    #[test]
    fn a_cursor_tells_of_every_number_what_was_done_with_it(
        steps in prop::collection::vec((0_u8..8, any::<usize>()), 1..80),
    ) {
        let (mut cursor, mut model) = (Cursor::default(), Model::default());
        let mut served: Vec<Range<u64>> = Vec::new();
        for (step, pick) in steps {
            match step {
                0..=2 => {
                    let entry = Model::entry(cursor.position());
                    if own(entry.start / 4) {
                        if cursor.give(entry.clone(), 10, entry.start / 4 + 1) != Given::Settled {
                            let left = |number: &u64| !model.settled.contains(number);
                            model.in_flight.extend(entry.clone().filter(left));
                            served.push(entry);
                        }
                    } else {
                        cursor.skip_to(entry.end);
                    }
                }
                3..=6 if !served.is_empty() => {
                    let entry = served[pick % served.len()].clone();
                    let start = entry.start + pick as u64 / 7 % 4;
                    let part = if step < 5 { entry } else { start..start + 1 };
                    let freed = cursor.settle(part.clone());
                    prop_assert_eq!(freed.records, model.settle(part.clone()), "{:?}", part);
                }
                7 => {
                    cursor.rewind();
                    model.in_flight.clear();
                }
                _ => {}
            }
            model.check(&cursor)?;
        }
    }
}

#[test]
fn the_bytes_of_an_entry_are_freed_with_its_last_record_and_once() {
    let mut cursor = Cursor::default();
    cursor.give(0..10, 100, 1);
    assert_eq!(cursor.settle(4..6), Freed { records: 2, bytes: 0 });
    let freed = [cursor.settle(6..10), cursor.settle(0..4)];
    assert_eq!(freed.iter().map(|freed| freed.records).sum::<u64>(), 8);
    assert_eq!(freed.iter().map(|freed| freed.bytes).sum::<u64>(), 100);
}

#[test]
fn what_is_settled_side_by_side_ahead_of_the_reader_is_one_range() {
    let mut cursor = Cursor::default();
    for (range, expected) in [(5..6, 5..6), (6..7, 5..7), (3..5, 3..7)] {
        cursor.settle(range);
        assert_eq!(cursor.save().settled, [expected]);
    }
    assert_eq!(cursor.gaps(), 1);
    cursor.settle(9..10);
    assert_eq!(cursor.gaps(), 2);
}

#[test]
fn no_more_entries_are_in_flight_than_the_limit() {
    let mut cursor = Cursor::default();
    let mut entry = 0;
    while cursor.has_room() {
        cursor.give(entry..entry + 1, 1, 1);
        entry += 1;
    }
    assert_eq!(cursor.in_flight(), IN_FLIGHT_ENTRIES_MAX);
    cursor.settle(0..1);
    assert!(cursor.has_room());
}

#[test]
fn numbers_that_wait_for_a_key_are_passed_and_never_saved_as_settled() {
    let mut cursor = Cursor::restore(&Saved { low: 10, ..Saved::default() });
    cursor.hold(&[5..20, 30..40]);
    cursor.skip_to(50);
    let saved = Saved { low: 10, settled: vec![20..30, 40..50], passed: 50 };
    assert_eq!(cursor.save(), saved);
    let mut cursor = Cursor::default();
    cursor.hold(&[0..5]);
    cursor.skip_to(50);
    assert_eq!(cursor.save(), Saved { low: 0, settled: vec![5..50], passed: 50 });
}

#[test]
fn a_cursor_holds_no_more_runs_for_missing_keys_than_it_can_save() {
    let mut cursor = Cursor::default();
    let runs: Vec<Range<u64>> = (0..40).map(|run| run * 2 + 1..run * 2 + 2).collect();
    cursor.hold(&runs[..3]);
    cursor.hold(&runs[3..]);
    cursor.skip_to(100);
    let saved = cursor.save();
    assert_eq!((saved.low, saved.settled.len()), (1, HELD_MAX));
    assert_eq!(saved.settled.last(), Some(&(64..100)));
}
