//! Data points as metric events: one for each number that a point holds, or, in the multiple-metric
//! format, one for all numbers of the same time and dimensions.

use std::collections::HashMap;
use std::ops::Range;

use bessemer_record::json::{write_text, write_unsigned};
use bessemer_record::value::Map;
use bessemer_record::view::{
    BucketsView, ExponentialHistogramPointView, HistogramPointView, MetricData, MetricView, Number,
    NumberPointView, SummaryPointView,
};

use super::events::{Envelope, put_text};
use crate::http::fields::Fields;
use crate::http::json::{write_general_double, write_number, write_plain_double};
use crate::http::pack::Packer;
use crate::http::plan::Plan;

/// Bytes of values that are put into one event.
const EVENT_VALUES_BYTES: usize = 64 << 10;

/// Where the events of a resource go, and room to make them.
pub(super) struct Points<'e> {
    pub(super) envelope: Envelope<'e>,
    pub(super) base: &'e Fields,
    pub(super) own: &'e mut Fields,
    pub(super) packer: &'e mut Packer,
    /// Set for the multiple-metric format.
    pub(super) groups: Option<&'e mut Groups>,
    pub(super) plan: &'e mut Plan,
    /// The next data point.
    pub(super) record: u32,
}

/// What the values of one point have in common.
#[derive(Clone, Copy)]
struct Series<'p> {
    name: &'p [u8],
    nanos: u64,
    /// Members of `own` that are its dimensions.
    dimensions: usize,
}

impl Points<'_> {
    pub(super) fn put(&mut self, metric: &MetricView<'_>) {
        let name = metric.name().as_bytes();
        match metric.data() {
            MetricData::Empty => {}
            MetricData::Gauge(gauge) => {
                gauge.points().iter().for_each(|point| self.number(name, "Gauge", &point));
            }
            MetricData::Sum(sum) => {
                sum.points().iter().for_each(|point| self.number(name, "Sum", &point));
            }
            MetricData::Histogram(histogram) => {
                histogram.points().iter().for_each(|point| self.histogram(name, &point));
            }
            MetricData::ExponentialHistogram(histogram) => {
                histogram.points().iter().for_each(|point| self.exponential(name, &point));
            }
            MetricData::Summary(summary) => {
                summary.points().iter().for_each(|point| self.summary(name, &point));
            }
        }
    }

    fn number(&mut self, name: &[u8], kind: &str, point: &NumberPointView<'_>) {
        let series = self.series(name, kind, point.time_unix_nano(), point.attributes());
        self.value(series, "", point.value());
        self.record += 1;
    }

    fn histogram(&mut self, name: &[u8], point: &HistogramPointView<'_>) {
        let nanos = point.time_unix_nano();
        let series = self.series(name, "Histogram", nanos, point.attributes());
        self.sum_and_count(series, point.sum(), point.count());
        let counts = point.bucket_counts().iter().count();
        let bounds = point.explicit_bounds();
        if counts > 0 && counts == bounds.iter().count() + 1 {
            let bounds = bounds.iter().chain([f64::INFINITY]);
            self.buckets(series, bounds.zip(point.bucket_counts()));
        }
        self.record += 1;
    }

    /// Its buckets become those of a histogram with bounds; empty ones are left out.
    fn exponential(&mut self, name: &[u8], point: &ExponentialHistogramPointView<'_>) {
        let nanos = point.time_unix_nano();
        let series = self.series(name, "ExponentialHistogram", nanos, point.attributes());
        self.sum_and_count(series, point.sum(), point.count());
        let scale = point.scale();
        let mut negative = filled(&point.negative());
        negative.reverse();
        let below = negative.into_iter().map(|(index, count)| (-bound(scale, index), count));
        let zero = [(point.zero_threshold(), point.zero_count())];
        let above = filled(&point.positive());
        let above = above.into_iter().map(|(index, count)| (bound(scale, index + 1), count));
        let finite = below.chain(zero.into_iter().filter(|(_, count)| *count > 0)).chain(above);
        self.buckets(series, finite.chain([(f64::INFINITY, 0)]));
        self.record += 1;
    }

    fn summary(&mut self, name: &[u8], point: &SummaryPointView<'_>) {
        let series = self.series(name, "Summary", point.time_unix_nano(), point.attributes());
        self.sum_and_count(series, Some(point.sum()), point.count());
        for value in point.quantiles() {
            self.dimension(series, "qt", value.quantile());
            let mut suffix = b"_".to_vec();
            write_plain_double(value.quantile(), &mut suffix);
            let suffix = String::from_utf8_lossy(&suffix);
            self.value(series, &suffix, Some(Number::Double(value.value())));
        }
        self.record += 1;
    }

    fn sum_and_count(&mut self, series: Series<'_>, sum: Option<f64>, count: u64) {
        if let Some(sum) = sum.filter(|sum| !sum.is_nan()) {
            self.value(series, "_sum", Some(Number::Double(sum)));
        }
        self.count(series, "_count", count);
    }

    fn buckets(&mut self, series: Series<'_>, buckets: impl Iterator<Item = (f64, u64)>) {
        let mut total: u64 = 0;
        for (bound, count) in buckets {
            total = total.saturating_add(count);
            self.dimension(series, "le", bound);
            self.count(series, "_bucket", total);
        }
    }

    /// Begins a point: its dimensions are the first members of `own`.
    fn series<'p>(
        &mut self,
        name: &'p [u8],
        kind: &str,
        nanos: u64,
        attributes: Map<'_>,
    ) -> Series<'p> {
        self.own.clear();
        for (name, value) in attributes {
            put_text(self.own, name, value);
        }
        self.own.put(b"metric_type", |out| write_text(kind.as_bytes(), out));
        Series { name, nanos, dimensions: self.own.len() }
    }

    /// Adds a dimension that holds for the next value only.
    fn dimension(&mut self, series: Series<'_>, name: &'static str, number: f64) {
        self.own.truncate(series.dimensions);
        self.own.put(name.as_bytes(), |out| write_quoted(number, out));
    }

    fn count(&mut self, series: Series<'_>, suffix: &str, count: u64) {
        self.event(series, suffix, Some(|out: &mut Vec<u8>| write_unsigned(count, out)));
    }

    fn value(&mut self, series: Series<'_>, suffix: &str, value: Option<Number>) {
        let write = value.map(|value| {
            move |out: &mut Vec<u8>| {
                if let Number::Double(number) = value
                    && !number.is_finite()
                {
                    return write_quoted(number, out);
                }
                write_number(value, out);
            }
        });
        self.event(series, suffix, write);
    }

    fn event(
        &mut self,
        series: Series<'_>,
        suffix: &str,
        write: Option<impl FnOnce(&mut Vec<u8>)>,
    ) {
        let records = self.record..self.record + 1;
        let name = [b"metric_name:", series.name, suffix.as_bytes()].concat();
        if let Some(groups) = self.groups.as_deref_mut() {
            let mut common = Vec::new();
            write_event(self.envelope, series.nanos, (self.base, self.own), &mut common);
            let mut value = Fields::default();
            if let Some(write) = write {
                value.put(&name, write);
            }
            groups.add(&common, &value, records);
        } else {
            if let Some(write) = write {
                self.own.put(&name, write);
            }
            let fields = (self.base, &*self.own);
            write_event(self.envelope, series.nanos, fields, self.packer.begin());
            self.plan.refuse_large(records.clone(), self.packer.end(records));
        }
        self.own.truncate(series.dimensions);
    }
}

fn write_quoted(number: f64, out: &mut Vec<u8>) {
    out.push(b'"');
    write_general_double(number, out);
    out.push(b'"');
}

fn write_event(
    envelope: Envelope<'_>,
    nanos: u64,
    (base, own): (&Fields, &Fields),
    out: &mut Vec<u8>,
) {
    let mut event = envelope.open(nanos, out);
    event.text("event", b"metric");
    own.write_over(base, event.key("fields"));
    event.close();
}

/// The upper bound of the bucket below this index.
fn bound(scale: i32, index: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an index has far fewer than 52 bits")]
    let index = index as f64;
    (index * (-f64::from(scale)).exp2()).exp2()
}

/// The buckets that hold something, by index.
fn filled(buckets: &BucketsView<'_>) -> Vec<(i64, u64)> {
    let indexes = i64::from(buckets.offset())..;
    indexes.zip(buckets.bucket_counts()).filter(|(_, count)| *count > 0).collect()
}

/// Events that wait for more values of the same time and dimensions.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_common: HashMap<Vec<u8>, usize>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    /// The event without values.
    common: Vec<u8>,
    values: Fields,
    bytes: usize,
    records: Vec<Range<u32>>,
}

impl Groups {
    fn add(&mut self, common: &[u8], value: &Fields, records: Range<u32>) {
        let at = self.by_common.get(common).copied();
        let group = at.and_then(|at| self.groups.get_mut(at));
        if let Some(group) = group.filter(|group| group.takes(value)) {
            return group.add(value, records);
        }
        self.by_common.insert(common.to_vec(), self.groups.len());
        let mut group =
            Group { common: common.to_vec(), values: Fields::default(), bytes: 0, records: vec![] };
        group.add(value, records);
        self.groups.push(group);
    }

    /// Packs all events.
    pub(super) fn pack(self, packer: &mut Packer, plan: &mut Plan) {
        for group in self.groups {
            group.write(packer.begin());
            let mut records = group.records.into_iter();
            let Some(first) = records.next() else { continue };
            match packer.end(first.clone()) {
                Ok(()) => records.for_each(|records| packer.join(records)),
                Err(error) => {
                    let reason = format!("the event has {error}");
                    [first].into_iter().chain(records).for_each(|records| {
                        plan.refuse(records, reason.clone());
                    });
                }
            }
        }
    }
}

impl Group {
    /// Whether there is room, and no value of this name yet.
    fn takes(&self, value: &Fields) -> bool {
        self.bytes < EVENT_VALUES_BYTES && !self.values.shares_name(value)
    }

    fn add(&mut self, value: &Fields, records: Range<u32>) {
        self.values.append(value);
        self.bytes += value.bytes();
        if self.records.last() != Some(&records) {
            self.records.push(records);
        }
    }

    /// Appends the values to the fields, which are the last member of the event.
    fn write(&self, out: &mut Vec<u8>) {
        let Some(open) = self.common.strip_suffix(b"}}") else { return };
        out.extend_from_slice(open);
        if !self.values.is_empty() {
            out.push(b',');
            self.values.write_members(out);
        }
        out.extend_from_slice(b"}}");
    }
}
