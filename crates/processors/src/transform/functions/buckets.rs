//! Buckets of histograms: those of an exponential one put into explicit ones, and two made one.
//!
//! Where an exponential bucket lies in more than one explicit bucket, the distribution says what is
//! assumed of its values. Buckets of negative values have no place among the explicit ones.

use bessemer_ottl::functions::need;
use bessemer_ottl::{Call, Context, Function, Kind, Record, RunError, Value};
use bessemer_record::edit::{Field, field, fields};

use super::message::{
    BOUNDS, BUCKET_COUNTS, COUNT, EXPONENTIAL, HISTOGRAM, START, TEMPORALITY, TIME, TOTAL, data,
    fixed_list, points, put, varint, varint_list, with_data, with_fixed_list, zigzag,
};
use super::word;

/// Fields of a point of an exponential histogram.
const SCALE: u32 = 6;
const POSITIVE: u32 = 8;
/// Its buckets.
const OFFSET: u32 = 1;
const EXPONENTIAL_COUNTS: u32 = 2;
/// Fields that have other numbers in a point of a histogram: attributes, flags, exemplars, least and
/// greatest value.
const RENUMBERED: [(u32, u32); 5] = [(1, 9), (10, 10), (11, 8), (12, 11), (13, 12)];

pub(super) static FUNCTIONS: [Function; 2] = [
    Function::editor(
        "convert_exponential_histogram_to_histogram",
        &[need("distribution", Kind::Word), need("explicit_bounds", Kind::List)],
        to_explicit,
    )
    .checking(check)
    .only_in(&[Context::Metric]),
    Function::editor("merge_histogram_buckets", &[need("bound", Kind::FloatLike)], merge)
        .only_in(&[Context::DataPoint]),
];

fn check(literals: &[Option<&Value>]) -> Result<(), String> {
    if !matches!(word(literals, 0), "upper" | "midpoint" | "uniform") {
        return Err("distribution is upper, midpoint or uniform".to_owned());
    }
    match literals.get(1) {
        Some(Some(Value::List(bounds))) if bounds.is_empty() => {
            Err("there has to be a bound".to_owned())
        }
        _ => Ok(()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bound is a floating point number")]
fn bounds(call: &Call<'_>) -> Result<Vec<f64>, RunError> {
    let bound = |value: &Value| {
        if let Value::Int(bound) = value {
            return Ok(*bound as f64);
        }
        let Value::Float(bound) = value else {
            return Err(RunError::Invalid("a bound is a number".to_owned()));
        };
        Ok(*bound)
    };
    call.list(1).iter().map(bound).collect()
}

fn to_explicit(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let bounds = bounds(call)?;
    let metric = record.message(Context::Metric);
    let Some((EXPONENTIAL, data)) = data(metric) else { return Ok(()) };
    let mut histogram = Vec::with_capacity(data.len());
    for point in points(data) {
        let point = explicit_point(point, call.text(0), &bounds);
        put(&mut histogram, super::POINTS, Field::Bytes(&point));
    }
    put(&mut histogram, TEMPORALITY, Field::Varint(varint(data, TEMPORALITY)));
    let changed = with_data(metric, EXPONENTIAL, HISTOGRAM, &histogram);
    record.replace(Context::Metric, changed);
    Ok(())
}

fn explicit_point(point: &[u8], distribution: &str, bounds: &[f64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(point.len());
    for (number, field) in fields(point) {
        let renumbered = RENUMBERED.iter().find(|(from, _)| *from == number);
        match (renumbered, number) {
            (Some((_, to)), _) => put(&mut out, *to, field),
            (None, START | TIME | COUNT | TOTAL) => put(&mut out, number, field),
            _ => {}
        }
    }
    let mut counts = vec![0; bounds.len() + 1];
    let buckets = field(point, POSITIVE).and_then(Field::bytes).unwrap_or_default();
    let mut index = zigzag(buckets, OFFSET);
    for count in varint_list(buckets, EXPONENTIAL_COUNTS) {
        let range = bucket(index, zigzag(point, SCALE));
        spread(distribution, count, range, bounds, &mut counts);
        index = index.saturating_add(1);
    }
    let bits: Vec<u64> = bounds.iter().map(|bound| bound.to_bits()).collect();
    with_fixed_list(&with_fixed_list(&out, BUCKET_COUNTS, &counts), BOUNDS, &bits)
}

/// The bounds of an exponential bucket: powers of two to the two to minus its scale.
#[expect(clippy::cast_precision_loss, reason = "scales and indexes are small")]
fn bucket(index: i64, scale: i64) -> (f64, f64) {
    let factor = std::f64::consts::LN_2 * (-scale as f64).exp2();
    ((index as f64 * factor).exp(), (index.saturating_add(1) as f64 * factor).exp())
}

fn spread(
    distribution: &str,
    count: u64,
    (lower, upper): (f64, f64),
    bounds: &[f64],
    counts: &mut [u64],
) {
    let value = match distribution {
        "uniform" => return spread_evenly(count, (lower, upper), bounds, counts),
        "midpoint" => f64::midpoint(lower, upper),
        _ => upper,
    };
    let at = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
    if let Some(slot) = counts.get_mut(at) {
        *slot = slot.saturating_add(count);
    }
}

/// As many for each explicit bucket that the exponential one lies in; what is left over goes to the
/// lower ones.
fn spread_evenly(count: u64, (lower, upper): (f64, f64), bounds: &[f64], counts: &mut [u64]) {
    let first = bounds.iter().take_while(|bound| **bound <= lower).count();
    let last = bounds.iter().take_while(|bound| **bound < upper).count().max(first);
    let Some(buckets) = counts.get_mut(first..=last) else { return };
    let len = buckets.len() as u64;
    for (at, slot) in (0_u64..).zip(buckets) {
        *slot = slot.saturating_add(count / len + u64::from(at < count % len));
    }
}

/// Removes a bound: the buckets on both of its sides become one.
#[expect(clippy::float_cmp, reason = "a bound is named by its value")]
fn merge(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let Value::Float(wanted) = call.value(0) else {
        return Err(RunError::Invalid("a bound is a number".to_owned()));
    };
    if !matches!(data(record.message(Context::Metric)), Some((HISTOGRAM, _))) {
        return Ok(());
    }
    let point = record.message(Context::DataPoint);
    let (mut bounds, mut counts) = (fixed_list(point, BOUNDS), fixed_list(point, BUCKET_COUNTS));
    let Some(at) = bounds.iter().position(|bits| f64::from_bits(*bits) == *wanted) else {
        return Ok(());
    };
    if counts.len() != bounds.len() + 1 {
        return Err(RunError::Invalid("there is not one bucket more than bounds".to_owned()));
    }
    bounds.remove(at);
    let upper = counts.remove(at + 1);
    if let Some(lower) = counts.get_mut(at) {
        *lower = lower.saturating_add(upper);
    }
    let changed = with_fixed_list(point, BUCKET_COUNTS, &counts);
    let changed = with_fixed_list(&changed, BOUNDS, &bounds);
    record.replace(Context::DataPoint, changed);
    Ok(())
}
