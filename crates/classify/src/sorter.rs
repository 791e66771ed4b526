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
use bessemer_pipeline::{Built, Context};
use bessemer_runtime::{ByteSize, Secret, Tasks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::classify::explain::Explainer;
use crate::classify::{ModelSettings, Settings as Rules};
use crate::door::{self, Keys};
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
    let keys = Keys::new(&settings.api_keys)?;
    let listens = door::check(&settings.http, &keys)?;
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
        Box::pin(std::future::ready(begin(&settings, keys, explainer, &world, &tasks).map(|_| ())))
    });
    Ok(Built::Extension { listens })
}

/// Listens until the tasks are cancelled; says where.
fn begin(
    settings: &Settings,
    keys: Keys,
    explainer: Explainer,
    context: &Context,
    tasks: &Tasks,
) -> Result<std::net::SocketAddr, StartError> {
    let bound = door::open(context, &settings.http, &keys)?;
    let address = bound.local_addr();
    let front = Front {
        keys,
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
