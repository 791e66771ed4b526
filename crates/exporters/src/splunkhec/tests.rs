//! What is sent for which records, and what each documented answer means.

use super::*;
use crate::http::fake::{Fake, Seen, delivery, logs};
use bessemer_pipeline::Exporter;
use bessemer_runtime::SystemRandom;
use serde_json::{Value as Json, json};
use std::sync::Arc;

const TOKEN: &str = "canary-token";

fn settings(more: &Json) -> Settings {
    let mut all = json!({ "token": TOKEN, "endpoint": "http://127.0.0.1:1" });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn planned(more: &Json, delivery: &Delivery) -> Plan {
    SplunkHec::new(settings(more), &SystemRandom::seeded(1)).unwrap().plan(delivery)
}

fn bodies(plan: &Plan) -> Vec<String> {
    plan.calls
        .iter()
        .map(|call| {
            let mut body = call.request.body.clone();
            let length = body.len();
            String::from_utf8(bytes::Buf::copy_to_bytes(&mut body, length).to_vec()).unwrap()
        })
        .collect()
}

fn events(body: &str) -> Vec<Json> {
    serde_json::Deserializer::from_str(body).into_iter().map(Result::unwrap).collect()
}

fn running(fake: &Fake, more: &Json) -> Arc<dyn Exporter> {
    let mut settings = settings(more);
    settings.endpoint = Some(fake.url());
    settings.retry_on_failure.enabled = false;
    let exporter = SplunkHec::new(settings.clone(), &SystemRandom::seeded(1)).unwrap();
    let link = Link::new(
        (&settings.client(), &settings.retry_on_failure, &settings.sending_queue),
        Compression { encoding: Encoding::Gzip, from: COMPRESS_FROM },
        vec![settings.token().unwrap().clone()],
        &Context::detached(),
    );
    OverHttp::shared(exporter, link.unwrap())
}

async fn answered(answers: &[(u16, &str)], records: usize) -> (Verdict, Vec<Seen>) {
    let fake = Fake::scripted(answers);
    let verdict = running(&fake, &json!({})).deliver(&logs(&vec!["x"; records])).await;
    (verdict, fake.seen())
}

fn status(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { .. } => "retry",
        Verdict::Refused { .. } => "refused",
        Verdict::Split(_) => "split",
    }
}

#[tokio::test]
async fn each_documented_answer_has_its_verdict() {
    let cases = [
        (200, 0, "delivered"),
        (403, 1, "retry"),
        (401, 2, "refused"),
        (401, 3, "refused"),
        (403, 4, "retry"),
        (400, 5, "refused"),
        (400, 6, "refused"),
        (400, 7, "refused"),
        (500, 8, "retry"),
        (503, 9, "retry"),
        (400, 10, "retry"),
        (400, 11, "retry"),
        (400, 12, "refused"),
        (400, 13, "refused"),
        (400, 14, "retry"),
        (413, 0, "refused"),
        (429, 0, "retry"),
        (404, 404, "retry"),
    ];
    for (http, code, expected) in cases {
        let body = json!({ "text": "told", "code": code }).to_string();
        let (verdict, _) = answered(&[(http, &body)], 3).await;
        assert_eq!(status(&verdict), expected, "{http} {code}: {verdict:?}");
    }
}

#[tokio::test]
async fn only_the_event_at_fault_is_refused() {
    let body = r#"{"text":"Invalid data format","code":6,"invalid-event-number":1}"#;
    let (verdict, _) = answered(&[(400, body)], 4).await;
    let Verdict::Split(parts) = verdict else { panic!("{verdict:?}") };
    let parts: Vec<_> = parts.iter().map(|(range, part)| (range.clone(), status(part))).collect();
    assert_eq!(parts, [(0..1, "retry"), (1..2, "refused"), (2..4, "retry")]);
    let (alone, _) = answered(&[(400, &body.replace(":1}", ":0}"))], 1).await;
    assert_eq!(status(&alone), "refused");
}

#[tokio::test]
async fn requests_carry_token_and_names_and_reasons_do_not() {
    let (verdict, seen) = answered(&[(400, "token canary-token is bad")], 1).await;
    let request = &seen[0];
    assert_eq!(request.line, "POST /services/collector");
    assert_eq!(request.header("authorization"), Some("Splunk canary-token"));
    assert_eq!(request.header("__splunk_app_name"), Some("Bessemer"));
    assert_eq!(request.header("x-splunk-request-channel"), None);
    assert!(!format!("{verdict:?}").contains("canary"));
    let exporter = SplunkHec::new(settings(&json!({})), &SystemRandom::seeded(1)).unwrap();
    let plan = exporter.plan(&logs(&["x"]));
    let shown = format!("{:?}{:?}{plan:?}", exporter.settings, exporter.probe());
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn with_acknowledgment_a_delivery_waits_until_it_is_indexed() {
    let fake = Fake::scripted(&[
        (200, r#"{"text":"Success","code":0,"ackId":5}"#),
        (200, r#"{"acks":{"5":false}}"#),
        (503, "busy"),
        (200, r#"{"acks":{"5":true}}"#),
    ]);
    let ack = json!({ "ack": { "enabled": true, "channel": "c-1", "query_interval": "1ms" } });
    assert_eq!(running(&fake, &ack).deliver(&logs(&["x"])).await, Verdict::Delivered);
    let seen = fake.seen();
    let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
    let question = "POST /services/collector/ack?channel=c-1";
    assert_eq!(lines, ["POST /services/collector", question, question, question]);
    assert!(seen.iter().all(|seen| seen.header("x-splunk-request-channel") == Some("c-1")));
    assert_eq!(seen[1].body, r#"{"acks":[5]}"#);
    assert_eq!(seen[3].header("authorization"), Some("Splunk canary-token"));
}

#[tokio::test]
async fn events_that_are_not_indexed_in_time_are_sent_again() {
    let fake = Fake::start(|number, _| match number {
        0 => (200, r#"{"code":0,"ackId":5}"#.to_owned()),
        _ => (200, r#"{"acks":{"5":false}}"#.to_owned()),
    });
    let ack = json!({ "ack": { "enabled": true, "query_interval": "1ms", "timeout": "3ms" } });
    let verdict = running(&fake, &ack).deliver(&logs(&["x"])).await;
    assert_eq!(status(&verdict), "retry");
}

#[test]
fn a_record_without_body_is_refused_with_a_reason_and_the_others_are_sent() {
    let request = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
        { "body": { "stringValue": "a" } }, {}, { "body": { "stringValue": "" } },
        { "body": { "stringValue": "b" } },
    ] }] }] });
    let plan = planned(&json!({}), &delivery(Signal::Logs, &request));
    let refused: Vec<_> = plan.verdicts.iter().map(|(range, _)| range.clone()).collect();
    assert_eq!(refused, [1..2, 2..3]);
    assert_eq!(plan.calls[0].items.all().collect::<Vec<_>>(), [0..1, 3..4]);
    assert_eq!(bodies(&plan), [r#"{"host":"unknown","event":"a"}{"host":"unknown","event":"b"}"#]);
}

#[test]
fn the_limit_of_a_request_is_reached_exactly_and_not_passed() {
    let one = r#"{"host":"unknown","event":"x"}"#.len();
    let sent = |bytes: usize| {
        let limit = json!({ "max_content_length_logs": bytes });
        planned(&limit, &logs(&["x", "x", "x"])).calls.len()
    };
    assert_eq!((sent(one * 3), sent(one * 3 - 1), sent(one)), (1, 2, 3));
    let plan = planned(&json!({ "max_event_size": one }), &logs(&["x", "xy"]));
    assert_eq!(plan.verdicts.len(), 1);
    assert_eq!(plan.verdicts[0].0, 1..2);
}

#[test]
fn a_resource_with_a_token_of_its_own_goes_apart_and_does_not_show_it() {
    let token = |text: &str| json!([{ "key": "com.splunk.hec.access_token", "value": { "stringValue": text } }]);
    let group = |attributes: Json, body: &str| {
        json!({ "resource": { "attributes": attributes }, "scopeLogs": [{ "logRecords": [
            { "body": { "stringValue": body } },
        ] }] })
    };
    let groups = [group(token("one"), "a"), group(json!([]), "b"), group(token("one"), "c")];
    let plan = planned(&json!({}), &delivery(Signal::Logs, &json!({ "resourceLogs": groups })));
    let tokens: Vec<&str> = plan
        .calls
        .iter()
        .map(|call| call.request.headers[AUTHORIZATION].to_str().unwrap())
        .collect();
    assert_eq!(tokens, ["Splunk canary-token", "Splunk one"]);
    assert_eq!(plan.calls[1].items.all().collect::<Vec<_>>(), [0..1, 2..3]);
    assert!(bodies(&plan).iter().all(|body| !body.contains("access_token")));
}

#[tokio::test]
async fn what_a_collector_repeats_of_a_resources_token_is_not_shown() {
    let token =
        json!([{ "key": "com.splunk.hec.access_token", "value": { "stringValue": "canary-own" } }]);
    let request = json!({ "resourceLogs": [{ "resource": { "attributes": token }, "scopeLogs": [
        { "logRecords": [{ "body": { "stringValue": "a" } }] },
    ] }] });
    let fake = Fake::scripted(&[(400, "no such token: canary-own")]);
    let verdict = running(&fake, &json!({})).deliver(&delivery(Signal::Logs, &request)).await;
    assert_eq!(fake.seen()[0].header("authorization"), Some("Splunk canary-own"));
    assert!(!format!("{verdict:?}").contains("canary"), "{verdict:?}");
}

#[test]
fn raw_bodies_stand_on_lines_of_their_own() {
    let plan = planned(&json!({ "export_raw": true }), &logs(&["a", "b"]));
    assert_eq!(bodies(&plan), ["a\nb\n"]);
    assert_eq!(plan.calls[0].request.path, "/services/collector/raw");
}

#[test]
fn switched_off_logs_are_not_sent_and_profiles_are() {
    let scope = |name: &str| json!({ "scope": { "name": name }, "logRecords": [{ "body": { "stringValue": name } }] });
    let scopes = [scope("other"), scope(PROFILING)];
    let request = json!({ "resourceLogs": [{ "scopeLogs": scopes }] });
    let plan = planned(&json!({ "log_data_enabled": false }), &delivery(Signal::Logs, &request));
    assert_eq!(bodies(&plan), [r#"{"host":"unknown","event":"otel.profiling"}"#]);
    assert!(plan.calls[0].items.all().eq(std::iter::once(1..2)));
}

fn metrics() -> Delivery {
    let zone = json!([{ "key": "zone", "value": { "intValue": "3" } }]);
    let gauge = |name: &str| {
        json!({ "name": name, "gauge": { "dataPoints": [
            { "timeUnixNano": "2000000000", "asDouble": 1.5, "attributes": zone },
        ] } })
    };
    let histogram = json!({ "name": "h", "histogram": { "dataPoints": [{
        "timeUnixNano": "2000000000", "count": "6", "sum": 9, "bucketCounts": ["1", "2", "3"],
        "explicitBounds": [0.5, 1_000_000],
    }] } });
    let exponential = json!({ "name": "e", "exponentialHistogram": { "dataPoints": [{
        "count": "5", "scale": 0, "zeroCount": "1",
        "positive": { "offset": 1, "bucketCounts": ["2"] },
        "negative": { "offset": 0, "bucketCounts": ["0", "2"] },
    }] } });
    let metrics = json!([gauge("a"), gauge("b"), histogram, exponential]);
    let request = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": metrics }] }] });
    delivery(Signal::Metrics, &request)
}

#[test]
fn a_histogram_becomes_events_of_one_record() {
    let plan = planned(&json!({}), &metrics());
    let records: Vec<u32> = plan.calls[0].items.all().flatten().collect();
    assert_eq!(records, [vec![0, 1], vec![2; 5], vec![3; 5]].concat());
    let events = events(&bodies(&plan)[0]);
    assert_eq!(events.len(), 12);
    let buckets = |name: &str| -> Vec<(Json, Json)> {
        let fields = events.iter().map(|event| &event["fields"]);
        let named = fields.filter(|fields| fields.get(name).is_some());
        named.map(|fields| (fields["le"].clone(), fields[name].clone())).collect()
    };
    let expected = [("0.5", 1), ("1e+06", 3), ("+Inf", 6)];
    let expected: Vec<_> = expected.iter().map(|(le, count)| (json!(le), json!(count))).collect();
    assert_eq!(buckets("metric_name:h_bucket"), expected);
    let expected = [("-2", 2), ("0", 3), ("4", 5), ("+Inf", 5)];
    let expected: Vec<_> = expected.iter().map(|(le, count)| (json!(le), json!(count))).collect();
    assert_eq!(buckets("metric_name:e_bucket"), expected);
}

#[test]
fn in_the_multiple_metric_format_equal_dimensions_share_an_event() {
    let plan = planned(&json!({ "use_multi_metric_format": true }), &metrics());
    let events = events(&bodies(&plan)[0]);
    let both = &events[0]["fields"];
    assert_eq!((&both["metric_name:a"], &both["metric_name:b"]), (&json!(1.5), &json!(1.5)));
    assert_eq!(both["zone"], "3");
    let first: Vec<_> = plan.calls[0].items.records(0..1).collect();
    assert_eq!(first, [0..1, 1..2]);
    let all: Vec<u32> = plan.calls[0].items.all().flatten().collect();
    assert!((0..4).all(|record| all.contains(&record)), "{all:?}");
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let refused = |more: Json| {
        SplunkHec::new(settings(&more), &SystemRandom::seeded(1)).err().map(|error| error.path)
    };
    assert_eq!(refused(json!({ "token": "" })).as_deref(), Some("token"));
    assert_eq!(refused(json!({ "max_event_size": "1GiB" })).as_deref(), Some("max_event_size"));
    assert_eq!(refused(json!({ "splunk_app_name": "a\nb" })).as_deref(), Some("splunk_app_name"));
    let misspelt = serde_json::from_value::<Settings>(json!({ "tokn": "x" })).unwrap_err();
    assert!(misspelt.to_string().contains("tokn"));
}

#[test]
fn a_channel_is_a_guid_of_version_4() {
    let channel = guid(&SystemRandom::seeded(3));
    let lengths: Vec<usize> = channel.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    let digits = channel.as_bytes();
    assert!(digits[14] == b'4' && matches!(digits[19], b'8' | b'9' | b'a' | b'b'), "{channel}");
}
