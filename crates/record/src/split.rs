//! Cutting batches into smaller ones and joining them.

#![expect(
    clippy::cast_possible_truncation,
    reason = "there are less records than bytes, and these fit 32 bits"
)]

use std::ops::Range;

use bytes::Bytes;

use crate::check::Checked;
use crate::draft::Draft;
use crate::signal::Signal;
use crate::tail::Tails;

/// Batches written in one pass over the draft.
const ROUND: u32 = 1_024;

/// The records from number `first`, counted from 0, and at most `count` of them.
///
/// Of a metric that is only partly in the range, those data points that are.
pub fn range(batch: &Checked, first: u32, count: u32) -> Checked {
    let wanted = first..first.saturating_add(count);
    if wanted.start == 0 && wanted.end >= batch.records() {
        return batch.clone();
    }
    let mut draft = Draft::from_checked(batch, &Tails::none());
    let mut position = 0_u32;
    for index in 0..draft.len() {
        let records = draft.items().get(index).map_or(0, |item| item.records);
        let start = wanted.start.clamp(position, position + records) - position;
        let end = wanted.end.clamp(position, position + records) - position;
        if start == end && !(records == 0 && wanted.contains(&position)) {
            draft.drop_item(index);
        } else if end - start < records {
            draft.keep_points(index, start..end);
        }
        position += records;
    }
    let first = draft.emit(|_| 0, 1).into_iter().next();
    first.map_or_else(
        || Checked::trusted(batch.signal(), Bytes::new(), 0),
        |emitted| Checked::trusted(batch.signal(), emitted.bytes, emitted.records),
    )
}

/// Cuts a batch into batches of at most `records_max` records and `bytes_max` bytes, in order.
///
/// A single record that is larger than `bytes_max` is a batch of its own.
pub fn split(batch: &Checked, records_max: u32, bytes_max: usize) -> Vec<Checked> {
    let records_max = records_max.max(1);
    if batch.records() <= records_max && batch.bytes().len() <= bytes_max {
        return vec![batch.clone()];
    }
    let mut draft = Draft::from_checked(batch, &Tails::none());
    if batch.signal() == Signal::Metrics {
        draft.divide_metrics(|base, points| pieces(base, points, records_max, bytes_max));
    }
    draft.drop_empty_containers();
    let (chunks, count) = chunks(&draft, records_max, bytes_max);
    let mut batches = Vec::with_capacity(count as usize);
    for round in (0..count).step_by(ROUND as usize) {
        for (item, chunk) in draft.items_mut().iter_mut().zip(&chunks) {
            let within = chunk.checked_sub(round).filter(|within| *within < ROUND);
            item.route = within.map_or(u16::MAX, |within| within as u16);
        }
        let emitted = draft.emit(|item| item.route, ROUND as usize);
        let checked = |emitted: crate::draft::Emitted| {
            Checked::trusted(batch.signal(), emitted.bytes, emitted.records)
        };
        batches.extend(emitted.into_iter().map(checked));
    }
    batches
}

/// Joins batches of one signal, in order. Of none, the batch is an empty one of logs.
pub fn merge(batches: &[Checked]) -> Checked {
    let Some(first) = batches.first() else {
        return Checked::trusted(Signal::Logs, Bytes::new(), 0);
    };
    debug_assert!(batches.iter().all(|batch| batch.signal() == first.signal()), "mixed signals");
    if batches.len() == 1 {
        return first.clone();
    }
    // A request is nothing but a repeated field, so two of them in a row are one.
    let mut bytes = Vec::with_capacity(batches.iter().map(|batch| batch.bytes().len()).sum());
    let mut records = 0_u32;
    for batch in batches {
        bytes.extend_from_slice(batch.bytes());
        records = records.saturating_add(batch.records());
    }
    Checked::trusted(first.signal(), bytes.into(), records)
}

/// Cuts the data points of one metric. All that is around them takes `base` bytes.
fn pieces(base: usize, points: &[usize], records_max: u32, bytes_max: usize) -> Vec<Range<u32>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut bytes = base;
    for (index, size) in points.iter().enumerate() {
        let index = index as u32;
        if index > start && (index - start >= records_max || bytes + size > bytes_max) {
            pieces.push(start..index);
            start = index;
            bytes = base;
        }
        bytes += size;
    }
    pieces.push(start..points.len() as u32);
    pieces
}

/// Assigns each item the number of a batch; returns the numbers and how many there are.
fn chunks(draft: &Draft, records_max: u32, bytes_max: usize) -> (Vec<u32>, u32) {
    let mut chunks = Vec::with_capacity(draft.len());
    let (mut chunk, mut records, mut bytes) = (0, 0_u32, 0_usize);
    let mut open = None;
    for (index, item) in draft.items().iter().enumerate() {
        let group = (draft.resource_group(index), draft.scope_group(index));
        let size = draft.item_len(index);
        let mut needed = size + draft.overhead(index, open);
        if records > 0 && (records + item.records > records_max || bytes + needed > bytes_max) {
            chunk += 1;
            needed = size + draft.overhead(index, None);
            (records, bytes) = (0, 0);
        }
        records += item.records.max(1);
        bytes += needed;
        open = Some(group);
        chunks.push(chunk);
    }
    let count = if chunks.is_empty() { 0 } else { chunk + 1 };
    (chunks, count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;
    use crate::oracle::{self, Model, Random};

    fn checked(signal: Signal, bytes: &[u8]) -> Checked {
        Checked::check(signal, Bytes::copy_from_slice(bytes), &Limits::default()).unwrap()
    }

    fn flat(batch: &Checked) -> Vec<Model> {
        Model::decode(batch.signal(), batch.bytes()).flat()
    }

    fn signal() -> impl Strategy<Value = Signal> {
        prop::sample::select(Signal::ALL.to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pieces_hold_every_record_in_order_within_the_limits(
            signal in signal(), seed: u64, records_max in 1_u32..9, bytes_max in 1_usize..4_000,
        ) {
            let batch = checked(signal, &oracle::request(signal, &mut Random::new(seed)));
            let pieces = split(&batch, records_max, bytes_max);
            for piece in &pieces {
                prop_assert!(piece.records() <= records_max);
                prop_assert_eq!(checked(signal, piece.bytes()).records(), piece.records());
                let fits = piece.bytes().len() <= bytes_max || flat(piece).len() <= 1;
                prop_assert!(fits, "{} > {bytes_max}", piece.bytes().len());
            }
            let joined: Vec<Model> = pieces.iter().flat_map(flat).collect();
            prop_assert_eq!(joined, flat(&batch));
        }

        #[test]
        fn a_range_holds_the_records_of_that_range(
            signal in signal(), seed: u64, first in 0_u32..40, count in 0_u32..40,
        ) {
            let batch = checked(signal, &oracle::request(signal, &mut Random::new(seed)));
            let part = range(&batch, first, count);
            let counted = |model: &Model| {
                model.clone().items().into_iter().map(oracle::Record::records).sum::<u32>() > 0
            };
            let expected: Vec<Model> = flat(&batch)
                .into_iter()
                .filter(counted)
                .skip(first as usize)
                .take(count as usize)
                .collect();
            prop_assert_eq!(part.records() as usize, expected.len());
            let found: Vec<Model> = flat(&part).into_iter().filter(counted).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn joined_batches_hold_the_records_of_all(signal in signal(), seed: u64) {
            let random = &mut Random::new(seed);
            let batches: Vec<Checked> =
                (0..3).map(|_| checked(signal, &oracle::request(signal, random))).collect();
            let joined = merge(&batches);
            prop_assert_eq!(checked(signal, joined.bytes()).records(), joined.records());
            prop_assert_eq!(flat(&joined), batches.iter().flat_map(flat).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_batch_within_the_limits_is_not_copied() {
        let batch = checked(Signal::Logs, &oracle::request(Signal::Logs, &mut Random::new(9)));
        let pieces = split(&batch, u32::MAX, usize::MAX);
        assert_eq!(pieces[0].bytes().as_ptr(), batch.bytes().as_ptr());
        assert_eq!(merge(&pieces).bytes().as_ptr(), batch.bytes().as_ptr());
        assert_eq!(range(&batch, 0, u32::MAX).bytes().as_ptr(), batch.bytes().as_ptr());
    }

    #[test]
    fn more_batches_than_one_round_come_in_order() {
        let mut scope = Vec::new();
        for index in 0..2_500_u32 {
            let mut record = Vec::new();
            crate::wire::put_len_delimited(&mut record, 3, index.to_string().as_bytes());
            crate::wire::put_len_delimited(&mut scope, 2, &record);
        }
        let mut resource = Vec::new();
        crate::wire::put_len_delimited(&mut resource, 2, &scope);
        let mut request = Vec::new();
        crate::wire::put_len_delimited(&mut request, 1, &resource);
        let batch = checked(Signal::Logs, &request);
        let pieces = split(&batch, 1, usize::MAX);
        assert_eq!(pieces.len(), 2_500);
        assert_eq!(pieces.iter().flat_map(flat).collect::<Vec<_>>(), flat(&batch));
    }
}
