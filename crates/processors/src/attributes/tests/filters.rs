//! `include` and `exclude`: which records an action reaches.

#![expect(clippy::needless_pass_by_value, reason = "tables of json! read better unborrowed")]

use bessemer_record::json::from_otlp_json;
use serde_json::json;

use super::*;

/// The names of the records, or of the metrics with a point, that are reached.
fn reached(blocks: &serde_json::Value, signal: Signal) -> Vec<String> {
    let mut json = json!({ "action": [{ "key": "hit", "action": "upsert", "value": true }] });
    for (name, block) in blocks.as_object().unwrap() {
        json[name] = block.clone();
    }
    let batch = batch(signal).to_string();
    let batch = from_otlp_json(signal, batch.as_bytes(), &Limits::default()).unwrap();
    let out = run(&settings(json), &Vec::new(), signal, batch.bytes().to_vec());
    let mut reached = Vec::new();
    for list in attributes(signal, &out) {
        let text = |key: &str| list.iter().find(|(known, _)| known == key).map(|(_, value)| value);
        if let (Some(Value::String(name)), Some(_)) = (text("name"), text("hit")) {
            reached.push(name.clone());
        }
    }
    reached
}

#[track_caller]
fn check(signal: Signal, blocks: serde_json::Value, expected: &[&str]) {
    assert_eq!(reached(&blocks, signal), expected, "{blocks}");
}

fn list(pairs: &[(&str, serde_json::Value)]) -> serde_json::Value {
    pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

/// Two services with a library each; records are named by an attribute.
fn batch(signal: Signal) -> serde_json::Value {
    let name = |name: &str| ("name", json!({ "stringValue": name }));
    let code = |code: i64| ("code", json!({ "intValue": code }));
    let group = |service: &str, version: &str, records: serde_json::Value| {
        let service = ("service.name", json!({ "stringValue": service }));
        let zone = ("zone", json!({ "intValue": 7 }));
        let scope = json!({ "name": "lib", "version": version });
        match signal {
            Signal::Logs => json!({
                "resource": { "attributes": list(&[service, zone]) },
                "scopeLogs": [{ "scope": scope, "logRecords": records }],
            }),
            Signal::Traces => json!({
                "resource": { "attributes": list(&[service, zone]) },
                "scopeSpans": [{ "scope": scope, "spans": records }],
            }),
            Signal::Metrics => json!({
                "resource": { "attributes": list(&[service, zone]) },
                "scopeMetrics": [{ "scope": scope, "metrics": records }],
            }),
        }
    };
    match signal {
        Signal::Logs => json!({ "resourceLogs": [
            group("shop", "1", json!([
                { "attributes": list(&[name("one"), code(1)]), "body": { "stringValue": "AUTH ok" },
                  "severityNumber": 9, "severityText": "info" },
                { "attributes": list(&[name("two"), code(2)]), "body": { "intValue": "42" } },
            ])),
            group("bank", "", json!([
                { "attributes": list(&[name("three")]), "severityNumber": 17,
                  "severityText": "error" },
            ])),
        ] }),
        Signal::Traces => json!({ "resourceSpans": [
            group("shop", "1", json!([
                { "attributes": list(&[name("one"), code(1)]), "name": "login", "kind": 2 },
                { "attributes": list(&[name("two"), code(2)]), "name": "GET /", "kind": 3 },
            ])),
            group("bank", "", json!([
                { "attributes": list(&[name("three")]), "name": "login" },
            ])),
        ] }),
        Signal::Metrics => json!({ "resourceMetrics": [
            group("shop", "1", json!([
                { "name": "counter.a", "gauge": { "dataPoints": [
                    { "attributes": list(&[name("one"), code(1)]), "asInt": 1 },
                    { "attributes": list(&[name("two"), code(2)]), "asInt": 1 },
                ] } },
            ])),
            group("bank", "", json!([
                { "name": "gauge.b", "sum": { "dataPoints": [
                    { "attributes": list(&[name("three")]), "asInt": 1 },
                ] } },
            ])),
        ] }),
    }
}

#[test]
fn properties_of_resource_library_and_attributes_match_on_every_signal() {
    for signal in SIGNALS {
        let check = |blocks: serde_json::Value, expected: &[&str]| check(signal, blocks, expected);
        let include = |match_type: &str, name: &str, value: serde_json::Value| {
            let block = json!({ "match_type": match_type, name: value });
            json!({ "include": block })
        };
        let strict = |name: &str, value: serde_json::Value| include("strict", name, value);
        let regexp = |name: &str, value: serde_json::Value| include("regexp", name, value);
        check(json!({}), &["one", "two", "three"]);
        check(strict("services", json!(["shop", "x"])), &["one", "two"]);
        check(strict("services", json!(["sho"])), &[]);
        check(regexp("services", json!(["^b", "^x"])), &["three"]);
        check(strict("resource", json!([{ "key": "zone", "value": 7 }])), &["one", "two", "three"]);
        check(strict("resource", json!([{ "key": "zone", "value": "7" }])), &[]);
        check(
            regexp("resource", json!([{ "key": "zone", "value": "^7$" }])),
            &["one", "two", "three"],
        );
        let both = json!([{ "key": "zone" }, { "key": "service.name", "value": "bank" }]);
        check(strict("resource", both), &["three"]);
        check(strict("library", json!([{ "name": "lib" }])), &["one", "two", "three"]);
        check(strict("library", json!([{ "name": "lib", "version": "" }])), &["three"]);
        let either = json!([{ "name": "x" }, { "name": "lib", "version": "1" }]);
        check(strict("library", either), &["one", "two"]);
        check(regexp("library", json!([{ "name": "^l", "version": "[0-9]" }])), &["one", "two"]);
        check(strict("attribute", json!([{ "key": "code" }])), &["one", "two"]);
        check(strict("attribute", json!([{ "key": "code", "value": 2 }])), &["two"]);
        check(strict("attribute", json!([{ "key": "code", "value": 2.0 }])), &[]);
        check(regexp("attribute", json!([{ "key": "code", "value": "^[12]$" }])), &["one", "two"]);
        let both = json!([{ "key": "code" }, { "key": "name", "value": "one" }]);
        check(strict("attribute", both), &["one"]);
    }
}

#[test]
fn exclude_is_looked_at_after_include() {
    for signal in SIGNALS {
        let exclude =
            json!({ "match_type": "strict", "attribute": [{ "key": "code", "value": 1 }] });
        check(signal, json!({ "exclude": exclude }), &["two", "three"]);
        let include = json!({ "match_type": "regexp", "services": ["shop"] });
        check(signal, json!({ "include": include, "exclude": exclude }), &["two"]);
        let exclude = json!({
            "match_type": "strict", "services": ["bank"], "attribute": [{ "key": "code" }],
        });
        check(signal, json!({ "exclude": exclude }), &["one", "two", "three"]);
    }
}

#[test]
fn properties_of_one_signal_match_no_other() {
    let regexp =
        |name: &str, value: serde_json::Value| json!({ "match_type": "regexp", name: value });
    for (own, block) in [
        (Signal::Logs, regexp("log_bodies", json!([""]))),
        (Signal::Logs, regexp("log_severity_texts", json!([""]))),
        (Signal::Logs, regexp("log_severity", json!({ "min": "TRACE", "match_undefined": true }))),
        (Signal::Traces, regexp("span_names", json!([""]))),
        (Signal::Traces, regexp("span_kinds", json!([""]))),
        (Signal::Metrics, regexp("metric_names", json!([""]))),
    ] {
        for signal in SIGNALS {
            let all: &[&str] = &["one", "two", "three"];
            let (included, excluded) = if signal == own { (all, &[][..]) } else { (&[][..], all) };
            check(signal, json!({ "include": block }), included);
            check(signal, json!({ "exclude": block }), excluded);
        }
    }
}

#[test]
fn log_records_match_by_body_and_severity() {
    let include = |block: serde_json::Value| json!({ "include": block });
    let check = |block, expected: &[&str]| check(Signal::Logs, include(block), expected);
    check(json!({ "match_type": "regexp", "log_bodies": ["AUTH.*"] }), &["one"]);
    check(json!({ "match_type": "strict", "log_bodies": ["AUTH", "42"] }), &["two"]);
    check(json!({ "match_type": "strict", "log_bodies": [""] }), &["three"]);
    check(json!({ "match_type": "regexp", "log_severity_texts": ["^inf", "^x"] }), &["one"]);
    let severity = |min: &str, match_undefined: bool| {
        json!({ "match_type": "strict",
                "log_severity": { "min": min, "match_undefined": match_undefined } })
    };
    check(severity("INFO", false), &["one", "three"]);
    check(severity("INFO2", true), &["two", "three"]);
    check(severity("FATAL4", false), &[]);
}

#[test]
fn spans_match_by_name_and_kind() {
    let check = |block, expected: &[&str]| {
        check(Signal::Traces, json!({ "include": block }), expected);
    };
    check(json!({ "match_type": "strict", "span_names": ["login"] }), &["one", "three"]);
    check(json!({ "match_type": "regexp", "span_names": ["^GET /"] }), &["two"]);
    check(json!({ "match_type": "strict", "span_kinds": ["SPAN_KIND_SERVER"] }), &["one"]);
    check(
        json!({ "match_type": "regexp", "span_kinds": ["CLIENT$", "UNSPEC"] }),
        &["two", "three"],
    );
    let both = json!({ "match_type": "strict", "span_names": ["login"], "services": ["bank"] });
    check(both, &["three"]);
}

#[test]
fn metrics_match_by_name() {
    let check = |block, expected: &[&str]| {
        check(Signal::Metrics, json!({ "include": block }), expected);
    };
    check(json!({ "match_type": "strict", "metric_names": ["gauge.b"] }), &["three"]);
    check(json!({ "match_type": "regexp", "metric_names": ["^counter"] }), &["one", "two"]);
    let point = json!({ "match_type": "strict", "metric_names": ["counter.a"],
                        "attribute": [{ "key": "name", "value": "two" }] });
    check(point, &["two"]);
}

#[test]
fn a_resource_without_a_name_is_the_nil_service() {
    let block = json!({ "match_type": "strict", "services": ["<nil-service-name>"] });
    let settings = settings(json!({
        "include": block, "action": [{ "key": "hit", "action": "insert", "value": 1 }],
    }));
    let out = run(&settings, &Vec::new(), Signal::Logs, request(Signal::Logs, &[Vec::new()]));
    assert_eq!(attributes(Signal::Logs, &out), [[("hit".into(), Value::Int(1))]]);
}
