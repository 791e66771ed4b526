//! `otelcol.auth.oauth2` (`oauth2client` in Collector files): tokens of an OAuth 2.0 server by
//! client credentials (RFC 6749, section 4.4).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_net::dial::Credentials;
use bessemer_net::dial::auth::{Grant, OAuth2};
use bessemer_net::tls::settings::Tls;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, SettingsError};
use bessemer_runtime::{Secret, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth_basic::source;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.auth.oauth2 "example" {
  client_id     = "bessemer"
  client_secret = "secret"
  token_url     = "https://login.example.com/oauth2/v1/token"
}
"#;

/// Settings of `otelcol.auth.oauth2`. One token is asked for at a time, and a token that a
/// destination refuses is asked for anew once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// A file with the client, instead of `client_id`; looked at every second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id_file: Option<String>,
    /// What proves that it is this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// A file with it, instead of `client_secret`; looked at every second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<String>,
    /// How a token is got; only `client_credentials`.
    #[serde(default)]
    pub grant_type: GrantType,
    /// Where tokens are had.
    pub token_url: String,
    /// What tokens are for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Further fields of the question, each with a value or a list of them.
    #[serde(default)]
    pub endpoint_params: BTreeMap<String, Values>,
    /// How long before it expires a token is renewed, at most half of its life.
    #[serde(default = "expiry_buffer")]
    pub expiry_buffer: Span,
    /// Trust and identity for an `https` token URL.
    #[serde(default)]
    pub tls: Tls,
    /// The time one question has; `0` is 30 s.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

/// How a token is got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantType {
    /// By id and secret of the client.
    #[default]
    ClientCredentials,
}

/// One value or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Values {
    /// Several.
    Many(Vec<Secret>),
    /// One.
    One(Secret),
}

fn expiry_buffer() -> Span {
    Span(Duration::from_mins(5))
}

fn timeout() -> Span {
    Span(Duration::from_secs(30))
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let id = settings.client_id.as_ref().map(Secret::new);
    let id = source(id.as_ref(), settings.client_id_file.as_deref(), "client_id", context)?;
    let (secret, file) = (settings.client_secret.as_ref(), settings.client_secret_file.as_deref());
    let secret = source(secret, file, "client_secret", context)?;
    let values = |values: Values| match values {
        Values::One(value) => vec![value],
        Values::Many(values) => values,
    };
    let params = settings.endpoint_params.into_iter();
    let grant = Grant {
        client_id: id.ok_or_else(|| missing("client_id"))?,
        client_secret: secret.ok_or_else(|| missing("client_secret"))?,
        token_url: settings.token_url,
        scopes: settings.scopes,
        params: params.map(|(name, value)| (name, values(value))).collect(),
        timeout: settings.timeout.0,
        tls: settings.tls,
    };
    let (clock, random) = (Arc::clone(&context.clock), Arc::clone(&context.random));
    let oauth2 = OAuth2::new(grant, settings.expiry_buffer.0, clock, random)
        .map_err(|error| SettingsError::new(&error.setting, error.problem, error.remedy))?;
    context.services.offer(&context.id, Arc::new(Credentials::new(oauth2)));
    Ok(Built::Extension { listens: Vec::new() })
}

fn missing(name: &str) -> SettingsError {
    SettingsError::new(name, "is missing", format!("write {name} or {name}_file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_may_be_shown_whole_and_hold_no_secret() {
        let text = r#"{"client_id": "me", "client_secret": "hunter2", "token_url": "https://a/b",
            "endpoint_params": {"assertion": "hunter3", "more": ["hunter4"]}}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        let shown = format!("{settings:?} {}", serde_json::to_string(&settings).unwrap());
        assert!(shown.contains("https://a/b") && !shown.contains("hunter"), "{shown}");
    }
}
