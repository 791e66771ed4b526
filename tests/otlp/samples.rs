//! Export requests: small ones whose text a test chooses, and ones in which every field is set.

use bessemer_record::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
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
use prost::Message;

pub const TIME: u64 = 1_763_700_000_123_456_789;
pub const TRACE: [u8; 16] = [
    0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89,
];
pub const SPAN: [u8; 8] = [0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10];
const PARENT: [u8; 8] = [0x0f, 0xed, 0xcb, 0xa9, 0x87, 0x65, 0x43, 0x21];

pub fn value(value: any_value::Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub fn text(text: impl Into<String>) -> AnyValue {
    value(any_value::Value::StringValue(text.into()))
}

pub fn attribute(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

/// A log record with this body.
pub fn record(body: impl Into<String>) -> LogRecord {
    LogRecord {
        time_unix_nano: TIME,
        severity_number: 9,
        body: Some(text(body)),
        ..LogRecord::default()
    }
}

/// One resource and one scope around records.
pub fn logs_of(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope = ScopeLogs { log_records, ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }
}

/// A request with one log record for each body.
pub fn logs<T: Into<String>>(bodies: impl IntoIterator<Item = T>) -> Vec<u8> {
    logs_of(bodies.into_iter().map(record).collect()).encode_to_vec()
}

/// The bodies of all log records, in their order.
pub fn bodies(request: &ExportLogsServiceRequest) -> Vec<String> {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    let records = scopes.flat_map(|scope| &scope.log_records);
    let bodies =
        records.map(|record| match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(any_value::Value::StringValue(text)) => text.clone(),
            other => panic!("no text: {other:?}"),
        });
    bodies.collect()
}

/// The smallest request of a signal that holds a record.
pub fn smallest(signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Logs => logs(["smallest"]),
        Signal::Metrics => metrics_of(vec![Metric {
            name: "smallest".to_owned(),
            data: Some(metric::Data::Gauge(Gauge { data_points: vec![point()] })),
            ..Metric::default()
        }])
        .encode_to_vec(),
        Signal::Traces => traces_of(vec![Span {
            trace_id: TRACE.to_vec(),
            span_id: SPAN.to_vec(),
            name: "smallest".to_owned(),
            ..Span::default()
        }])
        .encode_to_vec(),
    }
}

/// A request of a signal in which every field of OTLP is set.
pub fn full(signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Logs => full_logs().encode_to_vec(),
        Signal::Metrics => full_metrics().encode_to_vec(),
        Signal::Traces => full_traces().encode_to_vec(),
    }
}

pub fn resource() -> Resource {
    Resource {
        attributes: vec![attribute("service.name", text("forge"))],
        dropped_attributes_count: 1,
        ..Resource::default()
    }
}

pub fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "forge.scope".to_owned(),
        version: "2.1.0".to_owned(),
        attributes: vec![attribute("scope.attribute", text("of the scope"))],
        dropped_attributes_count: 2,
    }
}

/// One attribute for each kind of value.
pub fn attributes() -> Vec<KeyValue> {
    use any_value::Value::{
        ArrayValue as Array, BoolValue, BytesValue, DoubleValue, IntValue, KvlistValue,
    };
    let list = ArrayValue { values: vec![text("one"), value(IntValue(2)), AnyValue::default()] };
    let map = KeyValueList { values: vec![attribute("inner", text("value"))] };
    vec![
        attribute("text", text("g\u{fc}\u{df}e \u{1f525}")),
        attribute("yes", value(BoolValue(true))),
        attribute("no", value(BoolValue(false))),
        attribute("most", value(IntValue(i64::MAX))),
        attribute("least", value(IntValue(i64::MIN))),
        attribute("fraction", value(DoubleValue(637.704))),
        attribute("bytes", value(BytesValue(vec![0, 255, 254, 1, 62, 63]))),
        attribute("list", value(Array(list))),
        attribute("map", value(KvlistValue(map))),
        attribute("empty", text("")),
        attribute("absent", AnyValue::default()),
    ]
}

pub fn full_logs() -> ExportLogsServiceRequest {
    let log_record = LogRecord {
        time_unix_nano: TIME,
        observed_time_unix_nano: TIME + 1,
        severity_number: 17,
        severity_text: "Error".to_owned(),
        body: Some(text("the melt is too cold")),
        attributes: attributes(),
        dropped_attributes_count: 3,
        flags: 1,
        trace_id: TRACE.to_vec(),
        span_id: SPAN.to_vec(),
        event_name: "melt.cold".to_owned(),
    };
    let scope_logs = ScopeLogs {
        scope: Some(scope()),
        log_records: vec![log_record],
        schema_url: "https://example.com/scope".to_owned(),
    };
    let resource_logs = ResourceLogs {
        resource: Some(resource()),
        scope_logs: vec![scope_logs],
        schema_url: "https://example.com/resource".to_owned(),
    };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }
}

pub fn traces_of(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = ScopeSpans {
        scope: Some(scope()),
        spans,
        schema_url: "https://example.com/scope".to_owned(),
    };
    let resource_spans = ResourceSpans {
        resource: Some(resource()),
        scope_spans: vec![scope_spans],
        schema_url: "https://example.com/resource".to_owned(),
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

pub fn full_traces() -> ExportTraceServiceRequest {
    let event = Event {
        time_unix_nano: TIME + 5,
        name: "tapped".to_owned(),
        attributes: attributes(),
        dropped_attributes_count: 4,
    };
    let link = Link {
        trace_id: TRACE.to_vec(),
        span_id: PARENT.to_vec(),
        trace_state: "a=1".to_owned(),
        attributes: attributes(),
        dropped_attributes_count: 5,
        flags: 256,
    };
    traces_of(vec![Span {
        trace_id: TRACE.to_vec(),
        span_id: SPAN.to_vec(),
        trace_state: "forge=hot".to_owned(),
        parent_span_id: PARENT.to_vec(),
        flags: 257,
        name: "pour".to_owned(),
        kind: 2,
        start_time_unix_nano: TIME,
        end_time_unix_nano: TIME + 10,
        attributes: attributes(),
        dropped_attributes_count: 6,
        events: vec![event],
        dropped_events_count: 7,
        links: vec![link],
        dropped_links_count: 8,
        status: Some(Status { message: "spilled".to_owned(), code: 2 }),
    }])
}

pub fn metrics_of(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = ScopeMetrics {
        scope: Some(scope()),
        metrics,
        schema_url: "https://example.com/scope".to_owned(),
    };
    let resource_metrics = ResourceMetrics {
        resource: Some(resource()),
        scope_metrics: vec![scope_metrics],
        schema_url: "https://example.com/resource".to_owned(),
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
}

pub fn point() -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 1,
        exemplars: vec![exemplar()],
        flags: 1,
        value: Some(number_data_point::Value::AsDouble(0.1)),
    }
}

fn exemplar() -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(),
        time_unix_nano: TIME + 2,
        span_id: SPAN.to_vec(),
        trace_id: TRACE.to_vec(),
        value: Some(exemplar::Value::AsInt(-3)),
    }
}

pub fn histogram_point() -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 1,
        count: 3,
        sum: Some(5.5),
        bucket_counts: vec![1, 0, 2],
        explicit_bounds: vec![1.0, 2.5],
        exemplars: vec![exemplar()],
        flags: 1,
        min: Some(0.0),
        max: Some(3.5),
    }
}

pub fn exponential_point() -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 1,
        count: 9,
        sum: Some(-4.25),
        scale: -3,
        zero_count: 2,
        positive: Some(Buckets { offset: -7, bucket_counts: vec![1, 300] }),
        negative: Some(Buckets { offset: 8, bucket_counts: vec![u64::MAX] }),
        flags: 1,
        exemplars: vec![exemplar()],
        min: Some(-9.0),
        max: Some(9.0),
        zero_threshold: 0.001,
    }
}

fn summary_point() -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 1,
        count: 4,
        sum: 11.5,
        quantile_values: vec![ValueAtQuantile { quantile: 0.99, value: 7.5 }],
        flags: 1,
    }
}

pub fn full_metrics() -> ExportMetricsServiceRequest {
    let metric = |name: &str, data| Metric {
        name: name.to_owned(),
        description: "what it measures".to_owned(),
        unit: "By".to_owned(),
        metadata: vec![attribute("meta", text("data"))],
        data: Some(data),
    };
    let whole =
        NumberDataPoint { value: Some(number_data_point::Value::AsInt(i64::MIN)), ..point() };
    metrics_of(vec![
        metric("gauge", metric::Data::Gauge(Gauge { data_points: vec![point(), whole.clone()] })),
        metric(
            "sum",
            metric::Data::Sum(Sum {
                data_points: vec![whole],
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
        ),
        metric(
            "histogram",
            metric::Data::Histogram(Histogram {
                data_points: vec![histogram_point()],
                aggregation_temporality: 1,
            }),
        ),
        metric(
            "exponential_histogram",
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential_point()],
                aggregation_temporality: 2,
            }),
        ),
        metric("summary", metric::Data::Summary(Summary { data_points: vec![summary_point()] })),
    ])
}

/// The groups of a request, each as a request of its own: how batches were merged or split between
/// groups on their way does not matter then.
pub fn resources(signal: Signal, request: &[u8]) -> Vec<Vec<u8>> {
    match signal {
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(request).unwrap();
            let groups = request.resource_logs.into_iter();
            let alone = groups.map(|group| ExportLogsServiceRequest { resource_logs: vec![group] });
            alone.map(|request| request.encode_to_vec()).collect()
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(request).unwrap();
            let groups = request.resource_metrics.into_iter();
            let alone =
                groups.map(|group| ExportMetricsServiceRequest { resource_metrics: vec![group] });
            alone.map(|request| request.encode_to_vec()).collect()
        }
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(request).unwrap();
            let groups = request.resource_spans.into_iter();
            let alone =
                groups.map(|group| ExportTraceServiceRequest { resource_spans: vec![group] });
            alone.map(|request| request.encode_to_vec()).collect()
        }
    }
}

/// A request of exactly this many bytes, in records of at most 4 MiB.
pub fn padded(size: usize) -> Vec<u8> {
    const PART: usize = 4 << 20;
    let mut request = Vec::with_capacity(size);
    while size - request.len() > PART + PART / 2 {
        request.extend_from_slice(&padded_record(PART));
    }
    request.extend_from_slice(&padded_record(size - request.len()));
    assert_eq!(request.len(), size);
    request
}

fn padded_record(size: usize) -> Vec<u8> {
    // Where the length of a length changes, some sizes need another field.
    for severity_text in ["", "x", "xx", "xxx"] {
        let of = |length: usize| {
            let record =
                LogRecord { severity_text: severity_text.to_owned(), ..record(" ".repeat(length)) };
            logs_of(vec![record]).encode_to_vec()
        };
        let length = size.checked_sub(of(size).len() - size).expect("room for the envelopes");
        if let Some(exact) = (length..length + 8).map(of).find(|request| request.len() == size) {
            return exact;
        }
    }
    panic!("no request of {size} bytes")
}
