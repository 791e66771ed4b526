//! Success and partial success: checks 19 to 23.

use bessemer_net::grpc::Code;
use bessemer_record::Signal;
use serde_json::json;

use crate::WITHIN;
use crate::client::{Grpc, JSON, PROTOBUF, SIGNALS, http_path, post, status_of};
use crate::fake::{Act, HttpFake};
use crate::fake_grpc::GrpcFake;
use crate::json::log_json;
use crate::lab::{Setup, grpc_out, http_out};
use crate::process::wait_until;
use crate::samples::{bodies, full, logs};

/// OTLP check 19.
#[test]
fn empty_requests_are_a_success_and_lead_to_no_delivery() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    for signal in SIGNALS {
        let path = http_path(signal);
        let answer = post(lab.http, path, &[("content-type", PROTOBUF)], b"");
        assert_eq!((answer.status, &*answer.body), (200, &b""[..]));
        for body in ["{}", r#"{"resourceLogs":[]}"#, r#"{"resourceSpans":null}"#] {
            let answer = post(lab.http, path, &[("content-type", JSON)], body.as_bytes());
            assert_eq!((answer.status, &*answer.body), (200, &b"{}"[..]), "{body}");
        }
        assert_eq!(lab.call(signal, b"").unwrap().len(), 0);
    }
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
    let seen = sink.wait_for(1);
    assert_eq!(bodies(&seen[0].logs()), ["after"]);
    assert_eq!(seen.len(), 1);
}

/// OTLP check 20.
#[test]
fn a_full_success_leaves_partial_success_unset() {
    let lab = Setup::to_nothing().start();
    let grpc = Grpc::new(lab.grpc);
    for signal in SIGNALS {
        let answer = lab.post(signal, &full(signal));
        assert_eq!((answer.status, &*answer.body), (200, &b""[..]));
        assert_eq!(answer.header("content-type"), Some(PROTOBUF));
        assert_eq!(grpc.export(signal, &full(signal)).unwrap().len(), 0);
    }
    let answer = lab.post_json(Signal::Logs, &log_json(json!({ "severityNumber": 1 })));
    assert_eq!((answer.status, &*answer.body), (200, &b"{}"[..]));
    assert_eq!(answer.header("content-type"), Some(JSON));
}

/// OTLP check 21. A request is taken as a whole or not at all, so no answer is ever a partial
/// success: what a client learns is that nothing of the batch was kept.
#[test]
fn a_batch_with_one_record_too_large_is_refused_as_a_whole() {
    let sink = HttpFake::start();
    let setup = Setup::to(http_out("out", &sink.url(), "", ""));
    let lab = Setup { arguments: &["--limits.record", "1KiB"], ..setup }.start();
    let large = "x".repeat(2000);
    let body = logs(["before", &large, "behind"]);
    let answer = lab.post(Signal::Logs, &body);
    assert_eq!(answer.status, 413);
    let (code, message, _) = status_of(&answer);
    assert!(code == 8 && message.contains("1024"), "{code} {message}");
    let json = log_json(json!({ "body": { "stringValue": large } }));
    assert_eq!(lab.post_json(Signal::Logs, &json).status, 413);
    let status = lab.call(Signal::Logs, &body).unwrap_err();
    assert_eq!((status.code, status.retry_after), (Code::ResourceExhausted, None));
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
    assert_eq!(bodies(&sink.wait_for(1)[0].logs()), ["after"]);
    assert_eq!(lab.metric("bessemer_accepted_records", "in\",signal=\"logs"), 1.0);
}

/// OTLP check 22. Warnings may stand in an answer; ours have none, also when a destination of
/// ours rejects.
#[test]
fn answers_carry_no_warnings() {
    let partial = b"\x0a\x06\x08\x01\x12\x02no".to_vec();
    let sink = HttpFake::scripted([Act::ok(partial.clone()), Act::ok(partial)]);
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    for round in 1..=3 {
        let answer = lab.post(Signal::Logs, &logs(["once"]));
        assert_eq!((answer.status, &*answer.body), (200, &b""[..]));
        sink.wait_for(round);
    }
}

/// OTLP check 23.
#[test]
fn what_a_destination_rejects_in_part_is_counted_and_never_sent_again() {
    let partial = b"\x0a\x0b\x08\x02\x12\x07too old".to_vec();
    let text = json!({ "partialSuccess": { "rejectedLogRecords": "2", "errorMessage": "too old" }});
    let text = text.to_string().into_bytes();
    let http = HttpFake::by_case([
        ("proto".to_owned(), vec![Act::ok(partial.clone())]),
        ("json".to_owned(), vec![Act::ok(text)]),
    ]);
    let grpc = GrpcFake::scripted([Ok(partial)]);
    let header = |case: &str| format!("headers = {{ \"x-case\" = \"{case}\" }}");
    let lab = Setup::to_all([
        http_out("proto", &http.url(), &header("proto"), ""),
        http_out("json", &http.url(), &header("json"), "encoding = \"json\""),
        grpc_out("grpc", &grpc.url(), "", ""),
    ])
    .start();
    assert_eq!(lab.post(Signal::Logs, &logs(["one", "two", "three"])).status, 200);
    for id in ["otlphttp.proto", "otlphttp.json", "otlp.grpc"] {
        let rejected = || lab.metric("bessemer_rejected_records", id);
        wait_until(WITHIN, &format!("{id} counted"), || rejected() == 2.0);
    }
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
    http.wait_for(4);
    assert_eq!(grpc.wait_for(2).len(), 2);
    for case in ["proto", "json"] {
        assert_eq!(http.seen_of(case).len(), 2, "{case} was sent again");
    }
    assert_eq!(bodies(&http.seen_of("proto")[1].logs()), ["after"]);
    for id in ["otlphttp.proto", "otlphttp.json", "otlp.grpc"] {
        assert_eq!(lab.metric("bessemer_dead_records", id), 0.0);
        assert_eq!(lab.metric("bessemer_retried_deliveries", id), 0.0);
    }
}
