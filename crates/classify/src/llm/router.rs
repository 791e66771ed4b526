//! `bessemer.llm.router`: an endpoint that speaks chat completions, embeddings and Anthropic's
//! messages to whoever has an SDK, and passes each request to a provider that is well.
//!
//! A request goes to providers that speak its wire format first. Where all of it can be said in the
//! other one too, the others follow: what they answer is translated back, streams event by event. Model names are mapped, the provider that is asked for comes
//! first, and the others follow by priority until one answers. Budgets, limits and breakers are
//! those of the providers, shared with the classify processor; money is reserved before each
//! attempt. Streams are passed on as they come.

mod answers;
mod call;
mod held;
mod pipe;
mod relay;
mod serve;
mod sse;
mod translate;

use std::sync::Arc;
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_config::value::Reference;
use bessemer_net::listen;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::receiver::StartError;
use bessemer_pipeline::{Built, Context, SettingsError};
use bessemer_runtime::{ByteSize, Secret, Span, Tasks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::member::Member;
use super::tier::{Standing, members, members_exist, purse};
use crate::door::{self, Keys};
use crate::money::{Amount, Micros, Price};
use relay::Relay;
use serve::Front;

/// Calls that settings may allow at a time.
const CALLS_MAX: usize = 10_000;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"bessemer.llm.local "models" {
  endpoint = "http://127.0.0.1:11434/v1"
  model    = "llama3.2"
}

bessemer.llm.router "example" {
  http {
    endpoint = "127.0.0.1:8010"
  }
  providers    = [bessemer.llm.local.models]
  daily_budget = 10
}
"#;

/// Settings of `bessemer.llm.router`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    pub http: listen::Settings,
    /// Who is asked: `bessemer.llm.*` components, in the order of their `priority`.
    pub providers: Vec<Reference>,
    /// Keys of the callers, sent as `Authorization: Bearer` or `x-api-key`. Without one, only a
    /// loopback address is listened on.
    #[serde(default)]
    pub api_keys: Vec<Secret>,
    /// Names that callers may ask for beside the models of the providers.
    #[serde(default)]
    pub model: Vec<Mapping>,
    /// What all requests may cost in a UTC day.
    #[serde(default = "default_budget")]
    pub daily_budget: Amount,
    /// What the requests with one key may cost in a UTC day; unset, only the budget of all counts.
    #[serde(default)]
    pub key_daily_budget: Option<Amount>,
    /// Tokens of an answer at most when the caller names no limit.
    #[serde(default = "default_tokens")]
    pub max_tokens: u64,
    /// The time one attempt has, streams included.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// Calls at a time; a further one is answered with 429 and asked to come back. Each may hold an
    /// answer of up to 32 MiB.
    #[serde(default = "default_calls")]
    pub calls_max: usize,
    /// Gives an answer again to who asks the same, for requests without tools and streams; unset, every
    /// request goes to a provider.
    #[serde(default)]
    pub cache: Option<answers::Settings>,
    /// The largest request.
    #[serde(default = "default_body")]
    pub max_request_body_size: ByteSize,
}

/// A name for a model of a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// What callers ask for.
    pub name: String,
    /// Who is asked first.
    pub provider: Reference,
    /// What the provider calls it; unset, the same.
    #[serde(default)]
    pub target: Option<String>,
    /// What it costs, when it is not in the list.
    #[serde(default)]
    pub price: Option<Price>,
}

fn default_budget() -> Amount {
    Amount(Micros(5_000_000))
}

fn default_tokens() -> u64 {
    4096
}

fn default_timeout() -> Span {
    Span(Duration::from_mins(5))
}

fn default_calls() -> usize {
    64
}

fn default_body() -> ByteSize {
    ByteSize::mib(4)
}

pub(crate) fn build(raw: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(raw)?;
    let keys = check(&settings)?;
    let listens = door::check(&settings.http, &keys)?;
    members_exist("providers", &settings.providers, context);
    let world = context.clone();
    context.services.on_start(move |tasks| {
        let begun = begin(settings, keys, &world, &tasks);
        Box::pin(std::future::ready(begun))
    });
    Ok(Built::Extension { listens })
}

fn check(settings: &Settings) -> Result<Keys, SettingsError> {
    if settings.providers.is_empty() {
        let remedy = "name bessemer.llm.* components";
        return Err(SettingsError::new("providers", "has none", remedy));
    }
    if !(1..=CALLS_MAX).contains(&settings.calls_max) {
        return Err(SettingsError::new("calls_max", "is out of range", "write 1 to 10000"));
    }
    settings.cache.as_ref().map_or(Ok(()), answers::Settings::check)?;
    let unknown = settings.model.iter().find(|mapping| {
        !settings.providers.iter().any(|provider| provider.node == mapping.provider.node)
    });
    match unknown {
        Some(mapping) => {
            let problem = format!("{} is not one of the providers", mapping.provider);
            Err(SettingsError::new("model.provider", problem, "add it to `providers`"))
        }
        None => Keys::new(&settings.api_keys),
    }
}

fn begin(
    settings: Settings,
    keys: Keys,
    context: &Context,
    tasks: &Tasks,
) -> Result<(), StartError> {
    let mut members = members(&settings.providers, context)?;
    members.sort_by_key(|member: &Arc<Member>| member.terms().priority);
    let bound = door::open(context, &settings.http, &keys)?;
    let limits = settings.http.limits.body(settings.max_request_body_size.as_usize());
    let calls = Arc::new(Semaphore::new(settings.calls_max));
    let purse = purse(context)?;
    let standing = Standing {
        payer: context.id.clone(),
        daily_budget: settings.daily_budget.0,
        purse: Arc::clone(&purse),
        members: members.clone(),
        degraded: None,
        metrics: context.metrics.llm.clone(),
    };
    context.services.publish_report("llm", &context.id, Arc::new(standing));
    let relay = Relay::new(settings, context, members, purse, tasks.clone()).map_err(|error| {
        StartError { component: context.id.clone(), problem: error.problem, remedy: error.remedy }
    })?;
    let front =
        Front { keys, limits, bodies: context.bodies.clone(), calls, relay: Arc::new(relay) };
    bound.serve(Arc::new(front), tasks);
    Ok(())
}

#[cfg(test)]
mod tests;
