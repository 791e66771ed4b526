//! Points that are alike, and the one that they make.

use std::collections::HashMap;

use bessemer_record::edit::{Field, field, fields};

use super::super::message::{
    AS_DOUBLE, AS_INT, BOUNDS, BUCKET_COUNTS, COUNT, EXPONENTIAL, HISTOGRAM, START, TIME, TOTAL,
    attributes_of, double, fixed, fixed_list, packed_varints, varint_list, with, with_fixed_list,
    zigzag,
};

/// How numbers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregation {
    Sum,
    Max,
    Min,
    Mean,
    Median,
    Count,
}

impl Aggregation {
    pub(super) fn from_name(name: &str) -> Result<Self, String> {
        Ok(match name {
            "sum" => Self::Sum,
            "max" => Self::Max,
            "min" => Self::Min,
            "mean" => Self::Mean,
            "median" => Self::Median,
            "count" => Self::Count,
            other => {
                let names = "sum, max, min, mean, median, count";
                return Err(format!("{other:?} is none of {names}"));
            }
        })
    }
}

/// What points that are alike have in common.
#[derive(PartialEq, Eq, Hash)]
struct Likeness {
    attributes: Vec<Vec<u8>>,
    time: u64,
    buckets: Vec<u64>,
}

/// One point for each group of those that are alike, in the order of their first ones.
pub(super) fn merged(kind: u32, aggregation: Aggregation, points: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut places: HashMap<Likeness, usize> = HashMap::new();
    let mut groups: Vec<Vec<Vec<u8>>> = Vec::new();
    for point in points {
        let place = *places.entry(likeness(kind, &point)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
    }
    groups.into_iter().filter_map(|group| one_of(kind, aggregation, group)).collect()
}

fn likeness(kind: u32, point: &[u8]) -> Likeness {
    let number = attributes_of(kind);
    let attributes = fields(point).filter(|(found, _)| *found == number);
    let mut attributes: Vec<Vec<u8>> =
        attributes.filter_map(|(_, field)| Some(field.bytes()?.to_vec())).collect();
    attributes.sort_unstable();
    let has = |number| u64::from(field(point, number).is_some());
    let offset = |number| {
        let buckets = field(point, number).and_then(Field::bytes).unwrap_or_default();
        zigzag(buckets, OFFSET).cast_unsigned()
    };
    let buckets = match kind {
        HISTOGRAM => [fixed_list(point, BOUNDS), vec![has(11), has(12)]].concat(),
        EXPONENTIAL => {
            let scale = zigzag(point, SCALE).cast_unsigned();
            let zero = fixed(point, ZERO_THRESHOLD).unwrap_or_default();
            vec![scale, zero, offset(POSITIVE), offset(NEGATIVE), has(12), has(13)]
        }
        _ => Vec::new(),
    };
    Likeness { attributes, time: fixed(point, TIME).unwrap_or_default(), buckets }
}

/// Fields of a point of an exponential histogram, and of its buckets.
const SCALE: u32 = 6;
const ZERO_COUNT: u32 = 7;
const POSITIVE: u32 = 8;
const NEGATIVE: u32 = 9;
const ZERO_THRESHOLD: u32 = 14;
const OFFSET: u32 = 1;
const COUNTS: u32 = 2;

fn one_of(kind: u32, aggregation: Aggregation, group: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let start = group.iter().map(|point| fixed(point, START).unwrap_or_default()).min()?;
    let first = match kind {
        HISTOGRAM => group.into_iter().reduce(|one, other| histograms(&one, &other))?,
        EXPONENTIAL => group.into_iter().reduce(|one, other| exponentials(&one, &other))?,
        _ => numbers(aggregation, &group)?,
    };
    let start = [Field::Fixed64(start)];
    Some(if field(&first, START).is_some() { with(&first, START, &start) } else { first })
}

fn numbers(aggregation: Aggregation, group: &[Vec<u8>]) -> Option<Vec<u8>> {
    let first = group.first()?;
    let ints: Option<Vec<i64>> =
        group.iter().map(|point| Some(fixed(point, AS_INT)?.cast_signed())).collect();
    let (number, bits) = match ints {
        Some(ints) => (AS_INT, of_ints(aggregation, ints).cast_unsigned()),
        None => (AS_DOUBLE, of_floats(aggregation, group).to_bits()),
    };
    let without = with(&with(first, AS_INT, &[]), AS_DOUBLE, &[]);
    Some(with(&without, number, &[Field::Fixed64(bits)]))
}

fn of_ints(aggregation: Aggregation, mut values: Vec<i64>) -> i64 {
    let count = i64::try_from(values.len()).unwrap_or(i64::MAX).max(1);
    let sum = values.iter().fold(0_i64, |sum, value| sum.wrapping_add(*value));
    match aggregation {
        Aggregation::Sum => sum,
        Aggregation::Mean => sum / count,
        Aggregation::Count => count,
        Aggregation::Max => values.into_iter().max().unwrap_or_default(),
        Aggregation::Min => values.into_iter().min().unwrap_or_default(),
        Aggregation::Median => {
            values.sort_unstable();
            let (low, high) = middle(&values);
            low.midpoint(high)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "integers among floats are floats")]
fn of_floats(aggregation: Aggregation, group: &[Vec<u8>]) -> f64 {
    let value = |point: &Vec<u8>| {
        let int = || fixed(point, AS_INT).map(|bits| bits.cast_signed() as f64);
        double(point, AS_DOUBLE).or_else(int).unwrap_or_default()
    };
    let mut values: Vec<f64> = group.iter().map(value).collect();
    let sum: f64 = values.iter().sum();
    let count = values.len() as f64;
    match aggregation {
        Aggregation::Sum => sum,
        Aggregation::Mean => sum / count,
        Aggregation::Count => count,
        Aggregation::Max => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
        Aggregation::Min => values.into_iter().fold(f64::INFINITY, f64::min),
        Aggregation::Median => {
            values.sort_unstable_by(f64::total_cmp);
            let (low, high) = middle(&values);
            f64::midpoint(low, high)
        }
    }
}

/// The value in the middle of a sorted list, twice, or the two around it.
fn middle<T: Copy + Default>(sorted: &[T]) -> (T, T) {
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    (at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2))
}

/// One value of two.
type Choose = fn(f64, f64) -> f64;

/// Adds what is counted, and keeps the least and the greatest value.
fn distributions(one: &[u8], other: &[u8], (least, greatest): (u32, u32)) -> Vec<u8> {
    let count = |point| fixed(point, COUNT).unwrap_or_default();
    let counted = count(one).saturating_add(count(other));
    let mut out = with(one, COUNT, &[Field::Fixed64(counted)]);
    let sum = |one, other| one + other;
    for (number, choose) in [(TOTAL, sum as Choose), (least, f64::min), (greatest, f64::max)] {
        if let (Some(one), Some(other)) = (double(one, number), double(other, number)) {
            out = with(&out, number, &[Field::Fixed64(choose(one, other).to_bits())]);
        }
    }
    out
}

fn added(one: Vec<u64>, other: &[u64]) -> Vec<u64> {
    let mut sums = one;
    sums.resize(sums.len().max(other.len()), 0);
    for (sum, count) in sums.iter_mut().zip(other) {
        *sum = sum.saturating_add(*count);
    }
    sums
}

fn histograms(one: &[u8], other: &[u8]) -> Vec<u8> {
    const LEAST_AND_GREATEST: (u32, u32) = (11, 12);
    let counts = added(fixed_list(one, BUCKET_COUNTS), &fixed_list(other, BUCKET_COUNTS));
    with_fixed_list(&distributions(one, other, LEAST_AND_GREATEST), BUCKET_COUNTS, &counts)
}

fn exponentials(one: &[u8], other: &[u8]) -> Vec<u8> {
    const LEAST_AND_GREATEST: (u32, u32) = (12, 13);
    let mut out = distributions(one, other, LEAST_AND_GREATEST);
    let zero = |point| fixed(point, ZERO_COUNT).unwrap_or_default();
    let zeros = zero(one).saturating_add(zero(other));
    if zeros > 0 {
        out = with(&out, ZERO_COUNT, &[Field::Fixed64(zeros)]);
    }
    for number in [POSITIVE, NEGATIVE] {
        let of = |point| field(point, number).and_then(Field::bytes).unwrap_or_default();
        let counts = added(varint_list(of(one), COUNTS), &varint_list(of(other), COUNTS));
        if !counts.is_empty() {
            let base = if of(one).is_empty() { of(other) } else { of(one) };
            let buckets = with(base, COUNTS, &[Field::Bytes(&packed_varints(&counts))]);
            out = with(&out, number, &[Field::Bytes(&buckets)]);
        }
    }
    out
}
