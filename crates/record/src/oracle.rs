//! Random batches as `prost` sees them, and the same bytes in disguise: what tests compare with.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "random numbers may lose bits"
)]

mod model;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

use crate::Signal;
use crate::schema::{self, Message};
use crate::wire::{
    FIXED32, FIXED64, GROUP_END, GROUP_START, LEN, Reader, VARINT, WireValue, put_len_delimited,
    put_tag, put_varint,
};

pub(crate) use model::{Model, Record};

/// A generator of random numbers with a state that a test can name.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 8
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn integer(&mut self) -> u64 {
        self.next().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.below(64)
    }

    fn double(&mut self) -> f64 {
        self.integer() as f64 / 7.0
    }

    fn text(&mut self) -> String {
        const PARTS: [&str; 8] = ["", "a", "ok ", "Stra\u{DF}e", "\u{1F525}", "ERROR", "k8s.", "_"];
        let parts = if self.one_in(9) { self.below(90) } else { self.below(5) };
        (0..parts).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = [0, 8, 16, 3, 200][self.below(5)];
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn many<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (!self.one_in(4)).then(|| make(self))
    }
}

/// A random request of a signal, in the encoding of `prost`.
pub(crate) fn request(signal: Signal, random: &mut Random) -> Vec<u8> {
    match signal {
        Signal::Logs => logs(random).encode_to_vec(),
        Signal::Metrics => metrics(random).encode_to_vec(),
        Signal::Traces => traces(random).encode_to_vec(),
    }
}

/// Whether `prost` decodes the request.
pub(crate) fn decodes(signal: Signal, bytes: &[u8]) -> bool {
    match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(bytes).is_ok(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(bytes).is_ok(),
        Signal::Traces => ExportTraceServiceRequest::decode(bytes).is_ok(),
    }
}

/// What `prost` makes of the request, in its encoding again.
pub(crate) fn canonical(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(bytes).unwrap().encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(bytes).unwrap().encode_to_vec(),
        Signal::Traces => ExportTraceServiceRequest::decode(bytes).unwrap().encode_to_vec(),
    }
}

pub(crate) fn logs(random: &mut Random) -> ExportLogsServiceRequest {
    let resource_logs = random.many(3, |random| ResourceLogs {
        resource: random.maybe(resource),
        scope_logs: random.many(3, |random| ScopeLogs {
            scope: random.maybe(scope),
            log_records: random.many(6, log_record),
            schema_url: random.text(),
        }),
        schema_url: random.text(),
    });
    ExportLogsServiceRequest { resource_logs }
}

pub(crate) fn log_record(random: &mut Random) -> LogRecord {
    LogRecord {
        time_unix_nano: random.integer(),
        observed_time_unix_nano: random.integer(),
        severity_number: if random.one_in(9) { -1 } else { random.below(25) as i32 },
        severity_text: random.text(),
        body: random.maybe(value),
        attributes: attributes(random),
        dropped_attributes_count: random.below(300) as u32,
        flags: random.integer() as u32,
        trace_id: random.bytes(),
        span_id: random.bytes(),
        event_name: random.text(),
    }
}

pub(crate) fn traces(random: &mut Random) -> ExportTraceServiceRequest {
    let resource_spans = random.many(3, |random| ResourceSpans {
        resource: random.maybe(resource),
        scope_spans: random.many(3, |random| ScopeSpans {
            scope: random.maybe(scope),
            spans: random.many(5, span),
            schema_url: random.text(),
        }),
        schema_url: random.text(),
    });
    ExportTraceServiceRequest { resource_spans }
}

fn span(random: &mut Random) -> Span {
    Span {
        trace_id: random.bytes(),
        span_id: random.bytes(),
        trace_state: random.text(),
        parent_span_id: random.bytes(),
        flags: random.integer() as u32,
        name: random.text(),
        kind: random.below(6) as i32,
        start_time_unix_nano: random.integer(),
        end_time_unix_nano: random.integer(),
        attributes: attributes(random),
        dropped_attributes_count: random.below(200) as u32,
        events: random.many(2, |random| Event {
            time_unix_nano: random.integer(),
            name: random.text(),
            attributes: attributes(random),
            dropped_attributes_count: random.below(200) as u32,
        }),
        dropped_events_count: random.below(200) as u32,
        links: random.many(2, |random| Link {
            trace_id: random.bytes(),
            span_id: random.bytes(),
            trace_state: random.text(),
            attributes: attributes(random),
            dropped_attributes_count: random.below(200) as u32,
            flags: random.integer() as u32,
        }),
        dropped_links_count: random.below(200) as u32,
        status: random
            .maybe(|random| Status { message: random.text(), code: random.below(3) as i32 }),
    }
}

pub(crate) fn metrics(random: &mut Random) -> ExportMetricsServiceRequest {
    let resource_metrics = random.many(2, |random| ResourceMetrics {
        resource: random.maybe(resource),
        scope_metrics: random.many(2, |random| ScopeMetrics {
            scope: random.maybe(scope),
            metrics: random.many(5, metric),
            schema_url: random.text(),
        }),
        schema_url: random.text(),
    });
    ExportMetricsServiceRequest { resource_metrics }
}

fn metric(random: &mut Random) -> Metric {
    let aggregation_temporality = random.below(3) as i32;
    let data = match random.below(5) {
        0 => Data::Gauge(Gauge { data_points: random.many(4, number_point) }),
        1 => Data::Sum(Sum {
            data_points: random.many(4, number_point),
            aggregation_temporality,
            is_monotonic: random.one_in(2),
        }),
        2 => Data::Histogram(Histogram {
            data_points: random.many(3, histogram_point),
            aggregation_temporality,
        }),
        3 => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: random.many(3, exponential_point),
            aggregation_temporality,
        }),
        _ => Data::Summary(Summary { data_points: random.many(3, summary_point) }),
    };
    Metric {
        name: random.text(),
        description: random.text(),
        unit: random.text(),
        metadata: attributes(random),
        data: random.maybe(|_| data),
    }
}

fn number_point(random: &mut Random) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(random),
        start_time_unix_nano: random.integer(),
        time_unix_nano: random.integer(),
        exemplars: random.many(2, exemplar),
        flags: random.below(2) as u32,
        value: random.maybe(|random| match random.below(2) {
            0 => number_data_point::Value::AsDouble(random.double()),
            _ => number_data_point::Value::AsInt(random.integer().cast_signed()),
        }),
    }
}

fn histogram_point(random: &mut Random) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(random),
        start_time_unix_nano: random.integer(),
        time_unix_nano: random.integer(),
        count: random.integer(),
        sum: random.maybe(Random::double),
        bucket_counts: random.many(5, Random::integer),
        explicit_bounds: random.many(4, Random::double),
        exemplars: random.many(2, exemplar),
        flags: random.below(2) as u32,
        min: random.maybe(Random::double),
        max: random.maybe(Random::double),
    }
}

fn exponential_point(random: &mut Random) -> ExponentialHistogramDataPoint {
    let buckets = |random: &mut Random| Buckets {
        offset: random.integer() as i32,
        bucket_counts: random.many(6, Random::integer),
    };
    ExponentialHistogramDataPoint {
        attributes: attributes(random),
        start_time_unix_nano: random.integer(),
        time_unix_nano: random.integer(),
        count: random.integer(),
        sum: random.maybe(Random::double),
        scale: random.integer() as i32,
        zero_count: random.integer(),
        positive: random.maybe(buckets),
        negative: random.maybe(buckets),
        flags: random.below(2) as u32,
        exemplars: random.many(2, exemplar),
        min: random.maybe(Random::double),
        max: random.maybe(Random::double),
        zero_threshold: random.double(),
    }
}

fn summary_point(random: &mut Random) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: attributes(random),
        start_time_unix_nano: random.integer(),
        time_unix_nano: random.integer(),
        count: random.integer(),
        sum: random.double(),
        quantile_values: random.many(3, |random| ValueAtQuantile {
            quantile: random.double(),
            value: random.double(),
        }),
        flags: random.below(2) as u32,
    }
}

fn exemplar(random: &mut Random) -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(random),
        time_unix_nano: random.integer(),
        span_id: random.bytes(),
        trace_id: random.bytes(),
        value: random.maybe(|random| match random.below(2) {
            0 => exemplar::Value::AsDouble(random.double()),
            _ => exemplar::Value::AsInt(random.integer().cast_signed()),
        }),
    }
}

fn resource(random: &mut Random) -> Resource {
    Resource {
        attributes: attributes(random),
        dropped_attributes_count: random.below(200) as u32,
        entity_refs: random.many(2, |random| EntityRef {
            schema_url: random.text(),
            r#type: random.text(),
            id_keys: random.many(2, Random::text),
            description_keys: random.many(2, Random::text),
        }),
    }
}

fn scope(random: &mut Random) -> InstrumentationScope {
    InstrumentationScope {
        name: random.text(),
        version: random.text(),
        attributes: attributes(random),
        dropped_attributes_count: random.below(200) as u32,
    }
}

/// Up to six attributes with different keys.
fn attributes(random: &mut Random) -> Vec<KeyValue> {
    const KEYS: [&str; 8] = [
        "service.name",
        "level",
        "",
        "k\u{FC}rzel",
        "class",
        "http.response.status_code",
        "a",
        "b",
    ];
    let first = random.below(KEYS.len());
    (0..random.below(7))
        .map(|index| KeyValue {
            key: KEYS[(first + index) % KEYS.len()].into(),
            value: random.maybe(value),
            key_strindex: 0,
        })
        .collect()
}

fn value(random: &mut Random) -> AnyValue {
    value_at(random, 0)
}

fn value_at(random: &mut Random, depth: usize) -> AnyValue {
    let kind = match random.below(if depth < 3 { 14 } else { 11 }) {
        0 => return AnyValue { value: None },
        1 => Kind::BoolValue(random.one_in(2)),
        2..=4 => Kind::IntValue(random.integer().cast_signed()),
        5 => Kind::DoubleValue(random.double()),
        6 => Kind::BytesValue(random.bytes()),
        11 => Kind::ArrayValue(ArrayValue {
            values: random.many(3, |random| value_at(random, depth + 1)),
        }),
        12 => Kind::KvlistValue(KeyValueList {
            values: random.many(3, |random| KeyValue {
                key: random.text(),
                value: random.maybe(|random| value_at(random, depth + 1)),
                key_strindex: 0,
            }),
        }),
        _ => Kind::StringValue(random.text()),
    };
    AnyValue { value: Some(kind) }
}

/// The same request in an encoding that no usual client writes: numbers with more bytes than they
/// need, unknown fields and groups in between, packed numbers unpacked.
pub(crate) fn disguised(signal: Signal, request: &[u8], random: &mut Random) -> Vec<u8> {
    disguised_message(schema::request(signal), request, random)
}

fn disguised_message(message: &'static Message, bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in Reader::new(bytes) {
        if random.one_in(12) {
            put_unknown(&mut out, random);
        }
        let field = message.field(number).unwrap();
        match value {
            WireValue::Bytes(content) => put_disguised(&mut out, field, content, random),
            WireValue::Varint(varint) => {
                put_long_tag(&mut out, number, VARINT, random);
                put_long(&mut out, varint, random);
            }
            WireValue::Fixed64(bits) => {
                put_long_tag(&mut out, number, FIXED64, random);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            WireValue::Fixed32(bits) => {
                put_long_tag(&mut out, number, FIXED32, random);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            WireValue::Group(_) => unreachable!("prost writes no groups"),
        }
    }
    if random.one_in(20) {
        put_unknown(&mut out, random);
    }
    out
}

fn put_disguised(out: &mut Vec<u8>, field: &schema::Field, content: &[u8], random: &mut Random) {
    let unpacked = random.one_in(2);
    if unpacked && matches!(field.kind, schema::Kind::Fixed64s) {
        for number in content.chunks(8) {
            put_long_tag(out, field.number, FIXED64, random);
            out.extend_from_slice(number);
        }
    } else if unpacked && matches!(field.kind, schema::Kind::Varints) {
        let mut rest = content;
        while let Some((number, len)) = crate::wire::read_varint(rest) {
            put_long_tag(out, field.number, VARINT, random);
            put_long(out, number, random);
            rest = &rest[len..];
        }
    } else {
        let content = field
            .kind
            .message()
            .map_or_else(|| content.to_vec(), |inner| disguised_message(inner, content, random));
        put_long_tag(out, field.number, LEN, random);
        put_long(out, content.len() as u64, random);
        out.extend_from_slice(&content);
    }
}

fn put_long_tag(out: &mut Vec<u8>, number: u32, wire_type: u8, random: &mut Random) {
    put_long(out, u64::from(number) << 3 | u64::from(wire_type), random);
}

fn put_long(out: &mut Vec<u8>, value: u64, random: &mut Random) {
    put_varint(out, value);
    if random.one_in(8) && value < 1 << 20 {
        for _ in 0..=random.below(3) {
            *out.last_mut().unwrap() |= 0x80;
            out.push(0);
        }
    }
}

fn put_unknown(out: &mut Vec<u8>, random: &mut Random) {
    let number = [19, 100, 5_000, 536_870_911][random.below(4)];
    match random.below(5) {
        0 => {
            put_tag(out, number, VARINT);
            put_varint(out, random.integer());
        }
        1 => {
            put_tag(out, number, FIXED64);
            out.extend_from_slice(&random.integer().to_le_bytes());
        }
        2 => {
            put_tag(out, number, FIXED32);
            out.extend_from_slice(&[0xFF; 4]);
        }
        3 => put_len_delimited(out, number, &random.bytes()),
        _ => {
            put_tag(out, number, GROUP_START);
            put_unknown(out, random);
            put_tag(out, 1, GROUP_START);
            put_tag(out, 1, GROUP_END);
            put_tag(out, number, GROUP_END);
        }
    }
}
