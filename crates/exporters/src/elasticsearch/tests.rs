//! Documents, indexes, and what the statuses of a bulk answer mean.

use super::*;
use crate::http::fake::{Fake, delivery, logs};
use bessemer_pipeline::{Exporter, Verdict};
use serde_json::{Value as Json, json};
use std::sync::Arc;

fn settings(more: &Json) -> Settings {
    let mut all = json!({ "client": { "endpoint": "http://127.0.0.1:1/search" } });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn planned(more: &Json, delivery: &Delivery) -> Plan {
    Elasticsearch::new(&settings(more), Shape::of).unwrap().plan(delivery)
}

/// Actions and documents of all calls.
fn lines(plan: &Plan) -> Vec<Json> {
    let body = |call: &Call| {
        let mut body = call.request.body.clone();
        let length = body.len();
        String::from_utf8(bytes::Buf::copy_to_bytes(&mut body, length).to_vec()).unwrap()
    };
    let text: String = plan.calls.iter().map(body).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn index(line: &Json) -> &str {
    line["create"]["_index"].as_str().unwrap()
}

fn running(fake: &Fake, more: &Json) -> Arc<dyn Exporter> {
    let mut settings = settings(more);
    settings.client.endpoint = fake.url();
    settings.retry_on_failure.enabled = false;
    let Built::Exporter { exporter, .. } =
        built(settings, Shape::of, &Context::detached()).unwrap()
    else {
        panic!("no exporter")
    };
    exporter
}

async fn answered(status: u16, body: &Json, documents: usize) -> Verdict {
    let fake = Fake::scripted(&[(status, &body.to_string())]);
    running(&fake, &json!({})).deliver(&logs(&vec!["x"; documents])).await
}

fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { .. } => "retry",
        Verdict::Refused { .. } => "refused",
        Verdict::Split(_) => "split",
    }
}

#[tokio::test]
async fn each_document_has_the_verdict_of_its_own_status() {
    let item = |status: u16| json!({ "create": { "status": status, "error": { "type": "t", "reason": "r" } } });
    let statuses = [201, 429, 400, 409, 503, 404, 200];
    let body = json!({ "errors": true, "items": statuses.map(item) });
    let Verdict::Split(parts) = answered(200, &body, 7).await else { panic!("no split") };
    let parts: Vec<_> = parts.iter().map(|(range, part)| (range.clone(), kind(part))).collect();
    assert_eq!(parts, [(1..2, "retry"), (2..3, "refused"), (4..5, "retry"), (5..6, "refused")]);
}

#[tokio::test]
async fn a_document_that_is_there_already_was_delivered() {
    let item = json!({ "create": { "status": 409, "error": { "type": "version_conflict_engine_exception" } } });
    let body = json!({ "errors": true, "items": [item, item] });
    assert_eq!(answered(200, &body, 2).await, Verdict::Delivered);
}

#[tokio::test]
async fn each_status_of_a_whole_request_has_its_verdict() {
    let taken = json!({ "errors": false, "items": [] });
    let cases = [
        (200, &taken, "delivered"),
        (200, &Json::Null, "retry"),
        (400, &Json::Null, "refused"),
        (401, &Json::Null, "retry"),
        (403, &Json::Null, "retry"),
        (413, &Json::Null, "refused"),
        (429, &Json::Null, "retry"),
        (500, &Json::Null, "retry"),
        (503, &Json::Null, "retry"),
    ];
    for (status, body, expected) in cases {
        assert_eq!(kind(&answered(status, body, 2).await), expected, "{status}");
    }
    let short = json!({ "errors": true, "items": [{ "create": { "status": 201 } }] });
    assert_eq!(kind(&answered(200, &short, 2).await), "retry");
}

#[tokio::test]
async fn requests_carry_credentials_and_reasons_do_not() {
    let fake = Fake::scripted(&[(400, "the key canary-key is unknown")]);
    let exporter = running(&fake, &json!({ "api_key": "canary-key" }));
    let verdict = exporter.deliver(&logs(&["x"])).await;
    assert!(!format!("{verdict:?}").contains("canary"), "{verdict:?}");
    let seen = &fake.seen()[0];
    assert_eq!(seen.header("authorization"), Some("ApiKey canary-key"));
    assert_eq!(seen.header("content-type"), Some("application/x-ndjson"));
    let basic = json!({ "user": "u", "password": "p" });
    let plan = planned(&basic, &logs(&["x"]));
    assert_eq!(plan.calls[0].request.headers[AUTHORIZATION], "Basic dTpw");
    assert_eq!(plan.calls[0].request.path.path(), "/search/_bulk");
    let half = Elasticsearch::new(&settings(&json!({ "user": "u" })), Shape::of);
    assert_eq!(half.err().map(|error| error.path).as_deref(), Some("user"));
}

#[test]
fn documents_have_the_ids_of_their_records() {
    let lines = lines(&planned(&json!({}), &logs(&["a", "b"])));
    assert_eq!(lines[0]["create"]["_id"], "0000000000000007-64");
    assert_eq!(lines[2]["create"]["_id"], "0000000000000007-65");
    let without = self::lines(&planned(&json!({ "record_ids": false }), &logs(&["a"])));
    assert_eq!(without[0], json!({ "create": { "_index": "logs-generic-default" } }));
}

#[test]
fn the_limit_of_bytes_is_reached_exactly_and_a_larger_document_stands_alone() {
    let one = {
        let mut body = planned(&json!({}), &logs(&["x"])).calls.remove(0).request.body;
        let length = body.len();
        bytes::Buf::copy_to_bytes(&mut body, length).len()
    };
    let sent = |bytes: usize| {
        planned(&json!({ "flush": { "bytes": bytes } }), &logs(&["x", "x", "x"])).calls.len()
    };
    assert_eq!((sent(one * 3), sent(one * 3 - 1), sent(one - 1)), (1, 2, 3));
}

#[test]
fn the_index_is_chosen_by_attributes_and_has_the_day_of_the_record() {
    let record = |attributes: Json| json!({ "timeUnixNano": "1710273641000000000", "body": { "stringValue": "x" }, "attributes": attributes });
    let attribute =
        |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let records = [
        record(json!([
            attribute("data_stream.dataset", "My-Set"),
            attribute("data_stream.namespace", "Prod")
        ])),
        record(json!([attribute("elasticsearch.index.prefix", "p-")])),
        record(json!([])),
    ];
    let request = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
    let delivery = delivery(Signal::Logs, &request);
    let indexes = |more: Json| -> Vec<String> {
        let lines = lines(&planned(&more, &delivery));
        lines.iter().step_by(2).map(|line| index(line).to_owned()).collect()
    };
    let dynamic = json!({ "logs_dynamic_index": { "enabled": true }, "logs_index": "mine" });
    assert_eq!(indexes(dynamic.clone()), ["logs-my_set-prod", "p-mine", "logs-generic-default"]);
    let mut otel = dynamic;
    otel["mapping"] = json!({ "mode": "otel" });
    let found = indexes(otel);
    assert_eq!(found[0], "logs-my_set.otel-prod");
    let daily = json!({ "logs_index": "mine", "logstash_format": { "enabled": true } });
    assert_eq!(indexes(daily)[0], "mine-2024.03.12");
}

#[test]
fn an_event_is_its_own_document_with_the_time_of_its_record() {
    let request = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
        { "timeUnixNano": "1710273641000000000", "body": { "kvlistValue": { "values": [
            { "key": "user", "value": { "stringValue": "u" } },
        ] } } },
    ] }] }] });
    let elk: Elk = serde_json::from_value(json!({ "elasticsearch_url": "http://a:1" })).unwrap();
    let settings = elk.into_settings().unwrap();
    let exporter = Elasticsearch::new(&settings, |_| Shape::Event).unwrap();
    let lines = lines(&exporter.plan(&delivery(Signal::Logs, &request)));
    assert_eq!(index(&lines[0]), "events-2024.03.12");
    assert_eq!(lines[1], json!({ "user": "u", "@timestamp": "2024-03-12T20:00:41.000000000Z" }));
}

#[test]
fn a_body_that_is_no_map_is_refused_in_the_mode_bodymap() {
    let plan = planned(&json!({ "mapping": { "mode": "bodymap" } }), &logs(&["x"]));
    assert!(plan.calls.is_empty());
    assert_eq!(plan.verdicts.len(), 1);
}

#[test]
fn events_of_spans_are_documents_in_the_mode_otel() {
    let request = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [
        { "name": "s", "events": [{ "name": "e" }] }, { "name": "t" },
    ] }] }] });
    let plan =
        planned(&json!({ "mapping": { "mode": "otel" } }), &delivery(Signal::Traces, &request));
    let lines = lines(&plan);
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[2]["create"]["_id"], "0000000000000007-64-0");
    assert_eq!(lines[3]["attributes"]["event.name"], "e");
    let records: Vec<u32> = plan.calls[0].items.all().flatten().collect();
    assert_eq!(records, [0, 0, 1]);
    assert!(plan.calls[0].request.path.query().unwrap().contains("require_data_stream=true"));
}

#[test]
fn misspelt_settings_are_refused_by_name() {
    let wrong = json!({ "mapping": { "mod": "ecs" } });
    assert!(serde_json::from_value::<Settings>(wrong).unwrap_err().to_string().contains("mod"));
    let two = json!({ "endpoints": ["http://a", "http://b"] });
    let refused = Elasticsearch::new(&settings(&two), Shape::of).err().unwrap();
    assert_eq!(refused.path, "endpoints");
}
