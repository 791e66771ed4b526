//! Settings that both OTLP exporters share, named as in Grafana Alloy.

use bessemer_net::dial;
use bessemer_net::dial::Credentials;
pub(crate) use bessemer_net::retry::settings::Settings as Retry;
use bessemer_pipeline::catalog::QueueSettings;
use bessemer_pipeline::{Context, SettingsError};
use bessemer_runtime::{Ignored, Reference, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of one request before compression at most; the specification's limit.
pub(crate) const REQUEST_BYTES_MAX: usize = 64 << 20;

/// Settings of `otelcol.exporter.otlp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grpc {
    /// Where and how to connect; `compression` is gzip unless set.
    pub(crate) client: dial::GrpcSettings,
    /// The time one try has; `client.timeout` under another name.
    #[serde(default)]
    pub(crate) timeout: Option<Span>,
    /// How a failed request is tried again at once.
    #[serde(default)]
    pub(crate) retry_on_failure: Retry,
    /// How many requests are under way.
    #[serde(default)]
    pub(crate) sending_queue: SendingQueue,
    /// How its queue on disk behaves.
    #[serde(default)]
    pub(crate) queue: QueueSettings,
}

impl Grpc {
    pub(crate) fn client(&self) -> dial::GrpcSettings {
        let mut client = self.client.clone();
        client.timeout = self.timeout.unwrap_or(client.timeout);
        client
    }
}

/// How many requests are under way. The queue itself is the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SendingQueue {
    /// Off: one request at a time.
    pub(crate) enabled: bool,
    /// Requests under way at most.
    pub(crate) num_consumers: u32,
    /// Set for compatibility; the queue is bounded by bytes (`queue.budget`).
    pub(crate) queue_size: u32,
    /// Set for compatibility; a full journal always refuses at the receivers.
    pub(crate) block_on_overflow: bool,
    /// Set for compatibility; the queue is always on disk.
    pub(crate) blocking: bool,
    /// The queue is bounded by bytes (`queue.budget`).
    #[serde(skip_serializing)]
    pub(crate) sizer: Ignored,
    /// What an answer to a client means is said at the receiver (`ack`).
    #[serde(skip_serializing)]
    pub(crate) wait_for_result: Ignored,
    /// The queue is always in the journal, under `--storage.path`.
    #[serde(skip_serializing)]
    pub(crate) storage: Ignored,
    /// What waits in the queue is joined into requests as large as the destination takes.
    #[serde(skip_serializing)]
    pub(crate) batch: Ignored,
}

impl Default for SendingQueue {
    fn default() -> Self {
        Self {
            enabled: true,
            num_consumers: 10,
            queue_size: 1000,
            block_on_overflow: false,
            blocking: false,
            sizer: Ignored,
            wait_for_result: Ignored,
            storage: Ignored,
            batch: Ignored,
        }
    }
}

impl SendingQueue {
    pub(crate) fn consumers(&self) -> usize {
        if self.enabled {
            usize::try_from(self.num_consumers.clamp(1, 256)).unwrap_or(1)
        } else {
            1
        }
    }
}

/// What proves to the destination who sends.
pub(crate) fn credentials(
    auth: Option<&Reference>,
    context: &Context,
) -> Result<Option<Credentials>, SettingsError> {
    let Some(Reference { node, .. }) = auth else { return Ok(None) };
    let found = context.services.find::<Credentials>(node);
    found.map(|found| Some(Credentials::clone(&found))).ok_or_else(|| {
        let problem = format!("names {node}, which has no credentials for a client to send");
        SettingsError::new("client.auth", problem, "give it client_auth, a token or a client_id")
    })
}

/// What is wrong with the client's settings, under the block they stand in.
pub(crate) fn of_dial(error: dial::SettingsError) -> SettingsError {
    SettingsError::new(&format!("client.{}", error.setting), error.problem, error.remedy)
}
