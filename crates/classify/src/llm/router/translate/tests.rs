//! Both directions, and what is not said in the other format.

use proptest::prelude::*;

use super::stream::Stream;
use super::*;

fn translated(from: Wire, body: &Value) -> Option<Value> {
    request(from, body.as_object().unwrap()).map(Value::Object)
}

#[test]
fn a_request_says_the_same_in_the_other_format() {
    let chat = json!({
        "model": "m", "max_completion_tokens": 9, "temperature": 1.5, "stop": "x", "user": "u",
        "stream": true, "stream_options": { "include_usage": true }, "n": 1,
        "messages": [
            { "role": "developer", "content": "be brief" },
            { "role": "system", "content": [{ "type": "text", "text": "and kind" }] },
            { "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
            { "role": "assistant", "content": "c", "refusal": null },
        ]
    });
    let messages = json!({
        "model": "m", "max_tokens": 9, "temperature": 1.0, "stop_sequences": ["x"], "stream": true,
        "metadata": { "user_id": "u" }, "system": "be brief\n\nand kind",
        "messages": [{ "role": "user", "content": "ab" }, { "role": "assistant", "content": "c" }]
    });
    assert_eq!(translated(Wire::Chat, &chat), Some(messages.clone()));
    let back = json!({
        "model": "m", "max_tokens": 9, "temperature": 1.0, "stop": ["x"], "stream": true, "user": "u",
        "messages": [
            { "role": "system", "content": "be brief\n\nand kind" },
            { "role": "user", "content": "ab" }, { "role": "assistant", "content": "c" },
        ]
    });
    assert_eq!(translated(Wire::Messages, &messages), Some(back));
}

#[test]
fn what_would_be_lost_is_not_translated() {
    let with = |body: &Value, key: &str, value: Value| {
        let mut body = body.clone();
        body[key] = value;
        body
    };
    let chat = json!({ "model": "m", "messages": [{ "role": "user", "content": "a" }] });
    let picture =
        json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }]);
    let called = json!([
        { "role": "user", "content": "a" },
        { "role": "assistant", "content": "b", "tool_calls": [{}] },
    ]);
    for (key, value) in [
        ("tools", json!([])),
        ("response_format", json!({ "type": "json_object" })),
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("messages", picture),
        ("messages", called),
        ("messages", json!([{ "role": "tool", "content": "a" }])),
        ("messages", json!([{ "role": "assistant", "content": "a" }])),
        ("messages", json!([])),
    ] {
        assert_eq!(translated(Wire::Chat, &with(&chat, key, value.clone())), None, "{key} {value}");
    }
    let messages = with(&chat, "max_tokens", json!(5));
    let result = json!([{ "role": "user", "content": [{ "type": "tool_result" }] }]);
    for (key, value) in [
        ("tools", json!([])),
        ("thinking", json!({ "type": "enabled" })),
        ("stop_sequences", json!(["a", "b", "c", "d", "e"])),
        ("messages", result),
        ("system", json!([{ "type": "image" }])),
    ] {
        let body = with(&messages, key, value.clone());
        assert_eq!(translated(Wire::Messages, &body), None, "{key} {value}");
    }
    assert!(translated(Wire::Messages, &messages).is_some());
}

#[test]
fn an_answer_keeps_its_text_its_end_and_what_it_used() {
    let usage = Usage { input: 7, output: 3 };
    let chat = json!({
        "id": "1", "model": "m",
        "choices": [{ "message": { "content": "pong" }, "finish_reason": "length" }]
    });
    let message = answer(Wire::Chat, &chat, usage, 5).unwrap();
    assert_eq!(message["content"][0]["text"], "pong");
    assert_eq!(message["stop_reason"], "max_tokens");
    assert_eq!(message["usage"], json!({ "input_tokens": 7, "output_tokens": 3 }));
    let back = answer(Wire::Messages, &message, usage, 5).unwrap();
    assert_eq!(back["choices"][0]["message"]["content"], "pong");
    assert_eq!(back["choices"][0]["finish_reason"], "length");
    assert_eq!((&back["usage"]["total_tokens"], &back["created"]), (&json!(10), &json!(5)));
    assert_eq!(answer(Wire::Chat, &json!({ "choices": [] }), usage, 5), None);
}

/// The data of the events in a text.
fn data_of(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

proptest! {
    /// Promise: through both directions a stream has its words in their order, its end, its usage.
    #[test]
    fn a_stream_there_and_back_says_the_same(
        words in proptest::collection::vec("[a-z\"\\\\\n]{1,6}", 0..8),
        is_cut in any::<bool>(),
    ) {
        let usage = Usage { input: 7, output: 3 };
        let finish = if is_cut { "length" } else { "stop" };
        let chunk = |delta: Value, reason: Option<&str>| json!({
            "id": "1", "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }]
        });
        let mut there = Stream::new(Wire::Chat, false, 5);
        let mut text = there.event(&chunk(json!({ "role": "assistant", "content": "" }), None), usage);
        for word in &words {
            text += &there.event(&chunk(json!({ "content": word }), None), usage);
        }
        text += &there.event(&chunk(json!({}), Some(finish)), usage);
        text += &there.end(usage);
        prop_assert_eq!(there.end(usage), "", "an end is said once");
        let mut back = Stream::new(Wire::Messages, true, 5);
        let events = data_of(&text);
        prop_assert_eq!(&events[0]["type"], "message_start");
        prop_assert_eq!(&events.last().unwrap()["type"], "message_stop");
        let text: String = events.iter().map(|event| back.event(event, usage)).collect();
        prop_assert!(text.ends_with("data: [DONE]\n\n"));
        let chunks = data_of(&text);
        let said: String = chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
            .collect();
        prop_assert_eq!(said, words.concat());
        let last = &chunks[chunks.len() - 1];
        prop_assert_eq!(&last["usage"]["total_tokens"], 10);
        prop_assert_eq!(&chunks[chunks.len() - 2]["choices"][0]["finish_reason"], finish);
    }
}
