//! Limits on requests and answers, of ours and of others: checks 14 to 18.

use bessemer_net::body::Encoding;
use bessemer_net::grpc::{Code, Status};
use bessemer_record::Signal;

use crate::WITHIN;
use crate::client::{
    Grpc, JSON, PROTOBUF, SIGNALS, grpc_path, gzip, http_path, post, post_chunked, post_http2,
    status_of,
};
use crate::fake::{Act, HttpFake};
use crate::fake_grpc::GrpcFake;
use crate::lab::{Setup, grpc_out, http_out};
use crate::process::wait_until;
use crate::samples::{bodies, logs, padded};

/// What the specification recommends and we have as default.
const RECOMMENDED: usize = 64 << 20;
const ANSWER_MAX: usize = 4 << 20;

fn assert_exhausted(result: Result<bytes::Bytes, Status>) {
    let status = result.unwrap_err();
    assert_eq!((status.code, status.retry_after), (Code::ResourceExhausted, None), "{status:?}");
}

/// OTLP check 14.
#[test]
fn grpc_messages_over_the_limit_are_exhausted_without_retry_info() {
    let lab = Setup { grpc: "max_recv_msg_size = \"1MiB\"", ..Setup::to_nothing() }.start();
    let grpc = Grpc::new(lab.grpc);
    let (fits, over) = (padded(1 << 20), padded((1 << 20) + 1));
    grpc.export(Signal::Logs, &fits).unwrap();
    grpc.export_as(Signal::Logs, Encoding::Gzip, &gzip(&fits)).unwrap();
    assert_exhausted(grpc.export(Signal::Logs, &over));
    assert_exhausted(grpc.export_as(Signal::Logs, Encoding::Gzip, &gzip(&over)));
    grpc.export(Signal::Logs, &fits).unwrap();
}

/// OTLP check 14, the default.
#[test]
fn grpc_messages_have_64_mib_unless_set_otherwise() {
    let lab = Setup { receiver: "ack = \"memory\"", ..Setup::to_nothing() }.start();
    let grpc = Grpc::new(lab.grpc);
    grpc.export_as(Signal::Logs, Encoding::Gzip, &gzip(&padded(RECOMMENDED))).unwrap();
    let over = padded(RECOMMENDED + 1);
    assert_exhausted(grpc.export_as(Signal::Logs, Encoding::Gzip, &gzip(&over)));
    assert_exhausted(grpc.export(Signal::Logs, &over));
}

/// OTLP check 15.
#[test]
fn http_bodies_over_the_limit_are_413_however_they_come() {
    let lab = Setup { http: "max_request_body_size = \"1MiB\"", ..Setup::to_nothing() }.start();
    let (fits, over) = (padded(1 << 20), padded((1 << 20) + 1));
    let (kind, path) = (("content-type", PROTOBUF), "/v1/logs");
    let packed = [kind, ("content-encoding", "gzip")];
    for (body, expected) in [(&fits, 200), (&over, 413)] {
        let answers = [
            post(lab.http, path, &[kind], body),
            post_chunked(lab.http, path, &[kind], body, 10_000),
            post(lab.http, path, &packed, &gzip(body)),
            post_chunked(lab.http, path, &packed, &gzip(body), 100),
        ];
        for answer in answers {
            assert_eq!(answer.status, expected);
            assert_eq!(answer.header("retry-after"), None);
            if expected == 413 {
                let (code, message, _) = status_of(&answer);
                assert_eq!(code, 8);
                assert!(message.contains("1048576"), "{message}");
            }
        }
        let answer = post_http2(lab.http, path, &packed, &gzip(body)).unwrap();
        assert_eq!(answer.status, expected);
    }
    let space = vec![b' '; 1 << 20];
    for (json, expected) in
        [([&space[2..], b"{}"].concat(), 200), ([&space, &b"{}"[..]].concat(), 413)]
    {
        assert_eq!(post(lab.http, path, &[("content-type", JSON)], &json).status, expected);
    }
}

/// OTLP check 15, the default.
#[test]
fn http_bodies_have_64_mib_unless_set_otherwise() {
    let lab = Setup { receiver: "ack = \"memory\"", ..Setup::to_nothing() }.start();
    let packed = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    for (size, expected) in [(RECOMMENDED, 200), (RECOMMENDED + 1, 413)] {
        let answer = post(lab.http, "/v1/logs", &packed, &gzip(&padded(size)));
        assert_eq!(answer.status, expected);
    }
}

/// OTLP check 16.
///
/// Scenario: labels make a batch that was within the limit larger than it.
/// Promise: what leaves is never larger than 64 MiB, and all of it leaves.
#[test]
fn requests_that_grew_over_64_mib_leave_in_parts() {
    let sink = HttpFake::start();
    let label = "a label that makes every record larger ".repeat(10);
    let mut setup = Setup::to(http_out("out", &sink.url(), "timeout = \"60s\"", ""));
    setup.blocks.push_str(&labelled(&label, &setup.to[0]));
    setup.to = vec!["otelcol.processor.attributes.label.input".to_owned()];
    let lab = setup.start();
    let records = 160_000;
    let texts = (0..records).map(|number| format!("record {number}"));
    let body = gzip(&logs(texts));
    let packed = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    let answer = post(lab.http, "/v1/logs", &packed, &body);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let delivered = || lab.metric("bessemer_delivered_records", "otlphttp.out");
    wait_until(WITHIN, "delivered", || delivered() >= f64::from(records));
    let seen = sink.seen();
    let sizes: Vec<usize> = seen.iter().map(|seen| seen.plain().len()).collect();
    assert!(sizes.iter().sum::<usize>() > RECOMMENDED, "never too large: {sizes:?}");
    assert!(sizes.iter().all(|size| *size <= RECOMMENDED), "{sizes:?}");
    let mut arrived: Vec<String> = seen.iter().flat_map(|seen| bodies(&seen.logs())).collect();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len(), 160_000);
    assert_eq!(lab.metric("bessemer_dead_records", "otlphttp.out"), 0.0);
}

/// OTLP check 16, one record.
#[test]
fn a_record_over_64_mib_is_not_sent_and_recorded_as_dead() {
    let sink = HttpFake::start();
    let mut setup = Setup::to(http_out("out", &sink.url(), "", ""));
    setup.blocks.push_str(&labelled(&"x".repeat(1000), &setup.to[0]));
    setup.to = vec!["otelcol.processor.attributes.label.input".to_owned()];
    setup.arguments = &["--limits.record", "64MiB"];
    let lab = setup.start();
    let body = gzip(&logs(["x".repeat(RECOMMENDED - 200)]));
    let packed = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    let answer = post(lab.http, "/v1/logs", &packed, &body);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let dead = || lab.metric("bessemer_dead_records", "otlphttp.out");
    wait_until(WITHIN, "dead", || dead() == 1.0);
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
    assert_eq!(bodies(&sink.wait_for(1)[0].logs()), ["after"]);
}

fn labelled(label: &str, to: &str) -> String {
    format!(
        r#"
otelcol.processor.attributes "label" {{
  action {{
    key    = "label"
    value  = "{label}"
    action = "insert"
  }}
  output {{
    logs    = [{to}]
    metrics = [{to}]
    traces  = [{to}]
  }}
}}
"#
    )
}

/// OTLP check 17.
///
/// Scenario: destinations answer with more than 4 MiB, as it is and compressed.
/// Promise: nothing is sent again, and the records are recorded as dead.
#[test]
fn an_answer_over_4_mib_is_final_and_recorded() {
    let large = vec![0; ANSWER_MAX + 1];
    let http = HttpFake::by_case([
        ("plain".to_owned(), vec![Act::ok(large.clone())]),
        ("gzip".to_owned(), vec![Act::ok(gzip(&large)).with("content-encoding", "gzip")]),
        (
            "failed".to_owned(),
            vec![Act::Answer { status: 503, headers: Vec::new(), body: large.clone() }],
        ),
        ("fits".to_owned(), vec![Act::ok(large[1..].to_vec())]),
    ]);
    let grpc = GrpcFake::scripted([Ok(large.clone())]);
    let header = |case: &str| format!("headers = {{ \"x-case\" = \"{case}\" }}");
    let parts = ["plain", "gzip", "failed", "fits"]
        .map(|case| http_out(case, &http.url(), &header(case), ""));
    let lab =
        Setup::to_all(parts.into_iter().chain([grpc_out("grpc", &grpc.url(), "", "")])).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["one", "two"])).status, 200);
    let value = |name: &str, id: &str| lab.metric(name, id);
    for (id, dead) in [
        ("otlphttp.plain", 2.0),
        ("otlphttp.gzip", 2.0),
        ("otlphttp.failed", 2.0),
        ("otlp.grpc", 2.0),
        ("otlphttp.fits", 0.0),
    ] {
        let settled =
            || value("bessemer_delivered_records", id) + value("bessemer_dead_records", id);
        wait_until(WITHIN, &format!("{id} settled"), || settled() == 2.0);
        let tries = match id.split_once('.') {
            Some(("otlphttp", case)) => http.seen_of(case).len(),
            _ => grpc.calls().len(),
        };
        assert_eq!(tries, 1, "{id} sent its request again");
        assert_eq!(value("bessemer_dead_records", id), dead, "{id}");
    }
}

/// OTLP check 18. What a client sends comes back in no answer at length, so the limit of 4 MiB on
/// answers is never near.
#[test]
fn no_answer_is_longer_than_a_few_kilobytes() {
    const LONGEST: usize = 8 << 10;
    let lab = Setup::to_nothing().start();
    let long = "x".repeat(30_000);
    let deep = format!("{}{}", "{\"a\":[".repeat(5000), &long);
    let invalid = logs(["\u{e9}".repeat(20_000)]);
    let invalid: Vec<u8> =
        invalid.iter().map(|byte| if *byte == 0xc3 { 0xff } else { *byte }).collect();
    for signal in SIGNALS {
        for (kind, body) in [(PROTOBUF, &invalid[..]), (JSON, deep.as_bytes())] {
            for encoding in ["identity", long.as_str()] {
                let headers = [("content-type", kind), ("content-encoding", encoding)];
                let answer = post(lab.http, http_path(signal), &headers, body);
                assert!(answer.body.len() < LONGEST, "{} bytes", answer.body.len());
                assert!(matches!(answer.status, 400 | 415));
            }
        }
        let grpc = Grpc::new(lab.grpc);
        let status = grpc.export(signal, &invalid).unwrap_err();
        assert!(status.message.len() + status.details.len() < LONGEST);
    }
    let call = |path: &str, encoding: &str| {
        let headers =
            [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", encoding)];
        let answer = post_http2(lab.grpc, path, &headers, b"\x01\0\0\0\x01x").unwrap();
        let all = answer.headers.iter().chain(&answer.trailers);
        let size: usize = all.map(|(name, value)| name.as_str().len() + value.len()).sum();
        assert!(answer.body.len() + size < LONGEST, "{size} bytes of headers");
    };
    call(&format!("/{}", "x".repeat(20_000)), "gzip");
    call(grpc_path(Signal::Logs), &"y".repeat(20_000));
}
