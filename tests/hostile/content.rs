//! Requests whose bytes are well framed and hostile inside: nesting, truncation, mutation, text
//! that is none, masses of attributes, numbers at the edges.

use std::time::{Duration, Instant};

use bessemer_net::grpc::Code;
use bessemer_record::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;

use crate::client::{Grpc, JSON, SIGNALS, grpc_path, gzip, http_path, post, post_http2, status_of};
use crate::fake::HttpFake;
use crate::lab::{Lab, Setup, http_out};
use crate::load::Http;
use crate::process::wait_until;
use crate::samples::{
    attribute, attributes, full, logs, logs_of, metrics_of, record, resources, text, traces_of,
};
use crate::watch::{MIB, forget_peak, peak};
use crate::{WITHIN, sized};

const IN_PROTOBUF: &str = "content-type: application/x-protobuf\r\n";
const IN_JSON: &str = "content-type: application/json\r\n";

/// How values are nested in each other.
#[derive(Debug, Clone, Copy)]
enum Nest {
    Lists,
    Maps,
}

/// An `AnyValue` of this depth in protobuf; a text alone has depth 1. Written from the outside in,
/// since 200,000 levels are too many for a recursive encoder.
fn nested(depth: usize, nest: Nest) -> Vec<u8> {
    let varint = |value: usize| {
        let mut bytes = Vec::new();
        prost::encoding::encode_varint(value as u64, &mut bytes);
        bytes
    };
    let inner = [0x0a, 1, b'x'];
    let mut heads = Vec::new();
    let mut length = inner.len();
    for _ in 1..depth {
        // In a list the value is field 1, in a map it is field 2 of the pair that is field 1.
        let tags: &[u8] = match nest {
            Nest::Lists => &[0x0a, 0x2a],
            Nest::Maps => &[0x12, 0x0a, 0x32],
        };
        for tag in tags {
            let size = varint(length);
            length += 1 + size.len();
            heads.push((*tag, size));
        }
    }
    let mut value = Vec::with_capacity(length);
    for (tag, size) in heads.iter().rev() {
        value.push(*tag);
        value.extend_from_slice(size);
    }
    value.extend_from_slice(&inner);
    value
}

fn nested_json(depth: usize, nest: Nest) -> String {
    let (open, close) = match nest {
        Nest::Lists => (r#"{"arrayValue":{"values":["#, "]}}"),
        Nest::Maps => (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
    };
    let levels = depth - 1;
    format!("{}{{\"stringValue\":\"x\"}}{}", open.repeat(levels), close.repeat(levels))
}

/// Wraps bytes as the fields of these numbers, innermost first.
fn wrapped(bytes: Vec<u8>, numbers: &[u32]) -> Vec<u8> {
    numbers.iter().fold(bytes, |inner, number| {
        let mut outer = Vec::with_capacity(inner.len() + 12);
        prost::encoding::bytes::encode(*number, &inner, &mut outer);
        outer
    })
}

/// Requests with a value where a value can be: in a body, and in attributes of a record, its scope
/// and its resource.
fn requests_around(value: &[u8]) -> [Vec<u8>; 4] {
    [[5, 2, 2, 1].as_slice(), &[2, 6, 2, 2, 1], &[2, 3, 1, 2, 1], &[2, 1, 1, 1]]
        .map(|numbers| wrapped(value.to_vec(), numbers))
}

fn json_around(value: &str) -> [String; 4] {
    let attributes = format!(r#"{{"attributes":[{{"key":"k","value":{value}}}]}}"#);
    let record = |record: &str| {
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#)
    };
    [
        record(&format!(r#"{{"body":{value}}}"#)),
        record(&attributes),
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"scope":{attributes}}}]}}]}}"#),
        format!(r#"{{"resourceLogs":[{{"resource":{attributes}}}]}}"#),
    ]
}

/// Promise: 64 levels pass and leave again, in both encodings; more are bad data, however many.
#[test]
fn values_nest_64_levels_and_no_further() {
    let (proto, text) = (HttpFake::start(), HttpFake::start());
    let lab = Setup::to_all([
        http_out("proto", &proto.url(), "", ""),
        http_out("json", &text.url(), "", "encoding = \"json\""),
    ])
    .start();
    let grpc = Grpc::new(lab.grpc);
    for nest in [Nest::Lists, Nest::Maps] {
        for depth in [1, 2, 63, 64, 65, 100, 101, 200_000] {
            let expected = if depth <= 64 { 200 } else { 400 };
            for request in requests_around(&nested(depth, nest)) {
                let answer = lab.post(Signal::Logs, &request);
                assert_eq!(answer.status, expected, "{nest:?} {depth}");
                let called = grpc.export(Signal::Logs, &request);
                if expected == 400 {
                    let (_, message, _) = status_of(&answer);
                    assert!(message.contains("deeper than 64"), "{message}");
                    assert_eq!(called.unwrap_err().code, Code::InvalidArgument);
                } else {
                    called.unwrap();
                }
            }
            for request in json_around(&nested_json(depth, nest)) {
                let answer =
                    post(lab.http, "/v1/logs", &[("content-type", JSON)], request.as_bytes());
                assert_eq!(answer.status, expected, "{nest:?} {depth} in JSON");
            }
        }
    }
    // What passed is what leaves; the reference types cannot read it, so the bytes are compared.
    let deepest = wrapped(nested(64, Nest::Lists), &[5, 2, 2, 1]);
    wait_until(WITHIN, "delivered", || {
        let bodies: Vec<u8> = proto.seen().into_iter().flat_map(|seen| seen.body).collect();
        bodies.windows(deepest.len()).any(|window| window == deepest)
    });
    let deepest = nested_json(64, Nest::Maps);
    wait_until(WITHIN, "written", || {
        text.seen().iter().any(|seen| String::from_utf8_lossy(&seen.body).contains(&deepest))
    });
}

/// Promise: nesting that is no value is no danger either.
#[test]
fn groups_and_unknown_json_nest_without_harm() {
    let lab = Setup::to_nothing().start();
    for depth in [1, 100, 200_000] {
        let mut groups = Vec::new();
        for wire_type in
            [prost::encoding::WireType::StartGroup, prost::encoding::WireType::EndGroup]
        {
            for _ in 0..depth {
                prost::encoding::encode_key(3000, wire_type, &mut groups);
            }
        }
        let open = groups[..groups.len() / 2].to_vec();
        for (unknown, is_closed) in [(groups, true), (open, false)] {
            for numbers in [&[][..], &[1], &[2, 1], &[2, 2, 1], &[5, 2, 2, 1]] {
                let status = lab.post(Signal::Logs, &wrapped(unknown.clone(), numbers)).status;
                let is_fine = if is_closed && depth == 1 {
                    status == 200
                } else {
                    matches!(status, 200 | 400)
                };
                assert!(is_fine, "{depth} {is_closed} {numbers:?}: {status}");
                assert!(is_closed || status == 400, "{depth} {numbers:?}: {status}");
            }
        }
        let lists = format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let objects = format!("{{\"x\":{}1{}}}", "{\"y\":".repeat(depth), "}".repeat(depth));
        for text in [lists, objects] {
            let answer = post(lab.http, "/v1/logs", &[("content-type", JSON)], text.as_bytes());
            let expected = if depth == 1 { 200 } else { answer.status };
            assert!(matches!(answer.status, 200 | 400) && answer.status == expected, "{depth}");
        }
    }
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
}

fn is_valid(signal: Signal, bytes: &[u8]) -> bool {
    match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(bytes).is_ok(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(bytes).is_ok(),
        Signal::Traces => ExportTraceServiceRequest::decode(bytes).is_ok(),
    }
}

/// A process that acknowledges before it writes, so that thousands of requests take seconds.
fn quick() -> Lab {
    Setup { receiver: "ack = \"memory\"", ..Setup::to_nothing() }.start()
}

/// Scenario: full requests of each signal, cut after every byte.
/// Promise: each is taken or refused exactly as the reference implementation decodes it or not,
/// over a connection that stays open.
#[test]
fn requests_cut_at_every_byte_are_judged_as_the_reference_does() {
    let lab = quick();
    let grpc = Grpc::new(lab.grpc);
    let mut http = Http::connect(lab.http).unwrap();
    for signal in SIGNALS {
        let whole = full(signal);
        for end in (0..=whole.len()).step_by(sized(3, 1)) {
            let cut = &whole[..end];
            let expected = if is_valid(signal, cut) { 200 } else { 400 };
            let answer = http.post(http_path(signal), IN_PROTOBUF, cut).unwrap();
            assert_eq!(answer.status, expected, "{signal:?} cut at {end}");
            match grpc.export(signal, cut) {
                Ok(_) => assert_eq!(expected, 200, "{signal:?} cut at {end}"),
                Err(status) => {
                    assert_eq!(expected, 400, "{signal:?} cut at {end}: {status:?}");
                    assert_eq!(status.code, Code::InvalidArgument);
                }
            }
        }
    }
}

/// The same for JSON and for compressed bytes: what is cut is never valid.
#[test]
fn json_and_gzip_cut_at_every_byte_are_bad_data() {
    let lab = quick();
    let mut http = Http::connect(lab.http).unwrap();
    let text = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{
        "timeUnixNano": "17", "severityNumber": 9, "traceId": "0af7651916cd43dd8448eb211c80319c",
        "body": { "stringValue": "caf\u{e9} \u{1f525} \" \\ \u{0}" },
        "attributes": [{ "key": "k", "value": { "doubleValue": -1.5e-3 } },
            { "key": "b", "value": { "bytesValue": "AAEC" } }],
    }]}]}]});
    let text = serde_json::to_vec(&text).unwrap();
    for end in 0..text.len() {
        let answer = http.post("/v1/logs", IN_JSON, &text[..end]).unwrap();
        assert_eq!(answer.status, 400, "cut at {end}");
    }
    assert_eq!(http.post("/v1/logs", IN_JSON, &text).unwrap().status, 200);
    let packed = gzip(&full(Signal::Logs));
    let kind = "content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\n";
    for end in 1..packed.len() {
        let answer = http.post("/v1/logs", kind, &packed[..end]).unwrap();
        assert_eq!(answer.status, 400, "cut at {end}");
    }
    assert_eq!(http.post("/v1/logs", kind, &packed).unwrap().status, 200);
}

/// Promise: a gRPC message whose frame is cut, or followed by more, is refused.
#[test]
fn frames_of_grpc_must_hold_one_message() {
    let lab = quick();
    let message = logs(["framed"]);
    let frame = |length: usize| {
        let length = u32::try_from(length).unwrap().to_be_bytes();
        [&[0][..], &length, &message].concat()
    };
    let call = |body: &[u8]| {
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let answer = post_http2(lab.grpc, grpc_path(Signal::Logs), &headers, body).unwrap();
        let status = answer.headers.get("grpc-status").or(answer.trailers.get("grpc-status"));
        status.unwrap().to_str().unwrap().parse::<u8>().unwrap()
    };
    let whole = frame(message.len());
    assert_eq!(call(&whole), 0);
    for end in 0..whole.len() {
        assert_eq!(call(&whole[..end]), Code::InvalidArgument.number(), "cut at {end}");
    }
    let twice = [&whole[..], &whole].concat();
    assert_eq!(call(&twice), Code::InvalidArgument.number());
    assert_eq!(call(&[&[2][..], &whole[1..]].concat()), Code::InvalidArgument.number());
    assert_eq!(call(&[&[1][..], &whole[1..]].concat()), Code::InvalidArgument.number());
}

/// Scenario: one byte after the other of full requests is changed in several ways.
/// Promise: each is taken or refused exactly as the reference implementation decodes it or not.
#[test]
fn requests_with_a_changed_byte_are_judged_as_the_reference_does() {
    let lab = quick();
    let mut http = Http::connect(lab.http).unwrap();
    let changes: [fn(u8) -> u8; 5] = [
        |byte| byte ^ 1,
        |byte| byte ^ 0x80,
        |byte| byte.wrapping_add(1),
        |_| 0xff,
        |byte| byte ^ 2,
    ];
    for signal in SIGNALS {
        let whole = full(signal);
        for at in (0..whole.len()).step_by(sized(4, 1)) {
            for (number, change) in changes.iter().enumerate() {
                let mut changed = whole.clone();
                changed[at] = change(changed[at]);
                let expected = if is_valid(signal, &changed) { 200 } else { 400 };
                let answer = http.post(http_path(signal), IN_PROTOBUF, &changed).unwrap();
                assert_eq!(answer.status, expected, "{signal:?} byte {at} change {number}");
            }
        }
    }
}

/// Promise: overlong and oversized varints mean what they mean to the reference implementation.
#[test]
fn odd_varints_and_wire_types_are_judged_as_the_reference_does() {
    let lab = quick();
    let mut http = Http::connect(lab.http).unwrap();
    let varints: [&[u8]; 6] = [
        b"\x80\x00",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    ];
    let mut records: Vec<Vec<u8>> = Vec::new();
    for varint in varints {
        // As the value of severity_number, as the length of the body, as a tag.
        records.push([&[0x10][..], varint].concat());
        records.push([&[0x2a][..], varint].concat());
        records.push(varint.to_vec());
    }
    // Every wire type for every field of a log record.
    for number in 1..=13_u8 {
        for wire_type in 0..8 {
            let key = number << 3 | wire_type;
            records.push(vec![key, 0, 0, 0, 0, 0, 0, 0, 0]);
            records.push(vec![key, 1, 0x10, 0, 0, 0, 0, 0, 0]);
        }
    }
    for record in records {
        let request = wrapped(record.clone(), &[2, 2, 1]);
        let expected = if is_valid(Signal::Logs, &request) { 200 } else { 400 };
        let answer = http.post("/v1/logs", IN_PROTOBUF, &request).unwrap();
        let said = if answer.status == 400 { status_of(&answer).1 } else { String::new() };
        assert_eq!(answer.status, expected, "{record:02x?} {said}");
    }
}

/// Requests in which the text `MARK` stands in one field after the other.
fn marked() -> Vec<(&'static str, Signal, Vec<u8>)> {
    let mark = "MARK";
    let log = |record: LogRecord| logs_of(vec![record]).encode_to_vec();
    let value = text(mark);
    let key = vec![attribute(mark, text("v"))];
    let valued = vec![attribute("k", value.clone())];
    let scope = ScopeLogs {
        schema_url: mark.to_owned(),
        log_records: vec![record("x")],
        ..ScopeLogs::default()
    };
    let resource = Resource { attributes: valued.clone(), ..Resource::default() };
    let resource =
        ResourceLogs { resource: Some(resource), scope_logs: vec![], ..ResourceLogs::default() };
    let of_scope = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    let request = |group| ExportLogsServiceRequest { resource_logs: vec![group] }.encode_to_vec();
    let metric = Metric { name: mark.to_owned(), ..Metric::default() };
    let unit = Metric { unit: mark.to_owned(), ..Metric::default() };
    let span = Span { name: mark.to_owned(), ..Span::default() };
    let state = Span { trace_state: mark.to_owned(), ..Span::default() };
    vec![
        ("body", Signal::Logs, log(record(mark))),
        (
            "severity",
            Signal::Logs,
            log(LogRecord { severity_text: mark.into(), ..LogRecord::default() }),
        ),
        ("event", Signal::Logs, log(LogRecord { event_name: mark.into(), ..LogRecord::default() })),
        ("key", Signal::Logs, log(LogRecord { attributes: key, ..LogRecord::default() })),
        ("value", Signal::Logs, log(LogRecord { attributes: valued, ..LogRecord::default() })),
        ("resource", Signal::Logs, request(resource)),
        ("schema", Signal::Logs, request(of_scope)),
        ("metric", Signal::Metrics, metrics_of(vec![metric]).encode_to_vec()),
        ("unit", Signal::Metrics, metrics_of(vec![unit]).encode_to_vec()),
        ("span", Signal::Traces, traces_of(vec![span]).encode_to_vec()),
        ("state", Signal::Traces, traces_of(vec![state]).encode_to_vec()),
    ]
}

/// Four bytes that are no UTF-8, and at which of them it shows.
const INVALID: [([u8; 4], usize); 8] = [
    ([0xff, b'A', b'R', b'K'], 0),
    ([b'M', b'A', 0x80, b'K'], 2),
    ([0xf0, 0x9f, 0x94, b'K'], 0),
    ([b'M', 0xf0, 0x9f, 0x94], 1),
    ([b'M', b'A', 0xf0, 0x9f], 2),
    ([b'M', b'A', b'R', 0xf0], 3),
    ([0xed, 0xa0, 0x80, b'K'], 0),
    ([0xc0, 0x80, b'R', b'K'], 0),
];

/// Promise: text that is not UTF-8 is refused in every field, with the offset of its first bad
/// byte.
#[test]
fn invalid_utf8_is_refused_with_its_offset() {
    let lab = quick();
    let grpc = Grpc::new(lab.grpc);
    for (field, signal, request) in marked() {
        assert_eq!(lab.post(signal, &request).status, 200, "{field}");
        let at = request.windows(4).position(|window| window == b"MARK").unwrap();
        for (bytes, bad) in INVALID {
            let mut request = request.clone();
            request[at..at + 4].copy_from_slice(&bytes);
            let answer = lab.post(signal, &request);
            assert_eq!(answer.status, 400, "{field} {bytes:02x?}");
            let expected = format!("invalid UTF-8 at byte {}", at + bad);
            for message in
                [status_of(&answer).1, grpc.export(signal, &request).unwrap_err().message]
            {
                let rest = message.strip_prefix(&expected);
                let is_whole =
                    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
                assert!(is_whole, "{field} {bytes:02x?}: {message:?}, expected {expected:?}");
            }
        }
    }
    let text =
        br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"MARK"}}]}]}]}"#;
    let at = text.windows(4).position(|window| window == b"MARK").unwrap();
    for (bytes, bad) in INVALID {
        let mut text = *text;
        text[at..at + 4].copy_from_slice(&bytes);
        let answer = post(lab.http, "/v1/logs", &[("content-type", JSON)], &text);
        assert_eq!(answer.status, 400);
        let (_, message, _) = status_of(&answer);
        assert!(message.contains(&format!("invalid UTF-8 at byte {}", at + bad)), "{message}");
    }
}

/// Promise: text that is odd and valid leaves as it came, in both encodings and both ways in.
#[test]
fn odd_text_is_kept_byte_for_byte() {
    let odd = "\u{0}\u{1}\u{7f}\u{80}\u{2028}\u{2029}\u{feff}\u{202e}\u{fffe}\u{ffff}\u{10ffff}\
        \u{1f468}\u{200d}\u{1f469}\r\n\t\u{1b}[31m\"\\</script>{\"a\":1}";
    let (proto, text_out) = (HttpFake::start(), HttpFake::start());
    let lab = Setup::to_all([
        http_out("proto", &proto.url(), "", ""),
        http_out("json", &text_out.url(), "", "encoding = \"json\""),
    ])
    .start();
    let mut log = record(odd);
    log.attributes.push(attribute(odd, text(odd)));
    let request = logs_of(vec![log]).encode_to_vec();
    assert_eq!(lab.post(Signal::Logs, &request).status, 200);
    let sent = resources(Signal::Logs, &request);
    assert_eq!(proto.arrived(Signal::Logs, 1), sent);
    let written = text_out.wait_for(1)[0].json();
    assert_eq!(lab.post_json(Signal::Logs, &written).status, 200);
    assert_eq!(proto.arrived(Signal::Logs, 2)[1], sent[0]);

    let body = |escape: &str| {
        let text = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[
                {{"body":{{"stringValue":"{escape}"}}}}]}}]}}]}}"#
        );
        post(lab.http, "/v1/logs", &[("content-type", JSON)], text.as_bytes()).status
    };
    for escape in ["\\ud83d\\ude00", "\\u0000", "\\u2028", "\\ufeff"] {
        assert_eq!(body(escape), 200, "{escape}");
    }
    for escape in ["\\ud83d", "\\ude00", "\\ude00\\ud83d", "\\ud83dx", "\\u12", "\\x41", "\u{1}"] {
        assert_eq!(body(escape), 400, "{escape}");
    }
}

/// A record with this many attributes of their own names.
fn with_attributes(count: usize) -> Vec<u8> {
    let attributes = (0..count).map(|number| attribute(format!("key.{number}"), text("v")));
    logs_of(vec![LogRecord { attributes: attributes.collect(), ..record("many") }]).encode_to_vec()
}

/// Steps that look for attributes in every record, in front of what a setup has.
fn with_steps(mut setup: Setup<'static>) -> Setup<'static> {
    let outputs = |to: &str| format!("logs = [{to}]\n metrics = [{to}]\n traces = [{to}]");
    setup.blocks.push_str(&format!(
        r#"
bessemer.processor.classify "rules" {{
  output {{
    {}
  }}
}}
otelcol.processor.attributes "more" {{
  action {{
    key    = "one.more"
    value  = "x"
    action = "upsert"
  }}
  action {{
    key    = "key.77"
    action = "delete"
  }}
  output {{
    {}
  }}
}}
"#,
        outputs("otelcol.processor.attributes.more.input"),
        outputs(&setup.to[0])
    ));
    setup.to = vec!["bessemer.processor.classify.rules.input".to_owned()];
    setup
}

/// Requests with more attributes, longer keys or more duplicates than anybody needs.
fn masses() -> [Vec<u8>; 4] {
    let with =
        |attributes, body| logs_of(vec![LogRecord { attributes, ..record(body) }]).encode_to_vec();
    [
        with_attributes(100_000),
        with(vec![attribute("k".repeat(1_000_000), text("v"))], "long"),
        // A million attributes without key and value, two bytes each.
        wrapped(b"\x32\x00".repeat(1_000_000), &[2, 2, 1]),
        with((0..10_000).map(|_| attribute("same", text("v"))).collect(), "same"),
    ]
}

/// Promise: masses of attributes leave as they came where nothing changes them.
#[test]
fn masses_of_attributes_are_kept() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    for (number, request) in masses().iter().enumerate() {
        assert_eq!(lab.post(Signal::Logs, request).status, 200, "{number}");
        let arrived = sink.arrived(Signal::Logs, number + 1);
        assert!(arrived[number] == resources(Signal::Logs, request)[0], "{number} changed");
    }
}

/// Promise: steps over twice as many attributes take about twice as long.
#[test]
fn masses_of_attributes_take_linear_time() {
    let lab = with_steps(Setup::to_nothing()).start();
    for (number, request) in masses().iter().enumerate() {
        assert_eq!(lab.post(Signal::Logs, request).status, 200, "{number}");
    }
    let quickest = |count: usize| {
        let request = with_attributes(count);
        let took = (0..7).map(|_| {
            let begun = Instant::now();
            assert_eq!(lab.post(Signal::Logs, &request).status, 200);
            begun.elapsed()
        });
        took.min().unwrap()
    };
    let (half, whole) = (quickest(100_000), quickest(200_000));
    // Quadratic steps would take seconds.
    assert!(whole < half.mul_f64(3.2) + Duration::from_millis(20), "{half:?}, then {whole:?}");
}

/// Log records with times, counts and ids at the edges of their types.
fn edge_logs() -> Vec<u8> {
    let log = |time: u64| LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: u64::MAX - time,
        severity_number: i32::MIN,
        dropped_attributes_count: u32::MAX,
        flags: u32::MAX,
        trace_id: vec![0; 16],
        span_id: vec![1, 2, 3],
        ..record("edges")
    };
    logs_of([0, 1, u64::MAX, i64::MAX as u64, 1 << 63].map(log).to_vec()).encode_to_vec()
}

/// Points with numbers that are none, and with counts and bounds that contradict each other.
fn edge_metrics() -> Vec<u8> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX];
    let number = |value: f64| NumberDataPoint {
        time_unix_nano: u64::MAX,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    let histogram = |value: f64| HistogramDataPoint {
        count: u64::MAX,
        sum: Some(value),
        bucket_counts: vec![u64::MAX, 0, 1],
        explicit_bounds: vec![5.0, value, -5.0, 5.0, f64::NAN],
        min: Some(f64::INFINITY),
        max: Some(f64::NEG_INFINITY),
        ..HistogramDataPoint::default()
    };
    let exponential = |scale: i32| ExponentialHistogramDataPoint {
        scale,
        count: 1,
        zero_threshold: f64::NAN,
        ..ExponentialHistogramDataPoint::default()
    };
    let metric = |data| Metric { name: "edges".to_owned(), data: Some(data), ..Metric::default() };
    metrics_of(vec![
        metric(metric::Data::Gauge(Gauge { data_points: odd.map(number).to_vec() })),
        metric(metric::Data::Histogram(Histogram {
            data_points: odd.map(histogram).to_vec(),
            aggregation_temporality: i32::MAX,
        })),
        metric(metric::Data::ExponentialHistogram(ExponentialHistogram {
            data_points: [i32::MIN, -11, 0, 21, i32::MAX].map(exponential).to_vec(),
            aggregation_temporality: -1,
        })),
        Metric::default(),
    ])
    .encode_to_vec()
}

/// A span that ends before it begins, and one without anything.
fn edge_traces() -> Vec<u8> {
    let span = Span {
        start_time_unix_nano: u64::MAX,
        kind: i32::MAX,
        attributes: attributes(),
        ..Span::default()
    };
    traces_of(vec![span, Span::default()]).encode_to_vec()
}

/// Promise: numbers that mean nothing leave with the bits they came with.
#[test]
fn numbers_at_the_edges_are_kept_bit_for_bit() {
    let (proto, text_out) = (HttpFake::start(), HttpFake::start());
    let lab = Setup::to_all([
        http_out("proto", &proto.url(), "", ""),
        http_out("json", &text_out.url(), "", "encoding = \"json\""),
    ])
    .start();
    for (signal, request) in SIGNALS.into_iter().zip([edge_logs(), edge_metrics(), edge_traces()]) {
        let sent = resources(signal, &request);
        assert_eq!(lab.post(signal, &request).status, 200);
        assert!(proto.arrived(signal, 1)[0] == sent[0], "{signal:?} changed");
        lab.call(signal, &request).unwrap();
        assert!(proto.arrived(signal, 2)[1] == sent[0], "{signal:?} changed");
        // And through JSON, where the odd ones are words.
        wait_until(WITHIN, "written", || !text_out.seen_for(signal).is_empty());
        let written = text_out.seen_for(signal)[0].plain();
        let answer = post(lab.http, http_path(signal), &[("content-type", JSON)], &written);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        assert!(proto.arrived(signal, 3)[2] == sent[0], "{signal:?} changed in JSON");
    }
}

/// Promise: empty resources, scopes and records are taken and kept.
#[test]
fn empty_parts_are_no_danger() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    forget_peak(&lab.bessemer);
    let memory = lab.bessemer.resident();
    let empty =
        [&b"\x0a\x00"[..], b"\x0a\x02\x12\x00", b"\x0a\x04\x12\x02\x12\x00", b"\x0a\x02\x0a\x00"];
    for signal in SIGNALS {
        for request in empty {
            assert_eq!(lab.post(signal, request).status, 200);
            assert_eq!(lab.post(signal, &request.repeat(100_000)).status, 200, "{request:02x?}");
        }
    }
    let growth = peak(&lab.bessemer).saturating_sub(memory);
    assert!(growth < 256 * MIB, "{} MiB", growth / MIB);
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
}
