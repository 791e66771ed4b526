//! Views gathered into prost objects, so that one comparison covers every getter.
//!
//! A view does not tell an absent message from an empty one, and does not read what only profiles
//! have, so [`Plain`] brings the oracle's objects to the same form.

use bessemer_record::value::{self, Map};
use bessemer_record::view::{
    BucketsView, ExemplarView, ExponentialHistogramPointView, HistogramPointView, LogRecordView,
    LogsView, MetricData, MetricView, MetricsView, Number, NumberPointView, ResourceView,
    ScopeView, SpanView, SummaryPointView, Temporality, TracesView,
};
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

pub(crate) fn logs(view: LogsView<'_>) -> ExportLogsServiceRequest {
    let group = |group: bessemer_record::view::ResourceGroup<'_, LogRecordView<'_>>| ResourceLogs {
        resource: Some(resource(group.resource())),
        scope_logs: group
            .scopes()
            .iter()
            .map(|group| ScopeLogs {
                scope: Some(scope(group.scope())),
                log_records: group.records().iter().map(log_record).collect(),
                schema_url: group.schema_url().as_str().into(),
            })
            .collect(),
        schema_url: group.schema_url().as_str().into(),
    };
    ExportLogsServiceRequest { resource_logs: view.resources().iter().map(group).collect() }
}

pub(crate) fn traces(view: TracesView<'_>) -> ExportTraceServiceRequest {
    let group = |group: bessemer_record::view::ResourceGroup<'_, SpanView<'_>>| ResourceSpans {
        resource: Some(resource(group.resource())),
        scope_spans: group
            .scopes()
            .iter()
            .map(|group| ScopeSpans {
                scope: Some(scope(group.scope())),
                spans: group.records().iter().map(span).collect(),
                schema_url: group.schema_url().as_str().into(),
            })
            .collect(),
        schema_url: group.schema_url().as_str().into(),
    };
    ExportTraceServiceRequest { resource_spans: view.resources().iter().map(group).collect() }
}

pub(crate) fn metrics(view: MetricsView<'_>) -> ExportMetricsServiceRequest {
    let group = |group: bessemer_record::view::ResourceGroup<'_, MetricView<'_>>| ResourceMetrics {
        resource: Some(resource(group.resource())),
        scope_metrics: group
            .scopes()
            .iter()
            .map(|group| ScopeMetrics {
                scope: Some(scope(group.scope())),
                metrics: group.records().iter().map(metric).collect(),
                schema_url: group.schema_url().as_str().into(),
            })
            .collect(),
        schema_url: group.schema_url().as_str().into(),
    };
    ExportMetricsServiceRequest { resource_metrics: view.resources().iter().map(group).collect() }
}

pub(crate) fn any_value(value: value::AnyValue<'_>) -> Option<AnyValue> {
    use any_value::Value;
    let value = match value {
        value::AnyValue::Empty => return None,
        value::AnyValue::Str(text) => Value::StringValue(text.as_str().into()),
        value::AnyValue::Bool(truth) => Value::BoolValue(truth),
        value::AnyValue::Int(number) => Value::IntValue(number),
        value::AnyValue::Double(number) => Value::DoubleValue(number),
        value::AnyValue::Bytes(bytes) => Value::BytesValue(bytes.into()),
        value::AnyValue::Array(values) => Value::ArrayValue(ArrayValue {
            values: values.iter().map(|value| any_value(value).unwrap_or_default()).collect(),
        }),
        value::AnyValue::Map(entries) => {
            Value::KvlistValue(KeyValueList { values: attributes(entries) })
        }
    };
    Some(AnyValue { value: Some(value) })
}

pub(crate) fn attributes(entries: Map<'_>) -> Vec<KeyValue> {
    entries
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.as_str().into(),
            value: any_value(value),
            ..KeyValue::default()
        })
        .collect()
}

pub(crate) fn resource(view: ResourceView<'_>) -> Resource {
    Resource {
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        entity_refs: view
            .entity_refs()
            .iter()
            .map(|view| EntityRef {
                schema_url: view.schema_url().as_str().into(),
                r#type: view.kind().as_str().into(),
                id_keys: view.id_keys().iter().map(|key| key.as_str().into()).collect(),
                description_keys: view
                    .description_keys()
                    .iter()
                    .map(|key| key.as_str().into())
                    .collect(),
            })
            .collect(),
    }
}

pub(crate) fn scope(view: ScopeView<'_>) -> InstrumentationScope {
    InstrumentationScope {
        name: view.name().as_str().into(),
        version: view.version().as_str().into(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
    }
}

pub(crate) fn log_record(view: LogRecordView<'_>) -> LogRecord {
    LogRecord {
        time_unix_nano: view.time_unix_nano(),
        observed_time_unix_nano: view.observed_time_unix_nano(),
        severity_number: view.severity_number(),
        severity_text: view.severity_text().as_str().into(),
        body: any_value(view.body()),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        flags: view.flags(),
        trace_id: view.trace_id().into(),
        span_id: view.span_id().into(),
        event_name: view.event_name().as_str().into(),
    }
}

pub(crate) fn span(view: SpanView<'_>) -> Span {
    Span {
        trace_id: view.trace_id().into(),
        span_id: view.span_id().into(),
        trace_state: view.trace_state().as_str().into(),
        parent_span_id: view.parent_span_id().into(),
        flags: view.flags(),
        name: view.name().as_str().into(),
        kind: view.kind(),
        start_time_unix_nano: view.start_time_unix_nano(),
        end_time_unix_nano: view.end_time_unix_nano(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        events: view
            .events()
            .iter()
            .map(|view| Event {
                time_unix_nano: view.time_unix_nano(),
                name: view.name().as_str().into(),
                attributes: attributes(view.attributes()),
                dropped_attributes_count: view.dropped_attributes_count(),
            })
            .collect(),
        dropped_events_count: view.dropped_events_count(),
        links: view
            .links()
            .iter()
            .map(|view| Link {
                trace_id: view.trace_id().into(),
                span_id: view.span_id().into(),
                trace_state: view.trace_state().as_str().into(),
                attributes: attributes(view.attributes()),
                dropped_attributes_count: view.dropped_attributes_count(),
                flags: view.flags(),
            })
            .collect(),
        dropped_links_count: view.dropped_links_count(),
        status: Some(Status {
            message: view.status().message().as_str().into(),
            code: view.status().code(),
        }),
    }
}

pub(crate) fn metric(view: MetricView<'_>) -> Metric {
    use metric::Data;
    let data = match view.data() {
        MetricData::Empty => None,
        MetricData::Gauge(view) => Some(Data::Gauge(Gauge {
            data_points: view.points().iter().map(number_point).collect(),
        })),
        MetricData::Sum(view) => Some(Data::Sum(Sum {
            data_points: view.points().iter().map(number_point).collect(),
            aggregation_temporality: temporality(view.temporality()),
            is_monotonic: view.is_monotonic(),
        })),
        MetricData::Histogram(view) => Some(Data::Histogram(Histogram {
            data_points: view.points().iter().map(histogram_point).collect(),
            aggregation_temporality: temporality(view.temporality()),
        })),
        MetricData::ExponentialHistogram(view) => {
            Some(Data::ExponentialHistogram(ExponentialHistogram {
                data_points: view.points().iter().map(exponential_point).collect(),
                aggregation_temporality: temporality(view.temporality()),
            }))
        }
        MetricData::Summary(view) => Some(Data::Summary(Summary {
            data_points: view.points().iter().map(summary_point).collect(),
        })),
    };
    Metric {
        name: view.name().as_str().into(),
        description: view.description().as_str().into(),
        unit: view.unit().as_str().into(),
        metadata: attributes(view.metadata()),
        data,
    }
}

fn temporality(temporality: Temporality) -> i32 {
    match temporality {
        Temporality::Unspecified => 0,
        Temporality::Delta => 1,
        Temporality::Cumulative => 2,
    }
}

fn number_point(view: NumberPointView<'_>) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time_unix_nano(),
        time_unix_nano: view.time_unix_nano(),
        exemplars: view.exemplars().iter().map(exemplar).collect(),
        flags: view.flags(),
        value: view.value().map(|number| match number {
            Number::Int(number) => number_data_point::Value::AsInt(number),
            Number::Double(number) => number_data_point::Value::AsDouble(number),
        }),
    }
}

fn histogram_point(view: HistogramPointView<'_>) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time_unix_nano(),
        time_unix_nano: view.time_unix_nano(),
        count: view.count(),
        sum: view.sum(),
        bucket_counts: view.bucket_counts().iter().collect(),
        explicit_bounds: view.explicit_bounds().iter().collect(),
        exemplars: view.exemplars().iter().map(exemplar).collect(),
        flags: view.flags(),
        min: view.min(),
        max: view.max(),
    }
}

fn exponential_point(view: ExponentialHistogramPointView<'_>) -> ExponentialHistogramDataPoint {
    let buckets = |view: BucketsView<'_>| Buckets {
        offset: view.offset(),
        bucket_counts: view.bucket_counts().iter().collect(),
    };
    ExponentialHistogramDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time_unix_nano(),
        time_unix_nano: view.time_unix_nano(),
        count: view.count(),
        sum: view.sum(),
        scale: view.scale(),
        zero_count: view.zero_count(),
        positive: Some(buckets(view.positive())),
        negative: Some(buckets(view.negative())),
        flags: view.flags(),
        exemplars: view.exemplars().iter().map(exemplar).collect(),
        min: view.min(),
        max: view.max(),
        zero_threshold: view.zero_threshold(),
    }
}

fn summary_point(view: SummaryPointView<'_>) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time_unix_nano(),
        time_unix_nano: view.time_unix_nano(),
        count: view.count(),
        sum: view.sum(),
        quantile_values: view
            .quantiles()
            .iter()
            .map(|view| ValueAtQuantile { quantile: view.quantile(), value: view.value() })
            .collect(),
        flags: view.flags(),
    }
}

fn exemplar(view: ExemplarView<'_>) -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(view.filtered_attributes()),
        time_unix_nano: view.time_unix_nano(),
        span_id: view.span_id().into(),
        trace_id: view.trace_id().into(),
        value: view.value().map(|number| match number {
            Number::Int(number) => exemplar::Value::AsInt(number),
            Number::Double(number) => exemplar::Value::AsDouble(number),
        }),
    }
}

/// The form in which objects and views can be compared.
pub(crate) trait Plain: Sized {
    fn plain(self) -> Self;
}

fn each<T: Plain + Default>(list: &mut [T]) {
    for one in list {
        *one = std::mem::take(one).plain();
    }
}

impl Plain for AnyValue {
    fn plain(mut self) -> Self {
        match &mut self.value {
            Some(any_value::Value::ArrayValue(array)) => each(&mut array.values),
            Some(any_value::Value::KvlistValue(list)) => each(&mut list.values),
            Some(any_value::Value::StringValueStrindex(_)) => self.value = None,
            _ => {}
        }
        self
    }
}

impl Plain for KeyValue {
    fn plain(mut self) -> Self {
        self.key_strindex = 0;
        self.value = self.value.map(Plain::plain).filter(|value| value.value.is_some());
        self
    }
}

impl Plain for Resource {
    fn plain(mut self) -> Self {
        each(&mut self.attributes);
        self
    }
}

impl Plain for InstrumentationScope {
    fn plain(mut self) -> Self {
        each(&mut self.attributes);
        self
    }
}

impl Plain for LogRecord {
    fn plain(mut self) -> Self {
        each(&mut self.attributes);
        self.body = self.body.map(Plain::plain).filter(|value| value.value.is_some());
        self
    }
}

impl Plain for Span {
    fn plain(mut self) -> Self {
        each(&mut self.attributes);
        self.events.iter_mut().for_each(|event| each(&mut event.attributes));
        self.links.iter_mut().for_each(|link| each(&mut link.attributes));
        self.status = Some(self.status.unwrap_or_default());
        self
    }
}

impl Plain for Metric {
    fn plain(mut self) -> Self {
        use metric::Data;
        let known = |temporality: &mut i32| {
            if !(0..=2).contains(temporality) {
                *temporality = 0;
            }
        };
        each(&mut self.metadata);
        match &mut self.data {
            Some(Data::Gauge(gauge)) => each(&mut gauge.data_points),
            Some(Data::Sum(sum)) => {
                known(&mut sum.aggregation_temporality);
                each(&mut sum.data_points);
            }
            Some(Data::Histogram(histogram)) => {
                known(&mut histogram.aggregation_temporality);
                each(&mut histogram.data_points);
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                known(&mut histogram.aggregation_temporality);
                each(&mut histogram.data_points);
            }
            Some(Data::Summary(summary)) => {
                summary.data_points.iter_mut().for_each(|point| each(&mut point.attributes));
            }
            None => {}
        }
        self
    }
}

impl Plain for NumberDataPoint {
    fn plain(mut self) -> Self {
        each(&mut self.attributes);
        self.exemplars.iter_mut().for_each(|exemplar| each(&mut exemplar.filtered_attributes));
        self
    }
}

impl Plain for HistogramDataPoint {
    fn plain(mut self) -> Self {
        each(&mut self.attributes);
        self.exemplars.iter_mut().for_each(|exemplar| each(&mut exemplar.filtered_attributes));
        self
    }
}

impl Plain for ExponentialHistogramDataPoint {
    fn plain(mut self) -> Self {
        each(&mut self.attributes);
        self.exemplars.iter_mut().for_each(|exemplar| each(&mut exemplar.filtered_attributes));
        self.positive = Some(self.positive.unwrap_or_default());
        self.negative = Some(self.negative.unwrap_or_default());
        self
    }
}

impl Plain for ExportLogsServiceRequest {
    fn plain(mut self) -> Self {
        for group in &mut self.resource_logs {
            group.resource = Some(group.resource.take().unwrap_or_default().plain());
            for group in &mut group.scope_logs {
                group.scope = Some(group.scope.take().unwrap_or_default().plain());
                each(&mut group.log_records);
            }
        }
        self
    }
}

impl Plain for ExportTraceServiceRequest {
    fn plain(mut self) -> Self {
        for group in &mut self.resource_spans {
            group.resource = Some(group.resource.take().unwrap_or_default().plain());
            for group in &mut group.scope_spans {
                group.scope = Some(group.scope.take().unwrap_or_default().plain());
                each(&mut group.spans);
            }
        }
        self
    }
}

impl Plain for ExportMetricsServiceRequest {
    fn plain(mut self) -> Self {
        for group in &mut self.resource_metrics {
            group.resource = Some(group.resource.take().unwrap_or_default().plain());
            for group in &mut group.scope_metrics {
                group.scope = Some(group.scope.take().unwrap_or_default().plain());
                each(&mut group.metrics);
            }
        }
        self
    }
}
