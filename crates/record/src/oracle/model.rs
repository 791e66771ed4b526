//! A decoded request of any signal in one shape, to do to objects what drafts do to bytes.

#![expect(clippy::cast_possible_truncation, reason = "random batches are small")]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::Signal;

/// What an export request holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub(crate) signal: Signal,
    pub(crate) resources: Vec<Group<Resource, Group<InstrumentationScope, Record>>>,
}

/// A container with what it is about, its schema URL and its list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group<Identity, Child> {
    pub(crate) identity: Option<Identity>,
    pub(crate) schema_url: String,
    pub(crate) children: Vec<Child>,
}

/// An item of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    Log(LogRecord),
    Metric(Metric),
    Span(Span),
}

impl Record {
    /// The attributes: of a metric, those of each data point.
    pub(crate) fn attributes(&mut self) -> Vec<&mut Vec<KeyValue>> {
        match self {
            Self::Log(record) => vec![&mut record.attributes],
            Self::Span(span) => vec![&mut span.attributes],
            Self::Metric(metric) => match &mut metric.data {
                None => Vec::new(),
                Some(Data::Gauge(gauge)) => {
                    gauge.data_points.iter_mut().map(|point| &mut point.attributes).collect()
                }
                Some(Data::Sum(sum)) => {
                    sum.data_points.iter_mut().map(|point| &mut point.attributes).collect()
                }
                Some(Data::Histogram(histogram)) => {
                    histogram.data_points.iter_mut().map(|point| &mut point.attributes).collect()
                }
                Some(Data::ExponentialHistogram(histogram)) => {
                    histogram.data_points.iter_mut().map(|point| &mut point.attributes).collect()
                }
                Some(Data::Summary(summary)) => {
                    summary.data_points.iter_mut().map(|point| &mut point.attributes).collect()
                }
            },
        }
    }

    /// Log records and spans are one record, metrics as many as they have data points.
    pub(crate) fn records(&mut self) -> u32 {
        self.attributes().len() as u32
    }

    /// Keeps of a metric the data points of the range.
    pub(crate) fn keep(&mut self, range: std::ops::Range<usize>) {
        let Self::Metric(metric) = self else { return };
        match &mut metric.data {
            None => {}
            Some(Data::Gauge(gauge)) => gauge.data_points = gauge.data_points[range].to_vec(),
            Some(Data::Sum(sum)) => sum.data_points = sum.data_points[range].to_vec(),
            Some(Data::Histogram(histogram)) => {
                histogram.data_points = histogram.data_points[range].to_vec();
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                histogram.data_points = histogram.data_points[range].to_vec();
            }
            Some(Data::Summary(summary)) => {
                summary.data_points = summary.data_points[range].to_vec();
            }
        }
    }
}

macro_rules! decode {
    ($request:ty, $list:ident, $scopes:ident, $items:ident, $record:path, $bytes:expr) => {
        <$request>::decode($bytes)
            .unwrap()
            .$list
            .into_iter()
            .map(|resource| Group {
                identity: resource.resource,
                schema_url: resource.schema_url,
                children: resource
                    .$scopes
                    .into_iter()
                    .map(|scope| Group {
                        identity: scope.scope,
                        schema_url: scope.schema_url,
                        children: scope.$items.into_iter().map($record).collect(),
                    })
                    .collect(),
            })
            .collect()
    };
}

impl Model {
    pub(crate) fn decode(signal: Signal, bytes: &[u8]) -> Self {
        let resources = match signal {
            Signal::Logs => decode!(
                ExportLogsServiceRequest,
                resource_logs,
                scope_logs,
                log_records,
                Record::Log,
                bytes
            ),
            Signal::Metrics => decode!(
                ExportMetricsServiceRequest,
                resource_metrics,
                scope_metrics,
                metrics,
                Record::Metric,
                bytes
            ),
            Signal::Traces => decode!(
                ExportTraceServiceRequest,
                resource_spans,
                scope_spans,
                spans,
                Record::Span,
                bytes
            ),
        };
        Self { signal, resources }
    }

    /// Keeps the items for which `keep` says so, counted from 0, and no container without any.
    pub(crate) fn filtered(mut self, mut keep: impl FnMut(usize, &mut Record) -> bool) -> Self {
        let mut index = 0;
        for resource in &mut self.resources {
            for scope in &mut resource.children {
                scope.children.retain_mut(|record| {
                    index += 1;
                    keep(index - 1, record)
                });
            }
            resource.children.retain(|scope| !scope.children.is_empty());
        }
        self.resources.retain(|resource| !resource.children.is_empty());
        self
    }

    /// The items in order.
    pub(crate) fn items(&mut self) -> Vec<&mut Record> {
        self.resources
            .iter_mut()
            .flat_map(|resource| &mut resource.children)
            .flat_map(|scope| &mut scope.children)
            .collect()
    }

    /// Each record by itself: with its resource and scope, a metric for each data point.
    pub(crate) fn flat(self) -> Vec<Self> {
        let mut flat = Vec::new();
        for resource in &self.resources {
            for scope in &resource.children {
                for record in scope.children.iter().flat_map(singles) {
                    let scope = Group { children: vec![record], ..scope.clone() };
                    let resource = Group { children: vec![scope], ..resource.clone() };
                    flat.push(Self { signal: self.signal, resources: vec![resource] });
                }
            }
        }
        flat
    }
}

/// The record, or a metric for each of its data points.
fn singles(record: &Record) -> Vec<Record> {
    let points = record.clone().records() as usize;
    if !matches!(record, Record::Metric(_)) || points == 0 {
        return vec![record.clone()];
    }
    let single = |point| {
        let mut record = record.clone();
        record.keep(point..point + 1);
        record
    };
    (0..points).map(single).collect()
}
