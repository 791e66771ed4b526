//! A span with its events, links and status.

use super::fields::{Piece, attributes, bytes, fixed32, fixed64, int32, list, text, uint32, view};
use super::repeated::Repeated;
use crate::value::{Map, Text};

view! {
    /// A `Span`.
    SpanView {
        /// The trace it belongs to.
        trace_id: &'a [u8] = 1, bytes;
        /// Its own id.
        span_id: &'a [u8] = 2, bytes;
        /// The W3C trace state.
        trace_state: Text<'a> = 3, text;
        /// The span that caused it; empty for a root.
        parent_span_id: &'a [u8] = 4, bytes;
        /// The W3C trace flags in the low eight bits; bits 8 and 9 say whether the parent is remote.
        flags: u32 = 16, fixed32;
        /// What was done.
        name: Text<'a> = 5, text;
        /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer; 0 if it is not said.
        kind: i32 = 6, int32;
        /// When it began, in nanoseconds since 1970.
        start_time_unix_nano: u64 = 7, fixed64;
        /// When it ended, in nanoseconds since 1970.
        end_time_unix_nano: u64 = 8, fixed64;
        /// What describes the span.
        attributes: Map<'a> = 9, attributes;
        /// How many attributes the sender left out.
        dropped_attributes_count: u32 = 10, uint32;
        /// What happened meanwhile.
        events: Repeated<'a, EventView<'a>> = 11, list;
        /// How many events the sender left out.
        dropped_events_count: u32 = 12, uint32;
        /// The spans it refers to.
        links: Repeated<'a, LinkView<'a>> = 13, list;
        /// How many links the sender left out.
        dropped_links_count: u32 = 14, uint32;
        /// How it ended.
        status: StatusView<'a> = 15, status;
    }
}

view! {
    /// A `Span.Event`.
    EventView {
        /// When it happened, in nanoseconds since 1970.
        time_unix_nano: u64 = 1, fixed64;
        /// What happened.
        name: Text<'a> = 2, text;
        /// What describes the event.
        attributes: Map<'a> = 3, attributes;
        /// How many attributes the sender left out.
        dropped_attributes_count: u32 = 4, uint32;
    }
}

view! {
    /// A `Span.Link`.
    LinkView {
        /// The trace of the other span.
        trace_id: &'a [u8] = 1, bytes;
        /// The other span.
        span_id: &'a [u8] = 2, bytes;
        /// The W3C trace state of the other span.
        trace_state: Text<'a> = 3, text;
        /// What describes the link.
        attributes: Map<'a> = 4, attributes;
        /// How many attributes the sender left out.
        dropped_attributes_count: u32 = 5, uint32;
        /// The W3C trace flags in the low eight bits.
        flags: u32 = 6, fixed32;
    }
}

view! {
    /// A span's `Status`.
    StatusView {
        /// What went wrong.
        message: Text<'a> = 2, text;
        /// 0 unset, 1 ok, 2 error.
        code: i32 = 3, int32;
    }
}

fn status<'a>(field: &mut StatusView<'a>, piece: &Piece<'a>) {
    if let Some(bytes) = piece.value.bytes() {
        field.absorb(bytes);
    }
}
