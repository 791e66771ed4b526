//! Documents in the names of the OpenTelemetry data model, and in those of the Elastic Common Schema.

use bessemer_record::json::{write_any_value, write_hex, write_text};
use bessemer_record::value::{AnyValue, Map, Text};
use bessemer_record::view::{LogRecordView, ResourceView, ScopeView, SpanView};

use super::document::Document;
use super::index::DataStream;
use super::settings::Mode;
use crate::http::json::{List, Object};

/// Resource attributes that have other names in the Elastic Common Schema; nothing for those that
/// make the agent's name. <https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html>
const RESOURCE_NAMES: [(&str, &str); 30] = [
    ("cloud.platform", "cloud.service.name"),
    ("container.image.tags", "container.image.tag"),
    ("deployment.environment", "service.environment"),
    ("host.arch", "host.architecture"),
    ("host.name", "host.hostname"),
    ("k8s.cluster.name", "orchestrator.cluster.name"),
    ("k8s.container.name", "kubernetes.container.name"),
    ("k8s.cronjob.name", "kubernetes.cronjob.name"),
    ("k8s.daemonset.name", "kubernetes.daemonset.name"),
    ("k8s.deployment.name", "kubernetes.deployment.name"),
    ("k8s.job.name", "kubernetes.job.name"),
    ("k8s.namespace.name", "kubernetes.namespace"),
    ("k8s.node.name", "kubernetes.node.name"),
    ("k8s.pod.name", "kubernetes.pod.name"),
    ("k8s.pod.uid", "kubernetes.pod.uid"),
    ("k8s.replicaset.name", "kubernetes.replicaset.name"),
    ("k8s.statefulset.name", "kubernetes.statefulset.name"),
    ("os.description", "host.os.full"),
    ("os.name", "host.os.name"),
    ("os.type", "host.os.platform"),
    ("os.version", "host.os.version"),
    ("process.executable.path", "process.executable"),
    ("process.runtime.name", "service.runtime.name"),
    ("process.runtime.version", "service.runtime.version"),
    ("service.instance.id", "service.node.name"),
    ("telemetry.distro.name", ""),
    ("telemetry.distro.version", ""),
    ("telemetry.sdk.language", ""),
    ("telemetry.sdk.name", ""),
    ("telemetry.sdk.version", ""),
];

/// The same for attributes of log records.
const LOG_NAMES: [(&str, &str); 5] = [
    ("event.name", "event.action"),
    ("exception.escaped", "event.error.exception.handled"),
    ("exception.message", "error.message"),
    ("exception.stacktrace", "error.stacktrace"),
    ("exception.type", "error.type"),
];

/// An attribute that keeps its name beside the other.
const KEPT: &str = "host.name";

/// What a record belongs to.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) resource: ResourceView<'a>,
    pub(super) scope: ScopeView<'a>,
    pub(super) resource_schema: Text<'a>,
    pub(super) scope_schema: Text<'a>,
}

/// The time of a log record, or when it was seen.
pub(super) fn time_of(log: &LogRecordView<'_>) -> u64 {
    match log.time_unix_nano() {
        0 => log.observed_time_unix_nano(),
        time => time,
    }
}

/// Fills in a log record.
pub(super) fn put_log(
    document: &mut Document,
    mode: Mode,
    log: &LogRecordView<'_>,
    origin: &Origin<'_>,
    stream: Option<&DataStream>,
) {
    document.clear();
    if mode == Mode::Ecs {
        put_ecs(document, log, origin);
    } else {
        put_model(document, prefix(mode), log, origin);
    }
    put_stream(document, if mode == Mode::None { "Attributes." } else { "" }, stream);
}

fn prefix(mode: Mode) -> &'static str {
    if mode == Mode::Raw { "" } else { "Attributes" }
}

fn put_stream(document: &mut Document, prefix: &str, stream: Option<&DataStream>) {
    let Some(stream) = stream else { return };
    for (name, value) in [
        ("type", stream.kind),
        ("dataset", stream.dataset.as_str()),
        ("namespace", stream.namespace.as_str()),
    ] {
        document.text(&format!("{prefix}data_stream.{name}"), value.as_bytes());
    }
}

fn put_model(document: &mut Document, prefix: &str, log: &LogRecordView<'_>, origin: &Origin<'_>) {
    document.time("@timestamp", time_of(log));
    document.id("TraceId", log.trace_id());
    document.id("SpanId", log.span_id());
    document.integer("TraceFlags", i64::from(log.flags()));
    document.text("SeverityText", log.severity_text().as_bytes());
    document.integer("SeverityNumber", i64::from(log.severity_number()));
    document.attribute("Body", Text::default(), log.body());
    document.attributes(prefix, log.attributes());
    put_origin(document, origin);
}

fn put_origin(document: &mut Document, origin: &Origin<'_>) {
    document.attributes("Resource", origin.resource.attributes());
    let scope = origin.scope;
    document.put(b"Scope.name", |out| write_text(scope.name().as_bytes(), out));
    document.put(b"Scope.version", |out| write_text(scope.version().as_bytes(), out));
    document.attributes("Scope", scope.attributes());
}

/// Fills in a span, in every mode but `otel`.
pub(super) fn put_span(
    document: &mut Document,
    mode: Mode,
    span: &SpanView<'_>,
    origin: &Origin<'_>,
    stream: Option<&DataStream>,
) {
    document.clear();
    document.time("@timestamp", span.start_time_unix_nano());
    document.time("EndTimestamp", span.end_time_unix_nano());
    document.id("TraceId", span.trace_id());
    document.id("SpanId", span.span_id());
    document.id("ParentSpanId", span.parent_span_id());
    document.text("Name", span.name().as_bytes());
    document.text("Kind", kind(span.kind()));
    document.integer("TraceStatus", i64::from(span.status().code()));
    document.text("TraceStatusDescription", span.status().message().as_bytes());
    document.put(b"Link", |out| write_links(span, out));
    document.attributes(prefix(mode), span.attributes());
    put_events(document, mode, span);
    let took = span.end_time_unix_nano().wrapping_sub(span.start_time_unix_nano()).cast_signed();
    document.integer("Duration", took / 1000);
    put_origin(document, origin);
    put_stream(document, if mode == Mode::None { "Attributes." } else { "" }, stream);
}

fn put_events(document: &mut Document, mode: Mode, span: &SpanView<'_>) {
    for event in span.events() {
        let name = event.name();
        let name = if mode == Mode::Raw { name.to_string() } else { format!("Events.{name}") };
        document.time(&format!("{name}.time"), event.time_unix_nano());
        document.attributes(&name, event.attributes());
    }
}

/// Links are text of JSON.
fn write_links(span: &SpanView<'_>, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    let mut list = List::open(&mut text);
    for other in span.links() {
        let mut link = Object::open(list.next());
        write_any_value(AnyValue::Map(other.attributes()), link.key("attribute"));
        write_hex(other.span_id(), link.key("spanID"));
        write_hex(other.trace_id(), link.key("traceID"));
        link.close();
    }
    list.close();
    write_text(&text, out);
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

fn put_ecs(document: &mut Document, log: &LogRecordView<'_>, origin: &Origin<'_>) {
    let resource = origin.resource.attributes();
    put_renamed(document, resource, &RESOURCE_NAMES);
    document.attributes("", origin.scope.attributes());
    put_renamed(document, log.attributes(), &LOG_NAMES);
    put_agent(document, resource);
    if let Some(system) = os_type(resource) {
        document.text("host.os.type", system);
    }
    document.time("@timestamp", time_of(log));
    document.id("trace.id", log.trace_id());
    document.id("span.id", log.span_id());
    if log.severity_number() != 0 {
        document.integer("event.severity", i64::from(log.severity_number()));
    }
    document.text("log.level", log.severity_text().as_bytes());
    if let AnyValue::Str(text) = log.body() {
        document.put(b"message", |out| write_text(text.as_bytes(), out));
    }
}

fn put_renamed(document: &mut Document, map: Map<'_>, names: &[(&str, &str)]) {
    for (name, value) in map {
        let renamed = names.iter().find(|(known, _)| name == *known).map(|(_, renamed)| *renamed);
        if renamed == Some("") {
            continue;
        }
        if let Some(renamed) = renamed {
            document.attribute("", Text::from(renamed), value);
        }
        if renamed.is_none() || name == KEPT {
            document.attribute("", name, value);
        }
    }
}

/// The agent is the SDK that sent the record, with its language and distribution.
fn put_agent(document: &mut Document, resource: Map<'_>) {
    let find = |name| resource.get(name).and_then(AnyValue::as_str).unwrap_or_default();
    let sdk = resource.get("telemetry.sdk.name").and_then(AnyValue::as_str).unwrap_or("otlp");
    let (language, distribution) = (find("telemetry.sdk.language"), find("telemetry.distro.name"));
    let name = match (language, distribution) {
        ("", "") => sdk.to_owned(),
        (language, "") => format!("{sdk}/{language}"),
        ("", distribution) => format!("{sdk}/unknown/{distribution}"),
        (language, distribution) => format!("{sdk}/{language}/{distribution}"),
    };
    document.text("agent.name", name.as_bytes());
    let version = resource.get("telemetry.distro.version");
    let version = version.or_else(|| resource.get("telemetry.sdk.version"));
    document
        .text("agent.version", version.and_then(AnyValue::as_str).unwrap_or_default().as_bytes());
}

/// The family of operating systems that the schema knows.
fn os_type(resource: Map<'_>) -> Option<&'static [u8]> {
    let find = |name| resource.get(name).and_then(AnyValue::as_str).unwrap_or_default();
    match (find("os.name"), find("os.type")) {
        ("Android", _) => Some(b"android"),
        ("iOS", _) => Some(b"ios"),
        (_, "windows") => Some(b"windows"),
        (_, "linux") => Some(b"linux"),
        (_, "darwin") => Some(b"macos"),
        (_, "aix" | "hpux" | "solaris") => Some(b"unix"),
        _ => None,
    }
}
