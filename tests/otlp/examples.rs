//! Requests like the examples of the specification (logs, metrics, traces, events): check 36.

use bessemer_record::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::{Value, json};

use crate::fake::HttpFake;
use crate::lab::{Setup, http_out};
use crate::samples::resources;

const AT: &str = "1763700000250000000";

/// OTLP check 36.
///
/// Scenario: requests in JSON that use each field of the specification's examples.
/// Promise: the reference types read from the protobuf that leaves what they read from the JSON
/// that came, and the JSON that leaves says the same as the JSON that came.
#[test]
fn the_kinds_of_examples_pass_and_leave_semantically_equal() {
    let (proto, text) = (HttpFake::start(), HttpFake::start());
    let lab = Setup::to_all([
        http_out("proto", &proto.url(), "", ""),
        http_out("json", &text.url(), "", "encoding = \"json\""),
    ])
    .start();
    let examples = [
        (Signal::Logs, logs()),
        (Signal::Metrics, metrics()),
        (Signal::Traces, traces()),
        (Signal::Logs, events()),
    ];
    for (number, (signal, example)) in examples.into_iter().enumerate() {
        let answer = lab.post_json(signal, &example);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.body, b"{}");
        let left = proto.wait_for(number + 1)[number].plain();
        assert_eq!(resources(signal, &left), resources(signal, &oracle(signal, &example)));
        let left = text.wait_for(number + 1)[number].json();
        assert_eq!(meaning(left), meaning(example));
    }
}

/// The request in protobuf, by the reference types.
fn oracle(signal: Signal, example: &Value) -> Vec<u8> {
    let example = example.clone();
    match signal {
        Signal::Logs => serde_json::from_value::<ExportLogsServiceRequest>(example)
            .map(|request| request.encode_to_vec()),
        Signal::Metrics => serde_json::from_value::<ExportMetricsServiceRequest>(example)
            .map(|request| request.encode_to_vec()),
        Signal::Traces => serde_json::from_value::<ExportTraceServiceRequest>(example)
            .map(|request| request.encode_to_vec()),
    }
    .unwrap()
}

/// Takes away what means nothing: the case of ids, `1` for `1.0`, and zero where that is the same
/// as absent.
fn meaning(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.into_iter().map(meaning).collect(),
        Value::Object(fields) => {
            let is_default = |name: &str, value: &Value| {
                let may_go = ["zeroThreshold", "scale", "isMonotonic"].contains(&name);
                may_go && (value.as_f64() == Some(0.0) || *value == json!(false))
            };
            let fields = fields.into_iter().filter(|(name, value)| !is_default(name, value));
            let fields = fields.map(|(name, value)| match value {
                Value::String(id) if name.ends_with("raceId") || name.ends_with("panId") => {
                    (name, json!(id.to_lowercase()))
                }
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_) => (name, meaning(value)),
            });
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

fn pair(key: &str, value: Value) -> Value {
    json!({ "key": key, "value": value })
}

fn text(key: &str, text: &str) -> Value {
    pair(key, json!({ "stringValue": text }))
}

fn resource() -> Value {
    json!({ "attributes": [text("service.name", "bessemer.converter")] })
}

fn scope() -> Value {
    json!({
        "name": "converter.blow", "version": "0.3.1",
        "attributes": [text("converter.lining", "basic")],
    })
}

fn logs() -> Value {
    let record = json!({
        "timeUnixNano": AT,
        "observedTimeUnixNano": AT,
        "severityNumber": 10,
        "severityText": "Notice",
        "traceId": "0AF7651916CD43DD8448EB211C80319C",
        "spanId": "B7AD6B7169203331",
        "body": { "stringValue": "blow begun" },
        "attributes": [
            text("converter.text", "left tuyere"),
            pair("converter.bool", json!({ "boolValue": true })),
            pair("converter.int", json!({ "intValue": "1600" })),
            pair("converter.double", json!({ "doubleValue": 1538.25 })),
            pair("converter.array", json!({ "arrayValue": { "values": [
                { "stringValue": "carbon" }, { "stringValue": "silicon" },
            ]}})),
            pair("converter.map", json!({ "kvlistValue": { "values": [text("phase", "slag")] } })),
        ],
    });
    json!({ "resourceLogs": [{
        "resource": resource(),
        "scopeLogs": [{ "scope": scope(), "logRecords": [record] }],
    }]})
}

fn events() -> Value {
    let record = json!({
        "eventName": "converter.tilted",
        "timeUnixNano": AT,
        "observedTimeUnixNano": AT,
        "severityNumber": 9,
        "severityText": "tilt",
        "attributes": [text("converter.side", "east")],
        "body": { "kvlistValue": { "values": [
            pair("angle", json!({ "intValue": "0" })),
            text("operator", "second shift"),
            text("page", "https://example.com/converters/7"),
        ]}},
    });
    json!({ "resourceLogs": [{
        "resource": resource(),
        "scopeLogs": [{ "scope": scope(), "logRecords": [record] }],
    }]})
}

fn traces() -> Value {
    let span = json!({
        "traceId": "0AF7651916CD43DD8448EB211C80319C",
        "spanId": "B7AD6B7169203331",
        "parentSpanId": "B7AD6B7169203330",
        "name": "the whole blow",
        "startTimeUnixNano": AT,
        "endTimeUnixNano": "1763700001250000000",
        "kind": 2,
        "attributes": [text("converter.id", "7")],
    });
    json!({ "resourceSpans": [{
        "resource": resource(),
        "scopeSpans": [{ "scope": scope(), "spans": [span] }],
    }]})
}

fn metrics() -> Value {
    let metric = |name: &str, kind: &str, data: Value| {
        json!({
            "name": name, "unit": "1", "description": "of the converter", kind: data,
        })
    };
    let attributes = json!([text("converter.id", "7")]);
    let number = |start: bool| {
        let mut point = json!({ "asDouble": 12, "timeUnixNano": AT, "attributes": attributes });
        if start {
            point["startTimeUnixNano"] = json!(AT);
        }
        point
    };
    let histogram = json!({
        "startTimeUnixNano": AT, "timeUnixNano": AT, "count": "2", "sum": 2,
        "bucketCounts": ["1", "1"], "explicitBounds": [1], "min": 0, "max": 2,
        "attributes": attributes,
    });
    let exponential = json!({
        "startTimeUnixNano": AT, "timeUnixNano": AT, "count": "3", "sum": 10, "scale": 0,
        "zeroCount": "1", "positive": { "offset": 1, "bucketCounts": ["0", "2"] }, "min": 0,
        "max": 5, "zeroThreshold": 0, "attributes": attributes,
    });
    let summary = json!({
        "startTimeUnixNano": AT, "timeUnixNano": AT, "count": "3", "sum": 10.5,
        "quantileValues": [{ "quantile": 0.5, "value": 3.5 }], "attributes": attributes,
    });
    json!({ "resourceMetrics": [{ "resource": resource(), "scopeMetrics": [{
        "scope": scope(),
        "metrics": [
            metric("blows", "sum", json!({
                "aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [number(true)],
            })),
            metric("heat", "gauge", json!({ "dataPoints": [number(false)] })),
            metric("carbon", "histogram", json!({
                "aggregationTemporality": 1, "dataPoints": [histogram],
            })),
            metric("silicon", "exponentialHistogram", json!({
                "aggregationTemporality": 1, "dataPoints": [exponential],
            })),
            metric("wait", "summary", json!({ "dataPoints": [summary] })),
        ],
    }]}]})
}
