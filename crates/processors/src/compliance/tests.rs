//! The step on whole batches: what leaves it, what stays, and how well it finds.

mod corpus;
mod property;
mod public;

use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;

use super::*;
use bessemer_record::{Limits, Signal, TailsBuilder};

const KEY_TEXT: &str = "0123456789abcdef0123456789abcdef";

fn compliance(json: serde_json::Value) -> Compliance {
    try_compliance(json).unwrap()
}

fn try_compliance(json: serde_json::Value) -> Result<Compliance, SettingsError> {
    // A secret reads like any text but is never written, so it comes in on its own.
    let settings: Settings = serde_json::from_value(json).unwrap();
    Compliance::new(&settings, &Context::detached().of("c"))
}

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Kind::StringValue(text.to_owned())) }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn log(body: &str, attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord { body: Some(text(body)), attributes, ..LogRecord::default() }
}

fn batch(records: Vec<LogRecord>) -> Bytes {
    let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

fn draft(bytes: Bytes) -> Draft {
    let tails = Arc::new(TailsBuilder::default().build());
    Draft::check(Signal::Logs, bytes, &Limits::default(), &tails).unwrap()
}

/// The records that are left.
fn run(step: &Compliance, records: Vec<LogRecord>) -> Vec<LogRecord> {
    let mut draft = draft(batch(records));
    Step::run(step, &mut draft, &mut Scratch::default());
    let emitted = draft.emit(|_| 0, 1);
    let requests =
        emitted.iter().map(|one| ExportLogsServiceRequest::decode(&one.bytes[..]).unwrap());
    let resources = requests.flat_map(|request| request.resource_logs);
    resources.flat_map(|one| one.scope_logs).flat_map(|one| one.log_records).collect()
}

fn body_after(step: &Compliance, body: &str) -> String {
    let records = run(step, vec![log(body, vec![])]);
    match records[0].body.clone().and_then(|body| body.value) {
        Some(Kind::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn check(body: &str, expected: &str) {
    assert_eq!(body_after(&compliance(serde_json::json!({})), body), expected);
}

#[test]
fn what_detectors_find_is_redacted_where_it_stands() {
    check("mail bob.smith+x@mail.example.com now", "mail [REDACTED:email] now");
    check("card 4111-1111-1111-1111 ok", "card [REDACTED:card] ok");
    check("iban GB82 WEST 1234 5698 7654 32.", "iban [REDACTED:iban].");
    check("ssn 219-09-9999", "ssn [REDACTED:ssn]");
    check("from 203.0.113.9:443", "from [REDACTED:ipv4]:443");
    check("from [2001:db8::8a2e:370:7334]", "from [[REDACTED:ipv6]]");
    check("call +49 30 123456 now", "call [REDACTED:phone] now");
    check("call (212) 555-0123 now", "call [REDACTED:phone] now");
    check("postgres://app:s3cr3t@db/x", "postgres://app:[REDACTED:connection_string]@db/x");
    check("password=hunter2 retry=1", "password=[REDACTED:keyed_secret] retry=1");
    check("Authorization: Bearer abc123def456", "Authorization: Bearer [REDACTED:authorization]");
    check(r#"{"a":1, "e":"bob\u0040x.org"}"#, r#"{"a":1, "e":"[REDACTED:email]"}"#);
    check(r#"{"n":4111111111111111,"b":[1.50]}"#, r#"{"n":"[REDACTED:card]","b":[1.50]}"#);
}

/// Scenario: a line of a megabyte of words, with secrets at both ends and between.
/// Promise: they are found, all else is as it was.
#[test]
fn a_line_of_a_megabyte_is_redacted_like_a_short_one() {
    let filling = "the quick brown fox jumps over it ".repeat(16_000);
    let line = |email: &str, card: &str| format!("{email} {filling}{card} {filling}{email}");
    let body = line("bob@example.com", "4111-1111-1111-1111");
    assert!(body.len() > 1 << 20);
    check(&body, &line("[REDACTED:email]", "[REDACTED:card]"));
}

#[test]
fn what_only_looks_alike_stays() {
    for body in [
        "",
        "x",
        "=",
        "password=",
        "password: \"\"",
        "version 10.2.3.4 of the agent",
        "at 2026-11-27T17:46:28.123456789Z took 12:34:56",
        "id 123e4567-e89b-12d3-a456-426614174000",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "order 4111111111111112",
        "token expired",
        "std::fs::read at lib::be::ad",
        "see icon@2x.png and pkg@1.2.3",
        "mac 00:1b:44:11:3a:b7",
        "https://example.com/a:b@c",
    ] {
        check(body, body);
    }
}

#[test]
fn base64_is_decoded_once_and_encoded_again() {
    // "user bob@example.com done"
    let found =
        body_after(&compliance(serde_json::json!({})), "x dXNlciBib2JAZXhhbXBsZS5jb20gZG9uZQ==");
    // "user [REDACTED:email] done"
    assert_eq!(found, "x dXNlciBbUkVEQUNURUQ6ZW1haWxdIGRvbmU=");
}

#[test]
fn records_without_findings_leave_as_the_bytes_they_came() {
    let bytes = batch(vec![log("GET /health 200 in 3 ms", vec![attribute("a", text("b"))])]);
    let mut draft = draft(bytes.clone());
    Step::run(&compliance(serde_json::json!({})), &mut draft, &mut Scratch::default());
    assert!(draft.is_unchanged());
    let emitted = draft.emit(|_| 0, 1);
    assert_eq!(emitted[0].bytes.as_ptr(), bytes.as_ptr());
}

#[test]
fn records_are_dropped_only_by_the_action_that_says_so() {
    let records = || vec![log("bob@example.com", vec![]), log("quiet", vec![])];
    for (action, left) in [("redact", 2), ("drop_attribute", 2), ("tag", 2), ("drop_record", 1)] {
        let step = compliance(serde_json::json!({ "action": action }));
        assert_eq!(run(&step, records()).len(), left, "{action}");
    }
}

#[test]
fn dropping_an_attribute_takes_its_key_and_leaves_the_others() {
    let step = compliance(serde_json::json!({ "action": "drop_attribute" }));
    let attributes = vec![attribute("mail", text("bob@example.com")), attribute("a", text("b"))];
    let left = run(&step, vec![log("bob@example.com", attributes)]);
    let keys: Vec<&str> = left[0].attributes.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["a"]);
    assert_eq!(left[0].body, Some(text("[REDACTED:email]")));
}

#[test]
fn tags_name_the_detectors_and_leave_the_value() {
    let step = compliance(serde_json::json!({ "action": "tag" }));
    let left = run(&step, vec![log("bob@example.com from 203.0.113.9", vec![])]);
    assert_eq!(left[0].body, Some(text("bob@example.com from 203.0.113.9")));
    assert_eq!(left[0].attributes[0].key, "compliance.findings");
}

#[test]
fn equal_values_get_equal_hashes_that_depend_on_the_key() {
    let hashed = |key: &str| {
        let settings = Settings {
            action: Action::Hash,
            key: Some(bessemer_runtime::Secret::new(key)),
            ..Settings::default()
        };
        Compliance::new(&settings, &Context::detached().of("c")).unwrap()
    };
    let (one, other) = (hashed(KEY_TEXT), hashed("another key of 16 bytes"));
    let first = body_after(&one, "bob@example.com");
    assert!(first.starts_with("email:") && first.len() == 6 + 64, "{first}");
    assert_eq!(first, body_after(&one, "bob@example.com"));
    assert_ne!(first, body_after(&other, "bob@example.com"));
    assert_ne!(first, body_after(&one, "eve@example.com"));
}

#[test]
fn hashing_without_a_key_is_refused_at_load() {
    let error = try_compliance(serde_json::json!({ "action": "hash" })).unwrap_err();
    assert_eq!(error.path, "key");
}

#[test]
fn packs_switch_on_their_detectors_alone_and_keys_count() {
    let step = compliance(serde_json::json!({ "packs": ["pci_dss"] }));
    let attributes = vec![
        attribute("payment.cvv", AnyValue { value: Some(Kind::IntValue(123)) }),
        attribute("cardholderName", text("Bob")),
    ];
    let left = run(&step, vec![log("bob@example.com 4111111111111111", attributes)]);
    assert_eq!(left[0].body, Some(text("bob@example.com [REDACTED:card]")));
    assert_eq!(left[0].attributes, [attribute("cardholderName", text("[REDACTED:key]"))]);
}

#[test]
fn packs_load_from_files_and_wrong_ones_are_named() {
    let folder = std::env::temp_dir().join(format!("bessemer-pack-{}", std::process::id()));
    std::fs::write(&folder, r#"{"name":"own","title":"t","detectors":{"email":"redact"}}"#)
        .unwrap();
    let step = compliance(serde_json::json!({ "pack_files": [folder.to_str().unwrap()] }));
    assert_eq!(body_after(&step, "a@b.org 203.0.113.9"), "[REDACTED:email] 203.0.113.9");
    std::fs::remove_file(&folder).unwrap();
    let error = try_compliance(serde_json::json!({ "packs": ["gdrp"] })).unwrap_err();
    assert!(error.remedy.contains("gdpr"), "{error}");
}

#[test]
fn allowed_values_and_keys_stay() {
    let step = compliance(serde_json::json!({
        "allow": { "values": ["a@b.org"], "patterns": ["@corp\\.org$"], "keys": ["^raw$"] },
    }));
    let left = run(
        &step,
        vec![log("a@b.org x@corp.org c@d.org", vec![attribute("raw", text("c@d.org"))])],
    );
    assert_eq!(left[0].body, Some(text("a@b.org x@corp.org [REDACTED:email]")));
    assert_eq!(left[0].attributes[0].value, Some(text("c@d.org")));
}

#[test]
fn blocking_without_pipelines_refuses_the_batch() {
    let step = compliance(serde_json::json!({ "action": "block" }));
    let mut draft = draft(batch(vec![log("a@b.org", vec![])]));
    let mut scratch = Scratch::default();
    Step::run(&step, &mut draft, &mut scratch);
    assert!(scratch.refusal.is_some_and(|reason| !reason.contains("a@b.org")));
}

#[test]
fn blocked_records_take_their_own_pipelines() {
    let step = compliance(serde_json::json!({
        "action": "block", "pipelines": ["good"], "blocked_pipelines": ["jail"],
    }));
    let mut draft = draft(batch(vec![log("a@b.org", vec![]), log("quiet", vec![])]));
    Route::run(&step, &mut draft, &mut Scratch::default());
    let routes: Vec<u16> = draft.items().iter().map(|item| item.route).collect();
    assert_eq!(routes, [BLOCKED, PASSED]);
    assert_eq!(Route::targets(&step), [["good"], ["jail"]]);
}

#[test]
fn reports_count_by_detector_action_and_pack_and_hold_no_value() {
    let step = compliance(serde_json::json!({ "packs": ["gdpr"] }));
    run(&step, vec![log("a@b.org and c@d.org", vec![]), log("quiet", vec![])]);
    let report = bessemer_pipeline::services::Report::report(&*step.counts);
    assert_eq!(report["records"], 2);
    assert_eq!(report["records_with_findings"], 1);
    assert_eq!(report["findings"], serde_json::json!({ "email": { "redact": 2 } }));
    assert_eq!(report["packs"][0]["findings"], 2);
    assert!(!report.to_string().contains("a@b.org"));
}

#[test]
fn a_line_of_one_mebibyte_takes_linear_time() {
    // Twice the text may not take much more than twice the time, whatever the text.
    let step = compliance(serde_json::json!({}));
    let words =
        ["a@", "1.", "12 ", "eyJ", "AA00", "://a:", "key=", "a:", "(1)", "{\"", "password:", "aB3"];
    for word in words {
        let time = |bytes: usize| {
            let body = word.repeat(bytes / word.len());
            let clock = Context::detached().clock;
            let start = clock.monotonic();
            body_after(&step, &body);
            clock.monotonic().saturating_sub(start)
        };
        time(1 << 12);
        let long = time(1 << 20);
        // Debug builds are several times slower than the promise for release builds, 100 ms.
        assert!(long.as_millis() < 3_000, "{word:?}: {long:?}");
    }
}
