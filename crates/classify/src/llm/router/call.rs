//! One request of a caller, in terms that the router acts upon.

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::translate::request;
use crate::llm::anthropic::{self, VERSION_HEADER};
use crate::llm::openai;
use crate::llm::provider::{Usage, Wire};

/// Tokens that a picture, a sound or a document may become, whose bytes may be elsewhere.
const MEDIA_TOKENS: u64 = 100_000;
/// Answers that one request may ask for.
const CHOICES_MAX: u64 = 8;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Chat,
    Embeddings,
    Messages,
}

impl Operation {
    pub(super) fn wire(self) -> Wire {
        match self {
            Self::Chat | Self::Embeddings => Wire::Chat,
            Self::Messages => Wire::Messages,
        }
    }

    /// The same of a provider that speaks `wire`.
    pub(super) fn path_on(self, wire: Wire) -> &'static str {
        match (self, wire) {
            (Self::Chat, Wire::Messages) => Self::Messages.path(),
            (Self::Messages, Wire::Chat) => Self::Chat.path(),
            (own, _) => own.path(),
        }
    }

    /// Below the endpoint of a provider.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Embeddings => "/embeddings",
            Self::Messages => "/v1/messages",
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) operation: Operation,
    /// What the caller asked for.
    pub(super) model: String,
    pub(super) body: Map<String, Value>,
    pub(super) streams: bool,
    /// The caller wants the chunk with the usage, which the router always asks for.
    pub(super) wants_usage: bool,
    /// Protocol headers that go along.
    pub(super) headers: HeaderMap,
    /// The provider that the caller would rather have.
    pub(super) preferred: Option<String>,
    /// Whose key it was.
    pub(super) caller: String,
}

impl Call {
    /// Reads a request, or says what is wrong with it.
    pub(super) fn read(
        operation: Operation,
        bytes: &[u8],
        headers: &HeaderMap,
        caller: String,
    ) -> Result<Self, String> {
        let body: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| format!("the body: {error}"))?;
        let model = body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
        if model.is_empty() {
            return Err("the request names no model".to_owned());
        }
        unbounded(&body)?;
        let streams = body.get("stream").and_then(Value::as_bool).unwrap_or_default();
        let options = body.get("stream_options");
        let wants_usage =
            options.and_then(|options| options.get("include_usage")?.as_bool()).unwrap_or_default();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let preferred = text("x-bessemer-provider").map(str::to_owned);
        let mut along = HeaderMap::new();
        if operation == Operation::Messages {
            let version = headers.get(VERSION_HEADER).cloned().unwrap_or(anthropic::VERSION);
            along.insert(VERSION_HEADER, version);
            if let Some(beta) = headers.get("anthropic-beta") {
                along.insert("anthropic-beta", beta.clone());
            }
        }
        let headers = along;
        Ok(Self { operation, model, body, streams, wants_usage, headers, preferred, caller })
    }

    /// Whether it can be said in the other wire format.
    pub(super) fn is_translatable(&self) -> bool {
        self.operation != Operation::Embeddings
            && request(self.operation.wire(), &self.body).is_some()
    }

    /// The body for a model of a provider that speaks `wire`, with a limit on the answer; `None` where
    /// it cannot be said there.
    pub(super) fn body_for(&self, wire: Wire, model: &str, tokens_max: u64) -> Option<Value> {
        let own = self.operation.wire();
        let mut body = if wire == own { self.body.clone() } else { request(own, &self.body)? };
        body.insert("model".to_owned(), model.into());
        // Another tier has another price.
        body.remove("service_tier");
        let limited = ["max_tokens", "max_completion_tokens"];
        if self.operation != Operation::Embeddings
            && !limited.iter().any(|name| body.get(*name).is_some_and(Value::is_u64))
        {
            body.insert("max_tokens".to_owned(), tokens_max.into());
        }
        if wire == Wire::Chat && self.streams {
            let options = body.entry("stream_options").or_insert_with(|| json!({}));
            if let Some(options) = options.as_object_mut() {
                options.insert("include_usage".to_owned(), true.into());
            }
        }
        Some(Value::Object(body))
    }

    /// Tokens that the answer can have.
    pub(super) fn output_max(&self, tokens_max: u64) -> u64 {
        if self.operation == Operation::Embeddings {
            return 0;
        }
        let number = |name: &str| self.body.get(name).and_then(Value::as_u64);
        // Where both are given, the larger is what might hold.
        let own = number("max_tokens").max(number("max_completion_tokens"));
        let predicted = self.body.get("prediction").map_or(0, |text| text.to_string().len() as u64);
        let choices = number("n").unwrap_or(1).clamp(1, CHOICES_MAX);
        own.unwrap_or(tokens_max).saturating_add(predicted).saturating_mul(choices)
    }

    /// Tokens that are read beyond one for each byte.
    pub(super) fn input_beside(&self, bytes: u64) -> u64 {
        let text = Value::Object(self.body.clone()).to_string();
        let media = ["\"image_url\"", "\"image\"", "\"file\"", "\"document\"", "\"input_audio\""];
        let media = media.iter().map(|kind| text.matches(kind).count() as u64).sum::<u64>();
        // Writing into a provider's cache costs up to twice as much as reading.
        let cached = if text.contains("cache_control") { bytes } else { 0 };
        media.saturating_mul(MEDIA_TOKENS).saturating_add(cached)
    }

    /// What an answer of a provider that speaks `wire` says that it used.
    pub(super) fn usage(wire: Wire, answer: &Value) -> Option<Usage> {
        let usage = answer.get("usage").filter(|usage| usage.is_object())?.clone();
        match wire {
            Wire::Chat => {
                serde_json::from_value(usage).ok().map(|counts: openai::TokenCounts| counts.usage())
            }
            Wire::Messages => serde_json::from_value(usage)
                .ok()
                .map(|counts: anthropic::TokenCounts| counts.usage()),
        }
    }
}

/// What costs more than its tokens, or has more of them than the request can tell.
fn unbounded(body: &Map<String, Value>) -> Result<(), String> {
    let tools = body.get("tools").and_then(Value::as_array);
    let is_own = |tool: &Value| {
        let kind = tool.get("type").and_then(Value::as_str);
        matches!(kind, None | Some("function" | "custom"))
    };
    if tools.is_some_and(|tools| !tools.iter().all(is_own))
        || body.contains_key("web_search_options")
    {
        return Err("tools that the provider runs have no price that can be reserved".to_owned());
    }
    let choices = body.get("n").and_then(Value::as_u64).unwrap_or(1);
    if choices > CHOICES_MAX {
        return Err(format!("n is {choices}, at most {CHOICES_MAX} are passed on"));
    }
    let speaks = |modality: &Value| modality.as_str() != Some("text");
    let modalities = body.get("modalities").and_then(Value::as_array);
    if modalities.is_some_and(|all| all.iter().any(speaks)) {
        return Err("answers other than text have no price that can be reserved".to_owned());
    }
    Ok(())
}

/// An error as the caller's SDK reads it.
pub(super) fn error(wire: Wire, status: StatusCode, code: &str, message: &str) -> Value {
    match wire {
        Wire::Chat => json!({ "error": {
            "message": message, "type": kind(status), "param": null, "code": code
        }}),
        Wire::Messages => json!({
            "type": "error", "error": { "type": kind(status), "message": message }
        }),
    }
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

/// Tells an SDK not to come again with the same.
pub(super) const NO_RETRY: (&str, HeaderValue) =
    ("x-should-retry", HeaderValue::from_static("false"));
