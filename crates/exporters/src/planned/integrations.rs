//! Settings of integrations, as `INTEGRATIONS_CONFIG` names them.

use std::collections::BTreeMap;

use bessemer_runtime::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

/// An HTTP API that takes events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalApi {
    /// The address, without a path.
    base_url: String,
    /// Seconds that a request has.
    timeout: Option<f64>,
}

/// A Zabbix server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "settings keep their names")]
pub(crate) struct Zabbix {
    /// Host and port, or a URL of them.
    zabbix_server: String,
    /// The host that items belong to.
    host: String,
    /// Seconds that a request has.
    timeout: Option<f64>,
}

/// When a new file is started.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rotation {
    /// Never.
    None,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
}

/// Files of comma-separated values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Csv {
    /// The folder.
    output_dir: String,
    /// When a new file is started.
    rotation: Option<Rotation>,
    /// Starts every file with the names of its columns.
    include_headers: Option<bool>,
    /// What stands between values.
    delimiter: Option<String>,
}

/// Files of JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Json {
    /// The folder.
    output_dir: String,
    /// When a new file is started.
    rotation: Option<Rotation>,
    /// Indents, in place of one event a line.
    pretty_print: Option<bool>,
    /// Compresses with gzip.
    compression: Option<bool>,
}

/// A service that takes events over HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "settings keep their names")]
pub(crate) struct Webhook {
    /// The address.
    webhook_url: String,
    /// The verb; POST unless set.
    method: Option<String>,
    /// Headers.
    headers: Option<BTreeMap<String, Secret>>,
    /// Seconds that a request has.
    timeout: Option<f64>,
    /// Trusts only certificates of known authorities.
    verify_ssl: Option<bool>,
}
