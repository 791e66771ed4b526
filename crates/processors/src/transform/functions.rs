//! Functions that only the statements of this processor have: they change what a metric is, or make
//! a metric of another one.

#![expect(clippy::unnecessary_wraps, reason = "the language can call nothing of another type")]

mod aggregate;
mod buckets;
mod derive;
mod message;
#[cfg(test)]
mod tests;

use bessemer_ottl::functions::{may, need};
use bessemer_ottl::{Call, Context, Function, Functions, Kind, Record, RunError, Value};
use bessemer_record::edit::{Field, field, fields, replace_fields};

use message::{AS_DOUBLE, AS_INT, GAUGE, IS_MONOTONIC, POINTS, SUM, TEMPORALITY, UNIT};

static FUNCTIONS: [Function; 3] = [
    Function::editor(
        "convert_gauge_to_sum",
        &[need("aggregation_temporality", Kind::Word), need("is_monotonic", Kind::Flag)],
        gauge_to_sum,
    )
    .checking(|literals| temporality(word(literals, 0)).map(drop))
    .only_in(&[Context::Metric]),
    Function::editor("convert_sum_to_gauge", &[], sum_to_gauge).only_in(&[Context::Metric]),
    Function::editor(
        "scale_metric",
        &[need("factor", Kind::FloatLike), may("unit", Kind::Text)],
        scale,
    )
    .only_in(&[Context::Metric]),
];

/// The language's own functions and those of the transform processor.
pub fn functions() -> Functions {
    let functions = Functions::standard().with(&FUNCTIONS);
    functions.with(&derive::FUNCTIONS).with(&aggregate::FUNCTIONS).with(&buckets::FUNCTIONS)
}

/// A literal text among the arguments.
fn word<'v>(literals: &[Option<&'v Value>], at: usize) -> &'v str {
    match literals.get(at) {
        Some(Some(Value::String(text))) => text,
        _ => "",
    }
}

/// The number of an aggregation temporality by its name.
fn temporality(name: &str) -> Result<u64, String> {
    match name {
        "delta" => Ok(1),
        "cumulative" => Ok(2),
        other => Err(format!("{other:?} is neither \"delta\" nor \"cumulative\"")),
    }
}

fn gauge_to_sum(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let temporality = temporality(call.text(0)).map_err(RunError::Invalid)?;
    let metric = record.message(Context::Metric);
    let Some(gauge) = field(metric, GAUGE).and_then(Field::bytes) else { return Ok(()) };
    let mut sum = Vec::with_capacity(gauge.len() + 4);
    let monotonic = Field::Varint(u64::from(call.bool_or(1, false)));
    let mut with_kind = Vec::with_capacity(gauge.len() + 4);
    replace_fields(gauge, TEMPORALITY, &[], &[Field::Varint(temporality)], &mut with_kind);
    replace_fields(&with_kind, IS_MONOTONIC, &[], &[monotonic], &mut sum);
    let mut changed = Vec::with_capacity(metric.len() + 8);
    replace_fields(metric, SUM, &[GAUGE], &[Field::Bytes(&sum)], &mut changed);
    record.replace(Context::Metric, changed);
    Ok(())
}

fn sum_to_gauge(_: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let metric = record.message(Context::Metric);
    let Some(sum) = field(metric, SUM).and_then(Field::bytes) else { return Ok(()) };
    let mut gauge = Vec::with_capacity(sum.len());
    let points: Vec<Field<'_>> =
        fields(sum).filter(|(number, _)| *number == POINTS).map(|(_, point)| point).collect();
    replace_fields(&[], POINTS, &[], &points, &mut gauge);
    let mut changed = Vec::with_capacity(metric.len());
    replace_fields(metric, GAUGE, &[SUM], &[Field::Bytes(&gauge)], &mut changed);
    record.replace(Context::Metric, changed);
    Ok(())
}

/// Gauges and sums only: the buckets of distributions have no factor.
fn scale(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let Value::Float(factor) = call.value(0) else {
        return Err(RunError::Invalid("the factor is no number".to_owned()));
    };
    let metric = record.message(Context::Metric);
    let kinds = [GAUGE, SUM];
    let found = kinds.iter().find_map(|kind| Some((*kind, field(metric, *kind)?.bytes()?)));
    let Some((kind, data)) = found else {
        return Err(RunError::Invalid("only gauges and sums can be scaled".to_owned()));
    };
    let points = fields(data).filter(|(number, _)| *number == POINTS);
    let scaled: Vec<Vec<u8>> =
        points.filter_map(|(_, point)| Some(scaled(point.bytes()?, *factor))).collect();
    let points: Vec<Field<'_>> = scaled.iter().map(|point| Field::Bytes(point)).collect();
    let mut data_after = Vec::with_capacity(data.len());
    replace_fields(data, POINTS, &[], &points, &mut data_after);
    let mut changed = Vec::with_capacity(metric.len());
    replace_fields(metric, kind, &[], &[Field::Bytes(&data_after)], &mut changed);
    if call.is_given(1) {
        let mut with_unit = Vec::with_capacity(changed.len());
        let unit = Field::Bytes(call.text(1).as_bytes());
        replace_fields(&changed, UNIT, &[], &[unit], &mut with_unit);
        changed = with_unit;
    }
    record.replace(Context::Metric, changed);
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "an integer stays one, as far as the factor lets it"
)]
fn scaled(point: &[u8], factor: f64) -> Vec<u8> {
    let mut out = Vec::with_capacity(point.len());
    match (field(point, AS_DOUBLE), field(point, AS_INT)) {
        (Some(Field::Fixed64(bits)), _) => {
            let value = f64::from_bits(bits) * factor;
            replace_fields(point, AS_DOUBLE, &[], &[Field::Fixed64(value.to_bits())], &mut out);
        }
        (_, Some(Field::Fixed64(bits))) => {
            let value = (bits.cast_signed() as f64 * factor) as i64;
            replace_fields(point, AS_INT, &[], &[Field::Fixed64(value.cast_unsigned())], &mut out);
        }
        _ => out.extend_from_slice(point),
    }
    out
}
