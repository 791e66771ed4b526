//! The `tls` block, in the names of the OpenTelemetry Collector.

use bessemer_runtime::{Ignored, Secret, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A protocol version; older ones are not spoken.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
pub enum Version {
    /// TLS 1.2, with AEAD suites and forward secrecy only.
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[default]
    #[serde(rename = "1.3")]
    Tls13,
}

/// How a client trusts a server and shows who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file with the authorities that may sign the server's certificate; the system's are then
    /// not asked, unless `include_system_ca_certs_pool` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The same as text; not together with `ca_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Trusts the system's authorities beside those of `ca_file` or `ca_pem`.
    pub include_system_ca_certs_pool: bool,
    /// PEM file with the certificate chain shown to the server; needs a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<String>,
    /// The same as text; not together with `cert_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_pem: Option<String>,
    /// PEM file with the private key of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// The same as text; not together with `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_pem: Option<Secret>,
    /// Speaks plain text instead of TLS where the scheme of the endpoint does not decide.
    pub insecure: bool,
    /// Accepts any certificate; for tests only, a warning is logged.
    pub insecure_skip_verify: bool,
    /// The name the server's certificate must carry, when it is not the host of the endpoint.
    #[serde(alias = "server_name_override", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-aliases" = ["server_name_override"]))]
    pub server_name: Option<String>,
    /// The oldest version spoken.
    pub min_version: Version,
    /// The newest version spoken.
    pub max_version: Version,
    /// How often the files are looked at for changes; 10 s when not set, `0` is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload_interval: Option<Span>,
    /// Only suites with forward secrecy are spoken, the strongest that both sides know.
    #[serde(skip_serializing)]
    pub cipher_suites: Ignored,
    /// The curves that both sides know, the strongest first.
    #[serde(skip_serializing)]
    pub curve_preferences: Ignored,
}

/// How a listener shows who it is, and whom it lets in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerTls {
    /// PEM file with the certificate chain, the server's own first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<String>,
    /// The same as text; not together with `cert_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_pem: Option<String>,
    /// PEM file with the private key of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// The same as text; not together with `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_pem: Option<Secret>,
    /// PEM file with the authorities that sign clients; when set, a client without a certificate
    /// of theirs is refused at the handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca_file: Option<String>,
    /// The file is always looked at for changes, as `reload_interval` says.
    #[serde(skip_serializing)]
    pub client_ca_file_reload: Ignored,
    /// A listener trusts nobody but `client_ca_file`.
    #[serde(skip_serializing)]
    pub ca_file: Ignored,
    /// A listener trusts nobody but `client_ca_file`.
    #[serde(skip_serializing)]
    pub ca_pem: Ignored,
    /// A listener trusts nobody but `client_ca_file`.
    #[serde(skip_serializing)]
    pub include_system_ca_certs_pool: Ignored,
    /// Only suites with forward secrecy are spoken, the strongest that both sides know.
    #[serde(skip_serializing)]
    pub cipher_suites: Ignored,
    /// The curves that both sides know, the strongest first.
    #[serde(skip_serializing)]
    pub curve_preferences: Ignored,
    /// The oldest version spoken.
    pub min_version: Version,
    /// The newest version spoken.
    pub max_version: Version,
    /// How often the files are looked at for changes; 10 s when not set, `0` is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload_interval: Option<Span>,
}
