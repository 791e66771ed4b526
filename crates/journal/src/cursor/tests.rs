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
