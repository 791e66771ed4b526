//! What is kept of whole batches.

use serde_json::{Value as Json, json};

use super::*;
use crate::attributes::testing::{JSON_SIGNALS, JsonSignal, through};

fn step(settings: Json) -> Result<Filter, SettingsError> {
    Filter::new(&serde_json::from_value(settings).unwrap(), &Context::detached())
}

/// The names of what a filter keeps of three records: of resource `r1` the records `a` and `b`, of
/// `r2` the record `c`.
fn kept(signal: &JsonSignal, settings: Json) -> Vec<String> {
    let record = |name: &str| json!([{ "key": "name", "value": { "stringValue": name } }]);
    let mut batch = signal.request(&[
        (record("r1"), vec![record("a"), record("b")]),
        (record("r2"), vec![record("c")]),
    ]);
    for resource in batch[signal.resources].as_array_mut().unwrap() {
        for item in resource[signal.scopes][0][signal.items].as_array_mut().unwrap() {
            let attributes = item.pointer("/gauge/dataPoints/0/attributes");
            let name = attributes.unwrap_or(&item["attributes"])[0]["value"]["stringValue"].clone();
            match signal.signal {
                Signal::Logs => item["severityText"] = name,
                Signal::Metrics | Signal::Traces => item["name"] = name,
            }
        }
    }
    let out = through(&step(settings).unwrap(), signal.signal, &batch);
    let mut names = Vec::new();
    for resource in out[signal.resources].as_array().unwrap_or(&Vec::new()) {
        for item in resource[signal.scopes][0][signal.items].as_array().unwrap() {
            let name = item.get("name").unwrap_or(&item["severityText"]);
            names.push(name.as_str().unwrap().to_owned());
        }
    }
    names
}

const LOGS: &JsonSignal = &JSON_SIGNALS[0];
const METRICS: &JsonSignal = &JSON_SIGNALS[1];
const SPANS: &JsonSignal = &JSON_SIGNALS[2];

#[test]
fn logs_are_kept_by_include_and_dropped_by_exclude() {
    let by = |block: Json| kept(LOGS, json!({ "logs": block }));
    let name = |value: &str| json!([{ "key": "name", "value": value }]);
    assert_eq!(
        by(json!({ "include": { "match_type": "strict", "severity_texts": ["a", "c"] } })),
        ["a", "c"]
    );
    assert_eq!(
        by(json!({ "exclude": { "match_type": "regexp", "record_attributes": name("[ab]") } })),
        ["c"]
    );
    assert_eq!(
        by(json!({ "exclude": { "match_type": "strict", "resource_attributes": name("r1") } })),
        ["c"]
    );
    assert_eq!(
        by(json!({
            "include": { "match_type": "strict", "resource_attributes": name("r1") },
            "exclude": { "match_type": "strict", "record_attributes": name("b") },
        })),
        ["a"]
    );
}

#[test]
fn a_block_without_properties_drops_nothing() {
    for block in ["include", "exclude"] {
        let empty = json!({ block: { "match_type": "strict" } });
        assert_eq!(kept(LOGS, json!({ "logs": empty })), ["a", "b", "c"]);
        assert_eq!(kept(METRICS, json!({ "metrics": empty })), ["a", "b", "c"]);
    }
    assert_eq!(kept(SPANS, json!({})), ["a", "b", "c"]);
}

#[test]
fn metrics_are_judged_by_name_and_by_resource_each_on_their_own() {
    let by = |block: Json| kept(METRICS, json!({ "metrics": block }));
    let both = |names: &[&str]| {
        let resource = json!([{ "key": "name", "value": "r1" }]);
        json!({ "match_type": "strict", "metric_names": names, "resource_attributes": resource })
    };
    assert_eq!(by(json!({ "include": both(&["a", "c"]) })), ["a"]);
    assert_eq!(by(json!({ "exclude": both(&["c"]) })), [""; 0]);
    assert_eq!(
        by(json!({ "exclude": { "match_type": "regexp", "metric_names": ["^[ac]$"] } })),
        ["b"]
    );
}

#[test]
fn metrics_with_a_point_for_which_an_expression_is_true_match() {
    let by = |block: &str, expression: &str| {
        let block = json!({ block: { "match_type": "expr", "expressions": [expression] } });
        kept(METRICS, json!({ "metrics": block }))
    };
    assert_eq!(by("exclude", "MetricName == 'a' && Label('name') == 'a'"), ["b", "c"]);
    assert_eq!(by("include", "MetricName == 'a' || Label('name') == 'c'"), ["a", "c"]);
}

#[test]
fn spans_are_judged_by_the_properties_of_the_attributes_processor() {
    let by = |block: Json| kept(SPANS, json!({ "spans": block }));
    assert_eq!(
        by(json!({ "exclude": { "match_type": "strict", "span_names": ["b"] } })),
        ["a", "c"]
    );
    assert_eq!(
        by(
            json!({ "include": { "match_type": "regexp", "resource": [{ "key": "name", "value": "2$" }] } })
        ),
        ["c"]
    );
}

#[test]
fn wrong_settings_are_refused_with_their_place() {
    for (settings, path) in [
        (
            json!({ "metrics": { "exclude": { "match_type": "expr", "expressions": ["foo"] } } }),
            "metrics.exclude.expressions[0]",
        ),
        (
            json!({ "metrics": { "include": { "match_type": "strict", "expressions": ["true"] } } }),
            "metrics.include.expressions",
        ),
        (
            json!({ "metrics": { "include": { "match_type": "expr", "metric_names": ["a"] } } }),
            "metrics.include.metric_names",
        ),
        (
            json!({ "logs": { "include": { "match_type": "regexp", "bodies": ["("] } } }),
            "logs.include.log_bodies",
        ),
    ] {
        assert_eq!(step(settings).unwrap_err().path, path);
    }
}
