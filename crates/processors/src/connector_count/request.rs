//! Counts as an OTLP export request.
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto>

use bessemer_record::edit::Field;

use super::Counted;
use super::tally::Tally;

/// The name of the scope that the metrics are in.
const SCOPE: &[u8] = b"otelcol.connector.count";
/// `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: Field<'_> = Field::Varint(1);
/// A sum of counts never goes down.
const MONOTONIC: Field<'_> = Field::Varint(1);

/// Appends the metrics of a resource, unless nothing was counted.
pub(super) fn resource(
    resource: &[u8],
    tallies: [(&[Counted], &Tally); 2],
    now: u64,
    out: &mut Vec<u8>,
) {
    let mut metrics = Vec::new();
    for (counted, tally) in tallies {
        let times = tally.times(now);
        for (metric, counts) in counted.iter().zip(&tally.counts) {
            if !counts.points.is_empty() {
                let message = sum(metric, &counts.points, times);
                Field::Bytes(&message).put(2, &mut metrics);
            }
        }
    }
    if metrics.is_empty() {
        return;
    }
    let (mut name, mut scope, mut group) = (Vec::new(), Vec::new(), Vec::new());
    Field::Bytes(SCOPE).put(1, &mut name);
    Field::Bytes(&name).put(1, &mut scope);
    scope.extend_from_slice(&metrics);
    Field::Bytes(resource).put(1, &mut group);
    Field::Bytes(&scope).put(2, &mut group);
    Field::Bytes(&group).put(1, out);
}

fn sum(metric: &Counted, points: &[(Vec<u8>, u64)], (first, last): (u64, u64)) -> Vec<u8> {
    let mut sum = Vec::new();
    for (attributes, count) in points {
        let mut point = Vec::with_capacity(attributes.len() + 27);
        Field::Fixed64(first).put(2, &mut point);
        Field::Fixed64(last).put(3, &mut point);
        Field::Fixed64(*count).put(6, &mut point);
        point.extend_from_slice(attributes);
        Field::Bytes(&point).put(1, &mut sum);
    }
    DELTA.put(2, &mut sum);
    MONOTONIC.put(3, &mut sum);
    let mut out = Vec::new();
    Field::Bytes(metric.name.as_bytes()).put(1, &mut out);
    if !metric.description.is_empty() {
        Field::Bytes(metric.description.as_bytes()).put(2, &mut out);
    }
    Field::Bytes(&sum).put(7, &mut out);
    out
}
