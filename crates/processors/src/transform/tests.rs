//! Where statements run, and what happens when they fail.

use serde_json::{Value as Json, json};

use super::*;
use crate::attributes::testing::{JSON_SIGNALS, through, through_with};

fn step(settings: Json) -> Result<Transform, SettingsError> {
    Transform::new(&serde_json::from_value(settings).unwrap(), &Component::detached())
}

#[test]
fn a_later_group_sees_what_an_earlier_one_did() {
    let step = step(json!({ "log_statements": [
        { "context": "resource", "statements": ["set(attributes[\"a\"], \"1\")"] },
        { "context": "log", "statements": ["set(attributes[\"b\"], resource.attributes[\"a\"])"] },
    ] }))
    .unwrap();
    let logs = &JSON_SIGNALS[0];
    let out = through(&step, Signal::Logs, &logs.batch(&[], &[("x", "y")]));
    assert_eq!(out, logs.batch(&[("a", "1")], &[("x", "y"), ("b", "1")]));
}

#[test]
fn statements_of_other_signals_do_not_run() {
    let set = ["set(resource.attributes[\"a\"], \"1\")"];
    let step =
        step(json!({ "trace_statements": [{ "context": "span", "statements": set }] })).unwrap();
    let logs = &JSON_SIGNALS[0];
    let batch = logs.batch(&[], &[("x", "y")]);
    assert_eq!(through(&step, Signal::Logs, &batch), batch);
}

#[test]
fn a_context_that_is_not_named_follows_from_the_paths() {
    for (text, expected) in [
        ("set(log.attributes[\"a\"], \"1\")", Context::Log),
        ("set(resource.attributes[\"a\"], \"1\")", Context::Resource),
        ("set(resource.attributes[\"a\"], body) where body != nil", Context::Log),
    ] {
        let step = step(json!({ "log_statements": [{ "statements": [text] }] })).unwrap();
        assert_eq!(step.groups[0].program.context(), expected, "{text}");
    }
}

/// Scenario: plain texts, one of which is about the resource alone.
/// Promise: they are one group in the innermost context, record by record, as the Collector has it.
#[test]
fn plain_texts_run_together_and_share_the_cache() {
    let step = step(json!({ "log_statements": [
        "set(log.cache[\"k\"], log.attributes[\"x\"])",
        "set(resource.attributes[\"a\"], \"1\")",
        "set(log.attributes[\"b\"], log.cache[\"k\"])",
    ] }))
    .unwrap();
    assert_eq!(step.groups.len(), 1);
    let logs = &JSON_SIGNALS[0];
    let out = through(&step, Signal::Logs, &logs.batch(&[], &[("x", "y")]));
    assert_eq!(out, logs.batch(&[("a", "1")], &[("x", "y"), ("b", "y")]));
}

#[test]
fn statements_that_only_make_sense_for_another_signal_are_taken_for_it() {
    let text = "set(resource.attributes[\"ai.input\"], body) where body != nil";
    let step = step(json!({ "trace_statements": [{ "statements": [text] }] })).unwrap();
    assert_eq!(step.groups[0].signal, Signal::Logs);
}

#[test]
fn a_failed_statement_refuses_the_batch_or_leaves_the_record() {
    let batch = JSON_SIGNALS[0].batch(&[], &[("a", "x")]);
    for (mode, is_refused) in [("propagate", true), ("ignore", false), ("silent", false)] {
        let statements = ["set(attributes[\"b\"], ParseJSON(1))"];
        let settings = json!({
            "error_mode": mode, "log_statements": [{ "context": "log", "statements": statements }],
        });
        let mut scratch = Scratch::default();
        let out = through_with(&step(settings).unwrap(), Signal::Logs, &batch, &mut scratch);
        assert_eq!(scratch.refusal.is_some(), is_refused, "{mode}");
        assert_eq!(out, batch, "{mode}");
    }
}

#[test]
fn mistakes_are_told_with_their_setting_and_column() {
    for (settings, path) in [
        (json!({}), "log_statements"),
        (json!({ "flatten_data": true }), "flatten_data"),
        (json!({ "log_statements": [{ "context": "span" }] }), "log_statements[0].statements"),
        (
            json!({ "log_statements": [{ "context": "span", "statements": ["set(name, \"a\")"] }] }),
            "log_statements[0].context",
        ),
        (
            json!({ "log_statements": [{ "context": "log", "statements": ["set(bdy, \"a\")"] }] }),
            "log_statements[0].statements[0]",
        ),
        (json!({ "statements": { "log": ["set("] } }), "statements.log[0]"),
        (json!({ "log_statements": ["set(log.body, \"a\")", "set("] }), "log_statements[1]"),
        (
            json!({ "log_statements": ["set(log.body, \"a\")", { "context": "log" }] }),
            "log_statements",
        ),
    ] {
        assert_eq!(step(settings).unwrap_err().path, path);
    }
}
