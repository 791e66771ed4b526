//! `otelcol.exporter.splunkhec`: events for a Splunk HTTP event collector
//! (<https://docs.splunk.com/Documentation/Splunk/latest/Data/HECRESTendpoints>).
//!
//! A body is JSON objects one behind the other. Answers say one code for a request, and for some of
//! them which event is at fault. With acknowledgment on, "success" only means that events were taken;
//! a delivery is settled when the collector says that they are indexed.

mod answers;
mod events;
mod metrics;
mod settings;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_net::body::Encoding;
use bessemer_net::dial::Request;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Delivery, SettingsError, Verdict};
use bessemer_record::Signal;
use bessemer_record::view::{
    LogRecordView, LogsView, MetricsView, ResourceGroup, ScopeView, TracesView,
};
use bessemer_runtime::Random;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue};

use crate::http::fields::Fields;
use crate::http::link::{Compression, Link, base_path, path, secret_header};
use crate::http::pack::{Framing, Limits, Packer};
use crate::http::{Call, Exchange, HttpExporter, Next, OverHttp, Plan};
use answers::Acked;
use events::{Envelope, put_leaves, put_text};
use metrics::{Groups, Points};
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.exporter.splunkhec "example" {
  client {
    endpoint = "https://splunk.example.com:8088"
  }
  splunk {
    token = "00000000-0000-0000-0000-000000000000"
    index = "telemetry"
  }
}
"#;

const ROOT: &str = "/services/collector";
const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");
const APP_NAME: HeaderName = HeaderName::from_static("__splunk_app_name");
const APP_VERSION: HeaderName = HeaderName::from_static("__splunk_app_version");
/// Smaller bodies would not become smaller.
const COMPRESS_FROM: usize = 1501;
/// The scope of records that hold profiles.
const PROFILING: &str = "otel.profiling";

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let exporter = SplunkHec::new(settings.clone(), &*context.random)?;
    let encoding = if settings.disable_compression { Encoding::Identity } else { Encoding::Gzip };
    let link = Link::new(
        (&settings.client(), &settings.retry_on_failure, &settings.sending_queue),
        Compression { encoding, from: COMPRESS_FROM },
        vec![settings.token()?.clone()],
        context,
    )?;
    Ok(Built::Exporter { exporter: OverHttp::shared(exporter, link), queue: settings.queue })
}

pub(crate) fn planner(
    settings: &RawSettings,
    context: &Context,
) -> Result<Box<dyn HttpExporter>, BuildError> {
    Ok(Box::new(SplunkHec::new(read(settings)?, &*context.random)?))
}

struct SplunkHec {
    settings: Settings,
    paths: Paths,
    headers: HeaderMap,
    token: HeaderValue,
}

struct Paths {
    events: PathAndQuery,
    ack: PathAndQuery,
    health: PathAndQuery,
}

impl SplunkHec {
    fn new(settings: Settings, random: &dyn Random) -> Result<Self, SettingsError> {
        settings.check()?;
        let token = authorization("token", settings.token()?.expose())?;
        let channel = settings.ack.channel.clone().unwrap_or_else(|| guid(random));
        let mut headers = HeaderMap::new();
        headers.insert(APP_NAME, plain("splunk_app_name", &settings.splunk_app_name)?);
        headers.insert(APP_VERSION, plain("splunk_app_version", &settings.splunk_app_version)?);
        if settings.ack.enabled {
            headers.insert(CHANNEL, plain("ack.channel", &channel)?);
        }
        let paths = Paths::new(&settings, &channel)?;
        Ok(Self { settings, paths, headers, token })
    }

    fn post(&self, path: &PathAndQuery, token: Option<&[u8]>, body: Bytes) -> Request {
        let mut request = Request::post(path.clone(), body).content_type("application/json");
        request.headers.extend(self.headers.clone());
        let own =
            token.and_then(|token| authorization("token", &String::from_utf8_lossy(token)).ok());
        request.header(AUTHORIZATION, own.unwrap_or_else(|| self.token.clone()))
    }

    fn ask_for(&self, sent: &Request, ids: &str) -> Next {
        let mut request = self.post(&self.paths.ack, None, Bytes::from(ids.to_owned()));
        if let Some(token) = sent.headers.get(AUTHORIZATION) {
            request.headers.insert(AUTHORIZATION, token.clone());
        }
        Next::Ask { after: self.settings.ack.query_interval.0, request: Box::new(request) }
    }

    /// What the answer to a question about events means.
    fn judge_ack(&self, exchange: &Exchange<'_>) -> Next {
        let ack = &self.settings.ack;
        match answers::acked(exchange.answer) {
            Acked::Indexed | Acked::Never => Next::Settle(Verdict::Delivered),
            Acked::NotYet if exchange.elapsed + ack.query_interval.0 > ack.timeout.0 => {
                let waited: Duration = ack.timeout.0;
                let reason = format!(
                    "the collector did not say within {waited:?} that it has indexed the events"
                );
                Next::Settle(Verdict::retry(reason))
            }
            Acked::NotYet => {
                let request = Box::new(exchange.sent.clone());
                Next::Ask { after: ack.query_interval.0, request }
            }
        }
    }

    fn limits(&self, signal: Signal) -> Limits {
        let bytes = match signal {
            Signal::Logs => self.settings.max_content_length_logs,
            Signal::Metrics => self.settings.max_content_length_metrics,
            Signal::Traces => self.settings.max_content_length_traces,
        };
        let item_bytes = self.settings.max_event_size.as_usize();
        Limits { item_bytes, ..Limits::of_bytes(bytes.as_usize()) }
    }

    fn framing(&self) -> Framing {
        if self.settings.export_raw { Framing::LINES } else { Framing::CONCATENATED }
    }

    fn logs<'d>(&self, delivery: &'d Delivery, routes: &mut Routes<'d>, plan: &mut Plan) {
        let names = &self.settings.hec_metadata_to_otel_attrs;
        let (mut base, mut own) = (Fields::default(), Fields::default());
        let mut start = 0;
        for part in &delivery.parts {
            let mut record = start;
            for group in LogsView::new(&part.payload).resources() {
                base.clear();
                let attributes = group.resource().attributes();
                let envelope = Envelope::new(&self.settings);
                let envelope = envelope.with(attributes, names, &mut base, put_leaves);
                let route = routes.route(events::token(attributes));
                for log in self.records(&group) {
                    let place = (record..record + 1, &mut *plan);
                    self.log(log, envelope, (&base, &mut own), &mut route.packer, place);
                    record += 1;
                }
            }
            start += part.records;
        }
    }

    /// The records of a resource; none in place of what is not to be sent.
    fn records<'d>(
        &self,
        group: &ResourceGroup<'d, LogRecordView<'d>>,
    ) -> impl Iterator<Item = Option<LogRecordView<'d>>> {
        group.scopes().iter().flat_map(|scope| {
            let is_sent = self.is_sent(scope.scope());
            scope.records().iter().map(move |log| is_sent.then_some(log))
        })
    }

    fn is_sent(&self, scope: ScopeView<'_>) -> bool {
        if scope.name() == PROFILING {
            self.settings.profiling_data_enabled
        } else {
            self.settings.log_data_enabled
        }
    }

    fn log(
        &self,
        log: Option<LogRecordView<'_>>,
        envelope: Envelope<'_>,
        fields: (&Fields, &mut Fields),
        packer: &mut Packer,
        (records, plan): (Range<u32>, &mut Plan),
    ) {
        let Some(log) = log else { return };
        if events::is_blank(log.body()) {
            return plan.refuse(records, "the record has no body, and so no event");
        }
        let out = packer.begin();
        if self.settings.export_raw {
            events::write_raw(log.body(), out);
        } else {
            events::write_log(&log, envelope, &self.settings, fields, out);
        }
        plan.refuse_large(records.clone(), packer.end(records));
    }

    fn traces<'d>(&self, delivery: &'d Delivery, routes: &mut Routes<'d>, plan: &mut Plan) {
        let names = &self.settings.hec_metadata_to_otel_attrs;
        let mut base = Fields::default();
        let mut start = 0;
        for part in &delivery.parts {
            let mut record = start;
            for group in TracesView::new(&part.payload).resources() {
                base.clear();
                let attributes = group.resource().attributes();
                let envelope = Envelope::new(&self.settings);
                let envelope = envelope.with(attributes, names, &mut base, put_text);
                let packer = &mut routes.route(events::token(attributes)).packer;
                for span in group.scopes().iter().flat_map(|scope| scope.records().iter()) {
                    events::write_span(&span, envelope, &base, packer.begin());
                    plan.refuse_large(record..record + 1, packer.end(record..record + 1));
                    record += 1;
                }
            }
            start += part.records;
        }
    }

    fn metrics<'d>(&self, delivery: &'d Delivery, routes: &mut Routes<'d>, plan: &mut Plan) {
        let names = &self.settings.hec_metadata_to_otel_attrs;
        let (mut base, mut own) = (Fields::default(), Fields::default());
        let mut start = 0;
        for part in &delivery.parts {
            let mut record = start;
            for group in MetricsView::new(&part.payload).resources() {
                base.clear();
                let attributes = group.resource().attributes();
                let envelope = Envelope::new(&self.settings);
                let envelope = envelope.with(attributes, names, &mut base, put_text);
                let route = routes.route(events::token(attributes));
                let mut points = Points {
                    envelope,
                    base: &base,
                    own: &mut own,
                    packer: &mut route.packer,
                    groups: self.settings.use_multi_metric_format.then_some(&mut route.groups),
                    plan: &mut *plan,
                    record,
                };
                for metric in group.scopes().iter().flat_map(|scope| scope.records().iter()) {
                    points.put(&metric);
                }
                record = points.record;
            }
            start += part.records;
        }
    }
}

impl HttpExporter for SplunkHec {
    fn plan(&self, delivery: &Delivery) -> Plan {
        let mut plan = Plan::default();
        let limits = self.limits(delivery.signal);
        let mut routes = Routes::new(self.framing(), limits, delivery.bytes());
        match delivery.signal {
            Signal::Logs => self.logs(delivery, &mut routes, &mut plan),
            Signal::Metrics => self.metrics(delivery, &mut routes, &mut plan),
            Signal::Traces => self.traces(delivery, &mut routes, &mut plan),
        }
        for (token, mut route) in routes.by_token {
            route.groups.pack(&mut route.packer, &mut plan);
            for packed in route.packer.finish() {
                let request = self.post(&self.paths.events, token, packed.body);
                plan.calls.push(Call { request, items: packed.items });
            }
        }
        plan
    }

    fn judge(&self, call: &Call, exchange: &Exchange<'_>) -> Next {
        if exchange.sent.path == self.paths.ack {
            return self.judge_ack(exchange);
        }
        let verdict = answers::verdict(exchange.answer, call.items.len());
        match (verdict, answers::ack_id(exchange.answer)) {
            (Verdict::Delivered, Some(id)) if self.settings.ack.enabled => {
                self.ask_for(exchange.sent, &format!("{{\"acks\":[{id}]}}"))
            }
            (verdict, _) => Next::Settle(verdict),
        }
    }

    fn probe(&self) -> Option<Request> {
        let request = Request::get(self.paths.health.clone());
        Some(request.header(AUTHORIZATION, self.token.clone()))
    }

    fn blames_content(&self, status: u16) -> bool {
        status == 400
    }
}

/// Bodies by the token they go with.
struct Routes<'a> {
    new: (Framing, Limits, usize),
    by_token: BTreeMap<Option<&'a [u8]>, Route>,
}

struct Route {
    packer: Packer,
    groups: Groups,
}

impl<'a> Routes<'a> {
    fn new(framing: Framing, limits: Limits, bytes: usize) -> Self {
        // An event in JSON is about twice as long as its record in protobuf.
        Self { new: (framing, limits, bytes * 2), by_token: BTreeMap::new() }
    }

    fn route(&mut self, token: Option<&'a [u8]>) -> &mut Route {
        let (framing, limits, bytes) = &mut self.new;
        self.by_token.entry(token).or_insert_with(|| Route {
            // Room for all of it is made once: records may name any number of tokens.
            packer: Packer::new(*framing, *limits, std::mem::take(bytes)),
            groups: Groups::default(),
        })
    }
}

impl Paths {
    fn new(settings: &Settings, channel: &str) -> Result<Self, SettingsError> {
        let given = base_path(&settings.client().endpoint);
        let own = if settings.export_raw { format!("{ROOT}/raw") } else { ROOT.to_owned() };
        let events = if given.is_empty() { &own } else { &given };
        // A proxy may have the collector below a path of its own.
        let prefix = events.find(ROOT).map_or("", |at| events.get(..at).unwrap_or_default());
        Ok(Self {
            events: path("endpoint", events)?,
            ack: path("ack.channel", &format!("{prefix}{ROOT}/ack?channel={channel}"))?,
            health: path("health_path", &format!("{prefix}{}", settings.health_path))?,
        })
    }
}

fn plain(setting: &str, text: &str) -> Result<HeaderValue, SettingsError> {
    HeaderValue::from_str(text).map_err(|_| {
        SettingsError::new(setting, "holds control characters", "check it for a line break")
    })
}

fn authorization(setting: &str, token: &str) -> Result<HeaderValue, SettingsError> {
    secret_header(setting, &format!("Splunk {token}"))
}

/// A random GUID, version 4.
fn guid(random: &dyn Random) -> String {
    let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let mut parts = Vec::new();
    let mut rest = digits.as_str();
    for length in [8, 4, 4, 4, 12] {
        let (part, after) = rest.split_at(length);
        parts.push(part);
        rest = after;
    }
    parts.join("-")
}

#[cfg(test)]
mod tests;
