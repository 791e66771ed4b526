//! Streams from one wire format to the other, event by event.

use serde_json::{Value, json};

use super::{counts, finish_reason, stop_reason};
use crate::llm::provider::{Usage, Wire};

/// Translates the events of one answer.
#[derive(Debug)]
pub(in super::super) struct Stream {
    from: Wire,
    /// Whether the caller of chat completions wants a chunk with the usage.
    wants_usage: bool,
    /// In seconds since the Unix epoch.
    now: u64,
    id: String,
    model: Value,
    reason: Option<String>,
    has_begun: bool,
    has_ended: bool,
}

impl Stream {
    pub(in super::super) fn new(from: Wire, wants_usage: bool, now: u64) -> Self {
        Self {
            from,
            wants_usage,
            now,
            id: String::new(),
            model: Value::Null,
            reason: None,
            has_begun: false,
            has_ended: false,
        }
    }

    /// What an event becomes.
    pub(in super::super) fn event(&mut self, event: &Value, usage: Usage) -> String {
        match self.from {
            Wire::Chat => self.chunk(event),
            Wire::Messages => self.message(event, usage),
        }
    }

    /// What is said when chat completions are over, as `[DONE]` or the end of the stream says.
    pub(in super::super) fn end(&mut self, usage: Usage) -> String {
        if !self.has_begun || std::mem::replace(&mut self.has_ended, true) {
            return String::new();
        }
        match self.from {
            Wire::Chat => {
                let stop = json!({ "type": "content_block_stop", "index": 0 });
                let delta = json!({
                    "stop_reason": stop_reason(self.reason.as_deref()), "stop_sequence": null
                });
                let usage = counts(Wire::Messages, usage);
                let delta = json!({ "type": "message_delta", "delta": delta, "usage": usage });
                [stop, delta, json!({ "type": "message_stop" })].iter().map(named).collect()
            }
            Wire::Messages => {
                let reason = finish_reason(self.reason.as_deref());
                let mut out = self.choice(&json!({}), Some(reason));
                if self.wants_usage {
                    let usage = counts(Wire::Chat, usage);
                    out.push_str(&data(&self.chunk_of(&json!([]), &usage)));
                }
                out.push_str("data: [DONE]\n\n");
                out
            }
        }
    }

    /// A chunk of chat completions as events of messages.
    fn chunk(&mut self, chunk: &Value) -> String {
        if let Some(error) = chunk.get("error") {
            let message = error.get("message").unwrap_or(error);
            let error = json!({ "type": "api_error", "message": message });
            return named(&json!({ "type": "error", "error": error }));
        }
        let mut out = String::new();
        let Some(choices) = chunk.get("choices").and_then(Value::as_array) else { return out };
        if !std::mem::replace(&mut self.has_begun, true) {
            out.push_str(&begin(chunk));
        }
        let Some(choice) = choices.first() else { return out };
        let said = choice.get("delta").and_then(|delta| delta.get("content")?.as_str());
        if let Some(text) = said.filter(|text| !text.is_empty()) {
            let delta = json!({ "type": "text_delta", "text": text });
            let event = json!({ "type": "content_block_delta", "index": 0, "delta": delta });
            out.push_str(&named(&event));
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.reason = Some(reason.to_owned());
        }
        out
    }

    /// An event of messages as chunks of chat completions.
    fn message(&mut self, event: &Value, usage: Usage) -> String {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                let message = event.get("message");
                let id = text(message.and_then(|message| message.get("id")));
                self.id = format!("chatcmpl-{}", id.unwrap_or_default());
                let model = message.and_then(|message| message.get("model"));
                self.model = model.cloned().unwrap_or_default();
                self.has_begun = true;
                self.choice(&json!({ "role": "assistant", "content": "" }), None)
            }
            Some("content_block_delta") => {
                let said = event.get("delta").and_then(|delta| delta.get("text")?.as_str());
                said.map(|said| self.choice(&json!({ "content": said }), None)).unwrap_or_default()
            }
            Some("message_delta") => {
                let reason = event.get("delta").and_then(|delta| delta.get("stop_reason"));
                self.reason = text(reason).or(self.reason.take());
                String::new()
            }
            Some("message_stop") => self.end(usage),
            Some("error") => {
                let error = event.get("error").cloned().unwrap_or_default();
                data(&json!({ "error": error }))
            }
            _ => String::new(),
        }
    }

    fn choice(&self, delta: &Value, reason: Option<&str>) -> String {
        let choice = json!([{
            "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason
        }]);
        data(&self.chunk_of(&choice, &Value::Null))
    }

    fn chunk_of(&self, choices: &Value, usage: &Value) -> Value {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.now,
            "model": self.model, "choices": choices
        });
        if self.wants_usage
            && let Some(chunk) = chunk.as_object_mut()
        {
            chunk.insert("usage".to_owned(), usage.clone());
        }
        chunk
    }
}

/// The beginning of a message.
fn begin(chunk: &Value) -> String {
    let id = chunk.get("id").and_then(Value::as_str).unwrap_or_default();
    let message = json!({
        "id": format!("msg_{id}"), "type": "message", "role": "assistant",
        "model": chunk.get("model"), "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 0, "output_tokens": 0 }
    });
    let block = json!({ "type": "text", "text": "" });
    let events = [
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
    ];
    events.iter().map(named).collect()
}

fn named(event: &Value) -> String {
    let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {name}\ndata: {event}\n\n")
}

fn data(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}
