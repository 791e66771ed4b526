//! Documents for Elastic's own data streams for OpenTelemetry, where names with dots are kept
//! (<https://www.elastic.co/docs/reference/opentelemetry>).

use bessemer_record::json::write_text;
use bessemer_record::value::{AnyValue, Map};
use bessemer_record::view::{EventView, LogRecordView, ScopeView, SpanView};

use super::document::{Document, Dots, write_value};
use super::index::{DataStream, is_routing};
use super::modes::{Origin, time_of};
use crate::http::fields::Fields;
use crate::http::json::{Object, write_as_text};
use crate::http::time::{Fraction, write_rfc3339};

/// Where hints for metrics stand, which are no attributes of a document.
const HINTS: &str = "elasticsearch.mapping.hints";

/// Appends a log record.
pub(super) fn write_log(
    log: &LogRecordView<'_>,
    origin: &Origin<'_>,
    stream: Option<&DataStream>,
    out: &mut Vec<u8>,
) {
    let mut document = Object::open(out);
    time(&mut document, "@timestamp", time_of(log));
    time(&mut document, "observed_timestamp", log.observed_time_unix_nano());
    document.some_id("trace_id", log.trace_id());
    document.some_id("span_id", log.span_id());
    document.some_text("severity_text", log.severity_text().as_bytes());
    document.integer("severity_number", i64::from(log.severity_number()));
    document.unsigned("dropped_attributes_count", u64::from(log.dropped_attributes_count()));
    attributes(&mut document, log.attributes(), None);
    data_stream(&mut document, log.attributes(), stream);
    body(&mut document, log);
    belongings(&mut document, origin);
    document.close();
}

/// Appends a span; its events are documents of their own.
pub(super) fn write_span(
    span: &SpanView<'_>,
    origin: &Origin<'_>,
    stream: Option<&DataStream>,
    out: &mut Vec<u8>,
) {
    let mut document = Object::open(out);
    time(&mut document, "@timestamp", span.start_time_unix_nano());
    document.some_id("trace_id", span.trace_id());
    document.some_id("span_id", span.span_id());
    document.some_text("trace_state", span.trace_state().as_bytes());
    document.some_id("parent_span_id", span.parent_span_id());
    document.some_text("name", span.name().as_bytes());
    document.text("kind", kind(span.kind()));
    let took = span.end_time_unix_nano().wrapping_sub(span.start_time_unix_nano());
    document.unsigned("duration", took);
    attributes(&mut document, span.attributes(), None);
    data_stream(&mut document, span.attributes(), stream);
    document.unsigned("dropped_attributes_count", u64::from(span.dropped_attributes_count()));
    document.unsigned("dropped_events_count", u64::from(span.dropped_events_count()));
    links(&mut document, span);
    document.unsigned("dropped_links_count", u64::from(span.dropped_links_count()));
    let mut status = document.object("status");
    status.some_text("message", span.status().message().as_bytes());
    status.text("code", code(span.status().code()));
    status.close();
    belongings(&mut document, origin);
    document.close();
}

/// Appends an event of a span.
pub(super) fn write_event(
    event: &EventView<'_>,
    span: &SpanView<'_>,
    origin: &Origin<'_>,
    stream: Option<&DataStream>,
    out: &mut Vec<u8>,
) {
    let mut document = Object::open(out);
    time(&mut document, "@timestamp", event.time_unix_nano());
    document.some_id("trace_id", span.trace_id());
    document.some_id("span_id", span.span_id());
    document.unsigned("dropped_attributes_count", u64::from(event.dropped_attributes_count()));
    attributes(&mut document, event.attributes(), Some(event.name().as_bytes()));
    data_stream(&mut document, event.attributes(), stream);
    belongings(&mut document, origin);
    document.close();
}

fn time(document: &mut Object<'_>, key: &'static str, nanos: u64) {
    write_rfc3339(nanos, Fraction::Full, document.key(key));
}

/// Adds attributes with their names as they are, and the name of an event as one of them.
fn attributes(document: &mut Object<'_>, map: Map<'_>, event: Option<&[u8]>) {
    let mut fields = Fields::default();
    if let Some(name) = event.filter(|name| !name.is_empty()) {
        fields.put(b"event.name", |out| write_text(name, out));
    }
    for (name, value) in map {
        if !is_nothing(value) && !is_routing(name.as_bytes()) && name != HINTS {
            fields.put_flat(name, value, write_value);
        }
    }
    if !fields.is_empty() {
        fields.write_over(&Fields::default(), document.key("attributes"));
    }
}

fn is_nothing(value: AnyValue<'_>) -> bool {
    if let AnyValue::Array(values) = value {
        return values.is_empty();
    }
    value.is_empty()
}

/// Adds the data stream: as the record was routed, or as its attributes say.
fn data_stream(document: &mut Object<'_>, map: Map<'_>, stream: Option<&DataStream>) {
    if let Some(stream) = stream {
        let mut object = document.object("data_stream");
        object.text("type", stream.kind.as_bytes());
        object.text("dataset", stream.dataset.as_bytes());
        object.text("namespace", stream.namespace.as_bytes());
        return object.close();
    }
    let mut fields = Fields::default();
    for (name, value) in map {
        if is_routing(name.as_bytes())
            && let Some(part) = name.as_bytes().strip_prefix(b"data_stream.")
        {
            fields.put(part, |out| write_value(value, out));
        }
    }
    if !fields.is_empty() {
        fields.write_over(&Fields::default(), document.key("data_stream"));
    }
}

/// A body is text, or structured below a name that says how it is indexed.
fn body(document: &mut Object<'_>, log: &LogRecordView<'_>) {
    let name =
        if log.attributes().get("event.name").is_some() { "structured" } else { "flattened" };
    match log.body() {
        AnyValue::Empty => {}
        AnyValue::Map(map) if map.is_empty() => {}
        AnyValue::Map(map) => {
            let mut nested = Document::default();
            nested.attributes("", map);
            let mut body = document.object("body");
            nested.write(Dots::Nested, body.key(name));
            body.close();
        }
        // An index takes lists of objects only; other lists stand in an object.
        AnyValue::Array(values) => {
            let is_objects = values.iter().all(|value| matches!(value, AnyValue::Map(_)));
            let mut body = document.object("body");
            let out = body.key(name);
            if is_objects {
                write_value(log.body(), out);
            } else {
                let mut object = Object::open(out);
                write_value(log.body(), object.key("value"));
                object.close();
            }
            body.close();
        }
        AnyValue::Str(text) if text.is_empty() => {}
        AnyValue::Str(_)
        | AnyValue::Bool(_)
        | AnyValue::Int(_)
        | AnyValue::Double(_)
        | AnyValue::Bytes(_) => {
            let mut body = document.object("body");
            write_as_text(log.body(), body.key("text"));
            body.close();
        }
    }
}

fn links(document: &mut Object<'_>, span: &SpanView<'_>) {
    if span.links().is_empty() {
        return;
    }
    let mut list = document.list("links");
    for other in span.links() {
        let mut link = Object::open(list.next());
        attributes(&mut link, other.attributes(), None);
        link.unsigned("dropped_attributes_count", u64::from(other.dropped_attributes_count()));
        bessemer_record::json::write_hex(other.span_id(), link.key("span_id"));
        bessemer_record::json::write_hex(other.trace_id(), link.key("trace_id"));
        link.text("trace_state", other.trace_state().as_bytes());
        link.close();
    }
    list.close();
}

/// Adds resource and scope.
fn belongings(document: &mut Object<'_>, origin: &Origin<'_>) {
    let mut resource = document.object("resource");
    attributes(&mut resource, origin.resource.attributes(), None);
    let dropped = origin.resource.dropped_attributes_count();
    resource.unsigned("dropped_attributes_count", u64::from(dropped));
    resource.some_text("schema_url", origin.resource_schema.as_bytes());
    resource.close();
    let from: ScopeView<'_> = origin.scope;
    let mut scope = document.object("scope");
    attributes(&mut scope, from.attributes(), None);
    scope.unsigned("dropped_attributes_count", u64::from(from.dropped_attributes_count()));
    scope.some_text("name", from.name().as_bytes());
    scope.some_text("version", from.version().as_bytes());
    scope.some_text("schema_url", origin.scope_schema.as_bytes());
    scope.close();
}

fn kind(number: i32) -> &'static [u8] {
    match number {
        1 => b"Internal",
        2 => b"Server",
        3 => b"Client",
        4 => b"Producer",
        5 => b"Consumer",
        _ => b"Unspecified",
    }
}

fn code(number: i32) -> &'static [u8] {
    match number {
        1 => b"Ok",
        2 => b"Error",
        _ => b"Unset",
    }
}
