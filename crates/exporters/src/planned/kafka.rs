//! Settings of the Kafka exporter.

use bessemer_net::tls::settings::Tls;
use bessemer_runtime::{Secret, Span};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::otlp::settings::{Retry, SendingQueue};

/// Kafka.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kafka {
    /// Addresses of brokers.
    brokers: Vec<String>,
    /// The version that brokers speak.
    protocol_version: Option<String>,
    /// The topic.
    topic: Option<String>,
    /// How records are written.
    encoding: Option<String>,
    /// What the client calls itself.
    client_id: Option<String>,
    /// The time a request has.
    timeout: Option<Span>,
    /// How records are sent.
    producer: Option<Producer>,
    /// Who the client is.
    auth: Option<Auth>,
    /// How a failed request is tried again.
    retry_on_failure: Option<Retry>,
    /// How many requests are under way.
    sending_queue: Option<SendingQueue>,
}

/// How records are sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Producer {
    /// Bytes of one message at most.
    max_message_bytes: Option<u64>,
    /// Brokers that must have it: 0, 1 or -1 for all.
    required_acks: Option<i32>,
    /// How messages are compressed.
    compression: Option<String>,
    /// Messages sent at once at most.
    flush_max_messages: Option<u64>,
    /// How long messages wait for others.
    flush_frequency: Option<Span>,
}

/// Who the client is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    /// A user by SASL.
    sasl: Option<Sasl>,
    /// Certificates.
    tls: Option<Tls>,
}

/// A user by SASL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    mechanism: String,
    /// The user.
    username: String,
    /// The password.
    password: Secret,
}
