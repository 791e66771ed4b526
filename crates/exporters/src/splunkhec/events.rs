//! Log records and spans as events of the collector.

use bessemer_record::json::{write_any_value, write_hex, write_text, write_unsigned};
use bessemer_record::value::{AnyValue, Map, Text};
use bessemer_record::view::{LogRecordView, SpanView};

use super::settings::{Metadata, Settings};
use crate::http::fields::{Fields, write_plain_lists};
use crate::http::json::{Object, write_as_text};
use crate::http::time::{rounded_millis, write_millis};

/// The attribute of a resource whose records go with a token of their own.
const TOKEN: &str = "com.splunk.hec.access_token";
const UNKNOWN_HOST: &[u8] = b"unknown";

/// How an attribute becomes a field.
pub(super) type Put = fn(&mut Fields, Text<'_>, AnyValue<'_>);

/// As its value is, maps as a field for each of their leaves: for logs.
pub(super) fn put_leaves(fields: &mut Fields, name: Text<'_>, value: AnyValue<'_>) {
    fields.put_flat(name, value, write_plain_lists);
}

/// As text: for dimensions of metrics, and resources of spans.
pub(super) fn put_text(fields: &mut Fields, name: Text<'_>, value: AnyValue<'_>) {
    fields.put(name.as_bytes(), |out| write_as_text(value, out));
}

/// What stands around an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope<'a> {
    host: &'a [u8],
    source: &'a [u8],
    sourcetype: &'a [u8],
    index: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// What the settings say.
    pub(super) fn new(settings: &'a Settings) -> Self {
        let block = &settings.splunk;
        Self {
            host: UNKNOWN_HOST,
            source: bytes(settings.source.as_ref().or(block.source.as_ref())),
            sourcetype: bytes(settings.sourcetype.as_ref().or(block.sourcetype.as_ref())),
            index: bytes(settings.index.as_ref().or(block.index.as_ref())),
        }
    }

    /// Takes what attributes say of the envelope, and puts the others into `fields`.
    pub(super) fn with(
        mut self,
        attributes: Map<'a>,
        names: &Metadata,
        fields: &mut Fields,
        put: Put,
    ) -> Self {
        for (name, value) in attributes {
            let Some(part) = self.part(name, names) else {
                if name != TOKEN {
                    put(fields, name, value);
                }
                continue;
            };
            if let AnyValue::Str(text) = value {
                *part = text.as_bytes();
            }
        }
        self
    }

    fn part(&mut self, name: Text<'_>, names: &Metadata) -> Option<&mut &'a [u8]> {
        if name == *names.host.as_str() {
            Some(&mut self.host)
        } else if name == *names.source.as_str() {
            Some(&mut self.source)
        } else if name == *names.sourcetype.as_str() {
            Some(&mut self.sourcetype)
        } else if name == *names.index.as_str() {
            Some(&mut self.index)
        } else {
            None
        }
    }

    /// Opens an event at this time; without one, the collector takes the time of arrival.
    pub(super) fn open(self, nanos: u64, out: &mut Vec<u8>) -> Object<'_> {
        let mut event = Object::open(out);
        if rounded_millis(nanos) > 0 {
            write_millis(nanos, event.key("time"));
        }
        event.text("host", self.host);
        event.some_text("source", self.source);
        event.some_text("sourcetype", self.sourcetype);
        event.some_text("index", self.index);
        event
    }
}

fn bytes(text: Option<&String>) -> &[u8] {
    text.map_or(&[], String::as_bytes)
}

/// The token that a resource goes with, if it has its own.
pub(super) fn token(attributes: Map<'_>) -> Option<&[u8]> {
    let AnyValue::Str(token) = attributes.get(TOKEN)? else { return None };
    Some(token.as_bytes()).filter(|token| !token.is_empty())
}

/// Whether a record has nothing that could be an event.
pub(super) fn is_blank(body: AnyValue<'_>) -> bool {
    match body {
        AnyValue::Empty => true,
        AnyValue::Str(text) => text.is_empty(),
        AnyValue::Bool(_)
        | AnyValue::Int(_)
        | AnyValue::Double(_)
        | AnyValue::Bytes(_)
        | AnyValue::Array(_)
        | AnyValue::Map(_) => false,
    }
}

/// Appends a log record. `own` is room for its fields.
pub(super) fn write_log(
    log: &LogRecordView<'_>,
    envelope: Envelope<'_>,
    settings: &Settings,
    (base, own): (&Fields, &mut Fields),
    out: &mut Vec<u8>,
) {
    own.clear();
    put_id(own, b"span_id", log.span_id());
    put_id(own, b"trace_id", log.trace_id());
    let names = &settings.otel_to_hec_fields;
    if !log.severity_text().is_empty() {
        let text = log.severity_text().as_bytes();
        own.put(names.severity_text.as_bytes(), |out| write_text(text, out));
    }
    if let Ok(number @ 1..) = u64::try_from(log.severity_number()) {
        own.put(names.severity_number.as_bytes(), |out| write_unsigned(number, out));
    }
    let names = &settings.hec_metadata_to_otel_attrs;
    let envelope = envelope.with(log.attributes(), names, own, put_leaves);
    let mut event = envelope.open(log.time_unix_nano(), out);
    write_any_value(log.body(), event.key("event"));
    if !(base.is_empty() && own.is_empty()) {
        own.write_over(base, event.key("fields"));
    }
    event.close();
}

/// Appends the body of a log record alone.
pub(super) fn write_raw(body: AnyValue<'_>, out: &mut Vec<u8>) {
    if let AnyValue::Str(text) = body {
        return out.extend_from_slice(text.as_bytes());
    }
    write_any_value(body, out);
}

/// Appends a span. `base` are the fields of its resource.
pub(super) fn write_span(
    span: &SpanView<'_>,
    envelope: Envelope<'_>,
    base: &Fields,
    out: &mut Vec<u8>,
) {
    let mut event = envelope.open(span.start_time_unix_nano(), out);
    let mut body = event.object("event");
    write_id(&mut body, "trace_id", span.trace_id());
    write_id(&mut body, "span_id", span.span_id());
    write_id(&mut body, "parent_span_id", span.parent_span_id());
    body.text("name", span.name().as_bytes());
    write_attributes(&mut body, span.attributes());
    body.unsigned("end_time", span.end_time_unix_nano());
    body.text("kind", kind(span.kind()));
    let mut status = body.object("status");
    status.text("message", span.status().message().as_bytes());
    status.text("code", code(span.status().code()));
    status.close();
    body.unsigned("start_time", span.start_time_unix_nano());
    write_span_events(&mut body, span);
    write_links(&mut body, span);
    body.close();
    if !base.is_empty() {
        Fields::default().write_over(base, event.key("fields"));
    }
    event.close();
}

fn write_span_events(body: &mut Object<'_>, span: &SpanView<'_>) {
    if span.events().is_empty() {
        return;
    }
    let mut list = body.list("events");
    for happened in span.events() {
        let mut event = Object::open(list.next());
        write_attributes(&mut event, happened.attributes());
        event.text("name", happened.name().as_bytes());
        event.unsigned("timestamp", happened.time_unix_nano());
        event.close();
    }
    list.close();
}

fn write_links(body: &mut Object<'_>, span: &SpanView<'_>) {
    if span.links().is_empty() {
        return;
    }
    let mut list = body.list("links");
    for other in span.links() {
        let mut link = Object::open(list.next());
        write_attributes(&mut link, other.attributes());
        write_id(&mut link, "trace_id", other.trace_id());
        write_id(&mut link, "span_id", other.span_id());
        link.text("trace_state", other.trace_state().as_bytes());
        link.close();
    }
    list.close();
}

fn write_attributes(object: &mut Object<'_>, attributes: Map<'_>) {
    if !attributes.is_empty() {
        write_any_value(AnyValue::Map(attributes), object.key("attributes"));
    }
}

fn write_id(object: &mut Object<'_>, key: &'static str, id: &[u8]) {
    write_hex(id, object.key(key));
}

fn put_id(fields: &mut Fields, name: &[u8], id: &[u8]) {
    if !id.is_empty() {
        fields.put(name, |out| write_hex(id, out));
    }
}

fn kind(number: i32) -> &'static [u8] {
    match number {
        1 => b"SPAN_KIND_INTERNAL",
        2 => b"SPAN_KIND_SERVER",
        3 => b"SPAN_KIND_CLIENT",
        4 => b"SPAN_KIND_PRODUCER",
        5 => b"SPAN_KIND_CONSUMER",
        _ => b"SPAN_KIND_UNSPECIFIED",
    }
}

fn code(number: i32) -> &'static [u8] {
    match number {
        1 => b"STATUS_CODE_OK",
        2 => b"STATUS_CODE_ERROR",
        _ => b"STATUS_CODE_UNSET",
    }
}
