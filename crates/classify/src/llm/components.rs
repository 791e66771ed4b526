//! `bessemer.llm.*`: the services that can be asked. Records never pass them; the processor
//! `bessemer.processor.classify` and the LLM router name them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bessemer_config::Settings as RawSettings;
use bessemer_net::dial::{Client, Settings as DialSettings, SettingsError as DialError};
use bessemer_net::tls::Tls;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, SettingsError};
use bessemer_runtime::{ByteSize, Secret, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::anthropic::Messages;
use super::member::{Dialled, Member, Terms};
use super::openai::{ChatCompletions, Flavor};
use super::provider::{LlmProvider, Wire};
use crate::money::{Amount, Price};

/// Bytes of an answer at most: far more than judgements take, far less than what a broken server
/// can send.
const ANSWER_MAX: ByteSize = ByteSize::mib(1);

/// Bytes of an answer that a router passes on, at most.
const RELAY_MAX: ByteSize = ByteSize::mib(32);
/// The time for it; the router has a limit of its own below this.
const RELAY_TIMEOUT: Duration = Duration::from_hours(1);

/// A block that loads.
pub(crate) const XAI_EXAMPLE: &str = r#"bessemer.llm.xai "example" {
  api_key = sys.env("XAI_API_KEY")
}
"#;
/// A block that loads.
pub(crate) const OPENAI_EXAMPLE: &str = r#"bessemer.llm.openai "example" {
  api_key      = sys.env("OPENAI_API_KEY")
  model        = "gpt-4.1-mini"
  daily_budget = "2.50"
}
"#;
/// A block that loads.
pub(crate) const ANTHROPIC_EXAMPLE: &str = r#"bessemer.llm.anthropic "example" {
  api_key = sys.env("ANTHROPIC_API_KEY")
}
"#;
/// A block that loads.
pub(crate) const LOCAL_EXAMPLE: &str = r#"bessemer.llm.local "example" {
  endpoint = "http://127.0.0.1:11434/v1"
  model    = "llama3.2"
}
"#;

/// Settings of the services that can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The key that the service knows us by; `local` may go without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// Where it is, up to the version in the path: unset, `https://api.x.ai/v1`,
    /// `https://api.openai.com/v1`, `https://api.anthropic.com`, and for `local`
    /// `http://127.0.0.1:11434/v1`, where Ollama listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The model: unset, `grok-4.20-non-reasoning`, `gpt-4.1-mini` or `claude-haiku-4-5`; `local`
    /// needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Lower is asked first: unset, 1 for xAI, 2 for `OpenAI`, 3 for Anthropic, 4 for `local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// The time one attempt has: unset, 10 s, 15 s, 20 s and 5 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Attempts in a row when a failure may pass.
    pub attempts: u32,
    /// Requests in a minute, as the service allows them; `0` is no limit.
    pub requests_per_minute: u64,
    /// Tokens in a minute, as the service allows them; `0` is no limit.
    pub tokens_per_minute: u64,
    /// What the model costs, when it is not in the list or on other terms; `local` is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// What it may cost in a UTC day, by everybody who asks it together; unset, only the askers'
    /// own budgets count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_budget: Option<Amount>,
    /// Trust and identity for `https`.
    pub tls: Tls,
    /// Headers sent with every request, such as `openai-organization`; their values are secrets.
    pub headers: BTreeMap<String, Secret>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_key: None,
            endpoint: None,
            model: None,
            priority: None,
            timeout: None,
            attempts: 2,
            requests_per_minute: 0,
            tokens_per_minute: 0,
            price: None,
            daily_budget: None,
            tls: Tls::default(),
            headers: BTreeMap::new(),
        }
    }
}

/// What the four kinds differ in.
struct Kind {
    endpoint: &'static str,
    model: Option<&'static str>,
    priority: u32,
    timeout_s: u64,
    needs_key: bool,
    protocol: Protocol,
}

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Chat(Flavor),
    Messages,
}

const XAI: Kind = Kind {
    endpoint: "https://api.x.ai/v1",
    model: Some("grok-4.20-non-reasoning"),
    priority: 1,
    timeout_s: 10,
    needs_key: true,
    protocol: Protocol::Chat(Flavor::Xai),
};
const OPENAI: Kind = Kind {
    endpoint: "https://api.openai.com/v1",
    model: Some("gpt-4.1-mini"),
    priority: 2,
    timeout_s: 15,
    needs_key: true,
    protocol: Protocol::Chat(Flavor::OpenAi),
};
const ANTHROPIC: Kind = Kind {
    endpoint: "https://api.anthropic.com",
    model: Some("claude-haiku-4-5"),
    priority: 3,
    timeout_s: 20,
    needs_key: true,
    protocol: Protocol::Messages,
};
const LOCAL: Kind = Kind {
    endpoint: "http://127.0.0.1:11434/v1",
    model: None,
    priority: 4,
    timeout_s: 5,
    needs_key: false,
    protocol: Protocol::Chat(Flavor::Local),
};

pub(crate) fn xai(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    build(settings, context, &XAI)
}

pub(crate) fn openai(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    build(settings, context, &OPENAI)
}

pub(crate) fn anthropic(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    build(settings, context, &ANTHROPIC)
}

pub(crate) fn local(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    build(settings, context, &LOCAL)
}

fn build(raw: &RawSettings, context: &Context, kind: &Kind) -> Result<Built, BuildError> {
    let settings: Settings = read(raw)?;
    let member = member(&settings, context, kind)?;
    context.services.offer(&context.id, Arc::new(member));
    Ok(Built::Extension { listens: Vec::new() })
}

fn member(settings: &Settings, context: &Context, kind: &Kind) -> Result<Member, SettingsError> {
    let model = settings.model.as_deref().or(kind.model).filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| {
        SettingsError::new("model", "is not given", "name the model that the server has")
    })?;
    let price = match (settings.price, kind.needs_key) {
        (Some(price), _) => price,
        (None, false) => Price::FREE,
        (None, true) => Price::listed(model).ok_or_else(|| {
            let problem = format!("has no listed price: {model:?}");
            let remedy = "give `price { input = ... output = ... }`, each for a million tokens";
            SettingsError::new("model", problem, remedy)
        })?,
    };
    let timeout = settings.timeout.map_or(Duration::from_secs(kind.timeout_s), |span| span.0);
    let dial = dial_settings(settings, kind, timeout)?;
    let world = (Arc::clone(&context.clock), Arc::clone(&context.random));
    let client = |dial: &DialSettings| {
        let client = Client::new(dial, Arc::clone(&world.0), Arc::clone(&world.1));
        client.map_err(of_dial).map(|client| Arc::new(Dialled(client)))
    };
    let questions = client(&dial)?;
    questions.0.path("/").map_err(of_dial)?;
    let relay = client(&DialSettings {
        timeout: Span(RELAY_TIMEOUT),
        max_response_body_size: RELAY_MAX,
        ..dial
    })?;
    let provider: Arc<dyn LlmProvider> = match kind.protocol {
        Protocol::Chat(flavor) => Arc::new(ChatCompletions::new(model, flavor)),
        Protocol::Messages => Arc::new(Messages::new(model)),
    };
    let terms = Terms {
        id: context.id.clone(),
        wire: match kind.protocol {
            Protocol::Chat(_) => Wire::Chat,
            Protocol::Messages => Wire::Messages,
        },
        priority: settings.priority.unwrap_or(kind.priority),
        timeout,
        attempts: settings.attempts,
        requests_per_minute: settings.requests_per_minute,
        tokens_per_minute: settings.tokens_per_minute,
        price,
        daily_budget: settings.daily_budget.map(|amount| amount.0),
    };
    Ok(Member::new(terms, provider, (questions, relay), world, context.metrics.llm.clone()))
}

fn dial_settings(
    settings: &Settings,
    kind: &Kind,
    timeout: Duration,
) -> Result<DialSettings, SettingsError> {
    let mut headers = settings.headers.clone();
    match &settings.api_key {
        Some(key) if kind.protocol == Protocol::Messages => {
            headers.insert("x-api-key".to_owned(), key.clone());
        }
        Some(key) => {
            let bearer = Secret::new(format!("Bearer {}", key.expose()));
            headers.insert("authorization".to_owned(), bearer);
        }
        None if kind.needs_key => {
            let remedy = "give the key, as in sys.env(\"...\")";
            return Err(SettingsError::new("api_key", "is not given", remedy));
        }
        None => {}
    }
    let endpoint = settings.endpoint.as_deref().unwrap_or(kind.endpoint);
    Ok(DialSettings {
        endpoint: endpoint.trim_end_matches('/').to_owned(),
        tls: settings.tls.clone(),
        timeout: Span(timeout),
        connect_timeout: Span(timeout.min(Duration::from_secs(10))),
        headers,
        max_response_body_size: ANSWER_MAX,
        ..DialSettings::default()
    })
}

fn of_dial(error: DialError) -> SettingsError {
    SettingsError { path: error.setting, problem: error.problem, remedy: error.remedy }
}
