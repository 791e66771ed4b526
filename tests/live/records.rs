//! Records in canonical form: a multiset of requests that carry one record each, encoded anew.
//!
//! How records were batched on their way does not matter then, nor the order of attributes, which
//! are a set. Everything else does: the record, its scope, its resource, every byte of a value.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, Gauge, Histogram, Metric, ResourceMetrics, ScopeMetrics, Sum,
    Summary,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    Logs,
    Metrics,
    Traces,
}

impl Signal {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }

    /// By a path of OTLP over HTTP or gRPC.
    pub fn of_path(path: &str) -> Option<Self> {
        match path {
            "/v1/logs" | "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => {
                Some(Self::Logs)
            }
            "/v1/metrics" | "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => {
                Some(Self::Metrics)
            }
            "/v1/traces" | "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => {
                Some(Self::Traces)
            }
            _ => None,
        }
    }
}

/// How often each record came.
#[derive(Debug, Default)]
pub struct Records(BTreeMap<(Signal, Vec<u8>), usize>);

impl FromIterator<Records> for Records {
    fn from_iter<T: IntoIterator<Item = Records>>(parts: T) -> Self {
        let mut all = Self::default();
        all.extend(parts);
        all
    }
}

impl Extend<Records> for Records {
    fn extend<T: IntoIterator<Item = Records>>(&mut self, parts: T) {
        for (record, times) in parts.into_iter().flat_map(|part| part.0) {
            *self.0.entry(record).or_default() += times;
        }
    }
}

impl Records {
    /// The records of a request in protobuf.
    pub fn read(signal: Signal, request: &[u8]) -> Result<Self, String> {
        let alone = match signal {
            Signal::Logs => logs(decode(request)?),
            Signal::Metrics => metrics(decode(request)?),
            Signal::Traces => traces(decode(request)?),
        };
        let mut records = Self::default();
        for record in alone {
            *records.0.entry((signal, record)).or_default() += 1;
        }
        Ok(records)
    }

    pub fn count(&self) -> usize {
        self.0.values().sum()
    }

    pub fn count_of(&self, signal: Signal) -> usize {
        self.0.iter().filter(|((of, _), _)| *of == signal).map(|(_, times)| times).sum()
    }

    /// Fails with the first record of each kind of difference, readable.
    pub fn assert_equal(&self, arrived: &Self, way: &str) {
        let only = |ours: &Self, theirs: &Self| {
            let theirs = |record| theirs.0.get(record).copied().unwrap_or_default();
            let more = ours.0.iter().filter(|(record, times)| **times > theirs(record));
            more.map(|(record, _)| record.clone()).collect::<Vec<_>>()
        };
        let (missing, added) = (only(self, arrived), only(arrived, self));
        let mut report = String::new();
        for (what, records) in [("sent but not arrived", &missing), ("not sent", &added)] {
            writeln!(report, "{what}: {} records", records.len()).unwrap();
            if let Some((signal, record)) = records.first() {
                let shown: String = show(*signal, record).chars().take(6000).collect();
                writeln!(report, "{shown}").unwrap();
            }
        }
        assert!(missing.is_empty() && added.is_empty(), "{way}: {report}");
    }
}

fn decode<M: Message + Default>(request: &[u8]) -> Result<M, String> {
    M::decode(request).map_err(|error| error.to_string())
}

fn show(signal: Signal, record: &[u8]) -> String {
    match signal {
        Signal::Logs => format!("{:?}", ExportLogsServiceRequest::decode(record).unwrap()),
        Signal::Metrics => format!("{:?}", ExportMetricsServiceRequest::decode(record).unwrap()),
        Signal::Traces => format!("{:?}", ExportTraceServiceRequest::decode(record).unwrap()),
    }
}

fn logs(request: ExportLogsServiceRequest) -> Vec<Vec<u8>> {
    let mut alone = Vec::new();
    for mut resource in request.resource_logs {
        sort_resource(&mut resource.resource);
        for mut scope in std::mem::take(&mut resource.scope_logs) {
            sort_scope(&mut scope.scope);
            for mut record in std::mem::take(&mut scope.log_records) {
                sort(&mut record.attributes);
                sort_value(&mut record.body);
                let scope = ScopeLogs { log_records: vec![record], ..scope.clone() };
                let resource = ResourceLogs { scope_logs: vec![scope], ..resource.clone() };
                let request = ExportLogsServiceRequest { resource_logs: vec![resource] };
                alone.push(request.encode_to_vec());
            }
        }
    }
    alone
}

fn traces(request: ExportTraceServiceRequest) -> Vec<Vec<u8>> {
    let mut alone = Vec::new();
    for mut resource in request.resource_spans {
        sort_resource(&mut resource.resource);
        for mut scope in std::mem::take(&mut resource.scope_spans) {
            sort_scope(&mut scope.scope);
            for mut span in std::mem::take(&mut scope.spans) {
                sort_span(&mut span);
                let scope = ScopeSpans { spans: vec![span], ..scope.clone() };
                let resource = ResourceSpans { scope_spans: vec![scope], ..resource.clone() };
                let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
                alone.push(request.encode_to_vec());
            }
        }
    }
    alone
}

fn sort_span(span: &mut Span) {
    sort(&mut span.attributes);
    for event in &mut span.events {
        sort(&mut event.attributes);
    }
    for link in &mut span.links {
        sort(&mut link.attributes);
    }
}

fn metrics(request: ExportMetricsServiceRequest) -> Vec<Vec<u8>> {
    let mut alone = Vec::new();
    for mut resource in request.resource_metrics {
        sort_resource(&mut resource.resource);
        for mut scope in std::mem::take(&mut resource.scope_metrics) {
            sort_scope(&mut scope.scope);
            for metric in std::mem::take(&mut scope.metrics).into_iter().flat_map(points) {
                let scope = ScopeMetrics { metrics: vec![metric], ..scope.clone() };
                let resource = ResourceMetrics { scope_metrics: vec![scope], ..resource.clone() };
                let request = ExportMetricsServiceRequest { resource_metrics: vec![resource] };
                alone.push(request.encode_to_vec());
            }
        }
    }
    alone
}

/// A metric for each of its data points, and one for a metric that has none.
fn points(mut metric: Metric) -> Vec<Metric> {
    sort(&mut metric.metadata);
    let alone: Vec<Data> = match metric.data.take() {
        None => Vec::new(),
        Some(Data::Gauge(gauge)) => {
            let points = gauge.data_points.into_iter().map(|mut point| {
                sort_point(&mut point.attributes, &mut point.exemplars);
                Data::Gauge(Gauge { data_points: vec![point] })
            });
            points.collect()
        }
        Some(Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })) => {
            let points = data_points.into_iter().map(|mut point| {
                sort_point(&mut point.attributes, &mut point.exemplars);
                Data::Sum(Sum { data_points: vec![point], aggregation_temporality, is_monotonic })
            });
            points.collect()
        }
        Some(Data::Histogram(Histogram { data_points, aggregation_temporality })) => {
            let points = data_points.into_iter().map(|mut point| {
                sort_point(&mut point.attributes, &mut point.exemplars);
                Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality })
            });
            points.collect()
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            let aggregation_temporality = histogram.aggregation_temporality;
            let points = histogram.data_points.into_iter().map(|mut point| {
                sort_point(&mut point.attributes, &mut point.exemplars);
                let data_points = vec![point];
                let histogram = ExponentialHistogram { data_points, aggregation_temporality };
                Data::ExponentialHistogram(histogram)
            });
            points.collect()
        }
        Some(Data::Summary(summary)) => {
            let points = summary.data_points.into_iter().map(|mut point| {
                sort(&mut point.attributes);
                Data::Summary(Summary { data_points: vec![point] })
            });
            points.collect()
        }
    };
    if alone.is_empty() {
        return vec![metric];
    }
    alone.into_iter().map(|data| Metric { data: Some(data), ..metric.clone() }).collect()
}

fn sort_point(attributes: &mut [KeyValue], exemplars: &mut [Exemplar]) {
    sort(attributes);
    for exemplar in exemplars {
        sort(&mut exemplar.filtered_attributes);
    }
}

fn sort_resource(resource: &mut Option<Resource>) {
    if let Some(resource) = resource {
        sort(&mut resource.attributes);
    }
}

fn sort_scope(scope: &mut Option<InstrumentationScope>) {
    if let Some(scope) = scope {
        sort(&mut scope.attributes);
    }
}

fn sort(attributes: &mut [KeyValue]) {
    for attribute in attributes.iter_mut() {
        sort_value(&mut attribute.value);
    }
    attributes.sort_by_cached_key(Message::encode_to_vec);
}

fn sort_value(value: &mut Option<AnyValue>) {
    match value.as_mut().and_then(|value| value.value.as_mut()) {
        Some(Value::KvlistValue(map)) => sort(&mut map.values),
        Some(Value::ArrayValue(list)) => {
            for item in &mut list.values {
                let mut value = Some(std::mem::take(item));
                sort_value(&mut value);
                *item = value.unwrap_or_default();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::LogRecord;

    use super::*;

    fn attribute(key: &str, value: i64) -> KeyValue {
        let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
        KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
    }

    /// A request with a group for each list, and in it a record for each time.
    fn request(groups: &[&[u64]], attributes: &[KeyValue]) -> Records {
        let groups = groups.iter().map(|times| {
            let records = times.iter().map(|time| LogRecord {
                time_unix_nano: *time,
                attributes: attributes.to_vec(),
                ..LogRecord::default()
            });
            let scope = ScopeLogs { log_records: records.collect(), ..ScopeLogs::default() };
            ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() }
        });
        let request = ExportLogsServiceRequest { resource_logs: groups.collect() };
        Records::read(Signal::Logs, &request.encode_to_vec()).unwrap()
    }

    #[test]
    fn batches_and_the_order_of_attributes_make_no_difference() {
        let (a, b) = (attribute("a", 1), attribute("b", 2));
        let one = request(&[&[1, 2], &[3]], &[a.clone(), b.clone()]);
        let other = [request(&[&[3, 1]], &[b.clone(), a.clone()]), request(&[&[2]], &[b, a])];
        one.assert_equal(&other.into_iter().collect(), "regrouped");
    }

    #[test]
    fn every_other_difference_is_one() {
        let sent = || request(&[&[1, 2]], &[attribute("a", 1)]);
        let differs = |arrived: Records| {
            std::panic::catch_unwind(|| sent().assert_equal(&arrived, "different")).is_err()
        };
        assert!(!differs(sent()));
        assert!(differs(request(&[&[1]], &[attribute("a", 1)])), "missing");
        assert!(differs(request(&[&[1, 2, 3]], &[attribute("a", 1)])), "invented");
        assert!(differs(request(&[&[1, 2, 2]], &[attribute("a", 1)])), "doubled");
        assert!(differs(request(&[&[1, 2]], &[attribute("a", 2)])), "changed");
        assert!(differs(request(&[&[1, 2]], &[])), "without an attribute");
        assert!(differs(request(&[&[1, 2]], &[attribute("a", 1), attribute("a", 1)])), "more");
    }
}
