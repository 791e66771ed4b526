//! Answers of chat completions, of vendors and of local servers.

use std::time::Duration;

use super::*;
use crate::class::Class;
use crate::llm::lab::{answer, prompt};

fn completion(finish: &str, message: &Value) -> Answer {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish }],
        "usage": { "prompt_tokens": 80, "completion_tokens": 20, "total_tokens": 100 }
    });
    answer(200, body.to_string())
}

fn verdicts(prompt: &Prompt) -> String {
    let id = prompt.ids().next().unwrap();
    let one = json!({ "id": id, "class": "critical", "confidence": 0.8, "reason": "lost disk" });
    json!({ "verdicts": [one] }).to_string()
}

fn read(answer: &Answer) -> Result<Answered, Failed> {
    ChatCompletions::new("m", Flavor::OpenAi).answer(&prompt(), answer, 0)
}

#[test]
fn a_request_asks_for_the_strict_structure_and_bounds_the_answer() {
    for (flavor, limit) in [
        (Flavor::OpenAi, "max_completion_tokens"),
        (Flavor::Xai, "max_completion_tokens"),
        (Flavor::Local, "max_tokens"),
    ] {
        let parts = ChatCompletions::new("m", flavor).request(&prompt());
        let body: Value = serde_json::from_slice(parts.body.as_ref().unwrap()).unwrap();
        assert_eq!(parts.path, "/chat/completions");
        assert_eq!(body["model"], "m");
        assert_eq!(body[limit], prompt().tokens_max());
        assert_eq!(body["response_format"]["json_schema"]["strict"], true);
        assert!(body.get("tools").is_none());
        assert!(body["messages"][1]["content"].as_str().unwrap().contains("disk failed"));
    }
}

#[test]
fn a_structured_answer_is_read_with_its_usage() {
    let message = json!({ "role": "assistant", "content": verdicts(&prompt()), "refusal": null });
    let answered = read(&completion("stop", &message)).unwrap();
    assert_eq!(answered.judged[0].class, Class::Critical);
    assert_eq!(answered.usage, Some(Usage { input: 80, output: 20 }));
}

#[test]
fn reasoning_tokens_that_only_the_total_has_are_paid() {
    let counts: TokenCounts = serde_json::from_value(json!({
        "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
        "completion_tokens_details": { "reasoning_tokens": 94 }
    }))
    .unwrap();
    assert_eq!(counts.usage(), Usage { input: 32, output: 103 });
}

#[test]
fn answers_that_judge_nothing_say_why_and_what_they_cost() {
    let text = json!({ "role": "assistant", "content": verdicts(&prompt()) });
    let refusal = json!({ "role": "assistant", "content": null, "refusal": "I can't help" });
    let call = json!({ "role": "assistant", "content": null, "tool_calls": [] });
    let parts = json!({ "role": "assistant", "content": [{ "type": "text", "text": "{}" }] });
    for (finish, message, label) in [
        ("length", &text, "truncated"),
        ("content_filter", &text, "refused"),
        ("stop", &refusal, "refused"),
        ("tool_calls", &call, "garbage"),
        ("stop", &parts, "garbage"),
    ] {
        let failed = read(&completion(finish, message)).unwrap_err();
        assert_eq!(failed.failure.label(), label);
        assert_eq!(failed.usage, Some(Usage { input: 80, output: 20 }));
        assert!(!failed.failure.is_retryable());
    }
    for body in ["", "<html>", "{}", "{\"choices\":[{}]}", "[1"] {
        assert_eq!(read(&answer(200, body)).unwrap_err().failure.label(), "garbage", "{body}");
    }
}

#[test]
fn a_status_says_who_must_act() {
    let quota = json!({ "error": {
        "message": "You exceeded your current quota", "type": "insufficient_quota",
        "param": null, "code": "insufficient_quota"
    }});
    for (status, body, label, retryable) in [
        (429, "{}".to_owned(), "rate_limited", true),
        (429, quota.to_string(), "denied", false),
        (
            401,
            r#"{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}"#.into(),
            "denied",
            false,
        ),
        (400, r#"{"error":"bad model"}"#.to_owned(), "rejected", false),
        (404, r#"{"message":"no such model"}"#.to_owned(), "rejected", false),
        (500, "oops".to_owned(), "unavailable", true),
        (503, String::new(), "unavailable", true),
    ] {
        let failed = read(&answer(status, body)).unwrap_err();
        assert_eq!(failed.failure.label(), label, "{status}");
        assert_eq!(failed.failure.is_retryable(), retryable, "{status}");
    }
}

#[test]
fn the_wait_a_provider_asks_for_is_kept() {
    let mut limited = answer(429, "{}");
    limited.headers.insert("retry-after", "7".parse().unwrap());
    let failed = read(&limited).unwrap_err();
    assert_eq!(failed.failure.retry_after(), Some(Duration::from_secs(7)));
}
