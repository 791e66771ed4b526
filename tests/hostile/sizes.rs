//! Bodies at their limit, and lengths that lie.

use std::time::Duration;

use bessemer_net::grpc::Code;
use bessemer_record::Signal;

use crate::client::{
    Grpc, PROTOBUF, Raw, grpc_path, head, post, post_chunked, post_http2, try_post,
};
use crate::fake::HttpFake;
use crate::lab::{Lab, Setup, http_out};
use crate::samples::{bodies, logs, padded};

const LIMIT: usize = 10_000_000;
const KIND: (&str, &str) = ("content-type", PROTOBUF);

fn lab() -> Lab {
    Setup {
        http: "max_request_body_size = \"10MB\"",
        grpc: "max_recv_msg_size = \"10MB\"",
        receiver: "ack = \"memory\"",
        ..Setup::to_nothing()
    }
    .start()
}

#[test]
fn a_body_at_the_limit_is_taken_and_one_byte_more_is_not() {
    let lab = lab();
    let grpc = Grpc::new(lab.grpc);
    for (body, status) in [(padded(LIMIT), 200), (padded(LIMIT + 1), 413)] {
        assert_eq!(post(lab.http, "/v1/logs", &[KIND], &body).status, status);
        for chunk in [1 << 20, 65_537, LIMIT, LIMIT + 1] {
            let answer = post_chunked(lab.http, "/v1/logs", &[KIND], &body, chunk);
            assert_eq!(answer.status, status, "chunks of {chunk}");
        }
        assert_eq!(post_http2(lab.http, "/v1/logs", &[KIND], &body).unwrap().status, status);
        match grpc.export(Signal::Logs, &body) {
            Ok(_) => assert_eq!(status, 200),
            Err(refused) => {
                assert_eq!((status, refused.code), (413, Code::ResourceExhausted));
                assert_eq!(refused.retry_after, None);
            }
        }
    }
}

/// Promise: a length over the limit is answered before a byte of the body comes.
#[test]
fn an_announced_length_over_the_limit_is_refused_at_once() {
    let lab = lab();
    for length in ["10000001", "1073741824", "9223372036854775807"] {
        let mut raw = Raw::open(lab.http);
        raw.send(&head("/v1/logs", &[KIND, ("content-length", length)])).unwrap();
        assert_eq!(raw.answer().map(|answer| answer.status), Some(413), "{length}");
        assert!(raw.until_closed(Duration::from_secs(10)).is_some(), "{length} stays open");
    }
    let prefix = [&[0, 0xff, 0xff, 0xff, 0xff][..], &[0; 100]].concat();
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = post_http2(lab.grpc, grpc_path(Signal::Logs), &headers, &prefix).unwrap();
    assert_eq!(answer.headers["grpc-status"], "8");
}

/// Promise: a body without an end is refused at the limit, and no more than that is read.
#[test]
fn a_body_without_an_end_is_not_read_past_the_limit() {
    let lab = lab();
    let mut raw = Raw::open(lab.http);
    raw.send(&head("/v1/logs", &[KIND, ("transfer-encoding", "chunked")])).unwrap();
    let chunk = [&b"10000\r\n"[..], &vec![0; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 100 * LIMIT && raw.send(&chunk).is_ok() {
        sent += chunk.len();
    }
    // What the system holds for both sides comes on top.
    assert!(sent < LIMIT + (16 << 20), "{sent} bytes were taken");
    assert_eq!(lab.bessemer.metric("bessemer_refused_batches", "reason=\"body\""), 1.0);
}

/// Promise: what stands behind the announced length is no request, and what is announced and
/// never comes is no record.
#[test]
fn a_length_that_lies_yields_no_record() {
    let sink = HttpFake::start();
    let http = r#"
    limits {
      header_timeout = "1s"
      body_timeout   = "1s"
      idle_timeout   = "1s"
    }"#;
    let lab = Setup { http, ..Setup::to(http_out("out", &sink.url(), "", "")) }.start();
    let body = logs(["lied about"]);
    for length in [body.len() - 5, body.len() - 1] {
        let mut raw = Raw::open(lab.http);
        let head = head("/v1/logs", &[KIND, ("content-length", &length.to_string())]);
        raw.send(&[&head[..], &body].concat()).unwrap();
        let answers = raw.answers();
        assert!((1..=2).contains(&answers.len()), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 400), "{answers:?}");
    }
    let longer = (body.len() + 1).to_string();
    let head = head("/v1/logs", &[KIND, ("content-length", &longer)]);
    let mut waiting = Raw::open(lab.http);
    waiting.send(&[&head[..], &body].concat()).unwrap();
    assert_eq!(waiting.answer().unwrap().status, 408);
    let mut leaving = Raw::open(lab.http);
    leaving.send(&[&head[..], &body].concat()).unwrap();
    leaving.finish();
    assert!(leaving.answers().iter().all(|answer| answer.status == 400));
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
    assert_eq!(bodies(&sink.wait_for(1)[0].logs()), ["after"]);
}

#[test]
fn lengths_that_are_no_numbers_are_refused_and_end_the_connection() {
    let lab = lab();
    let body = logs(["x"]);
    let right = body.len();
    let wrong = [
        "-1".to_owned(),
        format!("+{right}"),
        format!("{right}, {}", right + 1),
        format!("{right} {right}"),
        format!("0x{right:x}"),
        format!("{right}.0"),
        format!("{right}e0"),
        "18446744073709551615".to_owned(),
        "99999999999999999999999".to_owned(),
        String::new(),
        "zero".to_owned(),
    ];
    for length in &wrong {
        let mut raw = Raw::open(lab.http);
        let head = head("/v1/logs", &[KIND, ("content-length", length)]);
        raw.send(&[&head[..], &body].concat()).unwrap();
        let answers = raw.answers();
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(matches!(statuses[..], [400 | 413 | 431]), "{length:?}: {statuses:?}");
    }
    let (right, other) = (right.to_string(), (right - 1).to_string());
    let two = [KIND, ("content-length", &right), ("content-length", &other)];
    let mut raw = Raw::open(lab.http);
    raw.send(&[&head("/v1/logs", &two)[..], &body].concat()).unwrap();
    let statuses: Vec<u16> = raw.answers().iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [400]);
    assert!(
        try_post(lab.http, "/v1/logs", &[KIND], &body).is_some_and(|answer| answer.status == 200)
    );
}
