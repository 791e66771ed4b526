//! Attributes in messages: found, left out, appended.

use std::ops::Range;

use crate::check::{key_and_value, key_bit, key_of, point_attributes};
use crate::tail::Tail;
use crate::wire::{Reader, WireValue, put_len_delimited};

/// The `AnyValue` message of the attribute with this key, attributes being fields of this number.
pub(super) fn attribute<'a>(message: &'a [u8], number: u32, key: &[u8]) -> Option<&'a [u8]> {
    Reader::new(message).find_map(|(field, pair)| {
        let (name, value) =
            if field == number { key_and_value(pair.bytes()?) } else { return None };
        (name == key).then_some(value)
    })
}

/// The `AnyValue` message of an attribute of a metric's first data point.
pub(super) fn point_attribute<'a>(metric: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (number, data) = Reader::new(metric)
        .find_map(|(number, data)| Some((point_attributes(number)?, data.bytes()?)))?;
    let (_, point) = Reader::new(data).find(|(number, _)| *number == 1)?;
    attribute(point.bytes()?, number, key)
}

/// Whether a message has an attribute that the tail has, too.
pub(super) fn has_key_of(message: &[u8], number: u32, tail: &Tail) -> bool {
    Reader::new(message).any(|(field, pair)| field == number && is_of(pair, tail))
}

/// Writes a message without the attributes that the tail has, too.
pub(super) fn without(message: &[u8], number: u32, tail: &Tail, out: &mut Vec<u8>) {
    let mut reader = Reader::new(message);
    let mut start = 0;
    while let Some((field, pair)) = reader.next() {
        let end = reader.offset();
        if field != number || !is_of(pair, tail) {
            out.extend_from_slice(message.get(start..end).unwrap_or_default());
        }
        start = end;
    }
}

/// Writes a metric with the tail on each of its data points.
pub(super) fn tail_points(metric: &[u8], tail: &Tail, out: &mut Vec<u8>) {
    rewrite_points(metric, out, |number, point, data| {
        let mut tailed = Vec::with_capacity(point.len() + 64);
        without(point, number, tail, &mut tailed);
        tailed.extend_from_slice(&tail.fields(number));
        put_len_delimited(data, 1, &tailed);
    });
}

/// Writes a metric with only those data points whose number, from 0, is in the range.
pub(super) fn keep_points(metric: &[u8], range: &Range<u32>, out: &mut Vec<u8>) {
    let mut index = 0;
    rewrite_points(metric, out, |_, point, data| {
        if range.contains(&index) {
            put_len_delimited(data, 1, point);
        }
        index += 1;
    });
}

/// The bytes of a metric without its data points, and the bytes of each data point.
pub(super) fn point_sizes(metric: &[u8]) -> (usize, Vec<usize>) {
    let mut sizes = Vec::new();
    for (number, data) in Reader::new(metric) {
        let (Some(_), Some(data)) = (point_attributes(number), data.bytes()) else { continue };
        let mut reader = Reader::new(data);
        let mut start = 0;
        while let Some((field, _)) = reader.next() {
            if field == 1 {
                sizes.push(reader.offset() - start);
            }
            start = reader.offset();
        }
    }
    (metric.len() - sizes.iter().sum::<usize>(), sizes)
}

/// Writes a metric, leaving each data point to `write`.
fn rewrite_points(
    metric: &[u8],
    out: &mut Vec<u8>,
    mut write: impl FnMut(u32, &[u8], &mut Vec<u8>),
) {
    let mut metric_reader = Reader::new(metric);
    let mut start = 0;
    while let Some((number, value)) = metric_reader.next() {
        let end = metric_reader.offset();
        if let (Some(attributes), Some(data)) = (point_attributes(number), value.bytes()) {
            let mut rewritten = Vec::with_capacity(data.len());
            let mut reader = Reader::new(data);
            let mut position = 0;
            while let Some(field) = reader.next() {
                if let (1, WireValue::Bytes(point)) = field {
                    write(attributes, point, &mut rewritten);
                } else {
                    let field = data.get(position..reader.offset()).unwrap_or_default();
                    rewritten.extend_from_slice(field);
                }
                position = reader.offset();
            }
            put_len_delimited(out, number, &rewritten);
        } else {
            out.extend_from_slice(metric.get(start..end).unwrap_or_default());
        }
        start = end;
    }
}

fn is_of(pair: WireValue<'_>, tail: &Tail) -> bool {
    let key = pair.bytes().map(key_of).unwrap_or_default();
    tail.keys & key_bit(key) != 0 && tail.contains(key)
}
