//! Requests and answers from one wire format to the other, where all of it can be said there.
//!
//! Only text is translated: what has tools, pictures, forms for the answer or settings that the other
//! format does not know is not passed on in it, so that no answer is another one than was asked for.

pub(super) mod stream;

use serde_json::{Map, Value, json};

use crate::llm::provider::{Usage, Wire};

/// Settings of chat completions that can be said, or change no meaning.
const CHAT_KEYS: [&str; 16] = [
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "stream",
    "stream_options",
    "user",
    "seed",
    "n",
    "frequency_penalty",
    "presence_penalty",
    "metadata",
    "service_tier",
];
/// The same of messages.
const MESSAGES_KEYS: [&str; 11] = [
    "model",
    "messages",
    "system",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "metadata",
    "service_tier",
];
/// Texts at which an answer ends, as chat completions allow them.
const STOPS_MAX: usize = 4;

/// A request of one format in the other; `None` where something would be lost.
pub(super) fn request(from: Wire, body: &Map<String, Value>) -> Option<Map<String, Value>> {
    let known: &[&str] = match from {
        Wire::Chat => &CHAT_KEYS,
        Wire::Messages => &MESSAGES_KEYS,
    };
    if !body.keys().all(|key| known.contains(&key.as_str())) {
        return None;
    }
    match from {
        Wire::Chat => to_messages(body),
        Wire::Messages => to_chat(body),
    }
}

fn to_messages(body: &Map<String, Value>) -> Option<Map<String, Value>> {
    if body.get("n").is_some_and(|n| n.as_u64() != Some(1)) {
        return None;
    }
    let mut out = kept(body, &["model", "top_p", "stream"]);
    let (mut system, mut messages) = (Vec::new(), Vec::new());
    for message in body.get("messages")?.as_array()? {
        let said = text_of(message.get("content")?)?;
        match message.get("role")?.as_str()? {
            "system" | "developer" => system.push(said),
            role @ ("user" | "assistant") if is_plain(message) => {
                messages.push(json!({ "role": role, "content": said }));
            }
            _ => return None,
        }
    }
    if messages.first()?.get("role")? != "user" {
        return None;
    }
    out.insert("messages".to_owned(), messages.into());
    if !system.is_empty() {
        out.insert("system".to_owned(), system.join("\n\n").into());
    }
    let limit = body.get("max_completion_tokens").or_else(|| body.get("max_tokens"));
    out.extend(limit.map(|limit| ("max_tokens".to_owned(), limit.clone())));
    if let Some(heat) = body.get("temperature").and_then(Value::as_f64) {
        // The scale ends at 1 there and at 2 here.
        out.insert("temperature".to_owned(), heat.min(1.0).into());
    }
    let stops = match body.get("stop") {
        None | Some(Value::Null) => None,
        Some(Value::String(stop)) => Some(json!([stop])),
        Some(stops) => Some(stops.clone()),
    };
    out.extend(stops.map(|stops| ("stop_sequences".to_owned(), stops)));
    let user = body.get("user").map(|user| json!({ "user_id": user }));
    out.extend(user.map(|user| ("metadata".to_owned(), user)));
    Some(out)
}

fn to_chat(body: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut out = kept(body, &["model", "max_tokens", "temperature", "top_p", "stream"]);
    let mut messages = Vec::new();
    if let Some(system) = body.get("system") {
        messages.push(json!({ "role": "system", "content": text_of(system)? }));
    }
    for message in body.get("messages")?.as_array()? {
        let role = message.get("role")?.as_str()?;
        if !matches!(role, "user" | "assistant") {
            return None;
        }
        messages.push(json!({ "role": role, "content": text_of(message.get("content")?)? }));
    }
    out.insert("messages".to_owned(), messages.into());
    if let Some(stops) = body.get("stop_sequences") {
        if stops.as_array()?.len() > STOPS_MAX {
            return None;
        }
        out.insert("stop".to_owned(), stops.clone());
    }
    let user = body.get("metadata").and_then(|metadata| metadata.get("user_id"));
    out.extend(user.map(|user| ("user".to_owned(), user.clone())));
    Some(out)
}

fn kept(body: &Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    let pair = |key: &&str| Some(((*key).to_owned(), body.get(*key)?.clone()));
    keys.iter().filter_map(pair).collect()
}

/// A message that is its role and its content.
fn is_plain(message: &Value) -> bool {
    let known = ["role", "content", "name", "refusal"];
    message.as_object().is_some_and(|message| {
        message.iter().all(|(key, value)| known.contains(&key.as_str()) || value.is_null())
    })
}

/// The text of a content, if it is nothing but text.
fn text_of(content: &Value) -> Option<String> {
    if let Some(text) = content.as_str() {
        return Some(text.to_owned());
    }
    let parts = content.as_array()?.iter().map(|part| {
        (part.get("type")?.as_str()? == "text").then(|| part.get("text")?.as_str()).flatten()
    });
    parts.collect::<Option<Vec<&str>>>().map(|parts| parts.concat())
}

/// An answer of one format in the other; `None` where it is none. `now` is in seconds.
pub(super) fn answer(from: Wire, answer: &Value, usage: Usage, now: u64) -> Option<Value> {
    match from {
        Wire::Chat => {
            let choice = answer.get("choices")?.as_array()?.first()?;
            let text = choice.get("message")?.get("content")?.as_str()?;
            let id = answer.get("id").and_then(Value::as_str).unwrap_or_default();
            Some(json!({
                "id": format!("msg_{id}"), "type": "message", "role": "assistant",
                "model": answer.get("model"), "content": [{ "type": "text", "text": text }],
                "stop_reason": stop_reason(choice.get("finish_reason").and_then(Value::as_str)),
                "stop_sequence": null, "usage": counts(Wire::Messages, usage)
            }))
        }
        Wire::Messages => {
            let text = text_of(answer.get("content")?)?;
            let id = answer.get("id").and_then(Value::as_str).unwrap_or_default();
            let reason = answer.get("stop_reason").and_then(Value::as_str);
            Some(json!({
                "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": now,
                "model": answer.get("model"), "usage": counts(Wire::Chat, usage),
                "choices": [{
                    "index": 0, "logprobs": null, "finish_reason": finish_reason(reason),
                    "message": { "role": "assistant", "content": text, "refusal": null }
                }]
            }))
        }
    }
}

/// What was used, as a format says it.
fn counts(wire: Wire, usage: Usage) -> Value {
    let Usage { input, output } = usage;
    match wire {
        Wire::Chat => json!({
            "prompt_tokens": input, "completion_tokens": output,
            "total_tokens": input.saturating_add(output)
        }),
        Wire::Messages => json!({ "input_tokens": input, "output_tokens": output }),
    }
}

fn stop_reason(finish: Option<&str>) -> &'static str {
    match finish {
        Some("length") => "max_tokens",
        Some("content_filter") => "refusal",
        _ => "end_turn",
    }
}

fn finish_reason(stop: Option<&str>) -> &'static str {
    match stop {
        Some("max_tokens" | "model_context_window_exceeded") => "length",
        Some("refusal") => "content_filter",
        _ => "stop",
    }
}

#[cfg(test)]
mod tests;
