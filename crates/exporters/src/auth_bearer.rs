//! `otelcol.auth.bearer` (`bearertokenauth` in Collector files): a token in a header (RFC 6750).

use std::sync::Arc;

use bessemer_access::callers::{self, Callers};
use bessemer_config::Settings as RawSettings;
use bessemer_net::dial::{Credentials, auth};
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, SettingsError};
use bessemer_runtime::{Secret, SecretText};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth_basic::unreadable;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.auth.bearer "example" {
  token = "secret"
}
"#;

/// Settings of `otelcol.auth.bearer`. One of `token`, `tokens` and `filename` must be there;
/// `filename` counts before `tokens`, and that before `token`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// What stands before the token; empty for nothing.
    pub scheme: String,
    /// The header that carries it.
    pub header: String,
    /// The token that exporters send and receivers ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Tokens, at most 1000, of which receivers ask for one; exporters send the first.
    pub tokens: Vec<Secret>,
    /// A file with a token on each line, at most 1000, instead; looked at every second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scheme: "Bearer".to_owned(),
            header: "Authorization".to_owned(),
            token: None,
            tokens: Vec::new(),
            filename: None,
        }
    }
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let header = auth::header_name(&settings.header)
        .map_err(|error| SettingsError::new("header", error.problem, error.remedy))?;
    let all = sources(&settings, context)?;
    refuse_too_many(&settings, &all)?;
    let sent = all.into_iter().next().ok_or_else(missing)?;
    let sent = auth::Bearer::new(header.clone(), &settings.scheme, sent);
    context.services.offer(&context.id, Arc::new(Credentials::new(sent)));
    let known = sources(&settings, context)?;
    let known = callers::Bearer::new(&context.id, header, &settings.scheme, known);
    context.services.offer(&context.id, Arc::new(Callers(Arc::new(known))));
    Ok(Built::Extension { listens: Vec::new() })
}

fn refuse_too_many(settings: &Settings, tokens: &[SecretText]) -> Result<(), SettingsError> {
    let count: usize = tokens.iter().map(|token| token.current().expose().lines().count()).sum();
    if count <= callers::Bearer::TOKENS_MAX {
        return Ok(());
    }
    let path = if settings.filename.is_some() { "filename" } else { "tokens" };
    let problem = format!("has {count} tokens, more than {}", callers::Bearer::TOKENS_MAX);
    Err(SettingsError::new(path, problem, "give callers that belong together one token"))
}

fn missing() -> SettingsError {
    let problem = "is missing, and so are tokens and filename";
    SettingsError::new("token", problem, "write one of them")
}

fn sources(settings: &Settings, context: &Context) -> Result<Vec<SecretText>, SettingsError> {
    let file = settings.filename.as_deref().filter(|file| !file.is_empty());
    let read = SecretText::new(None, file, &context.clock);
    let read = read.map_err(|error| unreadable("filename", file.unwrap_or_default(), &error))?;
    if let Some(file) = read {
        return Ok(vec![file]);
    }
    let given = |token: &Secret| SecretText::Given(token.clone());
    let token = settings.token.iter().filter(|_| settings.tokens.is_empty());
    let tokens = settings.tokens.iter().chain(token);
    Ok(tokens.filter(|token| !token.expose().trim().is_empty()).map(given).collect())
}
