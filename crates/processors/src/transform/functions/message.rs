//! The messages of metrics: their fields, read in place and written anew.
//!
//! Field numbers are those of
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto>.

use bessemer_record::edit::{Field, field, fields, replace_fields};

/// Fields of a `Metric`.
pub(super) const NAME: u32 = 1;
pub(super) const DESCRIPTION: u32 = 2;
pub(super) const UNIT: u32 = 3;
pub(super) const GAUGE: u32 = 5;
pub(super) const SUM: u32 = 7;
pub(super) const HISTOGRAM: u32 = 9;
pub(super) const EXPONENTIAL: u32 = 10;
pub(super) const SUMMARY: u32 = 11;
const KINDS: [u32; 5] = [GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY];

/// Fields of the data of a metric.
pub(super) const POINTS: u32 = 1;
pub(super) const TEMPORALITY: u32 = 2;
pub(super) const IS_MONOTONIC: u32 = 3;

/// Fields of every point.
pub(super) const START: u32 = 2;
pub(super) const TIME: u32 = 3;
/// Fields of a `NumberDataPoint`.
pub(super) const AS_DOUBLE: u32 = 4;
pub(super) const AS_INT: u32 = 6;
/// Fields of a point of a histogram, an exponential histogram or a summary.
pub(super) const COUNT: u32 = 4;
pub(super) const TOTAL: u32 = 5;
/// Fields of a point of a histogram.
pub(super) const BUCKET_COUNTS: u32 = 6;
pub(super) const BOUNDS: u32 = 7;

/// The field of the points of a kind that holds their attributes.
pub(super) fn attributes_of(kind: u32) -> u32 {
    match kind {
        HISTOGRAM => 9,
        EXPONENTIAL => 1,
        _ => 7,
    }
}

/// The kind of a metric and its data.
pub(super) fn data(metric: &[u8]) -> Option<(u32, &[u8])> {
    let data = fields(metric).filter(|(number, _)| KINDS.contains(number));
    data.filter_map(|(number, data)| Some((number, data.bytes()?))).last()
}

/// The points in the data of a metric.
pub(super) fn points(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields(data).filter(|(number, _)| *number == POINTS).filter_map(|(_, point)| point.bytes())
}

/// Appends a field.
pub(super) fn put(out: &mut Vec<u8>, number: u32, field: Field<'_>) {
    replace_fields(&[], number, &[], &[field], out);
}

/// The message with another content for a field.
pub(super) fn with(message: &[u8], number: u32, contents: &[Field<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    replace_fields(message, number, &[], contents, &mut out);
    out
}

/// The metric with other data, perhaps of another kind.
pub(super) fn with_data(metric: &[u8], before: u32, after: u32, data: &[u8]) -> Vec<u8> {
    let others = if before == after { &[][..] } else { std::slice::from_ref(&before) };
    let mut out = Vec::with_capacity(metric.len() + data.len());
    replace_fields(metric, after, others, &[Field::Bytes(data)], &mut out);
    out
}

/// Data with other points.
pub(super) fn with_points(data: &[u8], points: &[Vec<u8>]) -> Vec<u8> {
    let points: Vec<Field<'_>> = points.iter().map(|point| Field::Bytes(point)).collect();
    with(data, POINTS, &points)
}

/// A number of eight bytes; none if it is not there.
pub(super) fn fixed(message: &[u8], number: u32) -> Option<u64> {
    match field(message, number)? {
        Field::Fixed64(bits) => Some(bits),
        Field::Varint(_) | Field::Fixed32(_) | Field::Bytes(_) => None,
    }
}

/// A floating point number; none if it is not there.
pub(super) fn double(message: &[u8], number: u32) -> Option<f64> {
    fixed(message, number).map(f64::from_bits)
}

/// A number of variable length; zero if it is not there.
pub(super) fn varint(message: &[u8], number: u32) -> u64 {
    match field(message, number) {
        Some(Field::Varint(value)) => value,
        _ => 0,
    }
}

/// A signed number of variable length, as `sint32` is written.
pub(super) fn zigzag(message: &[u8], number: u32) -> i64 {
    let value = varint(message, number);
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// A list of numbers of eight bytes, packed or not.
pub(super) fn fixed_list(message: &[u8], number: u32) -> Vec<u64> {
    let mut list = Vec::new();
    for (_, field) in fields(message).filter(|(found, _)| *found == number) {
        match field {
            Field::Fixed64(bits) => list.push(bits),
            Field::Bytes(packed) => {
                let (numbers, _) = packed.as_chunks::<8>();
                list.extend(numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)));
            }
            Field::Varint(_) | Field::Fixed32(_) => {}
        }
    }
    list
}

/// The message with another list of numbers of eight bytes.
pub(super) fn with_fixed_list(message: &[u8], number: u32, list: &[u64]) -> Vec<u8> {
    let packed: Vec<u8> = list.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let contents = [Field::Bytes(&packed)];
    with(message, number, if list.is_empty() { &[] } else { &contents })
}

/// A list of numbers of variable length, packed or not.
pub(super) fn varint_list(message: &[u8], number: u32) -> Vec<u64> {
    let mut list = Vec::new();
    for (_, field) in fields(message).filter(|(found, _)| *found == number) {
        match field {
            Field::Varint(value) => list.push(value),
            Field::Bytes(packed) => unpack(packed, &mut list),
            Field::Fixed32(_) | Field::Fixed64(_) => {}
        }
    }
    list
}

fn unpack(packed: &[u8], list: &mut Vec<u64>) {
    let (mut value, mut shift) = (0_u64, 0);
    for byte in packed {
        value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or_default();
        shift += 7;
        if byte & 0x80 == 0 {
            list.push(value);
            (value, shift) = (0, 0);
        }
    }
}

/// Numbers of variable length, packed.
pub(super) fn packed_varints(list: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(list.len());
    for number in list {
        let mut rest = *number;
        while rest >= 0x80 {
            out.push((rest & 0x7F) as u8 | 0x80);
            rest >>= 7;
        }
        out.push((rest & 0x7F) as u8);
    }
    out
}
