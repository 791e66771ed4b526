//! What was counted for one resource.

use std::collections::HashMap;

use bessemer_record::Value;
use bessemer_record::edit::{Field, field, fields};
use bessemer_record::value::{AnyValue, encode_any_value};

use super::Counted;

/// Fields of a `KeyValue`.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// The attributes of a `NumberDataPoint`.
pub(super) const POINT_ATTRIBUTES: u32 = 7;

/// Where the attributes of something counted are looked for: messages with the number of the field.
pub(super) struct Labels<'a>([(&'a [u8], u32); 3]);

impl<'a> Labels<'a> {
    pub(super) fn new(own: (&'a [u8], u32), [scope, resource]: [(&'a [u8], u32); 2]) -> Self {
        Self([own, scope, resource])
    }

    fn get(&self, key: &str) -> Option<AnyValue<'a>> {
        self.0.iter().find_map(|(message, number)| {
            let pairs = fields(message).filter(|(found, _)| found == number);
            let mut pairs = pairs.filter_map(|(_, pair)| pair.bytes());
            let is_it = |pair: &&[u8]| field(pair, KEY) == Some(Field::Bytes(key.as_bytes()));
            let value = field(pairs.find(is_it)?, VALUE).and_then(Field::bytes);
            Some(AnyValue::new(value.unwrap_or_default()))
        })
    }
}

/// Counts by the attributes of their data points.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The attributes as fields of the data point, in the order in which they were first seen.
    pub(super) points: Vec<(Vec<u8>, u64)>,
    known: HashMap<Vec<u8>, usize>,
}

/// Counts of metrics, and the times of all that was looked at.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) counts: Vec<Counts>,
    times: Option<(u64, u64)>,
    attributes: Vec<u8>,
}

impl Tally {
    pub(super) fn new(counted: &[Counted]) -> Self {
        let counts = counted.iter().map(|_| Counts::default()).collect();
        Self { counts, times: None, attributes: Vec::new() }
    }

    /// Looks at times of a message; those that are not set say nothing.
    pub(super) fn see(&mut self, message: &[u8], numbers: &[u32]) {
        for number in numbers {
            let Some(Field::Fixed64(time @ 1..)) = field(message, *number) else { continue };
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
    }

    /// When what was counted began and ended; now, if nothing said so.
    pub(super) fn times(&self, now: u64) -> (u64, u64) {
        self.times.unwrap_or((now, now))
    }

    /// Counts one more for a metric, unless it lacks an attribute.
    pub(super) fn count(
        &mut self,
        metric: usize,
        attributes: &[(String, Option<Value>)],
        labels: &Labels<'_>,
    ) {
        let Self { counts, attributes: encoded, .. } = self;
        encoded.clear();
        for (key, default) in attributes {
            let (mut value, mut pair) = (Vec::new(), Vec::new());
            match (labels.get(key), default) {
                (Some(found), _) => found.encode(&mut value),
                (None, Some(default)) => encode_any_value(default, &mut value),
                (None, None) => return,
            }
            Field::Bytes(key.as_bytes()).put(KEY, &mut pair);
            Field::Bytes(&value).put(VALUE, &mut pair);
            Field::Bytes(&pair).put(POINT_ATTRIBUTES, encoded);
        }
        let Some(Counts { points, known }) = counts.get_mut(metric) else { return };
        let place = known.get(encoded.as_slice()).copied().unwrap_or_else(|| {
            known.insert(encoded.clone(), points.len());
            points.push((encoded.clone(), 0));
            points.len() - 1
        });
        if let Some((_, count)) = points.get_mut(place) {
            *count += 1;
        }
    }
}
