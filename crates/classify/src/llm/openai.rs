//! `POST /chat/completions` with structured output, as `OpenAI` defined it and others speak it.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create>, <https://docs.x.ai/docs/api-reference>.
//! xAI counts reasoning tokens beside `completion_tokens` and only `total_tokens` has both; local
//! servers know `max_tokens` and not its successor.

use bessemer_net::dial::Answer;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::plain;
use super::failure::{Failed, Failure};
use super::parse;
use super::prompt::{Prompt, SCHEMA_NAME, schema};
use super::provider::{Answered, LlmProvider, Parts, Usage, failed, garbage, of_status};

/// Bytes of a refusal that are kept.
const REFUSAL_BYTES_MAX: usize = 200;

/// Whose dialect of the protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// `OpenAI` itself.
    OpenAi,
    /// xAI.
    Xai,
    /// A server of one's own: Ollama, vLLM, llama.cpp.
    Local,
}

/// A model behind the chat completions protocol.
#[derive(Debug, Clone)]
pub struct ChatCompletions {
    model: String,
    flavor: Flavor,
}

impl ChatCompletions {
    /// The model `model`.
    pub fn new(model: impl Into<String>, flavor: Flavor) -> Self {
        Self { model: model.into(), flavor }
    }
}

impl LlmProvider for ChatCompletions {
    fn model(&self) -> &str {
        &self.model
    }

    fn request(&self, prompt: &Prompt) -> Parts {
        let limit = match self.flavor {
            Flavor::OpenAi | Flavor::Xai => "max_completion_tokens",
            Flavor::Local => "max_tokens",
        };
        let mut body = json!({
            "model": self.model,
            "messages": [
                { "role": "system", "content": prompt.instructions() },
                { "role": "user", "content": prompt.data() }
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": { "name": SCHEMA_NAME, "strict": true, "schema": schema() }
            }
        });
        if let Some(fields) = body.as_object_mut() {
            fields.insert(limit.to_owned(), prompt.tokens_max().into());
            // Reasoning models of OpenAI refuse any temperature but their own.
            if self.flavor != Flavor::OpenAi {
                fields.insert("temperature".to_owned(), 0.into());
            }
        }
        Parts::json("/chat/completions", &body)
    }

    fn answer(&self, prompt: &Prompt, answer: &Answer, now: u64) -> Result<Answered, Failed> {
        if !answer.is_success() {
            let error = ErrorText::of(&answer.body);
            return Err(of_status(answer, &error.message, &error.code, now));
        }
        let completion: Completion = serde_json::from_slice(&answer.body)
            .map_err(|error| garbage(error.to_string(), None))?;
        let usage = completion.usage.map(TokenCounts::usage);
        let Some(choice) = completion.choices.into_iter().next() else {
            return Err(garbage("the answer has no choice", usage));
        };
        if let Some(refusal) = choice.message.refusal {
            let reason = plain(&refusal, REFUSAL_BYTES_MAX);
            return Err(failed(Failure::Refused { reason }, usage));
        }
        match choice.finish_reason.as_deref() {
            Some("length") => Err(failed(Failure::Truncated, usage)),
            Some("content_filter") => {
                Err(failed(Failure::Refused { reason: "content filter".into() }, usage))
            }
            Some("stop") => match choice.message.content.as_ref().and_then(Value::as_str) {
                Some(text) => parse::judgements(prompt, text, usage),
                None => Err(garbage("the answer has no text", usage)),
            },
            // Above all `tool_calls`: none was offered, so none is heard.
            other => Err(garbage(format!("it ended with {other:?}"), usage)),
        }
    }

    fn probe(&self) -> Parts {
        Parts::get("/models")
    }
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<TokenCounts>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<Value>,
    #[serde(default)]
    refusal: Option<String>,
}

/// The `usage` of an answer.
#[derive(Debug, Clone, Copy, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the protocol")]
pub(crate) struct TokenCounts {
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    total_tokens: u64,
}

impl TokenCounts {
    pub(crate) fn usage(self) -> Usage {
        let beside = self.total_tokens.saturating_sub(self.prompt_tokens);
        Usage { input: self.prompt_tokens, output: self.completion_tokens.max(beside) }
    }
}

/// What an error answer says, in any of the shapes that servers use: `{"error": {"message",
/// "code", "type"}}`, `{"error": "..."}`, `{"message": "..."}` or plain text.
#[derive(Debug, Default)]
pub(crate) struct ErrorText {
    pub(crate) message: String,
    pub(crate) code: String,
}

impl ErrorText {
    pub(crate) fn of(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            let message = String::from_utf8_lossy(body.get(..512).unwrap_or(body)).into_owned();
            return Self { message, code: String::new() };
        };
        let error = value.get("error").unwrap_or(&value);
        let text = |key| error.get(key).and_then(Value::as_str).unwrap_or_default();
        let message = error.as_str().unwrap_or_else(|| text("message")).to_owned();
        Self { message, code: format!("{} {}", text("code"), text("type")) }
    }
}

#[cfg(test)]
mod tests;
