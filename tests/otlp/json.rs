//! What OTLP says of JSON, and unknown fields: checks 7 to 12.

use bessemer_record::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use serde_json::{Value, json};

use crate::client::{Grpc, JSON, PROTOBUF, SIGNALS, http_path, post, status_of};
use crate::fake::HttpFake;
use crate::lab::{Lab, Setup, http_out};
use crate::samples::{
    SPAN, TIME, TRACE, bodies, full, full_logs, full_metrics, full_traces, logs, resources, value,
};

/// A process that sends everything on twice: as protobuf and as JSON.
struct Both {
    lab: Lab,
    proto: HttpFake,
    json: HttpFake,
}

impl Both {
    fn start() -> Self {
        let (proto, json) = (HttpFake::start(), HttpFake::start());
        let lab = Setup::to_all([
            http_out("proto", &proto.url(), "", ""),
            http_out("json", &json.url(), "", "encoding = \"json\""),
        ])
        .start();
        Self { lab, proto, json }
    }

    /// Sends JSON in; the request as it leaves in protobuf and in JSON.
    fn pass(&self, signal: Signal, body: &Value) -> (Vec<u8>, Value) {
        let (before, before_json) = (self.proto.seen().len(), self.json.seen().len());
        let answer = self.lab.post_json(signal, body);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let proto = self.proto.wait_for(before + 1)[before].plain();
        (proto, self.json.wait_for(before_json + 1)[before_json].json())
    }
}

pub fn log_json(record: Value) -> Value {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record] }] }] })
}

fn span_json(span: Value) -> Value {
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] })
}

fn metric_json(metric: Value) -> Value {
    json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [metric] }] }] })
}

/// OTLP check 7.
#[test]
fn ids_are_hexadecimal_in_any_case_and_other_bytes_are_base64() {
    let both = Both::start();
    let (trace, span) = ("ABCDEF0123456789abcdef0123456789", "FeDcBa9876543210");
    let (low_trace, low_span) = (trace.to_lowercase(), span.to_lowercase());
    let bytes = json!({ "bytesValue": "+/8=" });

    let record = json!({ "traceId": trace, "spanId": span, "body": bytes });
    let (proto, out) = both.pass(Signal::Logs, &log_json(record));
    let logs = ExportLogsServiceRequest::decode(&*proto).unwrap();
    let record = &logs.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!((&*record.trace_id, &*record.span_id), (&TRACE[..], &SPAN[..]));
    assert_eq!(record.body, Some(value(Any::BytesValue(vec![0xfb, 0xff]))));
    let record = &out["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!((&record["traceId"], &record["spanId"]), (&json!(low_trace), &json!(low_span)));
    assert_eq!(record["body"], bytes);

    let link = json!({ "traceId": trace, "spanId": span });
    let given = json!({
        "traceId": trace, "spanId": span, "parentSpanId": span, "name": "n", "links": [link],
        "attributes": [{ "key": "bytes", "value": bytes }],
    });
    let (proto, out) = both.pass(Signal::Traces, &span_json(given));
    let traces = ExportTraceServiceRequest::decode(&*proto).unwrap();
    let read = &traces.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((&*read.trace_id, &*read.span_id), (&TRACE[..], &SPAN[..]));
    assert_eq!(&*read.parent_span_id, &SPAN[..]);
    assert_eq!((&*read.links[0].trace_id, &*read.links[0].span_id), (&TRACE[..], &SPAN[..]));
    let written = &out["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(written["parentSpanId"], json!(low_span));
    assert_eq!(written["links"][0]["traceId"], json!(low_trace));
    assert_eq!(written["links"][0]["spanId"], json!(low_span));
    assert_eq!(written["attributes"][0]["value"], bytes);

    let exemplar = json!({ "traceId": trace, "spanId": span, "asDouble": 1.5 });
    let point = json!({ "asInt": "1", "exemplars": [exemplar] });
    let gauge = json!({ "name": "n", "gauge": { "dataPoints": [point] } });
    let (proto, out) = both.pass(Signal::Metrics, &metric_json(gauge));
    let metrics = ExportMetricsServiceRequest::decode(&*proto).unwrap();
    let metric = &metrics.resource_metrics[0].scope_metrics[0].metrics[0];
    let Some(Data::Gauge(gauge)) = &metric.data else { panic!("no gauge: {metric:?}") };
    let read = &gauge.data_points[0].exemplars[0];
    assert_eq!((&*read.trace_id, &*read.span_id), (&TRACE[..], &SPAN[..]));
    let metric = &out["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0];
    let written = &metric["gauge"]["dataPoints"][0]["exemplars"][0];
    assert_eq!((&written["traceId"], &written["spanId"]), (&json!(low_trace), &json!(low_span)));

    // What would be an id in base64 is refused rather than taken for another id.
    for id in ["q83vASNFZ4mrze8BI0VniQ==", "xyz", "abc"] {
        let answer = both.lab.post_json(Signal::Logs, &log_json(json!({ "traceId": id })));
        assert_eq!(answer.status, 400, "{id}");
    }
    let answer =
        both.lab.post_json(Signal::Logs, &log_json(json!({ "body": { "bytesValue": "!" } })));
    assert_eq!(answer.status, 400);
}

/// OTLP check 8. Names are refused, not guessed.
#[test]
fn enumerations_are_integers_and_names_of_them_are_bad_data() {
    let both = Both::start();
    let enums = |severity: Value, kind: Value, code: Value, temporality: Value| {
        let sum = |name: &str| {
            json!({ "name": "n", name: {
            "aggregationTemporality": temporality,
            "dataPoints": [{ "count": "1", "asInt": "1" }],
            }})
        };
        let status = json!({ "code": code });
        [
            (Signal::Logs, log_json(json!({ "severityNumber": severity }))),
            (Signal::Traces, span_json(json!({ "kind": kind, "name": "n" }))),
            (Signal::Traces, span_json(json!({ "status": status, "name": "n" }))),
            (Signal::Metrics, metric_json(sum("sum"))),
            (Signal::Metrics, metric_json(sum("histogram"))),
            (Signal::Metrics, metric_json(sum("exponentialHistogram"))),
        ]
    };
    let paths = [
        "/resourceLogs/0/scopeLogs/0/logRecords/0/severityNumber",
        "/resourceSpans/0/scopeSpans/0/spans/0/kind",
        "/resourceSpans/0/scopeSpans/0/spans/0/status/code",
        "/resourceMetrics/0/scopeMetrics/0/metrics/0/sum/aggregationTemporality",
        "/resourceMetrics/0/scopeMetrics/0/metrics/0/histogram/aggregationTemporality",
        "/resourceMetrics/0/scopeMetrics/0/metrics/0/exponentialHistogram/aggregationTemporality",
    ];
    let integers = enums(json!(17), json!(2), json!(2), json!(2));
    for ((signal, body), path) in integers.iter().zip(paths) {
        let (_, out) = both.pass(*signal, body);
        assert_eq!(out.pointer(path), body.pointer(path), "{path} in {out}");
        assert!(out.pointer(path).is_some_and(Value::is_i64), "{path} in {out}");
    }
    let names = enums(
        json!("SEVERITY_NUMBER_ERROR"),
        json!("SPAN_KIND_SERVER"),
        json!("STATUS_CODE_ERROR"),
        json!("AGGREGATION_TEMPORALITY_CUMULATIVE"),
    );
    for (signal, body) in &names {
        let answer = both.lab.post_json(*signal, body);
        assert_eq!(answer.status, 400, "{body}");
        let (code, message, bad_request) = status_of(&answer);
        assert_eq!((code, bad_request), (3, true));
        assert!(message.contains("integer"), "{message}");
    }
}

/// OTLP check 9.
#[test]
fn unknown_json_names_are_ignored_wherever_they_stand() {
    let both = Both::start();
    let strange = json!({ "deep": [1, { "deeper": null }, "x", true], "number": 1e300 });
    let attribute = json!({
        "key": "k", "strange": strange, "value": { "strange": strange, "stringValue": "v" },
    });
    let body = json!({
        "strange": strange,
        "resourceLogs": [{
            "strange": strange,
            "resource": { "attributes": [attribute], "strange": strange },
            "scopeLogs": [{
                "strange": strange,
                "scope": { "name": "s", "strange": strange },
                "logRecords": [{ "body": { "stringValue": "kept" }, "strange": strange }],
            }],
        }],
    });
    let (proto, out) = both.pass(Signal::Logs, &body);
    let request = ExportLogsServiceRequest::decode(&*proto).unwrap();
    assert_eq!(bodies(&request), ["kept"]);
    assert_eq!(request.resource_logs[0].resource.as_ref().unwrap().attributes[0].key, "k");
    assert!(!out.to_string().contains("strange"), "{out}");
}

/// OTLP check 10.
#[test]
fn names_in_snake_case_are_unknown_and_so_ignored() {
    let both = Both::start();
    let snake = json!({ "resource_logs": [{ "scope_logs": [{ "log_records": [{}] }] }] });
    let answer = both.lab.post_json(Signal::Logs, &snake);
    assert_eq!((answer.status, &*answer.body), (200, &b"{}"[..]));
    let record = json!({
        "time_unix_nano": "5", "severity_number": 9, "severity_text": "x",
        "trace_id": "not even hexadecimal", "body": { "stringValue": "first" },
    });
    let (proto, _) = both.pass(Signal::Logs, &log_json(record));
    // The first delivery of all: the request before held nothing.
    assert_eq!(both.proto.seen().len(), 1);
    let request = ExportLogsServiceRequest::decode(&*proto).unwrap();
    assert_eq!(bodies(&request), ["first"]);
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!((record.time_unix_nano, record.severity_number), (0, 0));
    assert_eq!((&*record.severity_text, record.trace_id.len()), ("", 0));
}

/// OTLP check 11.
#[test]
fn integers_of_64_bits_are_written_as_strings_and_read_as_both() {
    let both = Both::start();
    let point = |wrap: fn(String) -> Value| {
        let (most, least) = (wrap(u64::MAX.to_string()), wrap(i64::MIN.to_string()));
        json!({ "timeUnixNano": most, "asInt": least })
    };
    let histogram = |wrap: fn(String) -> Value| {
        let counts = [wrap("1".into()), wrap("2".into())];
        json!({ "count": wrap("3".into()), "bucketCounts": counts })
    };
    let metrics = |wrap: fn(String) -> Value| {
        json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
            { "name": "gauge", "gauge": { "dataPoints": [point(wrap)] } },
            { "name": "histogram", "histogram": {
                "aggregationTemporality": 1, "dataPoints": [histogram(wrap)],
            }},
        ]}]}]})
    };
    let log = |wrap: fn(String) -> Value| {
        log_json(json!({
            "timeUnixNano": wrap(TIME.to_string()),
            "body": { "intValue": wrap(i64::MAX.to_string()) },
        }))
    };
    let number = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    for (signal, as_string, as_number) in [
        (Signal::Metrics, metrics(Value::String), metrics(number)),
        (Signal::Logs, log(Value::String), log(number)),
    ] {
        let (from_string, out) = both.pass(signal, &as_string);
        assert_eq!(out, as_string);
        let (from_number, out) = both.pass(signal, &as_number);
        assert_eq!(out, as_string);
        assert_eq!(from_number, from_string);
    }
    for bad in [json!("1.5"), json!("x"), json!(1.5), json!("18446744073709551616"), json!(-1)] {
        let body = log_json(json!({ "timeUnixNano": bad }));
        assert_eq!(both.lab.post_json(Signal::Logs, &body).status, 400, "{bad}");
    }
}

/// OTLP check 12.
#[test]
fn unknown_protobuf_fields_are_ignored_at_every_level() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    let grpc = Grpc::new(lab.grpc);
    let records = [
        full_logs().resource_logs[0].scope_logs[0].log_records[0].encode_to_vec(),
        full_metrics().resource_metrics[0].scope_metrics[0].metrics[0].encode_to_vec(),
        full_traces().resource_spans[0].scope_spans[0].spans[0].encode_to_vec(),
    ];
    for (signal, record) in SIGNALS.into_iter().zip(records) {
        let request = nested(&record, &unknown_fields());
        let expected = resources(signal, &nested(&record, &[]));
        grpc.export(signal, &request).unwrap();
        let kind = [("content-type", PROTOBUF)];
        assert_eq!(post(lab.http, http_path(signal), &kind, &request).status, 200);
        let arrived = sink.arrived(signal, 2);
        assert!(arrived.iter().all(|group| *group == expected[0]), "{signal:?}");
    }
}

/// A record in a scope in a resource in a request, with `extra` at the end of each.
fn nested(record: &[u8], extra: &[u8]) -> Vec<u8> {
    let mut message = [record, extra].concat();
    for number in [2, 2, 1] {
        let mut outer = Vec::new();
        prost::encoding::bytes::encode(number, &message, &mut outer);
        outer.extend_from_slice(extra);
        message = outer;
    }
    message
}

/// A field that no version of OTLP has, in every wire type.
fn unknown_fields() -> Vec<u8> {
    let mut extra = Vec::new();
    prost::encoding::uint64::encode(3001, &u64::MAX, &mut extra);
    prost::encoding::fixed64::encode(3002, &7, &mut extra);
    prost::encoding::bytes::encode(3003, &b"\xff\xfe not even text".to_vec(), &mut extra);
    prost::encoding::fixed32::encode(3004, &7, &mut extra);
    prost::encoding::encode_key(3005, prost::encoding::WireType::StartGroup, &mut extra);
    prost::encoding::uint64::encode(1, &1, &mut extra);
    prost::encoding::encode_key(3005, prost::encoding::WireType::EndGroup, &mut extra);
    extra
}

/// Promise: what is full in every field comes out of JSON as it went in, whichever way it goes.
#[test]
fn every_field_survives_protobuf_to_json_and_json_to_protobuf() {
    let both = Both::start();
    for signal in SIGNALS {
        let before = both.json.seen().len();
        assert_eq!(both.lab.post(signal, &full(signal)).status, 200);
        let written = both.json.wait_for(before + 1)[before].json();
        let (proto, again) = both.pass(signal, &written);
        assert_eq!(resources(signal, &proto), resources(signal, &full(signal)));
        assert_eq!(again, written);
    }
    let answer = post(both.lab.http, "/v1/logs", &[("content-type", JSON)], &logs(["protobuf"]));
    assert_eq!(answer.status, 400);
}
