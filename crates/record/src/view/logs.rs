//! A log record.

use super::fields::{any, attributes, bytes, fixed32, fixed64, int32, text, uint32, view};
use crate::value::{AnyValue, Map, Text};

view! {
    /// A `LogRecord`.
    LogRecordView {
        /// When it happened, in nanoseconds since 1970; 0 if it is not known.
        time_unix_nano: u64 = 1, fixed64;
        /// When a collector first saw it, in nanoseconds since 1970.
        observed_time_unix_nano: u64 = 11, fixed64;
        /// The severity from 1 (trace) to 24 (fatal); 0 if there is none.
        severity_number: i32 = 2, int32;
        /// The severity as the source wrote it.
        severity_text: Text<'a> = 3, text;
        /// The message, or the structure that stands for it.
        body: AnyValue<'a> = 5, any;
        /// What describes the record.
        attributes: Map<'a> = 6, attributes;
        /// How many attributes the sender left out.
        dropped_attributes_count: u32 = 7, uint32;
        /// The W3C trace flags in the low eight bits.
        flags: u32 = 8, fixed32;
        /// The trace it belongs to: 16 bytes, or none.
        trace_id: &'a [u8] = 9, bytes;
        /// The span it belongs to: 8 bytes, or none.
        span_id: &'a [u8] = 10, bytes;
        /// The name that makes it an event.
        event_name: Text<'a> = 12, text;
    }
}
