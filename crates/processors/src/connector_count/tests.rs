//! Batches of every signal through the connector, against counting them as JSON.

use std::collections::BTreeMap;

use bessemer_record::json::{from_otlp_json, to_otlp_json};
use bessemer_record::{Checked, Limits, Tails};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn connector(settings: Json) -> Count {
    Count::new(serde_json::from_value(settings).unwrap(), &Context::detached()).unwrap()
}

fn counted_of(connector: &Count, signal: Signal, batch: &Json) -> Option<Json> {
    let text = batch.to_string();
    let checked = from_otlp_json(signal, text.as_bytes(), &Limits::default()).unwrap();
    let mut draft = Draft::from_checked(&checked, &Tails::none());
    let bytes = connector.run(&mut draft, &mut Scratch::default())?;
    let made = Checked::check(Signal::Metrics, bytes, &Limits::default()).unwrap();
    Some(serde_json::from_slice(&to_otlp_json(&made)).unwrap())
}

/// The metrics of the only resource, by name.
fn metrics(out: &Json) -> BTreeMap<String, Json> {
    let [resource] = out["resourceMetrics"].as_array().unwrap().as_slice() else {
        panic!("{out}");
    };
    let all = resource["scopeMetrics"][0]["metrics"].as_array().unwrap().iter();
    all.map(|metric| (metric["name"].as_str().unwrap().to_owned(), metric.clone())).collect()
}

/// Count by attributes, of each data point.
fn points(metric: &Json) -> BTreeMap<String, u64> {
    let all = metric["sum"]["dataPoints"].as_array().unwrap().iter();
    let point = |point: &Json| {
        let list = point["attributes"].as_array().cloned().unwrap_or_default();
        let label = |pair: &Json| {
            let value = pair["value"].as_object().unwrap().values().next().unwrap();
            format!("{}={}", pair["key"].as_str().unwrap(), value.to_string().trim_matches('"'))
        };
        let labels: Vec<String> = list.iter().map(label).collect();
        (labels.join(","), point["asInt"].as_str().unwrap().parse().unwrap())
    };
    all.map(point).collect()
}

fn told(points: &[(&str, u64)]) -> BTreeMap<String, u64> {
    points.iter().map(|(labels, count)| ((*labels).to_owned(), *count)).collect()
}

fn pairs(attributes: &[(&str, &str)]) -> Json {
    let pair = |(key, value): &(&str, &str)| json!({"key": key, "value": {"stringValue": value}});
    attributes.iter().map(pair).collect()
}

fn logs(records: &[Json]) -> Json {
    let resource = json!({"attributes": pairs(&[("service.name", "shop")])});
    let scope = json!({"scope": {"name": "lib"}, "logRecords": records});
    json!({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]})
}

fn log(time: u64, attributes: &[(&str, &str)]) -> Json {
    json!({"timeUnixNano": time.to_string(), "attributes": pairs(attributes)})
}

/// Scenario: two log records and no settings.
/// Promise: one sum as the data model wants it: delta, monotonic, from the first record's time to the
/// last one's, on the resource of the records.
#[test]
fn without_settings_everything_is_counted() {
    let batch = logs(&[log(70, &[]), log(50, &[]), log(0, &[])]);
    let out = counted_of(&connector(json!({})), Signal::Logs, &batch).unwrap();
    let resource = &out["resourceMetrics"][0]["resource"];
    assert_eq!(*resource, json!({"attributes": pairs(&[("service.name", "shop")])}));
    let metric = metrics(&out)["log.record.count"].clone();
    assert_eq!(metric["description"], "The number of log records observed.");
    assert_eq!(metric["sum"]["aggregationTemporality"], 1);
    assert_eq!(metric["sum"]["isMonotonic"], true);
    let point = json!({"startTimeUnixNano": "50", "timeUnixNano": "70", "asInt": "3"});
    assert_eq!(metric["sum"]["dataPoints"], json!([point]));
}

#[test]
fn spans_and_their_events_are_counted() {
    let event = |name: &str| json!({"name": name, "timeUnixNano": "9"});
    let spans = json!([
        {"name": "a", "startTimeUnixNano": "3", "endTimeUnixNano": "5", "events": [event("x"), event("y")]},
        {"name": "b", "startTimeUnixNano": "2", "endTimeUnixNano": "4"},
    ]);
    let batch = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    let settings = json!({"spanevents": {
        "x.count": {"conditions": ["name == \"x\""]}, "none": {"conditions": ["name == \"z\""]},
    }});
    let out = metrics(&counted_of(&connector(settings), Signal::Traces, &batch).unwrap());
    assert_eq!(out.keys().collect::<Vec<_>>(), ["trace.span.count", "x.count"]);
    assert_eq!(points(&out["trace.span.count"]), told(&[("", 2)]));
    assert_eq!(points(&out["x.count"]), told(&[("", 1)]));
    let point = &out["trace.span.count"]["sum"]["dataPoints"][0];
    assert_eq!((&point["startTimeUnixNano"], &point["timeUnixNano"]), (&json!("2"), &json!("5")));
}

#[test]
fn metrics_and_data_points_of_every_kind_are_counted() {
    let point = |name: &str| json!({"timeUnixNano": "9", "attributes": pairs(&[("env", name)])});
    let data = |name: &str| {
        let mut data = json!({"dataPoints": [point(name), point("b")]});
        if name != "gauge" && name != "summary" {
            data["aggregationTemporality"] = json!(2);
        }
        data
    };
    let kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
    let all: Vec<Json> =
        kinds.iter().map(|kind| json!({"name": kind, *kind: data(kind)})).collect();
    let batch = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": all}]}]});
    let settings = json!({"datapoints": {"by.env": {"attributes": [{"key": "env"}]}}});
    let out = metrics(&counted_of(&connector(settings), Signal::Metrics, &batch).unwrap());
    assert_eq!(points(&out["metric.count"]), told(&[("", 5)]));
    let wanted = kinds.map(|kind| (format!("env={kind}"), 1)).into_iter();
    let wanted: BTreeMap<_, _> = wanted.chain([("env=b".to_owned(), 5)]).collect();
    assert_eq!(points(&out["by.env"]), wanted);
}

#[test]
fn attributes_come_from_record_scope_and_resource_or_have_a_default() {
    let settings = json!({"logs": {"n": {"attributes": [
        {"key": "env", "default_value": "none"}, {"key": "service.name"},
        {"key": "code", "default_value": 7},
    ]}}});
    let batch = logs(&[log(1, &[("env", "prod")]), log(1, &[]), log(1, &[("env", "prod")])]);
    let out = metrics(&counted_of(&connector(settings), Signal::Logs, &batch).unwrap());
    let wanted =
        told(&[("env=prod,service.name=shop,code=7", 2), ("env=none,service.name=shop,code=7", 1)]);
    assert_eq!(points(&out["n"]), wanted);
}

#[test]
fn a_record_without_an_attribute_is_not_counted_and_nothing_counted_is_no_batch() {
    let settings = json!({"logs": {"n": {"attributes": [{"key": "env", "default_value": ""}]}}});
    assert_eq!(counted_of(&connector(settings), Signal::Logs, &logs(&[log(1, &[])])), None);
}

#[test]
fn blocks_and_names_mean_the_same() {
    let row = json!({"description": "d", "conditions": ["body == nil"]});
    let names = connector(json!({"logs": {"n": row}}));
    let blocks = connector(json!({"logs": [
        {"name": "n", "description": "d", "conditions": ["body == nil"]},
    ]}));
    let batch = logs(&[log(1, &[])]);
    let [names, blocks] = [names, blocks].map(|one| counted_of(&one, Signal::Logs, &batch));
    assert_eq!(names, blocks);
    assert!(names.is_some());
}

#[test]
fn wrong_settings_are_named() {
    let problem = |settings: Json| {
        let settings = serde_json::from_value(settings).unwrap();
        Count::new(settings, &Context::detached()).unwrap_err().path
    };
    assert_eq!(problem(json!({"logs": {"n": {"conditions": ["nope("]}}})), "logs.n[0]");
    assert_eq!(problem(json!({"logs": {"n": {"attributes": [{"key": ""}]}}})), "logs.n");
    assert_eq!(problem(json!({"metrics": {"n": {"attributes": [{"key": "k"}]}}})), "metrics.n");
    assert_eq!(problem(json!({"spans": {"": {}}})), "spans");
}

proptest! {
    /// Scenario: records of several resources, some of which match a condition or lack an attribute.
    /// Promise: every point has as many as match, of its resource and attributes; no count is lost.
    #[test]
    fn the_counts_are_those_of_the_records(
        drawn in proptest::collection::vec((0..3_u8, 0..3_u8, 0..4_u8), 0..40),
    ) {
        let mut model: BTreeMap<(String, String), u64> = BTreeMap::new();
        let groups = (0..3_u8).map(|service| {
            let own = drawn.iter().filter(|(of, ..)| *of == service).map(|(_, env, severity)| {
                let env = (*env > 0).then(|| format!("e{env}"));
                if *severity >= 2 && env.is_some() {
                    let label = format!("env={}", env.clone().unwrap());
                    *model.entry((format!("s{service}"), label)).or_default() += 1;
                }
                let attributes: Vec<(&str, &str)> = env.iter().map(|env| ("env", env.as_str())).collect();
                json!({"severityNumber": severity, "attributes": pairs(&attributes)})
            });
            let records: Vec<Json> = own.collect();
            let attributes = pairs(&[("service.name", &format!("s{service}"))]);
            json!({"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": records}]})
        });
        let batch = json!({"resourceLogs": groups.collect::<Vec<_>>()});
        let settings = json!({"logs": {"n": {
            "conditions": ["severity_number == 2", "severity_number >= 3"],
            "attributes": [{"key": "env"}],
        }}});
        let out = counted_of(&connector(settings), Signal::Logs, &batch);
        let mut found = BTreeMap::new();
        for group in out.iter().flat_map(|out| out["resourceMetrics"].as_array().unwrap()) {
            let service = group["resource"]["attributes"][0]["value"]["stringValue"].as_str().unwrap();
            for metric in group["scopeMetrics"][0]["metrics"].as_array().unwrap() {
                for (label, count) in points(metric) {
                    prop_assert!(found.insert((service.to_owned(), label), count).is_none());
                }
            }
        }
        prop_assert_eq!(found, model);
    }
}
