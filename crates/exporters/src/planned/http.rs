//! Settings of exporters over plain HTTP.

use std::collections::BTreeMap;

use bessemer_net::dial;
use bessemer_runtime::{Secret, Span};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::otlp::settings::{Retry, SendingQueue};

/// Posts records to a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    /// Where and how to connect.
    client: HttpClient,
}

/// Where and how to connect, with retries beside it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpClient {
    /// The address.
    endpoint: String,
    /// The time one try has.
    timeout: Option<Span>,
    /// Headers.
    headers: Option<BTreeMap<String, Secret>>,
    /// How a failed request is tried again.
    retry_on_failure: Option<Retry>,
}

/// The HTTP event collector of Splunk, flat or with `client` and `splunk` blocks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplunkHec {
    /// Where to send.
    endpoint: Option<String>,
    /// The token.
    token: Option<Secret>,
    /// The index of events.
    index: Option<String>,
    /// Their source.
    source: Option<String>,
    /// Their source type.
    sourcetype: Option<String>,
    /// Unused connections at most.
    max_idle_conns: Option<u32>,
    /// Unused connections to one host at most.
    max_idle_conns_per_host: Option<u32>,
    /// Connections to one host at most.
    max_conns_per_host: Option<u32>,
    /// How long an unused connection is kept.
    idle_conn_timeout: Option<Span>,
    /// The time one try has.
    timeout: Option<Span>,
    /// Sends bodies as they are.
    disable_compression: Option<bool>,
    /// How the server is trusted.
    tls: Option<bessemer_net::tls::settings::Tls>,
    /// Where and how to connect, as a block.
    client: Option<dial::Settings>,
    /// What the server wants, as a block.
    splunk: Option<Splunk>,
    /// How a failed request is tried again.
    retry_on_failure: Option<Retry>,
    /// How many requests are under way.
    sending_queue: Option<SendingQueue>,
}

/// What the event collector wants.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Splunk {
    /// The token.
    token: Secret,
    /// The index.
    index: Option<String>,
    /// The source.
    source: Option<String>,
    /// The source type.
    sourcetype: Option<String>,
}
