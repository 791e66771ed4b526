//! Which records are kept.

use serde_json::{Value as Json, json};

use super::*;
use crate::attributes::testing::{attributes, through};

fn step(settings: Json) -> Result<Sampler, SettingsError> {
    Sampler::new(serde_json::from_value(settings).unwrap())
}

/// Trace ids that are spread as random ones are.
fn trace_id(index: u64) -> String {
    let mut state = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    format!("{:016x}{:016x}", next(), next())
}

fn spans(count: u64) -> Json {
    let span = |index: u64| json!({ "name": index.to_string(), "traceId": trace_id(index) });
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": (0..count).map(span).collect::<Vec<_>>() }] }] })
}

fn logs(records: &[Json]) -> Json {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] })
}

/// The trace ids, or else the severity texts, of what is kept.
fn kept(settings: Json, signal: Signal, batch: &Json) -> Vec<String> {
    let out = through(&step(settings).unwrap(), signal, batch);
    let spans = out.pointer("/resourceSpans/0/scopeSpans/0/spans");
    let items = spans.or_else(|| out.pointer("/resourceLogs/0/scopeLogs/0/logRecords"));
    let name = |item: &Json| {
        let name = item.get("severityText").or_else(|| item.get("traceId"));
        name.unwrap().as_str().unwrap().to_owned()
    };
    items.and_then(Json::as_array).map(|items| items.iter().map(name).collect()).unwrap_or_default()
}

#[test]
fn a_share_of_traces_is_kept_that_grows_with_the_percentage() {
    const COUNT: u64 = 4000;
    let batch = spans(COUNT);
    for mode in ["hash_seed", "proportional", "equalizing"] {
        let kept = |percentage: f64| {
            kept(json!({ "sampling_percentage": percentage, "mode": mode }), Signal::Traces, &batch)
        };
        assert!(kept(0.0).is_empty());
        assert_eq!(kept(100.0).len(), 4000);
        let (tenth, half) = (kept(10.0), kept(50.0));
        assert!((320..480).contains(&tenth.len()), "{mode}: {}", tenth.len());
        assert!((1850..2150).contains(&half.len()), "{mode}: {}", half.len());
        assert!(tenth.iter().all(|id| half.contains(id)), "{mode}");
    }
}

#[test]
fn spans_and_log_records_of_one_trace_are_decided_alike() {
    let records: Vec<Json> = (0..300).map(|index| json!({ "traceId": trace_id(index) })).collect();
    for mode in ["hash_seed", "proportional", "equalizing"] {
        let settings = json!({ "sampling_percentage": 30, "mode": mode, "hash_seed": 22 });
        let by_span = kept(settings.clone(), Signal::Traces, &spans(300));
        assert_eq!(by_span, kept(settings, Signal::Logs, &logs(&records)));
        assert!(!by_span.is_empty());
    }
}

#[test]
fn another_seed_makes_other_decisions() {
    let kept = |seed: u32| {
        let settings = json!({ "sampling_percentage": 50, "hash_seed": seed });
        kept(settings, Signal::Traces, &spans(300))
    };
    assert_ne!(kept(1), kept(2));
}

#[test]
fn records_without_anything_to_decide_by_follow_fail_closed() {
    let batch = logs(&[json!({ "severityText": "bare" })]);
    for (fail_closed, expected) in [(true, 0), (false, 1)] {
        let settings = json!({ "sampling_percentage": 50, "fail_closed": fail_closed });
        assert_eq!(kept(settings, Signal::Logs, &batch).len(), expected);
    }
}

#[test]
fn an_attribute_decides_where_it_is_told_to_or_a_trace_id_is_missing() {
    let record = |index: u64, has_trace: bool| {
        let pod = format!("pod-{}-of-shop", index % 10);
        let trace = if has_trace { trace_id(index) } else { String::new() };
        json!({ "severityText": pod, "traceId": trace, "attributes": attributes(&[("pod", &pod)]) })
    };
    for (source, has_trace) in [("record", true), ("traceID", false)] {
        let records: Vec<Json> = (0..100).map(|index| record(index, has_trace)).collect();
        let settings = json!({
            "sampling_percentage": 50, "attribute_source": source, "from_attribute": "pod",
        });
        let mut pods = kept(settings, Signal::Logs, &logs(&records));
        let all = pods.len();
        pods.sort_unstable();
        pods.dedup();
        assert_eq!(all, pods.len() * 10, "a pod is kept wholly or not at all");
        assert!((1..10).contains(&pods.len()), "{pods:?}");
    }
}

#[test]
fn a_priority_wins_over_the_percentage() {
    let span = |id: u64, priority: i64| {
        let value = json!({ "intValue": priority.to_string() });
        json!({ "traceId": trace_id(id), "attributes": [{ "key": "sampling.priority", "value": value }] })
    };
    let batch = |priority: i64| {
        let spans: Vec<Json> = (0..50).map(|id| span(id, priority)).collect();
        json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] })
    };
    let kept = |percentage: u32, priority: i64| {
        kept(json!({ "sampling_percentage": percentage }), Signal::Traces, &batch(priority)).len()
    };
    assert_eq!(kept(0, 1), 50);
    assert_eq!(kept(100, 0), 0);
}

#[test]
fn wrong_settings_are_refused() {
    for (settings, path) in [
        (json!({ "sampling_percentage": -1 }), "sampling_percentage"),
        (json!({ "sampling_percentage": 1, "attribute_source": "record" }), "from_attribute"),
        (
            json!({ "sampling_percentage": 1, "mode": "proportional", "from_attribute": "a" }),
            "from_attribute",
        ),
        (json!({ "sampling_percentage": 1, "sampling_precision": 15 }), "sampling_precision"),
    ] {
        assert_eq!(step(settings).unwrap_err().path, path);
    }
}

/// The trace states of the spans that are kept of 2,000 which came with this one.
fn states(mode: &str, percentage: f64, came: &str) -> Vec<String> {
    let span = |index: u64| json!({ "traceId": trace_id(index), "traceState": came });
    let spans: Vec<Json> = (0..2000).map(span).collect();
    let batch = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    let settings = json!({ "sampling_percentage": percentage, "mode": mode });
    let out = through(&step(settings).unwrap(), Signal::Traces, &batch);
    let kept = out.pointer("/resourceSpans/0/scopeSpans/0/spans").and_then(Json::as_array);
    let state = |span: &Json| span["traceState"].as_str().unwrap_or_default().to_owned();
    kept.map(|spans| spans.iter().map(state).collect()).unwrap_or_default()
}

#[test]
fn a_threshold_is_written_and_other_members_of_the_trace_state_stay() {
    for mode in ["proportional", "equalizing"] {
        let kept = states(mode, 50.0, "vendor=1,ot=x:y");
        assert!((850..1150).contains(&kept.len()), "{mode}: {}", kept.len());
        assert!(kept.iter().all(|state| state == "ot=th:8;x:y,vendor=1"), "{mode}: {kept:?}");
    }
}

/// Scenario: spans that an earlier sampler thinned to a quarter.
#[test]
fn proportional_thins_what_was_thinned_and_equalizing_lets_it_pass() {
    let random = "ot=th:c;rv:d0000000000000";
    assert_eq!(states("equalizing", 50.0, random), vec![random.to_owned(); 2000]);
    assert!(states("proportional", 50.0, random).is_empty(), "an eighth begins at e");
    let kept = states("proportional", 50.0, "ot=th:c;rv:f0000000000000");
    assert_eq!(kept, vec!["ot=th:e;rv:f0000000000000".to_owned(); 2000]);
    let kept = states("equalizing", 12.5, "ot=th:c;rv:f0000000000000");
    assert_eq!(kept, vec!["ot=th:e;rv:f0000000000000".to_owned(); 2000]);
}

#[test]
fn a_threshold_that_the_random_number_contradicts_is_forgotten() {
    let kept = states("proportional", 50.0, "ot=th:f;rv:c0000000000000");
    assert_eq!(kept, vec!["ot=th:8;rv:c0000000000000".to_owned(); 2000]);
}

#[test]
fn log_records_keep_threshold_and_random_number_in_attributes() {
    let record = json!({
        "attributes": attributes(&[("sampling.randomness", "c0000000000000")]),
    });
    let settings = json!({ "sampling_percentage": 50, "mode": "proportional" });
    let out = through(&step(settings).unwrap(), Signal::Logs, &logs(&[record]));
    let pairs = [("sampling.randomness", "c0000000000000"), ("sampling.threshold", "8")];
    assert_eq!(out, logs(&[json!({ "attributes": attributes(&pairs) })]));
}
