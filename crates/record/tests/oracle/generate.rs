//! Arbitrary requests as prost objects, drawn from a string of bytes.
//!
//! Bytes shrink well and are what a fuzzer has, so the properties and the fuzz targets share this.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// Keys that the edits of the properties look for stand among them.
pub(crate) const KEYS: [&str; 6] = ["a", "b", "service.name", "", "k\u{e4}se", "\"\\\n\u{1F600}"];

/// Draws values from bytes; draws the simplest ones when they have run out.
pub(crate) struct Dice<'a> {
    bytes: &'a [u8],
    is_full: bool,
}

impl<'a> Dice<'a> {
    /// Draws whatever OTLP can hold.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, is_full: false }
    }

    /// Draws no default values, no empty lists, and of fractions only plain ones.
    pub(crate) fn full(bytes: &'a [u8]) -> Self {
        Self { bytes, is_full: true }
    }

    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        first
    }

    pub(crate) fn below(&mut self, end: u8) -> u8 {
        self.byte() % end
    }

    fn bits(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    pub(crate) fn u64(&mut self) -> u64 {
        let number = self.any_u64();
        // A number of 32 bits is the low half.
        if self.is_full && number as u32 == 0 { 1 } else { number }
    }

    fn any_u64(&mut self) -> u64 {
        match self.below(5) {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => u64::MAX,
            3 => 1_544_712_660_300_000_000,
            _ => self.bits(),
        }
    }

    pub(crate) fn i64(&mut self) -> i64 {
        self.u64() as i64
    }

    fn u32(&mut self) -> u32 {
        self.u64() as u32
    }

    fn i32(&mut self) -> i32 {
        self.u64() as i32
    }

    pub(crate) fn f64(&mut self) -> f64 {
        if self.is_full { 0.125 + f64::from(self.byte()) / 8.0 } else { self.any_f64() }
    }

    fn any_f64(&mut self) -> f64 {
        match self.below(9) {
            0 => 0.0,
            1 => -0.0,
            2 => f64::from(self.byte()) / 8.0,
            3 => f64::NAN,
            4 => f64::INFINITY,
            5 => f64::NEG_INFINITY,
            6 => f64::MIN_POSITIVE / 4.0,
            7 => f64::MAX,
            // JSON has one NaN only.
            _ => Some(f64::from_bits(self.bits())).filter(|n| !n.is_nan()).unwrap_or(1e21),
        }
    }

    pub(crate) fn text(&mut self) -> String {
        const CHARACTERS: [char; 16] = [
            'a',
            'Z',
            '0',
            ' ',
            '"',
            '\\',
            '/',
            '\n',
            '\t',
            '\u{0}',
            '\u{1f}',
            '\u{7f}',
            '\u{e9}',
            '\u{2028}',
            '\u{1F600}',
            '\u{10FFFF}',
        ];
        let len = match self.below(8) {
            7 => 100 + self.below(60),
            short => self.at_least_one(short),
        };
        (0..len).map(|_| CHARACTERS[usize::from(self.below(16))]).collect()
    }

    pub(crate) fn key(&mut self) -> String {
        let index = usize::from(self.below(6));
        KEYS[if self.is_full { index % 3 } else { index }].to_owned()
    }

    fn at_least_one(&self, len: u8) -> u8 {
        if self.is_full { len.max(1) } else { len }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = self.below(9);
        (0..self.at_least_one(len)).map(|_| self.byte()).collect()
    }

    fn id(&mut self, len: usize) -> Vec<u8> {
        match self.below(4) {
            0 if !self.is_full => Vec::new(),
            1 => self.bytes(),
            _ => (0..len).map(|_| self.byte()).collect(),
        }
    }

    fn list<T>(&mut self, end: u8, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let len = self.below(end);
        (0..self.at_least_one(len)).map(|_| one(self)).collect()
    }

    fn option<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.is_full || self.below(4) > 0).then(|| one(self))
    }

    pub(crate) fn value(&mut self, depth: u8) -> AnyValue {
        use any_value::Value;
        let value = match self.below(if depth < 4 { 10 } else { 7 }) {
            0 if !self.is_full => None,
            1 => Some(Value::BoolValue(self.below(2) > 0)),
            2 => Some(Value::IntValue(self.i64())),
            3 => Some(Value::DoubleValue(self.f64())),
            4 => Some(Value::BytesValue(self.bytes())),
            7 => Some(Value::ArrayValue(ArrayValue {
                values: self.list(4, |dice| dice.value(depth + 1)),
            })),
            8 => Some(Value::KvlistValue(KeyValueList {
                values: self.list(4, |dice| dice.attribute(depth + 1)),
            })),
            _ => Some(Value::StringValue(self.text())),
        };
        AnyValue { value }
    }

    fn attribute(&mut self, depth: u8) -> KeyValue {
        KeyValue {
            key: self.key(),
            value: self.option(|dice| dice.value(depth)),
            ..KeyValue::default()
        }
    }

    pub(crate) fn attributes(&mut self) -> Vec<KeyValue> {
        self.list(6, |dice| dice.attribute(0))
    }

    pub(crate) fn resource(&mut self) -> Resource {
        Resource {
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            entity_refs: self.list(2, |dice| EntityRef {
                schema_url: dice.text(),
                r#type: dice.text(),
                id_keys: dice.list(3, Self::text),
                description_keys: dice.list(3, Self::text),
            }),
        }
    }

    pub(crate) fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
        }
    }

    pub(crate) fn log_record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.u64(),
            observed_time_unix_nano: self.u64(),
            severity_number: self.i32(),
            severity_text: self.text(),
            body: self.option(|dice| dice.value(0)),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            flags: self.u32(),
            trace_id: self.id(16),
            span_id: self.id(8),
            event_name: self.text(),
        }
    }

    pub(crate) fn span(&mut self) -> Span {
        Span {
            trace_id: self.id(16),
            span_id: self.id(8),
            trace_state: self.text(),
            parent_span_id: self.id(8),
            flags: self.u32(),
            name: self.text(),
            kind: self.i32(),
            start_time_unix_nano: self.u64(),
            end_time_unix_nano: self.u64(),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            events: self.list(3, |dice| Event {
                time_unix_nano: dice.u64(),
                name: dice.text(),
                attributes: dice.attributes(),
                dropped_attributes_count: dice.u32(),
            }),
            dropped_events_count: self.u32(),
            links: self.list(3, |dice| Link {
                trace_id: dice.id(16),
                span_id: dice.id(8),
                trace_state: dice.text(),
                attributes: dice.attributes(),
                dropped_attributes_count: dice.u32(),
                flags: dice.u32(),
            }),
            dropped_links_count: self.u32(),
            status: self.option(|dice| Status { message: dice.text(), code: dice.i32() }),
        }
    }

    pub(crate) fn metric(&mut self) -> Metric {
        use metric::Data;
        let data = match self.below(6) {
            0 if !self.is_full => None,
            1 => Some(Data::Gauge(Gauge { data_points: self.list(4, Self::number_point) })),
            2 => Some(Data::Sum(Sum {
                data_points: self.list(4, Self::number_point),
                aggregation_temporality: self.i32(),
                is_monotonic: self.is_full || self.below(2) > 0,
            })),
            3 => Some(Data::Histogram(Histogram {
                data_points: self.list(4, Self::histogram_point),
                aggregation_temporality: self.i32(),
            })),
            4 => Some(Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.list(4, Self::exponential_point),
                aggregation_temporality: self.i32(),
            })),
            _ => Some(Data::Summary(Summary { data_points: self.list(4, Self::summary_point) })),
        };
        Metric {
            name: self.text(),
            description: self.text(),
            unit: self.text(),
            metadata: self.attributes(),
            data,
        }
    }

    fn number_point(&mut self) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            exemplars: self.list(3, Self::exemplar),
            flags: self.u32(),
            value: self.option(|dice| match dice.below(2) {
                0 => number_data_point::Value::AsInt(dice.i64()),
                _ => number_data_point::Value::AsDouble(dice.f64()),
            }),
        }
    }

    fn histogram_point(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.option(Self::f64),
            bucket_counts: self.list(4, Self::u64),
            explicit_bounds: self.list(4, Self::f64),
            exemplars: self.list(3, Self::exemplar),
            flags: self.u32(),
            min: self.option(Self::f64),
            max: self.option(Self::f64),
        }
    }

    fn exponential_point(&mut self) -> ExponentialHistogramDataPoint {
        let buckets = |dice: &mut Self| Buckets {
            offset: dice.i32(),
            bucket_counts: dice.list(4, Self::u64),
        };
        ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.option(Self::f64),
            scale: self.i32(),
            zero_count: self.u64(),
            positive: self.option(buckets),
            negative: self.option(buckets),
            flags: self.u32(),
            exemplars: self.list(3, Self::exemplar),
            min: self.option(Self::f64),
            max: self.option(Self::f64),
            zero_threshold: self.f64(),
        }
    }

    fn summary_point(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.f64(),
            quantile_values: self
                .list(4, |dice| ValueAtQuantile { quantile: dice.f64(), value: dice.f64() }),
            flags: self.u32(),
        }
    }

    fn exemplar(&mut self) -> Exemplar {
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.u64(),
            span_id: self.id(8),
            trace_id: self.id(16),
            value: self.option(|dice| match dice.below(2) {
                0 => exemplar::Value::AsInt(dice.i64()),
                _ => exemplar::Value::AsDouble(dice.f64()),
            }),
        }
    }

    pub(crate) fn logs(&mut self) -> ExportLogsServiceRequest {
        let resource_logs = self.list(4, |dice| ResourceLogs {
            resource: dice.option(Self::resource),
            scope_logs: dice.list(4, |dice| ScopeLogs {
                scope: dice.option(Self::scope),
                log_records: dice.list(4, Self::log_record),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        ExportLogsServiceRequest { resource_logs }
    }

    pub(crate) fn traces(&mut self) -> ExportTraceServiceRequest {
        let resource_spans = self.list(4, |dice| ResourceSpans {
            resource: dice.option(Self::resource),
            scope_spans: dice.list(4, |dice| ScopeSpans {
                scope: dice.option(Self::scope),
                spans: dice.list(4, Self::span),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        ExportTraceServiceRequest { resource_spans }
    }

    pub(crate) fn metrics(&mut self) -> ExportMetricsServiceRequest {
        let resource_metrics = self.list(4, |dice| ResourceMetrics {
            resource: dice.option(Self::resource),
            scope_metrics: dice.list(4, |dice| ScopeMetrics {
                scope: dice.option(Self::scope),
                metrics: dice.list(4, Self::metric),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        ExportMetricsServiceRequest { resource_metrics }
    }
}
