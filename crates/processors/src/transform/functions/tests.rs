//! What metrics become, in OTLP JSON.

use bessemer_pipeline::{Context as Component, Scratch};
use bessemer_record::Signal;
use serde_json::{Value as Json, json};

use super::super::Transform;
use crate::attributes::testing::{through, through_with};

fn step(context: &str, statements: &[&str]) -> Transform {
    let groups = json!([{ "context": context, "statements": statements }]);
    let settings = serde_json::from_value(json!({ "metric_statements": groups })).unwrap();
    Transform::new(&settings, &Component::detached()).unwrap()
}

fn batch(metrics: &[Json]) -> Json {
    json!({ "resourceMetrics": [{
        "resource": {}, "scopeMetrics": [{ "scope": { "name": "lib" }, "metrics": metrics }],
    }] })
}

/// Runs one statement and compares the metrics, in their order.
fn check(context: &str, statement: &str, metrics: &[Json], expected: &[Json]) {
    let out = through(&step(context, &[statement]), Signal::Metrics, &batch(metrics));
    assert_eq!(out, batch(expected), "{statement}");
}

fn attributes(pairs: &[(&str, &str)]) -> Json {
    crate::attributes::testing::attributes(pairs)
}

fn number(pairs: &[(&str, &str)], value: f64) -> Json {
    let mut point = json!({ "timeUnixNano": "7", "asDouble": value });
    if !pairs.is_empty() {
        point["attributes"] = attributes(pairs);
    }
    point
}

fn summary() -> Json {
    json!({ "name": "s", "description": "d", "unit": "u", "summary": { "dataPoints": [{
        "attributes": attributes(&[("a", "1")]), "startTimeUnixNano": "3", "timeUnixNano": "7",
        "count": "12", "sum": 3.5, "quantileValues": [{ "quantile": 0.5, "value": 1.5 }],
    }] } })
}

fn derived(name: &str, temporality: u32, (key, value): (&str, &Json)) -> Json {
    json!({ "name": name, "description": "d", "unit": "u", "sum": {
        "aggregationTemporality": temporality, "isMonotonic": true, "dataPoints": [{
            "attributes": attributes(&[("a", "1")]),
            "startTimeUnixNano": "3", "timeUnixNano": "7", key: value,
        }],
    } })
}

#[test]
fn parts_of_a_summary_become_sums_behind_the_metrics_of_their_scope() {
    let gauge = json!({ "name": "g", "gauge": { "dataPoints": [number(&[], 1.0)] } });
    let before = [summary(), gauge.clone()];
    for (context, statement, made) in [
        (
            "datapoint",
            "convert_summary_count_val_to_sum(\"delta\", true) where metric.name == \"s\"",
            derived("s_count", 1, ("asInt", &json!("12"))),
        ),
        (
            "metric",
            "convert_summary_sum_val_to_sum(\"cumulative\", true, \".total\")",
            derived("s.total", 2, ("asDouble", &json!(3.5))),
        ),
        (
            "metric",
            "extract_count_metric(true) where name == \"s\"",
            derived("s_count", 2, ("asInt", &json!("12"))),
        ),
        (
            "metric",
            "extract_sum_metric(true) where name == \"s\"",
            derived("s_sum", 2, ("asDouble", &json!(3.5))),
        ),
    ] {
        check(context, statement, &before, &[summary(), gauge.clone(), made]);
    }
}

#[test]
fn a_metric_that_is_added_stays_in_its_scope() {
    let mut batch = batch(&[summary()]);
    let scopes = batch["resourceMetrics"][0]["scopeMetrics"].as_array_mut().unwrap();
    let gauge = json!({ "name": "g", "gauge": { "dataPoints": [number(&[], 1.0)] } });
    scopes.push(json!({ "scope": { "name": "other" }, "metrics": [gauge] }));
    let step = step("metric", &["extract_count_metric(true) where name == \"s\""]);
    let out = through(&step, Signal::Metrics, &batch);
    let names = |scope: usize| {
        let metrics = &out["resourceMetrics"][0]["scopeMetrics"][scope]["metrics"];
        metrics.as_array().unwrap().iter().map(|metric| metric["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(0), ["s", "s_count"]);
    assert_eq!(names(1), ["g"]);
}

#[test]
fn points_of_a_histogram_without_a_total_have_no_sum() {
    let histogram = json!({ "name": "h", "histogram": {
        "aggregationTemporality": 1,
        "dataPoints": [{ "timeUnixNano": "7", "count": "1" }],
    } });
    let metrics = [histogram];
    check("metric", "extract_sum_metric(false)", &metrics, &metrics);
}

#[test]
fn a_copy_has_the_names_that_it_is_given() {
    let gauge = |name: &str, unit: &str| json!({ "name": name, "unit": unit, "gauge": { "dataPoints": [number(&[], 1.0)] } });
    let statement = "copy_metric(name = \"copy\", unit = \"s\") where name == \"g\"";
    let expected = [gauge("g", "ms"), gauge("copy", "s")];
    check("metric", statement, &[gauge("g", "ms")], &expected);
}

/// Scenario: a statement copies every metric, its copies included.
/// Promise: it ends, and the batch is refused.
#[test]
fn copies_of_copies_come_to_an_end() {
    let gauge = json!({ "name": "g", "gauge": { "dataPoints": [number(&[], 1.0)] } });
    let mut scratch = Scratch::default();
    let step = step("metric", &["copy_metric()"]);
    through_with(&step, Signal::Metrics, &batch(&[gauge]), &mut scratch);
    assert!(scratch.refusal.is_some());
}

#[test]
fn numbers_with_the_attributes_that_are_kept_become_one() {
    let gauge = |points: &[Json]| json!({ "name": "g", "gauge": { "dataPoints": points } });
    let before = gauge(&[
        number(&[("a", "1"), ("b", "x")], 1.0),
        number(&[("a", "1"), ("b", "y")], 5.0),
        number(&[("a", "2")], 4.0),
        number(&[("b", "z"), ("a", "1")], 3.0),
    ]);
    for (function, value) in
        [("sum", 9.0), ("max", 5.0), ("min", 1.0), ("mean", 3.0), ("median", 3.0), ("count", 3.0)]
    {
        let other = if function == "count" { 1.0 } else { 4.0 };
        let expected = gauge(&[number(&[("a", "1")], value), number(&[("a", "2")], other)]);
        let statement = format!("aggregate_on_attributes(\"{function}\", [\"a\"])");
        check("metric", &statement, std::slice::from_ref(&before), &[expected]);
    }
    let all = json!({ "timeUnixNano": "7", "asDouble": 13.0 });
    check("metric", "aggregate_on_attributes(\"sum\")", &[before], &[gauge(&[all])]);
}

#[test]
fn values_of_an_attribute_become_one_value_and_their_points_one_point() {
    let gauge = |points: &[Json]| json!({ "name": "g", "gauge": { "dataPoints": points } });
    let before = gauge(&[
        number(&[("a", "1")], 1.0),
        number(&[("a", "2")], 2.0),
        number(&[("a", "3")], 4.0),
    ]);
    let expected = gauge(&[number(&[("a", "x")], 3.0), number(&[("a", "3")], 4.0)]);
    let statement = "aggregate_on_attribute_value(\"sum\", \"a\", [\"1\", \"2\"], \"x\")";
    check("metric", statement, &[before], &[expected]);
}

#[test]
fn histograms_with_the_same_bounds_are_added() {
    let point = |count: &str, sum: f64, (least, greatest): (f64, f64), counts: [&str; 2]| {
        json!({
            "timeUnixNano": "7", "count": count, "sum": sum, "min": least, "max": greatest,
            "bucketCounts": counts, "explicitBounds": [1.0],
        })
    };
    let histogram = |points: &[Json]| json!({ "name": "h", "histogram": { "aggregationTemporality": 1, "dataPoints": points } });
    let before = histogram(&[
        point("3", 4.0, (0.5, 2.0), ["1", "2"]),
        point("1", 0.25, (0.25, 0.25), ["1", "0"]),
    ]);
    let expected = histogram(&[point("4", 4.25, (0.25, 2.0), ["2", "2"])]);
    check("metric", "aggregate_on_attributes(\"sum\")", &[before], &[expected]);
}

#[test]
fn exponential_buckets_go_where_the_distribution_says() {
    // Buckets of scale 0: 1 to 2, 2 to 4, 4 to 8.
    let before = json!({ "name": "e", "exponentialHistogram": {
        "aggregationTemporality": 1, "dataPoints": [{
            "attributes": attributes(&[("a", "1")]), "timeUnixNano": "7", "count": "9",
            "sum": 30.0, "min": 1.5, "max": 7.0, "scale": 0,
            "positive": { "offset": 0, "bucketCounts": ["2", "3", "4"] },
        }],
    } });
    for (distribution, counts) in
        [("upper", ["0", "2", "7"]), ("midpoint", ["2", "3", "4"]), ("uniform", ["1", "3", "5"])]
    {
        let expected = json!({ "name": "e", "histogram": {
            "aggregationTemporality": 1, "dataPoints": [{
                "attributes": attributes(&[("a", "1")]), "timeUnixNano": "7", "count": "9",
                "sum": 30.0, "min": 1.5, "max": 7.0,
                "explicitBounds": [1.6, 3.5], "bucketCounts": counts,
            }],
        } });
        let call = "convert_exponential_histogram_to_histogram";
        let statement = format!("{call}(\"{distribution}\", [1.6, 3.5])");
        check("metric", &statement, std::slice::from_ref(&before), &[expected]);
    }
}

#[test]
fn a_bound_that_is_removed_makes_two_buckets_one() {
    let histogram = |bounds: &[f64], counts: &[&str]| {
        json!({ "name": "h", "histogram": { "aggregationTemporality": 1, "dataPoints": [
            { "timeUnixNano": "7", "explicitBounds": bounds, "bucketCounts": counts },
        ] } })
    };
    let before = histogram(&[1.0, 2.0], &["1", "2", "4"]);
    check(
        "datapoint",
        "merge_histogram_buckets(2.0)",
        &[before],
        &[histogram(&[1.0], &["1", "6"])],
    );
}

#[test]
fn gauges_and_sums_become_each_other_and_are_scaled() {
    let gauge = |value: f64, unit: &str| json!({ "name": "g", "unit": unit, "gauge": { "dataPoints": [number(&[], value)] } });
    let sum = json!({ "name": "g", "unit": "ms", "sum": {
        "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [number(&[], 4.0)],
    } });
    let to_sum = "convert_gauge_to_sum(\"cumulative\", true)";
    check("metric", to_sum, &[gauge(4.0, "ms")], std::slice::from_ref(&sum));
    check("metric", "convert_sum_to_gauge()", &[sum], &[gauge(4.0, "ms")]);
    check("metric", "scale_metric(0.5, \"s\")", &[gauge(4.0, "ms")], &[gauge(2.0, "s")]);
}

#[test]
fn literals_that_make_no_sense_are_refused_when_the_settings_are_read() {
    for statement in [
        "convert_gauge_to_sum(\"both\", true)",
        "convert_summary_sum_val_to_sum(\"\", true)",
        "aggregate_on_attributes(\"mode\")",
        "convert_exponential_histogram_to_histogram(\"upper\", [])",
        "convert_exponential_histogram_to_histogram(\"lower\", [1.0])",
    ] {
        let groups = json!([{ "context": "metric", "statements": [statement] }]);
        let settings = serde_json::from_value(json!({ "metric_statements": groups })).unwrap();
        let error = Transform::new(&settings, &Component::detached()).unwrap_err();
        assert_eq!(error.path, "metric_statements[0].statements[0]", "{statement}");
    }
}
