//! Metrics made of another one: the counts and sums of distributions, and copies.
//!
//! The new metric is behind those of its scope, and the same statements run on it.

use bessemer_ottl::functions::{may, need};
use bessemer_ottl::{Call, Context, Function, Kind, Record, RunError};
use bessemer_record::edit::{Field, fields};

use super::message::{
    AS_DOUBLE, AS_INT, COUNT, DESCRIPTION, EXPONENTIAL, HISTOGRAM, IS_MONOTONIC, NAME, POINTS,
    START, SUM, SUMMARY, TEMPORALITY, TIME, TOTAL, UNIT, attributes_of, data, fixed, points, put,
    varint, with,
};
use super::{temporality, word};

/// The number of the temporality of a summary, which says nothing of it.
const CUMULATIVE: u64 = 2;
/// The field of a `NumberDataPoint` that holds its attributes.
const NUMBER_ATTRIBUTES: u32 = 7;

const OF_SUMMARY: &[bessemer_ottl::functions::Parameter] = &[
    need("aggregation_temporality", Kind::Word),
    need("is_monotonic", Kind::Flag),
    may("suffix", Kind::Text),
];
const OF_ANY: &[bessemer_ottl::functions::Parameter] =
    &[need("is_monotonic", Kind::Flag), may("suffix", Kind::Text)];
const METRIC: &[Context] = &[Context::Metric];
const METRIC_OR_POINT: &[Context] = &[Context::Metric, Context::DataPoint];

pub(super) static FUNCTIONS: [Function; 5] = [
    Function::editor("convert_summary_count_val_to_sum", OF_SUMMARY, summary_count)
        .checking(|literals| temporality(word(literals, 0)).map(drop))
        .only_in(METRIC_OR_POINT),
    Function::editor("convert_summary_sum_val_to_sum", OF_SUMMARY, summary_sum)
        .checking(|literals| temporality(word(literals, 0)).map(drop))
        .only_in(METRIC_OR_POINT),
    Function::editor("extract_count_metric", OF_ANY, |call, record| extract(call, record, &COUNTS))
        .only_in(METRIC),
    Function::editor("extract_sum_metric", OF_ANY, |call, record| extract(call, record, &SUMS))
        .only_in(METRIC),
    Function::editor(
        "copy_metric",
        &[may("name", Kind::Text), may("description", Kind::Text), may("unit", Kind::Text)],
        copy,
    )
    .only_in(METRIC),
];

/// What is taken out of each point, and where it is put.
struct Part {
    from: u32,
    to: u32,
    suffix: &'static str,
}

const COUNTS: Part = Part { from: COUNT, to: AS_INT, suffix: "_count" };
const SUMS: Part = Part { from: TOTAL, to: AS_DOUBLE, suffix: "_sum" };

fn summary_count(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    of_summary(call, record, &COUNTS)
}

fn summary_sum(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    of_summary(call, record, &SUMS)
}

fn of_summary(call: &Call<'_>, record: &mut Record<'_>, part: &Part) -> Result<(), RunError> {
    let temporality = temporality(call.text(0)).map_err(RunError::Invalid)?;
    let metric = record.message(Context::Metric);
    let Some((SUMMARY, data)) = data(metric) else { return Ok(()) };
    let points = parts(SUMMARY, data, part);
    let suffix = call.text_or(2, part.suffix);
    let sum = sum(metric, suffix, temporality, call.bool_or(1, false), &points);
    record.add_metric(sum)
}

fn extract(call: &Call<'_>, record: &mut Record<'_>, part: &Part) -> Result<(), RunError> {
    let metric = record.message(Context::Metric);
    let distribution = data(metric)
        .filter(|(kind, _)| matches!(*kind, HISTOGRAM | EXPONENTIAL | SUMMARY))
        .ok_or_else(|| {
            let message = "only histograms, exponential histograms and summaries have a part";
            RunError::Invalid(message.to_owned())
        })?;
    let (kind, data) = distribution;
    let points = parts(kind, data, part);
    if points.is_empty() {
        return Ok(());
    }
    let temporality = if kind == SUMMARY { CUMULATIVE } else { varint(data, TEMPORALITY) };
    let suffix = call.text_or(1, part.suffix);
    let sum = sum(metric, suffix, temporality, call.bool_or(0, false), &points);
    record.add_metric(sum)
}

/// The part of each point as a point of a sum. A point of a histogram need not have a total.
fn parts(kind: u32, data: &[u8], part: &Part) -> Vec<Vec<u8>> {
    let attributes = attributes_of(kind);
    let is_optional = part.from == TOTAL && kind != SUMMARY;
    let part_of = |point: &[u8]| {
        let value = match fixed(point, part.from) {
            None if is_optional => return None,
            value => value.unwrap_or_default(),
        };
        let mut out = Vec::with_capacity(point.len());
        for (number, field) in fields(point) {
            if number == attributes {
                put(&mut out, NUMBER_ATTRIBUTES, field);
            } else if number == START || number == TIME {
                put(&mut out, number, field);
            }
        }
        put(&mut out, part.to, Field::Fixed64(value));
        Some(out)
    };
    points(data).filter_map(part_of).collect()
}

fn sum(
    metric: &[u8],
    suffix: &str,
    temporality: u64,
    is_monotonic: bool,
    points: &[Vec<u8>],
) -> Vec<u8> {
    let mut data = Vec::new();
    for point in points {
        put(&mut data, POINTS, Field::Bytes(point));
    }
    put(&mut data, TEMPORALITY, Field::Varint(temporality));
    put(&mut data, IS_MONOTONIC, Field::Varint(u64::from(is_monotonic)));
    let (mut out, mut name) = (Vec::new(), Vec::new());
    for (number, field) in fields(metric) {
        match (number, field) {
            (NAME, Field::Bytes(bytes)) => name = bytes.to_vec(),
            (DESCRIPTION | UNIT, _) => put(&mut out, number, field),
            _ => {}
        }
    }
    name.extend_from_slice(suffix.as_bytes());
    put(&mut out, NAME, Field::Bytes(&name));
    put(&mut out, SUM, Field::Bytes(&data));
    out
}

fn copy(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let mut metric = record.message(Context::Metric).to_vec();
    for (at, number) in [(0, NAME), (1, DESCRIPTION), (2, UNIT)] {
        if call.is_given(at) {
            metric = with(&metric, number, &[Field::Bytes(call.text(at).as_bytes())]);
        }
    }
    record.add_metric(metric)
}
