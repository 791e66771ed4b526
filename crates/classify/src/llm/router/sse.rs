//! Server-sent events on their way through: whole events are passed on, and the usage is read.
//!
//! Chat completions tell the usage in a last chunk without choices, which only callers get who asked
//! for it. Anthropic tells the input in `message_start` and the output so far in `message_delta`.

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::call::Call;
use super::translate::stream::Stream;
use crate::llm::provider::{Usage, Wire};

/// Bytes of one event at most; what is longer is passed on unread.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// A stream of events, cut where they end.
#[derive(Debug)]
pub(super) struct Events {
    wire: Wire,
    wants_usage: bool,
    rest: BytesMut,
    usage: Option<Usage>,
    /// Where the caller speaks the other format.
    translation: Option<Stream>,
}

impl Events {
    /// The events of a provider that speaks `wire`; `seconds` is now, since the Unix epoch.
    pub(super) fn new(call: &Call, wire: Wire, seconds: u64) -> Self {
        let is_other = wire != call.operation.wire();
        let translation = is_other.then(|| Stream::new(wire, call.wants_usage, seconds));
        let (wants_usage, rest) = (call.wants_usage, BytesMut::new());
        Self { wire, wants_usage, rest, usage: None, translation }
    }

    /// Takes a piece as it came, and gives what may be passed on.
    pub(super) fn take(&mut self, piece: &[u8]) -> Bytes {
        self.rest.extend_from_slice(piece);
        let mut out = BytesMut::new();
        while let Some(end) = end_of_event(&self.rest) {
            let event = self.rest.split_to(end);
            let passes = self.passes(&event);
            match &mut self.translation {
                Some(stream) => {
                    let said = translated(stream, &event, self.usage.unwrap_or_default());
                    out.extend_from_slice(said.as_bytes());
                }
                None if passes => out.extend_from_slice(&event),
                None => {}
            }
        }
        if self.rest.len() > EVENT_BYTES_MAX {
            let unread = self.rest.split();
            // Nobody can translate what is no event.
            if self.translation.is_none() {
                out.extend_from_slice(&unread);
            }
        }
        out.freeze()
    }

    /// What is left when the stream ends, and the usage it told.
    pub(super) fn finish(&mut self) -> (Bytes, Option<Usage>) {
        let rest = self.rest.split().freeze();
        let passes = self.passes(&rest);
        if let Some(stream) = &mut self.translation {
            let usage = self.usage.unwrap_or_default();
            let said = translated(stream, &rest, usage) + &stream.end(usage);
            return (said.into(), self.usage);
        }
        (if passes { rest } else { Bytes::new() }, self.usage)
    }

    /// Reads an event; whether the caller gets it.
    fn passes(&mut self, event: &[u8]) -> bool {
        let Ok(value) = serde_json::from_str::<Value>(&data_of(event)) else { return true };
        match self.wire {
            Wire::Chat => self.chat(&value),
            Wire::Messages => {
                self.message(&value);
                true
            }
        }
    }

    fn chat(&mut self, chunk: &Value) -> bool {
        let usage = chunk.get("usage").filter(|usage| usage.is_object());
        let Some(usage) = usage else { return true };
        let counts = serde_json::from_value::<crate::llm::openai::TokenCounts>(usage.clone());
        if let Ok(counts) = counts {
            self.usage = Some(counts.usage());
        }
        let choices = chunk.get("choices").and_then(Value::as_array);
        self.wants_usage || choices.is_none_or(|choices| !choices.is_empty())
    }

    fn message(&mut self, event: &Value) {
        let usage = event.get("usage").or_else(|| event.get("message")?.get("usage"));
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        let number = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
        let input = number("input_tokens")
            .saturating_add(number("cache_creation_input_tokens"))
            .saturating_add(number("cache_read_input_tokens"));
        let known = self.usage.unwrap_or_default();
        let output = number("output_tokens").max(known.output);
        self.usage = Some(Usage { input: input.max(known.input), output });
    }
}

/// The data of an event.
fn data_of(event: &[u8]) -> String {
    let text = std::str::from_utf8(event).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
}

fn translated(stream: &mut Stream, event: &[u8], usage: Usage) -> String {
    let data = data_of(event);
    match serde_json::from_str::<Value>(&data) {
        Ok(value) => stream.event(&value, usage),
        Err(_) if data == "[DONE]" => stream.end(usage),
        Err(_) => String::new(),
    }
}

/// Where the first event ends: behind an empty line.
fn end_of_event(bytes: &[u8]) -> Option<usize> {
    let find = |end: &[u8]| {
        let at = bytes.windows(end.len()).position(|window| window == end);
        at.map(|at| at + end.len())
    };
    match (find(b"\n\n"), find(b"\r\n\r\n")) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;
    use crate::llm::router::call::Operation;

    fn events(operation: Operation, wants_usage: bool) -> Events {
        let body = serde_json::json!({
            "model": "m", "stream": true, "stream_options": { "include_usage": wants_usage }
        });
        let body = body.to_string();
        let call = Call::read(operation, body.as_bytes(), &HeaderMap::new(), String::new());
        Events::new(&call.unwrap(), operation.wire(), 0)
    }

    const CHAT: &str = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n",
        ": a comment\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\r\n\r\n",
        "data: [DONE]\n\n",
    );

    proptest! {
        #[test]
        fn however_a_stream_is_cut_the_caller_gets_its_events_and_the_router_the_usage(
            cuts in proptest::collection::vec(0..CHAT.len(), 0..12), wants_usage in any::<bool>(),
        ) {
            let mut cuts = cuts;
            cuts.extend([0, CHAT.len()]);
            cuts.sort_unstable();
            let mut events = events(Operation::Chat, wants_usage);
            let mut out = Vec::new();
            for pair in cuts.windows(2) {
                out.extend_from_slice(&events.take(&CHAT.as_bytes()[pair[0]..pair[1]]));
            }
            let (rest, usage) = events.finish();
            out.extend_from_slice(&rest);
            prop_assert_eq!(usage, Some(Usage { input: 7, output: 3 }));
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(text.contains("prompt_tokens"), wants_usage);
            prop_assert!(text.ends_with("data: [DONE]\n\n") && text.contains(": a comment"));
            if wants_usage {
                prop_assert_eq!(text, CHAT);
            }
        }

        #[test]
        fn any_bytes_pass_unchanged_where_no_usage_is_told(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..10),
        ) {
            let mut events = events(Operation::Messages, false);
            let mut out: Vec<u8> = Vec::new();
            for piece in &pieces {
                out.extend_from_slice(&events.take(piece));
            }
            out.extend_from_slice(&events.finish().0);
            prop_assert_eq!(out, pieces.concat());
        }
    }

    #[test]
    fn a_stream_of_messages_tells_its_usage_at_both_ends() {
        let mut events = events(Operation::Messages, false);
        events.take(
            b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":\
              {\"input_tokens\":25,\"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n",
        );
        events.take(
            b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":\
              {\"output_tokens\":15}}\n\n",
        );
        assert_eq!(events.finish().1, Some(Usage { input: 30, output: 15 }));
    }
}
