//! `bessemer.sorter`: answers over HTTP which class a record has, by the tiers of the classify
//! processor.
//!
//! `POST /classify` takes one record, a JSON object with `message`, and if it likes `level` (a name or
//! a number of OpenTelemetry) and `attributes`; or a list of them; and answers in kind. `GET /health`
//! and `GET /metrics` stand beside it.

mod answer;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_net::listen;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::receiver::StartError;
use bessemer_pipeline::{Built, Context, SettingsError};
use bessemer_runtime::{ByteSize, Secret, Tasks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::classify::explain::Explainer;
use crate::classify::{ModelSettings, Settings as Rules};
use crate::rules::RuleSettings;
use answer::Front;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"bessemer.sorter "example" {
  http {
    endpoint = "127.0.0.1:8000"
  }

  model {
    enabled = true
  }
}
"#;

/// Settings of `bessemer.sorter`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    #[serde(default = "default_http")]
    pub http: listen::Settings,
    /// Keys of the callers, sent as `Authorization: Bearer`. Without one, only a loopback address is
    /// listened on.
    #[serde(default)]
    pub api_keys: Vec<Secret>,
    /// The largest request.
    #[serde(default = "default_body")]
    pub max_request_body_size: ByteSize,
    /// Rules in the order in which they are tried, before the default ones.
    #[serde(default)]
    pub rule: Vec<RuleSettings>,
    /// Files with further rules, each a JSON list of them; tried after `rule`, in their order.
    #[serde(default)]
    pub rule_files: Vec<String>,
    /// Whether the default rules follow.
    #[serde(default = "yes")]
    pub default_rules: bool,
    /// The local model.
    #[serde(default)]
    pub model: ModelSettings,
}

fn default_http() -> listen::Settings {
    listen::Settings::at("127.0.0.1:8000")
}

fn default_body() -> ByteSize {
    ByteSize::mib(4)
}

fn yes() -> bool {
    true
}

/// Builds the component.
pub(crate) fn build(raw: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(raw)?;
    if settings.api_keys.iter().any(|key| key.expose().is_empty()) {
        return Err(SettingsError::new("api_keys", "has an empty key", "remove it").into());
    }
    let rules = Rules {
        rule: settings.rule.clone(),
        rule_files: settings.rule_files.clone(),
        default_rules: settings.default_rules,
        model: settings.model.clone(),
        ..Rules::default()
    };
    let explainer = Explainer::new(&rules, context)?;
    let world = context.clone();
    context.services.on_start(move |tasks| {
        Box::pin(std::future::ready(begin(&settings, explainer, &world, &tasks).map(|_| ())))
    });
    Ok(Built::Extension)
}

/// Listens until the tasks are cancelled; says where.
fn begin(
    settings: &Settings,
    explainer: Explainer,
    context: &Context,
    tasks: &Tasks,
) -> Result<std::net::SocketAddr, StartError> {
    let failed = |problem: String, remedy: &str| StartError {
        component: context.id.clone(),
        problem,
        remedy: remedy.to_owned(),
    };
    let bound = listen::bind(&context.id, &settings.http)
        .map_err(|error| failed(error.to_string(), "choose another endpoint"))?;
    let address = bound.local_addr();
    if settings.api_keys.is_empty() && !address.ip().is_loopback() {
        let problem = format!("{address} can be reached from other machines without a key");
        return Err(failed(problem, "set api_keys, or listen on 127.0.0.1"));
    }
    tracing::info!(component = %context.id, %address, "the sorter listens");
    let front = Front {
        keys: settings.api_keys.clone(),
        limits: settings.http.limits.body(settings.max_request_body_size.as_usize()),
        bodies: context.bodies.clone(),
        metrics: Arc::clone(&context.metrics),
        explainer,
    };
    bound.serve(Arc::new(front), tasks);
    Ok(address)
}

#[cfg(test)]
mod tests;
