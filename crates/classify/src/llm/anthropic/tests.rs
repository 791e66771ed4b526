//! Answers as Anthropic gives them.

use super::*;
use crate::class::Class;
use crate::llm::lab::{answer, prompt};

fn read(status: u16, body: &str) -> Result<Answered, Failed> {
    Messages::new("m").answer(&prompt(), &answer(status, body), 0)
}

fn message(stop: &str, content: &Value) -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": stop, "stop_sequence": null,
        "usage": {
            "input_tokens": 50, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 40,
            "output_tokens": 20
        }
    })
    .to_string()
}

fn call(name: &str) -> Value {
    let prompt = prompt();
    let id = prompt.ids().next().unwrap();
    let one = json!({ "id": id, "class": "warning", "confidence": 1, "reason": "worn" });
    json!([
        { "type": "text", "text": "Let me record that." },
        { "type": "tool_use", "id": "toolu_1", "name": name, "input": { "verdicts": [one] } }
    ])
}

#[test]
fn a_request_forces_the_one_tool() {
    let parts = Messages::new("m").request(&prompt());
    let body: Value = serde_json::from_slice(parts.body.as_ref().unwrap()).unwrap();
    assert_eq!(parts.path, "/v1/messages");
    assert_eq!(parts.headers["anthropic-version"], "2023-06-01");
    assert_eq!(body["max_tokens"], prompt().tokens_max());
    assert_eq!(body["tool_choice"]["name"], body["tools"][0]["name"]);
    assert!(body["messages"][0]["content"].as_str().unwrap().contains("disk failed"));
}

#[test]
fn the_input_of_the_tool_is_the_answer_and_cached_tokens_are_paid() {
    let answered = read(200, &message("tool_use", &call(TOOL))).unwrap();
    assert_eq!(answered.judged[0].class, Class::Warning);
    assert_eq!(answered.usage, Some(Usage { input: 100, output: 20 }));
}

#[test]
fn answers_that_judge_nothing_say_why_and_what_they_cost() {
    for (stop, content, label) in [
        ("max_tokens", call(TOOL), "truncated"),
        ("refusal", json!([]), "refused"),
        ("tool_use", call("delete_everything"), "garbage"),
        ("end_turn", json!([{ "type": "text", "text": "critical!" }]), "garbage"),
    ] {
        let failed = read(200, &message(stop, &content)).unwrap_err();
        assert_eq!(failed.failure.label(), label, "{stop}");
        assert_eq!(failed.usage, Some(Usage { input: 100, output: 20 }));
    }
    for body in ["", "null", "{\"content\":7}"] {
        assert_eq!(read(200, body).unwrap_err().failure.label(), "garbage", "{body}");
    }
}

#[test]
fn a_status_says_who_must_act() {
    let error = |kind: &str| {
        json!({ "type": "error", "error": { "type": kind, "message": "no" } }).to_string()
    };
    for (status, kind, label) in [
        (429, "rate_limit_error", "rate_limited"),
        (401, "authentication_error", "denied"),
        (402, "billing_error", "denied"),
        (403, "permission_error", "denied"),
        (400, "invalid_request_error", "rejected"),
        (413, "request_too_large", "rejected"),
        (500, "api_error", "unavailable"),
        (529, "overloaded_error", "unavailable"),
    ] {
        let failed = read(status, &error(kind)).unwrap_err();
        assert_eq!(failed.failure.label(), label, "{status}");
    }
}
