//! The step on whole batches; `opentelemetry-proto` encodes what goes in, decodes what comes out.

mod actions;
mod condition;
mod errors;
mod filters;
mod property;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::settings::Literal;
use super::*;
use bessemer_record::{Limits, Value};

type Pairs = Vec<(String, Value)>;

const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Metrics, Signal::Traces];

/// The members of a JSON object as attributes.
fn pairs(json: &serde_json::Value) -> Pairs {
    let Value::Map(pairs) = serde_json::from_value::<Literal>(json.clone()).unwrap().0 else {
        panic!("{json} is no object");
    };
    pairs
}

fn settings(json: serde_json::Value) -> Settings {
    serde_json::from_value(json).unwrap()
}

/// Runs the step over a request; `earlier` is a tail that every record has already.
fn run(settings: &Settings, earlier: &Pairs, signal: Signal, request: Vec<u8>) -> Bytes {
    let context = Context::detached();
    let earlier_id = context.tails.lock().add(earlier);
    let step = Attributes::new(settings, &context).unwrap();
    let tails = std::mem::take(&mut *context.tails.lock());
    let bytes = Bytes::from(request);
    let mut draft = Draft::check(signal, bytes, &Limits::default(), &tails.build()).unwrap();
    if !earlier.is_empty() {
        (0..draft.len()).for_each(|index| draft.set_tail(index, earlier_id));
    }
    step.run(&mut draft, &mut Scratch::default());
    let emitted = draft.emit(|_| 0, 1);
    emitted.into_iter().next().map(|output| output.bytes).unwrap_or_default()
}

/// A request with a record for each list; of metrics one for each kind of data, with a point for
/// each list.
fn request(signal: Signal, records: &[Pairs]) -> Vec<u8> {
    let lists = || records.iter().map(|pairs| to_proto(pairs));
    match signal {
        Signal::Logs => {
            let record = |attributes| LogRecord { attributes, ..LogRecord::default() };
            let log_records = lists().map(record).collect();
            let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
            let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
            ExportLogsServiceRequest { resource_logs }.encode_to_vec()
        }
        Signal::Traces => {
            let spans = lists().map(|attributes| Span { attributes, ..Span::default() }).collect();
            let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
            let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
            ExportTraceServiceRequest { resource_spans }.encode_to_vec()
        }
        Signal::Metrics => {
            let metrics = data(records).into_iter();
            let metrics =
                metrics.map(|data| Metric { data: Some(data), ..Metric::default() }).collect();
            let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
            let resource_metrics =
                vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
            ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
        }
    }
}

fn data(points: &[Pairs]) -> Vec<Data> {
    let lists = || points.iter().map(|pairs| to_proto(pairs));
    let numbers = || {
        let number = |attributes| NumberDataPoint { attributes, ..NumberDataPoint::default() };
        lists().map(number).collect()
    };
    let histogram = |attributes| HistogramDataPoint { attributes, ..HistogramDataPoint::default() };
    let exponential = |attributes| ExponentialHistogramDataPoint {
        attributes,
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = |attributes| SummaryDataPoint { attributes, ..SummaryDataPoint::default() };
    vec![
        Data::Gauge(Gauge { data_points: numbers() }),
        Data::Sum(Sum { data_points: numbers(), ..Sum::default() }),
        Data::Histogram(Histogram {
            data_points: lists().map(histogram).collect(),
            ..Histogram::default()
        }),
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: lists().map(exponential).collect(),
            ..ExponentialHistogram::default()
        }),
        Data::Summary(Summary { data_points: lists().map(summary).collect() }),
    ]
}

/// The attributes of every record or data point, each list sorted.
fn attributes(signal: Signal, request: &[u8]) -> Vec<Pairs> {
    let lists: Vec<Vec<KeyValue>> = match signal {
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(request).unwrap();
            let scopes = request.resource_logs.into_iter().flat_map(|group| group.scope_logs);
            let records = scopes.flat_map(|scope| scope.log_records);
            records.map(|record| record.attributes).collect()
        }
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(request).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|group| group.scope_spans);
            scopes.flat_map(|scope| scope.spans).map(|span| span.attributes).collect()
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(request).unwrap();
            let scopes = request.resource_metrics.into_iter().flat_map(|group| group.scope_metrics);
            scopes.flat_map(|scope| scope.metrics).flat_map(points).collect()
        }
    };
    lists.into_iter().map(|list| sorted(list.into_iter().map(from_proto).collect())).collect()
}

fn points(metric: Metric) -> Vec<Vec<KeyValue>> {
    match metric.data.unwrap() {
        Data::Gauge(Gauge { data_points }) | Data::Sum(Sum { data_points, .. }) => {
            data_points.into_iter().map(|point| point.attributes).collect()
        }
        Data::Histogram(data) => {
            data.data_points.into_iter().map(|point| point.attributes).collect()
        }
        Data::ExponentialHistogram(data) => {
            data.data_points.into_iter().map(|point| point.attributes).collect()
        }
        Data::Summary(data) => data.data_points.into_iter().map(|point| point.attributes).collect(),
    }
}

fn sorted(mut pairs: Pairs) -> Pairs {
    pairs.sort_by_cached_key(|pair| format!("{pair:?}"));
    pairs
}

fn to_proto(pairs: &[(String, Value)]) -> Vec<KeyValue> {
    let entry = |(key, value): &(String, Value)| KeyValue {
        key: key.clone(),
        value: Some(AnyValue { value: kind(value) }),
        ..KeyValue::default()
    };
    pairs.iter().map(entry).collect()
}

fn kind(value: &Value) -> Option<Kind> {
    let any = |value: &Value| AnyValue { value: kind(value) };
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Int(number) => Kind::IntValue(*number),
        Value::Double(number) => Kind::DoubleValue(*number),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Bytes(bytes) => Kind::BytesValue(bytes.clone()),
        Value::Array(values) => {
            Kind::ArrayValue(ArrayValue { values: values.iter().map(any).collect() })
        }
        Value::Map(pairs) => Kind::KvlistValue(KeyValueList { values: to_proto(pairs) }),
    })
}

fn from_proto(pair: KeyValue) -> (String, Value) {
    (pair.key, pair.value.map_or(Value::Null, value))
}

fn value(any: AnyValue) -> Value {
    match any.value {
        None => Value::Null,
        Some(Kind::BoolValue(truth)) => Value::Bool(truth),
        Some(Kind::IntValue(number)) => Value::Int(number),
        Some(Kind::DoubleValue(number)) => Value::Double(number),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::BytesValue(bytes)) => Value::Bytes(bytes),
        Some(Kind::ArrayValue(list)) => Value::Array(list.values.into_iter().map(value).collect()),
        Some(Kind::KvlistValue(list)) => {
            Value::Map(list.values.into_iter().map(from_proto).collect())
        }
        Some(other) => panic!("{other:?}"),
    }
}
