//! `otelcol.exporter.elasticsearch` and `bessemer.exporter.elk`: documents for Elasticsearch and
//! `OpenSearch`, by the bulk API
//! (<https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>).
//!
//! Documents are created and never overwritten, which is all that data streams take, under ids made of
//! record ids. An answer of 200 says nothing yet: each document has a status of its own.

mod answers;
mod document;
mod index;
mod modes;
mod otel;
mod settings;

use std::io::Write as _;

use bessemer_config::Settings as RawSettings;
use bessemer_net::body::Encoding;
use bessemer_net::dial::Request;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Delivery, Part, RecordId, SettingsError};
use bessemer_record::Signal;
use bessemer_record::json::{write_any_value, write_base64, write_text};
use bessemer_record::value::AnyValue;
use bessemer_record::view::{LogRecordView, LogsView, SpanView, TracesView};
use bessemer_runtime::ByteSize;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;

use crate::http::json::Object;
use crate::http::link::{Compression, Link, base_path, path, secret_header};
use crate::http::pack::{Framing, Limits, Packer};
use crate::http::time::{Fraction, write_rfc3339};
use crate::http::{Call, Exchange, HttpExporter, Next, OverHttp, Plan};
use document::{Document, Dots};
use index::{DataStream, Router};
use modes::{Origin, time_of};
use settings::Mode;
pub(crate) use settings::{Elk, Settings};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.exporter.elasticsearch "example" {
  client {
    endpoint = "https://elasticsearch.example.com:9200"
  }
  api_key = "ZXhhbXBsZTprZXk="

  mapping {
    mode = "ecs"
  }
}
"#;

/// A block that loads.
pub(crate) const ELK_EXAMPLE: &str = r#"bessemer.exporter.elk "example" {
  elasticsearch_url = "https://elasticsearch.example.com:9200"
  index_prefix      = "events"
  username          = "elastic"
  password          = "changeme"
}
"#;

/// Smaller bodies are not worth it.
const COMPRESS_FROM: usize = 1024;
/// Documents in a request: their statuses must fit into an answer.
const DOCUMENTS_MAX: u32 = 10_000;
/// What servers take in one request unless told otherwise.
const BODY_BYTES_MAX: usize = 100 << 20;
/// An answer may explain why it refuses each of the documents.
const ANSWER_BYTES_MAX: ByteSize = ByteSize::mib(64);
/// What an answer is to tell: statuses and errors.
const FILTER: &str = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    Ok(built(read(settings)?, Shape::of, context)?)
}

pub(crate) fn build_elk(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    Ok(built(read::<Elk>(settings)?.into_settings()?, |_| Shape::Event, context)?)
}

pub(crate) fn planner(
    settings: &RawSettings,
    _: &Context,
) -> Result<Box<dyn HttpExporter>, BuildError> {
    Ok(Box::new(Elasticsearch::new(&read(settings)?, Shape::of)?))
}

pub(crate) fn elk_planner(
    settings: &RawSettings,
    _: &Context,
) -> Result<Box<dyn HttpExporter>, BuildError> {
    let settings = read::<Elk>(settings)?.into_settings()?;
    Ok(Box::new(Elasticsearch::new(&settings, |_| Shape::Event)?))
}

fn built(
    settings: Settings,
    shape: fn(&Settings) -> Shape,
    context: &Context,
) -> Result<Built, SettingsError> {
    let exporter = Elasticsearch::new(&settings, shape)?;
    let mut client = settings.client()?;
    client.max_response_body_size = client.max_response_body_size.max(ANSWER_BYTES_MAX);
    let secrets = [&settings.password, &settings.api_key].into_iter().flatten().cloned();
    let link = Link::new(
        (&client, &settings.retry(), &settings.queue()),
        Compression { encoding: Encoding::Gzip, from: COMPRESS_FROM },
        secrets.collect(),
        context,
    )?;
    Ok(Built::Exporter { exporter: OverHttp::shared(exporter, link), queue: settings.queue })
}

/// What documents look like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// As a mapping mode says.
    Mapped(Mode, Dots),
    /// The event that a record's body is.
    Event,
}

impl Shape {
    fn of(settings: &Settings) -> Self {
        let dots = if settings.mapping.dedot { Dots::Nested } else { Dots::Kept };
        Self::Mapped(settings.mapping.mode, dots)
    }
}

struct Elasticsearch {
    shape: Shape,
    logs: Router,
    traces: Router,
    bulk: PathAndQuery,
    root: PathAndQuery,
    authorization: Option<HeaderValue>,
    has_ids: bool,
    limits: Limits,
}

impl Elasticsearch {
    fn new(settings: &Settings, shape: fn(&Settings) -> Shape) -> Result<Self, SettingsError> {
        let is_otel = settings.mapping.mode == Mode::Otel;
        let router = |name: &str, is_dynamic| Router {
            name: name.to_owned(),
            is_dynamic,
            daily: settings.logstash_format.clone(),
            dataset_suffix: if is_otel { ".otel" } else { "" },
        };
        let base = base_path(&settings.client()?.endpoint);
        let pipeline = settings.pipeline.as_ref();
        let pipeline = pipeline.map(|name| format!("&pipeline={name}")).unwrap_or_default();
        let only = if is_otel { "&require_data_stream=true" } else { "" };
        let bulk = format!("{base}/_bulk?{FILTER}{pipeline}{only}");
        let bytes = settings.flush.bytes.as_usize();
        Ok(Self {
            shape: shape(settings),
            logs: router(&settings.logs_index, settings.logs_dynamic_index.enabled),
            traces: router(&settings.traces_index, settings.traces_dynamic_index.enabled),
            bulk: path("pipeline", &bulk)?,
            root: path("client.endpoint", &format!("{base}/"))?,
            authorization: authorization(settings)?,
            has_ids: settings.record_ids,
            limits: Limits {
                items: DOCUMENTS_MAX,
                item_bytes: BODY_BYTES_MAX,
                alone_bytes: BODY_BYTES_MAX,
                ..Limits::of_bytes(bytes)
            },
        })
    }

    fn authorized(&self, request: Request) -> Request {
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        }
    }
}

/// The header that the settings ask for.
fn authorization(settings: &Settings) -> Result<Option<HeaderValue>, SettingsError> {
    match (&settings.api_key, &settings.user, &settings.password) {
        (None, None, None) => Ok(None),
        (Some(key), None, None) => {
            secret_header("api_key", &format!("ApiKey {}", key.expose())).map(Some)
        }
        (None, Some(user), Some(password)) => {
            let mut coded = Vec::new();
            write_base64(format!("{user}:{}", password.expose()).as_bytes(), &mut coded);
            let coded = String::from_utf8_lossy(&coded);
            secret_header("password", &format!("Basic {}", coded.trim_matches('"'))).map(Some)
        }
        _ => {
            let remedy = "give user and password, or an API key";
            Err(SettingsError::new("user", "stands without password or beside api_key", remedy))
        }
    }
}

impl HttpExporter for Elasticsearch {
    fn plan(&self, delivery: &Delivery) -> Plan {
        // A document is about three times as long as its record in protobuf.
        let packer = Packer::new(Framing::CONCATENATED, self.limits, delivery.bytes() * 3);
        let mut bulk =
            Bulk { exporter: self, packer, document: Document::default(), plan: Plan::default() };
        let mut start = 0;
        for part in &delivery.parts {
            match delivery.signal {
                Signal::Logs => bulk.logs(part, start),
                Signal::Traces => bulk.spans(part, start),
                Signal::Metrics => {
                    let records = start..start + part.records;
                    bulk.plan.refuse(records, "metrics are not indexed by this exporter");
                }
            }
            start += part.records;
        }
        let Bulk { packer, mut plan, .. } = bulk;
        for packed in packer.finish() {
            let request = Request::post(self.bulk.clone(), packed.body);
            let request = self.authorized(request.content_type("application/x-ndjson"));
            plan.calls.push(Call { request, items: packed.items });
        }
        plan
    }

    fn judge(&self, call: &Call, exchange: &Exchange<'_>) -> Next {
        Next::Settle(answers::verdict(exchange.answer, call.items.len()))
    }

    fn probe(&self) -> Option<Request> {
        Some(self.authorized(Request::get(self.root.clone())))
    }

    fn blames_content(&self, status: u16) -> bool {
        status == 400
    }
}

/// Bulk requests that are being filled.
struct Bulk<'e> {
    exporter: &'e Elasticsearch,
    packer: Packer,
    document: Document,
    plan: Plan,
}

/// The identity of a document.
#[derive(Clone, Copy)]
struct Id {
    record: RecordId,
    /// Which event of a span.
    event: Option<usize>,
}

impl Id {
    fn of(part: &Part, place: u32) -> Self {
        let number = part.first.number + u64::from(place);
        Self { record: RecordId { number, ..part.first }, event: None }
    }
}

impl Bulk<'_> {
    fn logs(&mut self, part: &Part, start: u32) {
        let mut place = 0;
        for group in LogsView::new(&part.payload).resources() {
            for scope in group.scopes() {
                let origin = Origin {
                    resource: group.resource(),
                    scope: scope.scope(),
                    resource_schema: group.schema_url(),
                    scope_schema: scope.schema_url(),
                };
                for log in scope.records() {
                    self.log(&log, &origin, part, (start, place));
                    place += 1;
                }
            }
        }
    }

    fn log(
        &mut self,
        log: &LogRecordView<'_>,
        origin: &Origin<'_>,
        part: &Part,
        (start, place): (u32, u32),
    ) {
        let record = start + place;
        let is_bodymap = matches!(self.exporter.shape, Shape::Mapped(Mode::Bodymap, _));
        if is_bodymap && !matches!(log.body(), AnyValue::Map(_)) {
            let reason = "the body is no map, and so no document in the mapping mode bodymap";
            return self.plan.refuse(record..record + 1, reason);
        }
        let nanos = match time_of(log) {
            0 => part.meta.received_at,
            time => time,
        };
        let attributes =
            [log.attributes(), origin.scope.attributes(), origin.resource.attributes()];
        let (index, stream) = self.exporter.logs.index("logs", &attributes, nanos);
        let out = self.packer.begin();
        write_action(&index, self.exporter.has_ids.then(|| Id::of(part, place)), out);
        match self.exporter.shape {
            Shape::Mapped(Mode::Bodymap, _) => write_any_value(log.body(), out),
            Shape::Mapped(Mode::Otel, _) => otel::write_log(log, origin, stream.as_ref(), out),
            Shape::Mapped(mode, dots) => {
                modes::put_log(&mut self.document, mode, log, origin, stream.as_ref());
                self.document.write(dots, out);
            }
            Shape::Event => write_event(&mut self.document, log, origin, nanos, out),
        }
        out.push(b'\n');
        self.plan.refuse_large(record..record + 1, self.packer.end(record..record + 1));
    }

    fn spans(&mut self, part: &Part, start: u32) {
        let mut place = 0;
        for group in TracesView::new(&part.payload).resources() {
            for scope in group.scopes() {
                let origin = Origin {
                    resource: group.resource(),
                    scope: scope.scope(),
                    resource_schema: group.schema_url(),
                    scope_schema: scope.schema_url(),
                };
                for span in scope.records() {
                    self.span(&span, &origin, part, (start, place));
                    place += 1;
                }
            }
        }
    }

    fn span(
        &mut self,
        span: &SpanView<'_>,
        origin: &Origin<'_>,
        part: &Part,
        (start, place): (u32, u32),
    ) {
        let records = start + place..start + place + 1;
        let attributes =
            [span.attributes(), origin.scope.attributes(), origin.resource.attributes()];
        let nanos = span.start_time_unix_nano();
        let (index, stream) = self.exporter.traces.index("traces", &attributes, nanos);
        let id = Id::of(part, place);
        let out = self.packer.begin();
        write_action(&index, self.exporter.has_ids.then_some(id), out);
        let (mode, dots) = match self.exporter.shape {
            Shape::Mapped(mode, dots) => (mode, dots),
            Shape::Event => (Mode::None, Dots::Nested),
        };
        if mode == Mode::Otel {
            otel::write_span(span, origin, stream.as_ref(), out);
        } else {
            modes::put_span(&mut self.document, mode, span, origin, stream.as_ref());
            self.document.write(dots, out);
        }
        out.push(b'\n');
        self.plan.refuse_large(records.clone(), self.packer.end(records.clone()));
        if mode == Mode::Otel {
            self.events(span, origin, id, records.start);
        }
    }

    /// Events of a span are documents of their own.
    fn events(&mut self, span: &SpanView<'_>, origin: &Origin<'_>, id: Id, record: u32) {
        for (event, happened) in span.events().iter().enumerate() {
            let attributes =
                [happened.attributes(), origin.scope.attributes(), origin.resource.attributes()];
            let nanos = happened.time_unix_nano();
            let (index, stream) = self.exporter.traces.index("logs", &attributes, nanos);
            let stream: Option<&DataStream> = stream.as_ref();
            let out = self.packer.begin();
            let id = Id { event: Some(event), ..id };
            write_action(&index, self.exporter.has_ids.then_some(id), out);
            otel::write_event(&happened, span, origin, stream, out);
            out.push(b'\n');
            self.plan.refuse_large(record..record + 1, self.packer.end(record..record + 1));
        }
    }
}

/// Appends the line that says what to do with the document in the next.
fn write_action(index: &[u8], id: Option<Id>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"create\":{\"_index\":");
    write_text(index, out);
    if let Some(Id { record, event }) = id {
        // Writing to memory does not fail.
        write!(out, ",\"_id\":\"{record}").unwrap_or_default();
        if let Some(event) = event {
            write!(out, "-{event}").unwrap_or_default();
        }
        out.push(b'"');
    }
    out.extend_from_slice(b"}}\n");
}

/// Appends the event that the body of a record is, with its time; without such a body, the record.
fn write_event(
    document: &mut Document,
    log: &LogRecordView<'_>,
    origin: &Origin<'_>,
    nanos: u64,
    out: &mut Vec<u8>,
) {
    let AnyValue::Map(map) = log.body() else {
        modes::put_log(document, Mode::None, log, origin, None);
        return document.write(Dots::Nested, out);
    };
    let mut event = Object::open(out);
    for (name, value) in map {
        write_any_value(value, event.named(name.as_bytes()));
    }
    if map.get("@timestamp").is_none() {
        write_rfc3339(nanos, Fraction::Full, event.key("@timestamp"));
    }
    event.close();
}

#[cfg(test)]
mod tests;
