//! Points of a metric with the same attributes made one.
//!
//! Points are alike if their attributes and times are, and for histograms their buckets. The one
//! that stands for them is the first, from the earliest of their starts.

mod group;

use bessemer_ottl::functions::{may, need};
use bessemer_ottl::{Call, Context, Function, Kind, Record, RunError, Value};
use bessemer_record::edit::{Field, field, fields};

use super::message::{
    EXPONENTIAL, GAUGE, HISTOGRAM, SUM, attributes_of, data, points, put, with, with_data,
    with_points,
};
use super::word;
use group::{Aggregation, merged};

/// Fields of a `KeyValue`, and that of an `AnyValue` for text.
const KEY: u32 = 1;
const VALUE: u32 = 2;
const TEXT: u32 = 1;

pub(super) static FUNCTIONS: [Function; 2] = [
    Function::editor(
        "aggregate_on_attributes",
        &[need("aggregation_function", Kind::Word), may("attributes", Kind::Words)],
        on_attributes,
    )
    .checking(check)
    .only_in(&[Context::Metric]),
    Function::editor(
        "aggregate_on_attribute_value",
        &[
            need("aggregation_function", Kind::Word),
            need("attribute", Kind::Word),
            need("values", Kind::Words),
            need("new_value", Kind::Word),
        ],
        on_attribute_value,
    )
    .checking(check)
    .only_in(&[Context::Metric]),
];

fn check(literals: &[Option<&Value>]) -> Result<(), String> {
    Aggregation::from_name(word(literals, 0)).map(drop)
}

/// Keeps some attributes, or none, and aggregates.
fn on_attributes(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let kept: Vec<&str> = call.texts(1).collect();
    aggregate(call, record, |attribute| {
        let key = field(attribute, KEY).and_then(Field::bytes).unwrap_or_default();
        kept.iter().any(|kept| kept.as_bytes() == key).then(|| attribute.to_vec())
    })
}

/// Gives an attribute one value instead of some, and aggregates.
fn on_attribute_value(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    let values: Vec<&str> = call.texts(2).collect();
    aggregate(call, record, |attribute| {
        let text = |message, number| field(message, number).and_then(Field::bytes);
        let value = text(attribute, VALUE).and_then(|value| text(value, TEXT));
        let is_meant = text(attribute, KEY) == Some(call.text(1).as_bytes())
            && value.is_some_and(|value| values.iter().any(|one| one.as_bytes() == value));
        if !is_meant {
            return Some(attribute.to_vec());
        }
        let mut value = Vec::new();
        put(&mut value, TEXT, Field::Bytes(call.text(3).as_bytes()));
        Some(with(attribute, VALUE, &[Field::Bytes(&value)]))
    })
}

fn aggregate(
    call: &Call<'_>,
    record: &mut Record<'_>,
    attribute: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<(), RunError> {
    let aggregation = Aggregation::from_name(call.text(0)).map_err(RunError::Invalid)?;
    let metric = record.message(Context::Metric);
    let Some((kind, data)) = data(metric) else { return Ok(()) };
    let is_distribution = matches!(kind, HISTOGRAM | EXPONENTIAL);
    if !is_distribution && !matches!(kind, GAUGE | SUM) {
        return Err(RunError::Invalid("a summary cannot be aggregated".to_owned()));
    }
    if is_distribution && aggregation != Aggregation::Sum {
        return Err(RunError::Invalid("histograms can only be summed".to_owned()));
    }
    let points: Vec<Vec<u8>> =
        points(data).map(|point| with_attributes(point, kind, &attribute)).collect();
    let changed =
        with_data(metric, kind, kind, &with_points(data, &merged(kind, aggregation, points)));
    record.replace(Context::Metric, changed);
    Ok(())
}

fn with_attributes(
    point: &[u8],
    kind: u32,
    attribute: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Vec<u8> {
    let number = attributes_of(kind);
    let present = fields(point).filter(|(found, _)| *found == number);
    let after: Vec<Vec<u8>> = present.filter_map(|(_, field)| attribute(field.bytes()?)).collect();
    let after: Vec<Field<'_>> = after.iter().map(|attribute| Field::Bytes(attribute)).collect();
    with(point, number, &after)
}
