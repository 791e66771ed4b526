//! Settings of exporters over plain HTTP.

use std::collections::BTreeMap;

use bessemer_runtime::{Secret, Span};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::otlp::settings::Retry;

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
