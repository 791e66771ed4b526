//! What is kept, masked and told, on whole batches.

#![expect(clippy::needless_pass_by_value, reason = "tables of json! read better unborrowed")]

use bessemer_record::Signal;
use serde_json::{Value as Json, json};

use super::*;
use crate::attributes::testing::{JSON_SIGNALS, attributes, through};

fn step(settings: Json) -> Redaction {
    Redaction::new(&serde_json::from_value(settings).unwrap()).unwrap()
}

const CARD: &str = "4[0-9]{12}(?:[0-9]{3})?";

/// One log record with a body and attributes.
fn log(body: Json, pairs: &Json) -> Json {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
        { "body": body, "attributes": pairs },
    ] }] }] })
}

#[test]
fn attributes_that_are_not_allowed_are_removed_everywhere() {
    let step = step(json!({ "allowed_keys": ["id"], "ignored_keys": ["safe"] }));
    for signal in JSON_SIGNALS {
        let all = [("id", "1"), ("safe", "2"), ("other", "3")];
        let kept = [("id", "1"), ("safe", "2")];
        let mut before = signal.batch(&all, &all);
        let mut after = signal.batch(&kept, &kept);
        before[signal.resources][0][signal.scopes][0]["scope"]["attributes"] = attributes(&all);
        after[signal.resources][0][signal.scopes][0]["scope"]["attributes"] = attributes(&kept);
        assert_eq!(through(&step, signal.signal, &before), after);
    }
}

#[test]
fn an_empty_list_allows_nothing() {
    for signal in JSON_SIGNALS {
        let out =
            through(&step(json!({})), signal.signal, &signal.batch(&[("a", "1")], &[("b", "2")]));
        assert!(!out.to_string().contains("attributes"), "{out}");
    }
}

#[test]
fn only_what_matches_is_masked_in_a_value() {
    let step =
        step(json!({ "allow_all_keys": true, "blocked_values": [CARD, "(5[1-5][0-9]{3})"] }));
    for signal in JSON_SIGNALS {
        let before = signal.batch(&[("a", "no 4111111111111111 52000 yes")], &[("b", "52000")]);
        let after = signal.batch(&[("a", "no **** **** yes")], &[("b", "****")]);
        assert_eq!(through(&step, signal.signal, &before), after);
    }
}

#[test]
fn a_batch_without_anything_to_redact_leaves_as_it_came() {
    let step =
        step(json!({ "allow_all_keys": true, "blocked_values": [CARD], "summary": "debug" }));
    for signal in JSON_SIGNALS {
        let batch = signal.batch(&[("a", "x")], &[("b", "y")]);
        assert_eq!(through(&step, signal.signal, &batch), batch);
    }
}

#[test]
fn allowed_values_win_over_blocked_ones_and_over_blocked_keys() {
    let step = step(json!({
        "allow_all_keys": true,
        "blocked_values": ["@example"],
        "allowed_values": [".+@example.com"],
        "blocked_key_patterns": ["token"],
    }));
    let before = [
        ("a", "x@example.com"),
        ("b", "x@example.org"),
        ("token.1", "t"),
        ("token.2", "y@example.com"),
    ];
    let after = [
        ("a", "x@example.com"),
        ("b", "x****.org"),
        ("token.1", "****"),
        ("token.2", "y@example.com"),
    ];
    let logs = &JSON_SIGNALS[0];
    assert_eq!(through(&step, Signal::Logs, &logs.batch(&[], &before)), logs.batch(&[], &after));
}

#[test]
fn numbers_are_looked_at_where_all_types_are() {
    let number = json!([{ "key": "card", "value": { "intValue": "4111111111111111" } }]);
    let masked = attributes(&[("card", "****")]);
    for (all_types, expected) in [(false, &number), (true, &masked)] {
        let step = step(json!({
            "allow_all_keys": true, "blocked_values": [CARD], "redact_all_types": all_types,
        }));
        let out = through(&step, Signal::Logs, &log(json!({}), &number));
        assert_eq!(
            out["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"],
            *expected
        );
    }
}

#[test]
fn a_second_value_under_the_same_key_does_not_slip_through() {
    let step = step(json!({ "allow_all_keys": true, "blocked_values": [CARD] }));
    let twice = attributes(&[("a", "harmless"), ("a", "4111111111111111")]);
    let out = through(&step, Signal::Logs, &log(json!({}), &twice)).to_string();
    assert!(!out.contains("4111"), "{out}");
}

#[test]
fn hashes_replace_what_matches() {
    let hashed = |name: &str| {
        let step = step(json!({
            "allow_all_keys": true, "blocked_values": ["secret"], "hash_function": name,
            "hmac_key": "k",
        }));
        let logs = &JSON_SIGNALS[0];
        let out = through(&step, Signal::Logs, &logs.batch(&[], &[("a", "<secret>")]));
        let record = &out["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        record["attributes"][0]["value"]["stringValue"].as_str().unwrap().to_owned()
    };
    assert_eq!(hashed("md5"), "<5ebe2294ecd0e0f08eab7690d2a6ee69>");
    assert_eq!(hashed("sha1"), "<e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4>");
    assert_eq!(hashed("sha3").len(), 66);
    assert_eq!(hashed("hmac-sha256").len(), 66);
    assert_eq!(hashed("hmac-sha512").len(), 130);
    assert_ne!(hashed("sha3"), hashed("hmac-sha256"));
}

#[test]
fn a_keyed_hash_needs_its_key_and_expressions_must_be_some() {
    for (settings, path) in [
        (json!({ "hash_function": "hmac-sha256" }), "hmac_key"),
        (json!({ "blocked_values": ["("] }), "blocked_values"),
        (json!({ "ignored_key_patterns": ["["] }), "ignored_key_patterns"),
    ] {
        let settings: Settings = serde_json::from_value(settings).unwrap();
        assert_eq!(Rules::new(&settings).unwrap_err().path, path);
    }
}

#[test]
fn a_summary_adds_to_that_of_an_earlier_redaction() {
    let step = step(json!({
        "allowed_keys": ["a"], "ignored_keys": ["redaction.redacted.keys", "redaction.redacted.count"],
        "blocked_values": ["x"], "summary": "debug",
    }));
    let before = json!([
        { "key": "a", "value": { "stringValue": "x" } },
        { "key": "b", "value": { "stringValue": "y" } },
        { "key": "redaction.redacted.keys", "value": { "stringValue": "c" } },
        { "key": "redaction.redacted.count", "value": { "intValue": "1" } },
    ]);
    let after = json!([
        { "key": "a", "value": { "stringValue": "****" } },
        { "key": "redaction.redacted.keys", "value": { "stringValue": "b,c" } },
        { "key": "redaction.redacted.count", "value": { "intValue": "2" } },
        { "key": "redaction.masked.keys", "value": { "stringValue": "a" } },
        { "key": "redaction.masked.count", "value": { "intValue": "1" } },
        { "key": "redaction.ignored.count", "value": { "intValue": "2" } },
    ]);
    let out = through(&step, Signal::Logs, &log(json!({}), &before));
    assert_eq!(out["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"], after);
}

#[test]
fn bodies_are_redacted_at_every_depth() {
    let text = |text: &str| json!({ "stringValue": text });
    let map = |pairs: &[(&str, Json)]| {
        let pair = |(key, value): &(&str, Json)| json!({ "key": key, "value": value });
        json!({ "kvlistValue": { "values": pairs.iter().map(pair).collect::<Vec<_>>() } })
    };
    let list = |values: &[Json]| json!({ "arrayValue": { "values": values } });
    let redact = step(json!({
        "allowed_keys": ["user", "card"], "blocked_values": [CARD], "summary": "debug",
    }));
    let body = map(&[
        (
            "user",
            map(&[("card", list(&[text("4111111111111111"), text("x")])), ("pin", text("1"))]),
        ),
        ("other", text("y")),
    ]);
    let expected = map(&[("user", map(&[("card", list(&[text("****"), text("x")]))]))]);
    let out = through(&redact, Signal::Logs, &log(body, &json!([])));
    let record = &out["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["body"], expected);
    let told = record["attributes"].to_string();
    for part in ["redaction.body.redacted.keys", "other,user.pin", "user.card.[0]"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let masked = through(&redact, Signal::Logs, &log(text("a 4111111111111111"), &json!([])));
    assert_eq!(masked["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"], text("a ****"));
}

#[test]
fn events_of_spans_are_redacted_too() {
    let step = step(json!({ "allow_all_keys": true, "blocked_values": [CARD] }));
    let spans = |value: &str| {
        json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [
            { "name": "s", "events": [{ "name": "e", "attributes": attributes(&[("a", value)]) }] },
        ] }] }] })
    };
    assert_eq!(through(&step, Signal::Traces, &spans("4111111111111111")), spans("****"));
}

/// The name of a span of this kind with these attributes, and what is left of both.
fn span(step: &Redaction, kind: u8, name: &str, pairs: &[(&str, &str)]) -> (String, Json) {
    let batch = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [
        { "name": name, "kind": kind, "attributes": attributes(pairs) },
    ] }] }] });
    let out = through(step, Signal::Traces, &batch);
    let span = &out["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    (span["name"].as_str().unwrap().to_owned(), span["attributes"].clone())
}

#[test]
fn urls_lose_what_differs_in_the_attributes_that_are_named_and_in_names_of_calls() {
    let step = step(json!({
        "allow_all_keys": true, "summary": "debug",
        "url_sanitizer": { "enabled": true, "attributes": ["url.path"] },
    }));
    let pairs = [("url.path", "/orders/4711?x=1"), ("other", "/orders/4711")];
    let (name, left) = span(&step, 3, "GET /orders/4711", &pairs);
    assert_eq!(name, "GET /orders/*");
    let mut expected = attributes(&[("url.path", "/orders/*"), ("other", "/orders/4711")]);
    expected.as_array_mut().unwrap().extend([
        json!({ "key": "redaction.masked.keys", "value": { "stringValue": "url.path" } }),
        json!({ "key": "redaction.masked.count", "value": { "intValue": "1" } }),
    ]);
    assert_eq!(left, expected);
    assert_eq!(span(&step, 1, "GET /orders/4711", &[]).0, "GET /orders/4711", "no call");
    assert_eq!(span(&step, 3, "/4711", &[]).0, "/4711", "nothing would be left");
    let out =
        through(&step, Signal::Logs, &log(json!({ "stringValue": "/orders/4711" }), &json!([])));
    assert!(out.to_string().contains("/orders/*"), "{out}");
}

#[test]
fn statements_lose_their_values_where_the_database_is_named() {
    let databases = |fallback: bool| {
        step(json!({
            "allow_all_keys": true,
            "db_sanitizer": {
                "sql": { "enabled": true, "attributes": ["db.statement"] },
                "redis": { "enabled": true, "attributes": ["db.statement"] },
                "mongo": { "enabled": false, "attributes": ["db.statement"] },
                "allow_fallback_without_system": fallback,
            },
        }))
    };
    let statement = |step: &Redaction, system: &[(&str, &str)], text: &str| {
        let pairs = [system, &[("db.statement", text)]].concat();
        let (_, left) = span(step, 3, "call", &pairs);
        left[system.len()]["value"]["stringValue"].as_str().unwrap().to_owned()
    };
    let (step, fallback) = (databases(false), databases(true));
    let check = |step, system: &[(&str, &str)], text, expected: &str| {
        assert_eq!(statement(step, system, text), expected, "{system:?}");
    };
    check(&step, &[("db.system", "MySQL")], "SELECT 'x'", "SELECT ?");
    check(&step, &[("db.system.name", "postgresql")], "SELECT 1", "SELECT ?");
    check(&step, &[("db.system", "redis")], "SET a b", "SET ?");
    check(&step, &[("db.system", "mongodb")], "SELECT 'x'", "SELECT 'x'");
    check(&step, &[], "SELECT 'x'", "SELECT 'x'");
    check(&fallback, &[], "SELECT 'x'", "SELECT ?");
    assert_eq!(span(&step, 3, "SELECT 'x'", &[("db.system", "sqlite")]).0, "SELECT ?");
    let pairs = attributes(&[("db.system", "sqlite")]);
    let out = through(&step, Signal::Logs, &log(json!({ "stringValue": "SELECT 'x'" }), &pairs));
    assert!(out.to_string().contains("\"SELECT ?\""), "{out}");
}
