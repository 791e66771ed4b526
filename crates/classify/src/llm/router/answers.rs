//! Answers that were given before, for callers who ask the same again; only where settings say so.
//!
//! The key is the whole request with whoever sent it, so no caller sees another one's answers. What
//! has tools, streams or failed is never kept. Bounded by number and by bytes of each; an answer is
//! too old after its time.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bessemer_pipeline::SettingsError;
use bessemer_runtime::Span;
use bytes::Bytes;
use quick_cache::sync::Cache;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Call, Operation};

/// Bytes of an answer that is kept, at most: all of them together take 128 MiB at the most answers
/// that settings may ask for.
const ANSWER_BYTES_MAX: usize = 128 << 10;
/// Answers that settings may ask for at most.
const ANSWERS_MAX: usize = 1_024;

/// Settings of the answers that are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Answers in memory, up to 1,024; each of at most 128 KiB.
    pub entries: usize,
    /// How long an answer is given again.
    pub ttl: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self { entries: 256, ttl: Span(Duration::from_hours(1)) }
    }
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let wrong = |path: &str, remedy: &str| {
            Err(SettingsError::new(&format!("cache.{path}"), "is out of range", remedy))
        };
        if !(1..=ANSWERS_MAX).contains(&self.entries) {
            return wrong("entries", "write 1 to 1024");
        }
        if self.ttl.0.is_zero() {
            return wrong("ttl", "write 1h, or no `cache`");
        }
        Ok(())
    }
}

type Key = [u8; 32];

#[derive(Debug, Clone)]
struct Kept {
    body: Bytes,
    until: Duration,
}

/// The answers of one router.
#[derive(Debug)]
pub(super) struct Answers {
    kept: Cache<Key, Kept>,
    ttl: Duration,
}

impl Answers {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { kept: Cache::new(settings.entries), ttl: settings.ttl.0 }
    }

    /// The answer to the same call, if it is not too old; `now` as `Clock::monotonic` gives.
    pub(super) fn get(&self, call: &Call, now: Duration) -> Option<Bytes> {
        let key = key_of(call)?;
        let kept = self.kept.get(&key)?;
        if kept.until > now {
            return Some(kept.body);
        }
        self.kept.remove(&key);
        None
    }

    /// Keeps a good answer, if it is one that may be given again.
    pub(super) fn put(&self, call: &Call, body: &Bytes, now: Duration) {
        if body.len() > ANSWER_BYTES_MAX || calls_tools(body) {
            return;
        }
        if let Some(key) = key_of(call) {
            self.kept.insert(key, Kept { body: body.clone(), until: now + self.ttl });
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.kept.len()
    }
}

/// Names a call by all that its answer depends on; nothing for one whose answer is not kept.
fn key_of(call: &Call) -> Option<Key> {
    let has_tools = ["tools", "functions", "tool_choice", "function_call"];
    if call.streams || has_tools.iter().any(|name| call.body.contains_key(*name)) {
        return None;
    }
    let operation = match call.operation {
        Operation::Chat => "chat",
        Operation::Embeddings => "embeddings",
        Operation::Messages => "messages",
    };
    let mut headers: Vec<(String, String)> = call
        .headers
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    headers.sort();
    let all = json!([operation, call.caller, call.preferred, headers, call.body]);
    digest(&SHA256, all.to_string().as_bytes()).as_ref().try_into().ok()
}

/// Whether an answer asks its caller to do something.
fn calls_tools(body: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return true };
    let array =
        |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let is_call = |choice: &Value| {
        let message = choice.get("message");
        let has = |name: &str| {
            message.and_then(|message| message.get(name)).is_some_and(|value| !value.is_null())
        };
        has("tool_calls") || has("function_call")
    };
    let is_use = |block: &Value| block.get("type").is_some_and(|kind| kind != "text");
    array(answer.get("choices")).iter().any(is_call)
        || array(answer.get("content")).iter().any(is_use)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const GOOD: &[u8] = br#"{"choices":[{"message":{"content":"pong"}}]}"#;

    fn call(body: &Value, caller: &str) -> Call {
        let bytes = body.to_string();
        let headers = HeaderMap::new();
        Call::read(Operation::Chat, bytes.as_bytes(), &headers, caller.to_owned()).unwrap()
    }

    fn ping() -> Value {
        json!({ "model": "m", "messages": [{ "role": "user", "content": "ping" }] })
    }

    #[test]
    fn only_the_whole_same_call_of_the_same_caller_gets_it_and_only_in_time() {
        let answers = Answers::new(&Settings::default());
        let minute = Duration::from_mins(1);
        answers.put(&call(&ping(), "key 1"), &Bytes::from_static(GOOD), minute);
        assert_eq!(answers.get(&call(&ping(), "key 1"), 2 * minute).as_deref(), Some(GOOD));
        assert_eq!(answers.get(&call(&ping(), "key 2"), 2 * minute), None);
        let mut other = ping();
        other["temperature"] = json!(0.5);
        assert_eq!(answers.get(&call(&other, "key 1"), 2 * minute), None);
        let mut named = call(&ping(), "key 1");
        named.preferred = Some("two".to_owned());
        assert_eq!(answers.get(&named, 2 * minute), None);
        assert_eq!(answers.get(&call(&ping(), "key 1"), 61 * minute), None);
        assert_eq!(answers.len(), 0);
    }

    #[test]
    fn what_has_tools_streams_or_is_long_is_never_kept() {
        let answers = Answers::new(&Settings::default());
        for (key, value) in
            [("tools", json!([])), ("functions", json!([])), ("stream", json!(true))]
        {
            let mut body = ping();
            body[key] = value;
            answers.put(&call(&body, "a"), &Bytes::from_static(GOOD), Duration::ZERO);
        }
        for bad in [
            br#"{"choices":[{"message":{"content":null,"tool_calls":[{}]}}]}"#.to_vec(),
            br#"{"content":[{"type":"tool_use"}]}"#.to_vec(),
            b"no json".to_vec(),
            format!("\"{}\"", "x".repeat(ANSWER_BYTES_MAX)).into_bytes(),
        ] {
            answers.put(&call(&ping(), "a"), &Bytes::from(bad), Duration::ZERO);
        }
        assert_eq!(answers.len(), 0);
    }

    #[test]
    fn no_more_are_kept_than_allowed() {
        let answers = Answers::new(&Settings { entries: 8, ..Settings::default() });
        for number in 0..1_000 {
            let mut body = ping();
            body["seed"] = json!(number);
            answers.put(&call(&body, "a"), &Bytes::from_static(GOOD), Duration::ZERO);
        }
        assert!(answers.len() <= 8);
    }
}
