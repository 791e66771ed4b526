//! `otelcol.exporter.otlphttp`: OTLP over HTTP
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_net::body::{Encoding, compress};
use bessemer_net::dial::{Answer, Client, DialError, Request, Settings as DialSettings};
use bessemer_net::retry::Policy;
use bessemer_pipeline::catalog::{BuildError, QueueSettings, read};
use bessemer_pipeline::{Built, Context, Delivery, Exporter, Probe, SettingsError, Verdict};
use bessemer_record::message::{ExportResponse, Status};
use bessemer_record::{Checked, Signal, json};
use bessemer_runtime::BoxFuture;
use bytes::Bytes;
use http::uri::PathAndQuery;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::otlp::probe;
use crate::otlp::settings::{Retry, SendingQueue, credentials, of_dial};
use crate::otlp::{Rejected, message};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.exporter.otlphttp "example" {
  client {
    endpoint = "https://collector.example.com:4318"
  }
}
"#;

/// Characters of an error answer kept in the reason.
const REASON_CHARS: usize = 200;

/// Settings of `otelcol.exporter.otlphttp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where and how to connect; `/v1/logs`, `/v1/metrics` and `/v1/traces` are appended to
    /// `endpoint`. `compression` is gzip unless set.
    pub client: DialSettings,
    /// The whole URL for logs, instead.
    #[serde(default)]
    pub logs_endpoint: Option<String>,
    /// The whole URL for metrics, instead.
    #[serde(default)]
    pub metrics_endpoint: Option<String>,
    /// The whole URL for traces, instead.
    #[serde(default)]
    pub traces_endpoint: Option<String>,
    /// `proto` or `json`.
    #[serde(default)]
    pub encoding: Form,
    /// How a failed request is tried again at once.
    #[serde(default)]
    pub retry_on_failure: Retry,
    /// How many requests are under way.
    #[serde(default)]
    pub sending_queue: SendingQueue,
    /// How its queue on disk behaves.
    #[serde(default)]
    pub queue: QueueSettings,
}

/// How requests are encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// Binary protobuf.
    #[default]
    Proto,
    /// OTLP JSON.
    Json,
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let target =
        |own: &Option<String>, suffix| Target::new(&settings, own.as_ref(), suffix, context);
    let exporter = OtlpHttp {
        logs: target(&settings.logs_endpoint, "/v1/logs")?,
        metrics: target(&settings.metrics_endpoint, "/v1/metrics")?,
        traces: target(&settings.traces_endpoint, "/v1/traces")?,
        form: settings.encoding,
        encoding: settings.client.compression.unwrap_or(Encoding::Gzip),
        policy: settings.retry_on_failure.policy(),
        concurrency: settings.sending_queue.consumers(),
        rejected: Rejected::new(context),
    };
    Ok(Built::Exporter { exporter: Arc::new(exporter), queue: settings.queue })
}

struct OtlpHttp {
    logs: Target,
    metrics: Target,
    traces: Target,
    form: Form,
    encoding: Encoding,
    policy: Policy,
    concurrency: usize,
    rejected: Rejected,
}

/// Where one signal goes.
struct Target {
    client: Client,
    path: PathAndQuery,
}

impl Target {
    fn new(
        settings: &Settings,
        own: Option<&String>,
        suffix: &str,
        context: &Context,
    ) -> Result<Self, SettingsError> {
        let mut dial = settings.client.clone();
        let mut suffix = suffix;
        if let Some(own) = own {
            dial.endpoint.clone_from(own);
            suffix = "";
        } else {
            dial.endpoint = dial.endpoint.trim_end_matches('/').to_owned();
        }
        // The exporter compresses by itself, to send on what arrived compressed.
        dial.compression = None;
        let (clock, random) = (Arc::clone(&context.clock), Arc::clone(&context.random));
        let credentials = credentials(dial.auth.as_ref(), context)?;
        let client = Client::new(&dial, clock, random).map_err(of_dial)?;
        let client = client.with_credentials(credentials);
        let path = client.path(suffix).map_err(of_dial)?;
        Ok(Self { client, path })
    }
}

impl OtlpHttp {
    async fn send(&self, delivery: &Delivery) -> Verdict {
        let request = match self.request(delivery) {
            Ok(request) => request,
            Err(verdict) => return verdict,
        };
        let outcome =
            self.target(delivery.signal).client.send_with_retry(&request, &self.policy).await;
        match outcome.result {
            Ok(answer) if answer.is_success() => {
                self.rejected.count(self.read(&answer));
                Verdict::Delivered
            }
            Ok(answer) if answer.is_retryable() => {
                Verdict::Retry { after: outcome.retry_after, reason: self.reason(&answer) }
            }
            Ok(answer) => {
                Verdict::Refused { status: answer.status.as_u16(), reason: self.reason(&answer) }
            }
            // A client is closed on the way down: the record stays in the journal.
            Err(DialError::Cancelled) => Verdict::retry("shutting down"),
            Err(error) if error.is_retryable() => Verdict::retry(error.to_string()),
            Err(error) => Verdict::refused(error.to_string()),
        }
    }

    async fn ask(&self, signal: Signal) -> Probe {
        let target = self.target(signal);
        let (body, kind) = match self.form {
            Form::Proto => (Bytes::new(), "application/x-protobuf"),
            Form::Json => (Bytes::from_static(b"{}"), "application/json"),
        };
        let request = Request::post(target.path.clone(), body).content_type(kind);
        match target.client.send(&request).await {
            Ok(answer) => probe::of_answer(&answer),
            Err(error) => probe::of_error(&error),
        }
    }

    fn target(&self, signal: Signal) -> &Target {
        match signal {
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
            Signal::Traces => &self.traces,
        }
    }

    fn request(&self, delivery: &Delivery) -> Result<Request, Verdict> {
        let path = self.target(delivery.signal).path.clone();
        let (body, kind) = match self.form {
            Form::Proto => (message(delivery, self.encoding)?, "application/x-protobuf"),
            Form::Json => {
                let batch =
                    Checked::trusted(delivery.signal, delivery.payload(), delivery.records());
                let text = json::to_otlp_json(&batch);
                let body = compress(self.encoding, &text)
                    .map_err(|error| Verdict::refused(error.to_string()))?;
                (vec![body], "application/json")
            }
        };
        Ok(Request::post(path, body).content_type(kind).encoding(self.encoding))
    }

    fn read(&self, answer: &Answer) -> Option<ExportResponse> {
        match self.form {
            Form::Proto => ExportResponse::decode(&answer.body).ok(),
            Form::Json => ExportResponse::from_json(&answer.body).ok(),
        }
    }

    fn reason(&self, answer: &Answer) -> String {
        let status = match self.form {
            Form::Proto => Status::decode(&answer.body).ok(),
            Form::Json => Status::from_json(&answer.body).ok(),
        };
        let text = status.map(|status| status.message).filter(|message| !message.is_empty());
        let text = text.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
        let text: String = text.chars().filter(|c| !c.is_control()).take(REASON_CHARS).collect();
        format!("{}: {text}", answer.status)
    }
}

impl Exporter for OtlpHttp {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(self.send(delivery))
    }

    fn probe(&self, signal: Signal) -> BoxFuture<'_, Probe> {
        Box::pin(self.ask(signal))
    }

    /// 400 is the specification's word for data that can never be taken; some answer 422.
    fn blames_content(&self, status: u16) -> bool {
        matches!(status, 400 | 422)
    }

    fn concurrency_max(&self) -> usize {
        self.concurrency
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        for target in [&self.logs, &self.metrics, &self.traces] {
            target.client.close();
        }
        Box::pin(std::future::ready(()))
    }
}
