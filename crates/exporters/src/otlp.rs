//! `otelcol.exporter.otlp`: OTLP over gRPC (<https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>).

pub(crate) mod probe;
pub(crate) mod settings;

use std::sync::Arc;
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_net::body::{Encoding, compress};
use bessemer_net::dial::GrpcClient;
use bessemer_net::grpc::{Code, Status};
use bessemer_net::retry::{Policy, grpc_is_retryable};
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::metrics::Counter;
use bessemer_pipeline::{Built, Context, Delivery, Exporter, Probe, Verdict};
use bessemer_record::Signal;
use bessemer_record::message::ExportResponse;
use bessemer_runtime::BoxFuture;
use bytes::Bytes;
use http::uri::PathAndQuery;

pub(crate) use settings::Grpc as Settings;
use settings::{REQUEST_BYTES_MAX, credentials, of_dial};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.exporter.otlp "example" {
  client {
    endpoint = "collector.example.com:4317"
  }
}
"#;

const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// The status by which the engine halves a delivery.
const TOO_LARGE: u16 = 413;

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let client = settings.client();
    let encoding = client.compression.unwrap_or(Encoding::Gzip);
    let (clock, random) = (Arc::clone(&context.clock), Arc::clone(&context.random));
    let credentials = credentials(client.auth.as_ref(), context)?;
    let dialler = GrpcClient::new(&client, clock, random).map_err(of_dial)?;
    let exporter = Otlp {
        client: dialler.with_credentials(credentials),
        encoding,
        policy: settings.retry_on_failure.policy(),
        concurrency: settings.sending_queue.consumers(),
        rejected: Rejected::new(context),
    };
    Ok(Built::Exporter { exporter: Arc::new(exporter), queue: settings.queue })
}

struct Otlp {
    client: GrpcClient,
    encoding: Encoding,
    policy: Policy,
    concurrency: usize,
    rejected: Rejected,
}

impl Otlp {
    async fn send(&self, delivery: &Delivery) -> Verdict {
        let message = match message(delivery, self.encoding) {
            Ok(message) => message,
            Err(verdict) => return verdict,
        };
        let path = path_of(delivery.signal);
        let outcome =
            self.client.unary_with_retry(&path, &message, self.encoding, &self.policy).await;
        match outcome.result {
            Ok(answer) => {
                self.rejected.count(ExportResponse::decode(&answer).ok());
                Verdict::Delivered
            }
            Err(status) => verdict(&status, outcome.retry_after),
        }
    }
}

impl Otlp {
    async fn ask(&self, signal: Signal) -> Probe {
        if let Err(error) = self.client.reach().await {
            return probe::of_error(&error);
        }
        // An export request without records is one of no bytes.
        match self.client.unary(&path_of(signal), &[], Encoding::Identity).await {
            Ok(_) => Probe::Ready,
            Err(status) => probe::of_status(&status),
        }
    }
}

fn path_of(signal: Signal) -> PathAndQuery {
    PathAndQuery::from_static(match signal {
        Signal::Logs => LOGS,
        Signal::Metrics => METRICS,
        Signal::Traces => TRACES,
    })
}

impl Exporter for Otlp {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(self.send(delivery))
    }

    fn probe(&self, signal: Signal) -> BoxFuture<'_, Probe> {
        Box::pin(self.ask(signal))
    }

    fn blames_content(&self, status: u16) -> bool {
        status == u16::from(Code::InvalidArgument.number())
    }

    fn concurrency_max(&self) -> usize {
        self.concurrency
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.client.close();
        Box::pin(std::future::ready(()))
    }
}

fn verdict(status: &Status, after: Option<Duration>) -> Verdict {
    let reason = format!("{}: {}", status.code.as_str(), status.message);
    if grpc_is_retryable(status) {
        return Verdict::Retry { after, reason };
    }
    // Without RetryInfo this code says that the message is too large for the server.
    if status.code == Code::ResourceExhausted {
        return Verdict::Refused { status: TOO_LARGE, reason };
    }
    Verdict::Refused { status: u16::from(status.code.number()), reason }
}

/// The bytes to send in pieces, compressed; what arrived compressed that way is sent as it came.
pub(crate) fn message(delivery: &Delivery, encoding: Encoding) -> Result<Vec<Bytes>, Verdict> {
    if delivery.bytes() > REQUEST_BYTES_MAX {
        let reason =
            format!("{} bytes, OTLP requests have at most {REQUEST_BYTES_MAX}", delivery.bytes());
        return Err(Verdict::Refused { status: TOO_LARGE, reason });
    }
    if encoding.is_identity() {
        return Ok(delivery.chunks());
    }
    if let Some(encoded) = delivery.encoded.as_ref().filter(|encoded| encoded.encoding == encoding)
    {
        return Ok(vec![encoded.bytes.clone()]);
    }
    compress(encoding, &delivery.payload())
        .map(|bytes| vec![bytes])
        .map_err(|error| Verdict::refused(error.to_string()))
}

/// Counts what a destination took and threw away; such records are never sent again.
#[derive(Debug)]
pub(crate) struct Rejected {
    id: String,
    counter: Counter,
}

impl Rejected {
    pub(crate) fn new(context: &Context) -> Self {
        Self { id: context.id.clone(), counter: context.metrics.rejected_of(&context.id) }
    }

    pub(crate) fn count(&self, answer: Option<ExportResponse>) {
        let Some(partial) = answer.and_then(|answer| answer.partial_success) else { return };
        let records = u64::try_from(partial.rejected).unwrap_or(0);
        let message = partial.error_message;
        if records > 0 {
            self.counter.inc_by(records);
            tracing::warn!(component = %self.id, records, message, "destination rejected records");
        } else if !message.is_empty() {
            // By the specification a message alone is a warning about data that was taken.
            tracing::warn!(component = %self.id, message, "destination warns");
        }
    }
}
