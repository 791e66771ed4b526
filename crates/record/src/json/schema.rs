//! OTLP as JSON names it: every message with its fields, for the writer and the reader alike.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> and
//! <https://protobuf.dev/programming-guides/json/>.

use crate::signal::Signal;
use crate::wire::{FIXED32, FIXED64, LEN, VARINT};

/// The highest field number in OTLP.
const NUMBER_MAX: usize = 16;

/// One more than the highest slot of a field in its message.
pub(super) const SLOTS: usize = 17;

/// A message.
pub(super) struct Message {
    pub(super) role: Role,
    pub(super) fields: &'static [Field],
    by_number: [u8; NUMBER_MAX + 1],
}

/// What a message is for the limits and the count of records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing special.
    Plain,
    /// An item with a size limit that is also what is counted.
    CountedRecord,
    /// An item with a size limit.
    Record,
    /// What is counted inside an item.
    Counted,
    /// A key and its value.
    Entry,
    /// A value, which may nest.
    Value,
}

/// A field of a message.
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    /// The name with quotes and colon, as it is written.
    pub(super) key: &'static str,
    pub(super) label: Label,
    pub(super) kind: Kind,
    /// Fields that exclude each other share a slot.
    pub(super) slot: usize,
}

/// How often a field stands in its message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// Once; the default value is the same as absence.
    Single,
    /// Once or not at all.
    Optional,
    /// As the only one of a group of fields; no message has two groups.
    Oneof,
    /// Any number of times.
    Repeated,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// Bytes that are written as hexadecimal digits.
    Hex,
    /// Bytes that are written in base64.
    Base64,
    Bool,
    Int32,
    Uint32,
    Sint32,
    Enum,
    Int64,
    Uint64,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Message(&'static Message),
}

impl Kind {
    /// The wire type of one value.
    pub(super) const fn wire_type(self) -> u8 {
        match self {
            Self::Text | Self::Hex | Self::Base64 | Self::Message(_) => LEN,
            Self::Bool
            | Self::Int32
            | Self::Uint32
            | Self::Sint32
            | Self::Enum
            | Self::Int64
            | Self::Uint64 => VARINT,
            Self::Fixed32 => FIXED32,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => FIXED64,
        }
    }
}

impl Field {
    /// Whether the field holds numbers that share one length.
    pub(super) fn is_packed(&self) -> bool {
        self.label == Label::Repeated && self.kind.wire_type() != LEN
    }
}

impl Message {
    /// The field with this number.
    #[inline]
    pub(super) fn field(&self, number: u32) -> Option<&'static Field> {
        let index = *self.by_number.get(usize::try_from(number).ok()?)?;
        self.fields.get(usize::from(index))
    }

    /// The field with this name.
    #[inline]
    pub(super) fn named(&self, name: &[u8]) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name.as_bytes() == name)
    }
}

/// The message that an export request of this signal is.
pub(super) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Logs => &LOGS_REQUEST,
        Signal::Metrics => &METRICS_REQUEST,
        Signal::Traces => &TRACES_REQUEST,
    }
}

/// The message that a value is.
pub(super) fn any_value() -> &'static Message {
    &ANY_VALUE
}

macro_rules! messages {
    ($($message:ident: $role:ident {
        $($name:literal = $number:literal, $label:ident $kind:ident $(($inner:ident))?;)*
    })*) => {
        $(static $message: Message = Message {
            role: Role::$role,
            fields: &[$(Field {
                number: $number,
                name: $name,
                key: concat!("\"", $name, "\":"),
                label: Label::$label,
                kind: Kind::$kind $((&$inner))?,
                slot: slot(Label::$label, $number),
            }),*],
            by_number: by_number(&[$($number),*]),
        };)*
    };
}

/// The position of each number among the fields.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn by_number(numbers: &[usize]) -> [u8; NUMBER_MAX + 1] {
    let mut positions = [u8::MAX; NUMBER_MAX + 1];
    let mut index = 0;
    while index < numbers.len() {
        #[expect(clippy::cast_possible_truncation, reason = "no message has 255 fields")]
        let position = index as u8;
        positions[numbers[index]] = position;
        index += 1;
    }
    positions
}

/// Number 0 is free for the fields that exclude each other.
const fn slot(label: Label, number: usize) -> usize {
    match label {
        Label::Oneof => 0,
        Label::Single | Label::Optional | Label::Repeated => number,
    }
}

messages! {
    LOGS_REQUEST: Plain {
        "resourceLogs" = 1, Repeated Message(RESOURCE_LOGS);
    }
    RESOURCE_LOGS: Plain {
        "resource" = 1, Single Message(RESOURCE);
        "scopeLogs" = 2, Repeated Message(SCOPE_LOGS);
        "schemaUrl" = 3, Single Text;
    }
    SCOPE_LOGS: Plain {
        "scope" = 1, Single Message(SCOPE);
        "logRecords" = 2, Repeated Message(LOG_RECORD);
        "schemaUrl" = 3, Single Text;
    }
    LOG_RECORD: CountedRecord {
        "timeUnixNano" = 1, Single Fixed64;
        "observedTimeUnixNano" = 11, Single Fixed64;
        "severityNumber" = 2, Single Enum;
        "severityText" = 3, Single Text;
        "body" = 5, Single Message(ANY_VALUE);
        "attributes" = 6, Repeated Message(KEY_VALUE);
        "droppedAttributesCount" = 7, Single Uint32;
        "flags" = 8, Single Fixed32;
        "traceId" = 9, Single Hex;
        "spanId" = 10, Single Hex;
        "eventName" = 12, Single Text;
    }
    TRACES_REQUEST: Plain {
        "resourceSpans" = 1, Repeated Message(RESOURCE_SPANS);
    }
    RESOURCE_SPANS: Plain {
        "resource" = 1, Single Message(RESOURCE);
        "scopeSpans" = 2, Repeated Message(SCOPE_SPANS);
        "schemaUrl" = 3, Single Text;
    }
    SCOPE_SPANS: Plain {
        "scope" = 1, Single Message(SCOPE);
        "spans" = 2, Repeated Message(SPAN);
        "schemaUrl" = 3, Single Text;
    }
    SPAN: CountedRecord {
        "traceId" = 1, Single Hex;
        "spanId" = 2, Single Hex;
        "traceState" = 3, Single Text;
        "parentSpanId" = 4, Single Hex;
        "flags" = 16, Single Fixed32;
        "name" = 5, Single Text;
        "kind" = 6, Single Enum;
        "startTimeUnixNano" = 7, Single Fixed64;
        "endTimeUnixNano" = 8, Single Fixed64;
        "attributes" = 9, Repeated Message(KEY_VALUE);
        "droppedAttributesCount" = 10, Single Uint32;
        "events" = 11, Repeated Message(EVENT);
        "droppedEventsCount" = 12, Single Uint32;
        "links" = 13, Repeated Message(LINK);
        "droppedLinksCount" = 14, Single Uint32;
        "status" = 15, Single Message(STATUS);
    }
    EVENT: Plain {
        "timeUnixNano" = 1, Single Fixed64;
        "name" = 2, Single Text;
        "attributes" = 3, Repeated Message(KEY_VALUE);
        "droppedAttributesCount" = 4, Single Uint32;
    }
    LINK: Plain {
        "traceId" = 1, Single Hex;
        "spanId" = 2, Single Hex;
        "traceState" = 3, Single Text;
        "attributes" = 4, Repeated Message(KEY_VALUE);
        "droppedAttributesCount" = 5, Single Uint32;
        "flags" = 6, Single Fixed32;
    }
    STATUS: Plain {
        "message" = 2, Single Text;
        "code" = 3, Single Enum;
    }
    METRICS_REQUEST: Plain {
        "resourceMetrics" = 1, Repeated Message(RESOURCE_METRICS);
    }
    RESOURCE_METRICS: Plain {
        "resource" = 1, Single Message(RESOURCE);
        "scopeMetrics" = 2, Repeated Message(SCOPE_METRICS);
        "schemaUrl" = 3, Single Text;
    }
    SCOPE_METRICS: Plain {
        "scope" = 1, Single Message(SCOPE);
        "metrics" = 2, Repeated Message(METRIC);
        "schemaUrl" = 3, Single Text;
    }
    METRIC: Record {
        "name" = 1, Single Text;
        "description" = 2, Single Text;
        "unit" = 3, Single Text;
        "gauge" = 5, Oneof Message(GAUGE);
        "sum" = 7, Oneof Message(SUM);
        "histogram" = 9, Oneof Message(HISTOGRAM);
        "exponentialHistogram" = 10, Oneof Message(EXPONENTIAL_HISTOGRAM);
        "summary" = 11, Oneof Message(SUMMARY);
        "metadata" = 12, Repeated Message(KEY_VALUE);
    }
    GAUGE: Plain {
        "dataPoints" = 1, Repeated Message(NUMBER_POINT);
    }
    SUM: Plain {
        "dataPoints" = 1, Repeated Message(NUMBER_POINT);
        "aggregationTemporality" = 2, Single Enum;
        "isMonotonic" = 3, Single Bool;
    }
    HISTOGRAM: Plain {
        "dataPoints" = 1, Repeated Message(HISTOGRAM_POINT);
        "aggregationTemporality" = 2, Single Enum;
    }
    EXPONENTIAL_HISTOGRAM: Plain {
        "dataPoints" = 1, Repeated Message(EXPONENTIAL_POINT);
        "aggregationTemporality" = 2, Single Enum;
    }
    SUMMARY: Plain {
        "dataPoints" = 1, Repeated Message(SUMMARY_POINT);
    }
    NUMBER_POINT: Counted {
        "attributes" = 7, Repeated Message(KEY_VALUE);
        "startTimeUnixNano" = 2, Single Fixed64;
        "timeUnixNano" = 3, Single Fixed64;
        "asDouble" = 4, Oneof Double;
        "asInt" = 6, Oneof Sfixed64;
        "exemplars" = 5, Repeated Message(EXEMPLAR);
        "flags" = 8, Single Uint32;
    }
    HISTOGRAM_POINT: Counted {
        "attributes" = 9, Repeated Message(KEY_VALUE);
        "startTimeUnixNano" = 2, Single Fixed64;
        "timeUnixNano" = 3, Single Fixed64;
        "count" = 4, Single Fixed64;
        "sum" = 5, Optional Double;
        "bucketCounts" = 6, Repeated Fixed64;
        "explicitBounds" = 7, Repeated Double;
        "exemplars" = 8, Repeated Message(EXEMPLAR);
        "flags" = 10, Single Uint32;
        "min" = 11, Optional Double;
        "max" = 12, Optional Double;
    }
    EXPONENTIAL_POINT: Counted {
        "attributes" = 1, Repeated Message(KEY_VALUE);
        "startTimeUnixNano" = 2, Single Fixed64;
        "timeUnixNano" = 3, Single Fixed64;
        "count" = 4, Single Fixed64;
        "sum" = 5, Optional Double;
        "scale" = 6, Single Sint32;
        "zeroCount" = 7, Single Fixed64;
        "positive" = 8, Single Message(BUCKETS);
        "negative" = 9, Single Message(BUCKETS);
        "flags" = 10, Single Uint32;
        "exemplars" = 11, Repeated Message(EXEMPLAR);
        "min" = 12, Optional Double;
        "max" = 13, Optional Double;
        "zeroThreshold" = 14, Single Double;
    }
    BUCKETS: Plain {
        "offset" = 1, Single Sint32;
        "bucketCounts" = 2, Repeated Uint64;
    }
    SUMMARY_POINT: Counted {
        "attributes" = 7, Repeated Message(KEY_VALUE);
        "startTimeUnixNano" = 2, Single Fixed64;
        "timeUnixNano" = 3, Single Fixed64;
        "count" = 4, Single Fixed64;
        "sum" = 5, Single Double;
        "quantileValues" = 6, Repeated Message(QUANTILE);
        "flags" = 8, Single Uint32;
    }
    QUANTILE: Plain {
        "quantile" = 1, Single Double;
        "value" = 2, Single Double;
    }
    EXEMPLAR: Plain {
        "filteredAttributes" = 7, Repeated Message(KEY_VALUE);
        "timeUnixNano" = 2, Single Fixed64;
        "asDouble" = 3, Oneof Double;
        "asInt" = 6, Oneof Sfixed64;
        "spanId" = 4, Single Hex;
        "traceId" = 5, Single Hex;
    }
    RESOURCE: Plain {
        "attributes" = 1, Repeated Message(KEY_VALUE);
        "droppedAttributesCount" = 2, Single Uint32;
        "entityRefs" = 3, Repeated Message(ENTITY_REF);
    }
    ENTITY_REF: Plain {
        "schemaUrl" = 1, Single Text;
        "type" = 2, Single Text;
        "idKeys" = 3, Repeated Text;
        "descriptionKeys" = 4, Repeated Text;
    }
    SCOPE: Plain {
        "name" = 1, Single Text;
        "version" = 2, Single Text;
        "attributes" = 3, Repeated Message(KEY_VALUE);
        "droppedAttributesCount" = 4, Single Uint32;
    }
    KEY_VALUE: Entry {
        "key" = 1, Single Text;
        "value" = 2, Single Message(ANY_VALUE);
        "keyStrindex" = 3, Single Int32;
    }
    ANY_VALUE: Value {
        "stringValue" = 1, Oneof Text;
        "boolValue" = 2, Oneof Bool;
        "intValue" = 3, Oneof Int64;
        "doubleValue" = 4, Oneof Double;
        "arrayValue" = 5, Oneof Message(ARRAY_VALUE);
        "kvlistValue" = 6, Oneof Message(KEY_VALUE_LIST);
        "bytesValue" = 7, Oneof Base64;
        "stringValueStrindex" = 8, Oneof Int32;
    }
    ARRAY_VALUE: Plain {
        "values" = 1, Repeated Message(ANY_VALUE);
    }
    KEY_VALUE_LIST: Plain {
        "values" = 1, Repeated Message(KEY_VALUE);
    }
}
