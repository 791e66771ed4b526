//! The messages of OTLP 1.11 as far as the check must know them: field numbers, types, nesting.
//!
//! One table per message serves the check. The
//! definitions: <https://github.com/open-telemetry/opentelemetry-proto>.

use crate::signal::Signal;
use crate::wire::{FIXED32, FIXED64, LEN, VARINT};

/// A message: its fields and a direct way from a one-byte tag to the field.
pub(crate) struct Message {
    /// The known fields; any other field is unknown and passes.
    pub(crate) fields: &'static [Field],
    /// What a single message of this type is bounded by.
    pub(crate) bound: Bound,
    by_tag: [u8; 128],
}

/// A limit that starts to apply where a message of some type begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// None but those of the messages around it.
    Free,
    /// The size of one record.
    Record,
    /// The nesting depth of values.
    Depth,
}

/// A known field of a message.
pub(crate) struct Field {
    /// Its number on the wire.
    pub(crate) number: u32,
    /// Its name, as the protocol definition spells it.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Integers, truth values and enumerations of variable length.
    Varint,
    /// Four bytes.
    Fixed32,
    /// Eight bytes.
    Fixed64,
    /// UTF-8.
    Text,
    /// Any bytes.
    Bytes,
    /// Numbers of variable length, packed into one field or repeated.
    Varints,
    /// Numbers of eight bytes, packed into one field or repeated.
    Fixed64s,
    /// An attribute that the record is known by.
    Attribute,
    /// A key and its value elsewhere.
    KeyValue,
    /// A value of any type.
    AnyValue,
    /// A data point of a metric.
    Point(&'static Message),
    /// Any other message.
    Message(&'static Message),
}

impl Kind {
    /// The wire type that the field is written with.
    pub(crate) const fn wire_type(self) -> u8 {
        match self {
            Self::Varint => VARINT,
            Self::Fixed32 => FIXED32,
            Self::Fixed64 => FIXED64,
            Self::Text
            | Self::Bytes
            | Self::Varints
            | Self::Fixed64s
            | Self::Attribute
            | Self::KeyValue
            | Self::AnyValue
            | Self::Point(_)
            | Self::Message(_) => LEN,
        }
    }

    /// The message that the field holds, if it holds one.
    pub(crate) fn message(self) -> Option<&'static Message> {
        match self {
            Self::Attribute | Self::KeyValue => Some(&KEY_VALUE),
            Self::AnyValue => Some(&ANY_VALUE),
            Self::Point(message) | Self::Message(message) => Some(message),
            Self::Varint
            | Self::Fixed32
            | Self::Fixed64
            | Self::Text
            | Self::Bytes
            | Self::Varints
            | Self::Fixed64s => None,
        }
    }
}

impl Message {
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "runs at compile time, where being out of range is a compile error"
    )]
    const fn new(bound: Bound, fields: &'static [Field]) -> Self {
        let mut by_tag = [u8::MAX; 128];
        let mut index = 0;
        while index < fields.len() {
            let field = &fields[index];
            if field.number < 16 {
                let tag = field.number as usize * 8 + field.kind.wire_type() as usize;
                by_tag[tag] = index as u8;
            }
            index += 1;
        }
        Self { fields, bound, by_tag }
    }

    /// The field with this number.
    pub(crate) fn field(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// The field that is written with this tag, which has two bytes.
    pub(crate) fn field_by_long_tag(&self, tag: u32) -> Option<&'static Field> {
        let field = self.field(tag >> 3)?;
        (field.number >= 16 && u32::from(field.kind.wire_type()) == tag & 7).then_some(field)
    }

    /// The field that is written with this one-byte tag.
    #[inline]
    pub(crate) fn field_by_tag(&self, tag: u8) -> Option<&'static Field> {
        self.fields.get(usize::from(*self.by_tag.get(usize::from(tag))?))
    }
}

const fn field(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

/// The message that an export request of this signal is.
pub(crate) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Logs => &LOGS_REQUEST,
        Signal::Metrics => &METRICS_REQUEST,
        Signal::Traces => &TRACES_REQUEST,
    }
}

/// The message that one item of this signal is: a log record, a metric or a span.
pub(crate) fn item(signal: Signal) -> &'static Message {
    match signal {
        Signal::Logs => &LOG_RECORD,
        Signal::Metrics => &METRIC,
        Signal::Traces => &SPAN,
    }
}

static LOGS_REQUEST: Message =
    Message::new(Bound::Free, &[field(1, "resource_logs", Kind::Message(&RESOURCE_LOGS))]);

static RESOURCE_LOGS: Message = Message::new(
    Bound::Free,
    &[
        field(1, "resource", Kind::Message(&RESOURCE)),
        field(2, "scope_logs", Kind::Message(&SCOPE_LOGS)),
        field(3, "schema_url", Kind::Text),
    ],
);

static SCOPE_LOGS: Message = Message::new(
    Bound::Free,
    &[
        field(1, "scope", Kind::Message(&SCOPE)),
        field(2, "log_records", Kind::Message(&LOG_RECORD)),
        field(3, "schema_url", Kind::Text),
    ],
);

static LOG_RECORD: Message = Message::new(
    Bound::Record,
    &[
        field(1, "time_unix_nano", Kind::Fixed64),
        field(2, "severity_number", Kind::Varint),
        field(3, "severity_text", Kind::Text),
        field(5, "body", Kind::AnyValue),
        field(6, "attributes", Kind::Attribute),
        field(7, "dropped_attributes_count", Kind::Varint),
        field(8, "flags", Kind::Fixed32),
        field(9, "trace_id", Kind::Bytes),
        field(10, "span_id", Kind::Bytes),
        field(11, "observed_time_unix_nano", Kind::Fixed64),
        field(12, "event_name", Kind::Text),
    ],
);

static TRACES_REQUEST: Message =
    Message::new(Bound::Free, &[field(1, "resource_spans", Kind::Message(&RESOURCE_SPANS))]);

static RESOURCE_SPANS: Message = Message::new(
    Bound::Free,
    &[
        field(1, "resource", Kind::Message(&RESOURCE)),
        field(2, "scope_spans", Kind::Message(&SCOPE_SPANS)),
        field(3, "schema_url", Kind::Text),
    ],
);

static SCOPE_SPANS: Message = Message::new(
    Bound::Free,
    &[
        field(1, "scope", Kind::Message(&SCOPE)),
        field(2, "spans", Kind::Message(&SPAN)),
        field(3, "schema_url", Kind::Text),
    ],
);

static SPAN: Message = Message::new(
    Bound::Record,
    &[
        field(1, "trace_id", Kind::Bytes),
        field(2, "span_id", Kind::Bytes),
        field(3, "trace_state", Kind::Text),
        field(4, "parent_span_id", Kind::Bytes),
        field(5, "name", Kind::Text),
        field(6, "kind", Kind::Varint),
        field(7, "start_time_unix_nano", Kind::Fixed64),
        field(8, "end_time_unix_nano", Kind::Fixed64),
        field(9, "attributes", Kind::Attribute),
        field(10, "dropped_attributes_count", Kind::Varint),
        field(11, "events", Kind::Message(&EVENT)),
        field(12, "dropped_events_count", Kind::Varint),
        field(13, "links", Kind::Message(&LINK)),
        field(14, "dropped_links_count", Kind::Varint),
        field(15, "status", Kind::Message(&STATUS)),
        field(16, "flags", Kind::Fixed32),
    ],
);

static EVENT: Message = Message::new(
    Bound::Free,
    &[
        field(1, "time_unix_nano", Kind::Fixed64),
        field(2, "name", Kind::Text),
        field(3, "attributes", Kind::KeyValue),
        field(4, "dropped_attributes_count", Kind::Varint),
    ],
);

static LINK: Message = Message::new(
    Bound::Free,
    &[
        field(1, "trace_id", Kind::Bytes),
        field(2, "span_id", Kind::Bytes),
        field(3, "trace_state", Kind::Text),
        field(4, "attributes", Kind::KeyValue),
        field(5, "dropped_attributes_count", Kind::Varint),
        field(6, "flags", Kind::Fixed32),
    ],
);

static STATUS: Message =
    Message::new(Bound::Free, &[field(2, "message", Kind::Text), field(3, "code", Kind::Varint)]);

static METRICS_REQUEST: Message =
    Message::new(Bound::Free, &[field(1, "resource_metrics", Kind::Message(&RESOURCE_METRICS))]);

static RESOURCE_METRICS: Message = Message::new(
    Bound::Free,
    &[
        field(1, "resource", Kind::Message(&RESOURCE)),
        field(2, "scope_metrics", Kind::Message(&SCOPE_METRICS)),
        field(3, "schema_url", Kind::Text),
    ],
);

static SCOPE_METRICS: Message = Message::new(
    Bound::Free,
    &[
        field(1, "scope", Kind::Message(&SCOPE)),
        field(2, "metrics", Kind::Message(&METRIC)),
        field(3, "schema_url", Kind::Text),
    ],
);

static METRIC: Message = Message::new(
    Bound::Record,
    &[
        field(1, "name", Kind::Text),
        field(2, "description", Kind::Text),
        field(3, "unit", Kind::Text),
        field(5, "gauge", Kind::Message(&GAUGE)),
        field(7, "sum", Kind::Message(&SUM)),
        field(9, "histogram", Kind::Message(&HISTOGRAM)),
        field(10, "exponential_histogram", Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        field(11, "summary", Kind::Message(&SUMMARY)),
        field(12, "metadata", Kind::KeyValue),
    ],
);

static GAUGE: Message =
    Message::new(Bound::Free, &[field(1, "data_points", Kind::Point(&NUMBER_POINT))]);

static SUM: Message = Message::new(
    Bound::Free,
    &[
        field(1, "data_points", Kind::Point(&NUMBER_POINT)),
        field(2, "aggregation_temporality", Kind::Varint),
        field(3, "is_monotonic", Kind::Varint),
    ],
);

static HISTOGRAM: Message = Message::new(
    Bound::Free,
    &[
        field(1, "data_points", Kind::Point(&HISTOGRAM_POINT)),
        field(2, "aggregation_temporality", Kind::Varint),
    ],
);

static EXPONENTIAL_HISTOGRAM: Message = Message::new(
    Bound::Free,
    &[
        field(1, "data_points", Kind::Point(&EXPONENTIAL_POINT)),
        field(2, "aggregation_temporality", Kind::Varint),
    ],
);

static SUMMARY: Message =
    Message::new(Bound::Free, &[field(1, "data_points", Kind::Point(&SUMMARY_POINT))]);

static NUMBER_POINT: Message = Message::new(
    Bound::Free,
    &[
        field(2, "start_time_unix_nano", Kind::Fixed64),
        field(3, "time_unix_nano", Kind::Fixed64),
        field(4, "as_double", Kind::Fixed64),
        field(5, "exemplars", Kind::Message(&EXEMPLAR)),
        field(6, "as_int", Kind::Fixed64),
        field(7, "attributes", Kind::Attribute),
        field(8, "flags", Kind::Varint),
    ],
);

static HISTOGRAM_POINT: Message = Message::new(
    Bound::Free,
    &[
        field(2, "start_time_unix_nano", Kind::Fixed64),
        field(3, "time_unix_nano", Kind::Fixed64),
        field(4, "count", Kind::Fixed64),
        field(5, "sum", Kind::Fixed64),
        field(6, "bucket_counts", Kind::Fixed64s),
        field(7, "explicit_bounds", Kind::Fixed64s),
        field(8, "exemplars", Kind::Message(&EXEMPLAR)),
        field(9, "attributes", Kind::Attribute),
        field(10, "flags", Kind::Varint),
        field(11, "min", Kind::Fixed64),
        field(12, "max", Kind::Fixed64),
    ],
);

static EXPONENTIAL_POINT: Message = Message::new(
    Bound::Free,
    &[
        field(1, "attributes", Kind::Attribute),
        field(2, "start_time_unix_nano", Kind::Fixed64),
        field(3, "time_unix_nano", Kind::Fixed64),
        field(4, "count", Kind::Fixed64),
        field(5, "sum", Kind::Fixed64),
        field(6, "scale", Kind::Varint),
        field(7, "zero_count", Kind::Fixed64),
        field(8, "positive", Kind::Message(&BUCKETS)),
        field(9, "negative", Kind::Message(&BUCKETS)),
        field(10, "flags", Kind::Varint),
        field(11, "exemplars", Kind::Message(&EXEMPLAR)),
        field(12, "min", Kind::Fixed64),
        field(13, "max", Kind::Fixed64),
        field(14, "zero_threshold", Kind::Fixed64),
    ],
);

static BUCKETS: Message = Message::new(
    Bound::Free,
    &[field(1, "offset", Kind::Varint), field(2, "bucket_counts", Kind::Varints)],
);

static SUMMARY_POINT: Message = Message::new(
    Bound::Free,
    &[
        field(2, "start_time_unix_nano", Kind::Fixed64),
        field(3, "time_unix_nano", Kind::Fixed64),
        field(4, "count", Kind::Fixed64),
        field(5, "sum", Kind::Fixed64),
        field(6, "quantile_values", Kind::Message(&QUANTILE)),
        field(7, "attributes", Kind::Attribute),
        field(8, "flags", Kind::Varint),
    ],
);

static QUANTILE: Message = Message::new(
    Bound::Free,
    &[field(1, "quantile", Kind::Fixed64), field(2, "value", Kind::Fixed64)],
);

static EXEMPLAR: Message = Message::new(
    Bound::Free,
    &[
        field(2, "time_unix_nano", Kind::Fixed64),
        field(3, "as_double", Kind::Fixed64),
        field(4, "span_id", Kind::Bytes),
        field(5, "trace_id", Kind::Bytes),
        field(6, "as_int", Kind::Fixed64),
        field(7, "filtered_attributes", Kind::KeyValue),
    ],
);

/// `Resource`.
pub(crate) static RESOURCE: Message = Message::new(
    Bound::Free,
    &[
        field(1, "attributes", Kind::Attribute),
        field(2, "dropped_attributes_count", Kind::Varint),
        field(3, "entity_refs", Kind::Message(&ENTITY_REF)),
    ],
);

/// `InstrumentationScope`.
pub(crate) static SCOPE: Message = Message::new(
    Bound::Free,
    &[
        field(1, "name", Kind::Text),
        field(2, "version", Kind::Text),
        field(3, "attributes", Kind::Attribute),
        field(4, "dropped_attributes_count", Kind::Varint),
    ],
);

static ENTITY_REF: Message = Message::new(
    Bound::Free,
    &[
        field(1, "schema_url", Kind::Text),
        field(2, "type", Kind::Text),
        field(3, "id_keys", Kind::Text),
        field(4, "description_keys", Kind::Text),
    ],
);

/// `KeyValue`.
pub(crate) static KEY_VALUE: Message = Message::new(
    Bound::Free,
    &[
        field(1, "key", Kind::Text),
        field(2, "value", Kind::AnyValue),
        field(3, "key_strindex", Kind::Varint),
    ],
);

/// `AnyValue`, the one message that nests.
pub(crate) static ANY_VALUE: Message = Message::new(
    Bound::Depth,
    &[
        field(1, "string_value", Kind::Text),
        field(2, "bool_value", Kind::Varint),
        field(3, "int_value", Kind::Varint),
        field(4, "double_value", Kind::Fixed64),
        field(5, "array_value", Kind::Message(&ARRAY_VALUE)),
        field(6, "kvlist_value", Kind::Message(&KEY_VALUE_LIST)),
        field(7, "bytes_value", Kind::Bytes),
        field(8, "string_value_strindex", Kind::Varint),
    ],
);

static ARRAY_VALUE: Message = Message::new(Bound::Free, &[field(1, "values", Kind::AnyValue)]);

static KEY_VALUE_LIST: Message = Message::new(Bound::Free, &[field(1, "values", Kind::KeyValue)]);
