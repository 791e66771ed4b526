//! `POST /v1/messages` with one tool that the model must call: its input is the structure.
//!
//! <https://docs.anthropic.com/en/api/messages>. Usage counts cached input apart from the rest.

use bessemer_net::dial::Answer;
use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::{Failed, Failure};
use super::openai::ErrorText;
use super::parse;
use super::prompt::{Prompt, schema};
use super::provider::{Answered, LlmProvider, Parts, Usage, failed, garbage, of_status};

/// The header that every request must have.
pub const VERSION_HEADER: HeaderName = HeaderName::from_static("anthropic-version");
/// The version of the protocol that this file speaks.
pub const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// The tool that takes the judgements.
const TOOL: &str = "record_verdicts";

/// A model behind the messages protocol.
#[derive(Debug, Clone)]
pub struct Messages {
    model: String,
}

impl Messages {
    /// The model `model`.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into() }
    }
}

impl LlmProvider for Messages {
    fn model(&self) -> &str {
        &self.model
    }

    fn request(&self, prompt: &Prompt) -> Parts {
        let body = json!({
            "model": self.model,
            "max_tokens": prompt.tokens_max(),
            "system": prompt.instructions(),
            "messages": [{ "role": "user", "content": prompt.data() }],
            "tools": [{
                "name": TOOL,
                "description": "Takes one judgement for each record.",
                "input_schema": schema()
            }],
            "tool_choice": { "type": "tool", "name": TOOL }
        });
        let mut parts = Parts::json("/v1/messages", &body);
        parts.headers.insert(VERSION_HEADER, VERSION);
        parts
    }

    fn answer(&self, prompt: &Prompt, answer: &Answer, now: u64) -> Result<Answered, Failed> {
        if !answer.is_success() {
            let error = ErrorText::of(&answer.body);
            return Err(of_status(answer, &error.message, &error.code, now));
        }
        let message: Message = serde_json::from_slice(&answer.body)
            .map_err(|error| garbage(error.to_string(), None))?;
        let usage = message.usage.map(TokenCounts::usage);
        match message.stop_reason.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => {
                return Err(failed(Failure::Truncated, usage));
            }
            Some("refusal") => {
                return Err(failed(Failure::Refused { reason: "stop reason".into() }, usage));
            }
            Some(_) | None => {}
        }
        let call = message.content.iter().find(|block| {
            block.get("type").and_then(Value::as_str) == Some("tool_use")
                && block.get("name").and_then(Value::as_str) == Some(TOOL)
        });
        match call.and_then(|call| call.get("input")) {
            Some(input) => parse::judgements_in(prompt, input, usage),
            None => Err(garbage("the answer does not call the tool", usage)),
        }
    }

    fn probe(&self) -> Parts {
        let mut parts = Parts::get("/v1/models");
        parts.headers.insert(VERSION_HEADER, VERSION);
        parts
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Vec<Value>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Option<TokenCounts>,
}

/// The `usage` of an answer.
#[derive(Debug, Clone, Copy, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the protocol")]
pub(crate) struct TokenCounts {
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
}

impl TokenCounts {
    pub(crate) fn usage(self) -> Usage {
        let created = self.cache_creation_input_tokens.unwrap_or_default();
        let read = self.cache_read_input_tokens.unwrap_or_default();
        let input = self.input_tokens.saturating_add(created).saturating_add(read);
        Usage { input, output: self.output_tokens }
    }
}

#[cfg(test)]
mod tests;
