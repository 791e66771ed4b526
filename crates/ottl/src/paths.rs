//! The paths of each context: which message they are in, which field, and what that holds.
//!
//! Field numbers are those of <https://github.com/open-telemetry/opentelemetry-proto>.

use crate::context::Context;

/// What a field holds and how a value is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The whole message.
    Whole,
    /// The record's scratch map.
    Cache,
    /// A list of attributes.
    Attributes,
    /// An `AnyValue`.
    Any,
    /// An `AnyValue` as text.
    AnyText,
    Text,
    /// An id of this many bytes.
    Id(usize),
    /// The same in hexadecimal digits.
    IdText(usize),
    /// Nanoseconds since 1970 as an integer.
    Nanos,
    /// Nanoseconds since 1970 as a moment.
    Time,
    /// A number of variable length with this many bits.
    Unsigned(u32),
    Signed32,
    Bool,
    Fixed32,
    /// An unsigned number of eight bytes.
    Count,
    Double,
    /// The integer or floating value of a number point; the numbers are one `oneof`.
    ValueInt,
    ValueDouble,
    Zigzag,
    /// Packed unsigned numbers of eight bytes.
    Counts,
    /// Packed floating point numbers.
    Doubles,
    /// Packed numbers of variable length.
    Varints,
    KindText,
    KindOldText,
    TraceState,
    MetricType,
    /// The place of a span event among those of its span.
    Position,
    /// The URL of the schema of a resource or a scope, which is outside of its message.
    Schema,
    /// Messages that are only moved.
    Messages,
    /// One message that is only moved.
    Message,
    /// The data points of a metric, of any type.
    DataPoints,
}

/// The field of a path: one number, or one for each type of data point in the order number,
/// histogram, exponential histogram, summary (0: this type has none).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    Fixed(u32),
    ByPoint([u32; 4]),
    /// A field of the data of a metric, for gauge, sum, histogram, exponential histogram, summary.
    ByMetric([u32; 5]),
}

/// One path.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// The message around the field, for each type of data point; 0 if it is in the record itself.
    pub(crate) inside: Number,
    pub(crate) number: Number,
    pub(crate) shape: Shape,
}

const fn at(name: &'static str, number: u32, shape: Shape) -> Entry {
    Entry { name, inside: Number::Fixed(0), number: Number::Fixed(number), shape }
}

const fn points(name: &'static str, numbers: [u32; 4], shape: Shape) -> Entry {
    Entry { name, inside: Number::Fixed(0), number: Number::ByPoint(numbers), shape }
}

const fn within(name: &'static str, inside: u32, number: u32, shape: Shape) -> Entry {
    Entry { name, inside: Number::Fixed(inside), number: Number::Fixed(number), shape }
}

const fn buckets(name: &'static str, inside: u32, number: u32, shape: Shape) -> Entry {
    let inside = Number::ByPoint([0, 0, inside, 0]);
    Entry { name, inside, number: Number::ByPoint([0, 0, number, 0]), shape }
}

const fn data(name: &'static str, numbers: [u32; 5], shape: Shape) -> Entry {
    Entry { name, inside: Number::Fixed(0), number: Number::ByMetric(numbers), shape }
}

const CACHE: Entry = at("cache", 0, Shape::Cache);

static RESOURCE: [Entry; 5] = [
    at("", 0, Shape::Whole),
    CACHE,
    at("attributes", 1, Shape::Attributes),
    at("dropped_attributes_count", 2, Shape::Unsigned(32)),
    at("schema_url", 0, Shape::Schema),
];

static SCOPE: [Entry; 7] = [
    at("", 0, Shape::Whole),
    CACHE,
    at("name", 1, Shape::Text),
    at("version", 2, Shape::Text),
    at("attributes", 3, Shape::Attributes),
    at("dropped_attributes_count", 4, Shape::Unsigned(32)),
    at("schema_url", 0, Shape::Schema),
];

static LOG: [Entry; 17] = [
    CACHE,
    at("time_unix_nano", 1, Shape::Nanos),
    at("time", 1, Shape::Time),
    at("observed_time_unix_nano", 11, Shape::Nanos),
    at("observed_time", 11, Shape::Time),
    at("severity_number", 2, Shape::Signed32),
    at("severity_text", 3, Shape::Text),
    at("body", 5, Shape::Any),
    at("body.string", 5, Shape::AnyText),
    at("attributes", 6, Shape::Attributes),
    at("dropped_attributes_count", 7, Shape::Unsigned(32)),
    at("flags", 8, Shape::Fixed32),
    at("trace_id", 9, Shape::Id(16)),
    at("trace_id.string", 9, Shape::IdText(16)),
    at("span_id", 10, Shape::Id(8)),
    at("span_id.string", 10, Shape::IdText(8)),
    at("event_name", 12, Shape::Text),
];

static SPAN: [Entry; 27] = [
    at("", 0, Shape::Whole),
    CACHE,
    at("trace_id", 1, Shape::Id(16)),
    at("trace_id.string", 1, Shape::IdText(16)),
    at("span_id", 2, Shape::Id(8)),
    at("span_id.string", 2, Shape::IdText(8)),
    at("trace_state", 3, Shape::TraceState),
    at("parent_span_id", 4, Shape::Id(8)),
    at("parent_span_id.string", 4, Shape::IdText(8)),
    at("name", 5, Shape::Text),
    at("kind", 6, Shape::Signed32),
    at("kind.string", 6, Shape::KindText),
    at("kind.deprecated_string", 6, Shape::KindOldText),
    at("start_time_unix_nano", 7, Shape::Nanos),
    at("start_time", 7, Shape::Time),
    at("end_time_unix_nano", 8, Shape::Nanos),
    at("end_time", 8, Shape::Time),
    at("attributes", 9, Shape::Attributes),
    at("dropped_attributes_count", 10, Shape::Unsigned(32)),
    at("events", 11, Shape::Messages),
    at("dropped_events_count", 12, Shape::Unsigned(32)),
    at("links", 13, Shape::Messages),
    at("dropped_links_count", 14, Shape::Unsigned(32)),
    at("status", 15, Shape::Message),
    within("status.message", 15, 2, Shape::Text),
    within("status.code", 15, 3, Shape::Signed32),
    at("flags", 16, Shape::Fixed32),
];

static SPAN_EVENT: [Entry; 8] = [
    at("", 0, Shape::Whole),
    CACHE,
    at("time_unix_nano", 1, Shape::Nanos),
    at("time", 1, Shape::Time),
    at("name", 2, Shape::Text),
    at("attributes", 3, Shape::Attributes),
    at("dropped_attributes_count", 4, Shape::Unsigned(32)),
    at("event_index", 0, Shape::Position),
];

static METRIC: [Entry; 10] = [
    at("", 0, Shape::Whole),
    CACHE,
    at("name", 1, Shape::Text),
    at("description", 2, Shape::Text),
    at("unit", 3, Shape::Text),
    at("type", 0, Shape::MetricType),
    at("metadata", 12, Shape::Attributes),
    data("aggregation_temporality", [0, 2, 2, 2, 0], Shape::Signed32),
    data("is_monotonic", [0, 3, 0, 0, 0], Shape::Bool),
    at("data_points", 1, Shape::DataPoints),
];

static DATA_POINT: [Entry; 25] = [
    CACHE,
    points("attributes", [7, 9, 1, 7], Shape::Attributes),
    points("start_time_unix_nano", [2, 2, 2, 2], Shape::Nanos),
    points("start_time", [2, 2, 2, 2], Shape::Time),
    points("time_unix_nano", [3, 3, 3, 3], Shape::Nanos),
    points("time", [3, 3, 3, 3], Shape::Time),
    points("value_double", [4, 0, 0, 0], Shape::ValueDouble),
    points("value_int", [6, 0, 0, 0], Shape::ValueInt),
    points("exemplars", [5, 8, 11, 0], Shape::Messages),
    points("flags", [8, 10, 10, 8], Shape::Unsigned(32)),
    points("count", [0, 4, 4, 4], Shape::Count),
    points("sum", [0, 5, 5, 5], Shape::Double),
    points("min", [0, 11, 12, 0], Shape::Double),
    points("max", [0, 12, 13, 0], Shape::Double),
    points("bucket_counts", [0, 6, 0, 0], Shape::Counts),
    points("explicit_bounds", [0, 7, 0, 0], Shape::Doubles),
    points("scale", [0, 0, 6, 0], Shape::Zigzag),
    points("zero_count", [0, 0, 7, 0], Shape::Count),
    points("positive", [0, 0, 8, 0], Shape::Message),
    buckets("positive.offset", 8, 1, Shape::Zigzag),
    buckets("positive.bucket_counts", 8, 2, Shape::Varints),
    points("negative", [0, 0, 9, 0], Shape::Message),
    buckets("negative.offset", 9, 1, Shape::Zigzag),
    buckets("negative.bucket_counts", 9, 2, Shape::Varints),
    points("quantile_values", [0, 0, 0, 6], Shape::Messages),
];

/// The paths of a context, without a prefix.
pub(crate) fn entries(context: Context) -> &'static [Entry] {
    match context {
        Context::Resource => &RESOURCE,
        Context::Scope => &SCOPE,
        Context::Log => &LOG,
        Context::Span => &SPAN,
        Context::SpanEvent => &SPAN_EVENT,
        Context::Metric => &METRIC,
        Context::DataPoint => &DATA_POINT,
    }
}

/// The value of an enumeration's name in a context.
pub(crate) fn enumeration(context: Context, name: &str) -> Option<i64> {
    let found = enumerations(context).find(|(known, _)| *known == name);
    found.map(|(_, value)| value)
}

/// The names that a context gives to numbers.
pub(crate) fn enumerations(context: Context) -> impl Iterator<Item = (&'static str, i64)> {
    type Names = &'static [(&'static str, i64)];
    let (first, second): (Names, Names) = match context {
        Context::Resource | Context::Scope => (&[], &[]),
        Context::Log => (&SEVERITIES, &[]),
        Context::Span | Context::SpanEvent => (&SPANS, &[]),
        Context::Metric => (&METRICS, &[]),
        Context::DataPoint => (&METRICS, &FLAGS),
    };
    first.iter().chain(second).copied()
}

static SEVERITIES: [(&str, i64); 25] = [
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];

static SPANS: [(&str, i64); 9] = [
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
];

static METRICS: [(&str, i64); 9] = [
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
    ("METRIC_DATA_TYPE_NONE", 0),
    ("METRIC_DATA_TYPE_GAUGE", 1),
    ("METRIC_DATA_TYPE_SUM", 2),
    ("METRIC_DATA_TYPE_HISTOGRAM", 3),
    ("METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM", 4),
    ("METRIC_DATA_TYPE_SUMMARY", 5),
];

static FLAGS: [(&str, i64); 2] = [("FLAG_NONE", 0), ("FLAG_NO_RECORDED_VALUE", 1)];
