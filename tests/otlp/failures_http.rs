//! Failures over HTTP, of ours and of destinations: checks 24 to 28.

use std::time::{Duration, Instant};

use bessemer_record::Signal;
use prost::Message;

use crate::WITHIN;
use crate::client::{JSON, PROTOBUF, Raw, RpcStatus, SIGNALS, head, http_path, post, status_of};
use crate::fake::{Act, HttpFake, Seen};
use crate::lab::{Lab, Setup, case_header, http_out};
use crate::load::Answer;
use crate::process::{free_address, wait_until};
use crate::samples::{bodies, logs};

/// A batch refused with each status, in both encodings.
fn refusals(lab: &Lab, signal: Signal, body: &[u8], json: &[u8]) -> [Answer; 2] {
    [(PROTOBUF, body), (JSON, json)]
        .map(|(kind, body)| post(lab.http, http_path(signal), &[("content-type", kind)], body))
}

/// `google.rpc.Status` in the encoding of the request, with this code and some text.
fn assert_status(answers: [Answer; 2], http: u16, code: i64) {
    for (answer, kind) in answers.into_iter().zip([PROTOBUF, JSON]) {
        assert_eq!(answer.status, http, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.header("content-type"), Some(kind));
        let (found, message, _) = status_of(&answer);
        assert_eq!(found, code, "{message}");
        assert!(!message.is_empty());
        let wait = answer.header("retry-after").map(|wait| wait.parse::<u32>().unwrap());
        let may_come_back = matches!(http, 429 | 503);
        assert_eq!(wait.is_some_and(|wait| wait >= 1), may_come_back, "{http}: {wait:?}");
    }
}

const JSON_LOG: &[u8] =
    br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"json"}}]}]}]}"#;

/// OTLP checks 24 and 27, the receiver: what the client did wrong.
#[test]
fn every_refusal_of_a_bad_request_is_a_status_in_its_encoding() {
    let http = r#"
    max_request_body_size = "64KiB"
    limits {
      body_timeout = "1s"
    }"#;
    let lab = Setup { http, ..Setup::to_nothing() }.start();
    let large = vec![b' '; (64 << 10) + 1];
    for signal in SIGNALS {
        assert_status(refusals(&lab, signal, b"\xff", b"nul"), 400, 3);
        assert_status(refusals(&lab, signal, &large, &large), 413, 8);
        let encoded = [PROTOBUF, JSON].map(|kind| {
            let headers = [("content-type", kind), ("content-encoding", "lzma")];
            post(lab.http, http_path(signal), &headers, b"x")
        });
        assert_status(encoded, 415, 12);
        let broken = [PROTOBUF, JSON].map(|kind| {
            let headers = [("content-type", kind), ("content-encoding", "gzip")];
            post(lab.http, http_path(signal), &headers, b"this is not gzip at all")
        });
        assert_status(broken, 400, 3);
    }
    let slow = [PROTOBUF, JSON].map(|kind| {
        let mut raw = Raw::open(lab.http);
        let head = head("/v1/logs", &[("content-type", kind), ("content-length", "100")]);
        raw.send(&[&head[..], b"x"].concat()).unwrap();
        raw.answer().unwrap()
    });
    assert_status(slow, 408, 4);
}

/// OTLP checks 24 and 27, the receiver: what the client cannot help.
#[test]
fn overload_is_429_and_what_is_down_is_503_both_with_retry_after() {
    let body = logs(["x"]);
    let limited = memory_limited();
    assert_status(refusals(&limited, Signal::Logs, &body, JSON_LOG), 429, 8);

    let setup = Setup::to_nothing();
    let lab = Setup { arguments: &["--memory.bodies", "64KiB"], ..setup }.start();
    let large = vec![b' '; 100 << 10];
    assert_status(refusals(&lab, Signal::Logs, &large, &large), 429, 8);

    let sink = HttpFake::scripted(std::iter::repeat_n(Act::status(503), 1000));
    let setup = Setup::to(http_out("out", &sink.url(), "", ""));
    let receiver = "ack = \"delivered\"\n  ack_timeout = \"1s\"";
    let lab = Setup { receiver, ..setup }.start();
    assert_status(refusals(&lab, Signal::Logs, &body, JSON_LOG), 503, 14);
}

/// A process whose memory limit is below what it uses already.
pub fn memory_limited() -> Lab {
    let mut setup = Setup::to_nothing();
    setup.blocks.push_str(&format!(
        r#"
otelcol.processor.memory_limiter "low" {{
  check_interval = "1s"
  limit          = "2MiB"
  spike_limit    = "1MiB"
  output {{
    logs    = [{0}]
    metrics = [{0}]
    traces  = [{0}]
  }}
}}
"#,
        setup.to[0]
    ));
    setup.to = vec!["otelcol.processor.memory_limiter.low.input".to_owned()];
    setup.start()
}

/// OTLP check 24: what can never be taken.
#[test]
fn a_request_that_can_never_be_taken_is_500() {
    let mut setup = Setup::to_nothing();
    setup.http = "include_metadata = true";
    setup.blocks.push_str(&format!(
        r#"
otelcol.processor.batch "by_tenant" {{
  metadata_keys              = ["x-tenant"]
  metadata_cardinality_limit = 1
  output {{
    logs    = [{0}]
    metrics = [{0}]
    traces  = [{0}]
  }}
}}
"#,
        setup.to[0]
    ));
    setup.to = vec!["otelcol.processor.batch.by_tenant.input".to_owned()];
    let lab = setup.start();
    let of_tenant = |tenant: &str| {
        [(PROTOBUF, &logs(["x"])[..]), (JSON, JSON_LOG)].map(|(kind, body)| {
            post(lab.http, "/v1/logs", &[("content-type", kind), ("x-tenant", tenant)], body)
        })
    };
    assert!(of_tenant("first").iter().all(|answer| answer.status == 200));
    assert_status(of_tenant("second"), 500, 13);
}

/// OTLP check 25, the receiver.
#[test]
fn bad_data_is_400_with_the_byte_at_which_it_is_bad() {
    let lab = Setup::to_nothing().start();
    let mut cut = logs(["a record", "that is cut"]);
    cut.truncate(cut.len() - 3);
    let answer = lab.post(Signal::Logs, &cut);
    assert_eq!(answer.status, 400);
    let status = RpcStatus::decode(&*answer.body).unwrap();
    assert!(status.message.contains(" at byte "), "{}", status.message);
    let violations = status.bad_request().unwrap().field_violations;
    assert_eq!(violations.len(), 1);
    assert!(!violations[0].field.is_empty() && !violations[0].description.is_empty());
    let text = br#"{"resourceLogs": [}"#;
    let answer = post(lab.http, "/v1/logs", &[("content-type", JSON)], text);
    assert_eq!(answer.status, 400);
    let (_, message, bad_request) = status_of(&answer);
    assert!(bad_request && message.contains(" at byte 18"), "{message}");
}

/// OTLP checks 25 and 26, the exporter.
#[test]
fn only_429_502_503_and_504_are_sent_again() {
    let again = [429, 502, 503, 504];
    let never = [
        300, 301, 302, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 411, 413, 415, 422, 431,
        451, 499, 500, 501, 505, 507, 511, 599,
    ];
    let taken = [200, 202, 204];
    let all: Vec<u16> = [&again[..], &never, &taken].concat();
    let script = all.iter().map(|status| (status.to_string(), vec![Act::status(*status)]));
    let sink = HttpFake::by_case(script);
    let parts = all.iter().map(|status| {
        let case = status.to_string();
        http_out(&format!("of_{case}"), &sink.url(), &case_header(&case), "")
    });
    let lab = Setup::to_all(parts).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    for status in &all {
        let id = format!("otlphttp.of_{status}");
        let value = |name: &str| lab.metric(name, &id);
        let settled = || value("bessemer_delivered_records") + value("bessemer_dead_records");
        wait_until(WITHIN, &format!("{status} settled"), || settled() == 1.0);
        let seen = sink.seen_of(&status.to_string());
        let (tries, dead) = match status {
            429 | 502..=504 => (2, 0.0),
            200..=299 => (1, 0.0),
            _ => (1, 1.0),
        };
        assert_eq!(seen.len(), tries, "{status}");
        assert_eq!(value("bessemer_dead_records"), dead, "{status}");
        assert!(seen.iter().all(|one| one.body == seen[0].body), "{status} changed the body");
    }
}

/// OTLP check 27, the exporter.
#[test]
fn retry_after_is_honored_as_seconds_and_as_a_date() {
    let date = http_date(unix_seconds() + 4);
    let sink = HttpFake::by_case([
        ("seconds".to_owned(), vec![Act::status(503).with("retry-after", "2")]),
        ("date".to_owned(), vec![Act::status(429).with("retry-after", &*date)]),
        ("nonsense".to_owned(), vec![Act::status(503).with("retry-after", "soon")]),
        ("past".to_owned(), vec![Act::status(503).with("retry-after", http_date(1000))]),
    ]);
    let cases = ["seconds", "date", "nonsense", "past"];
    let parts = cases.map(|case| http_out(case, &sink.url(), &case_header(case), ""));
    let lab = Setup::to_all(parts).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    sink.wait_for(8);
    let waited = |case: &str| {
        let seen = sink.seen_of(case);
        assert_eq!(seen.len(), 2, "{case}");
        seen[1].at - seen[0].at
    };
    assert!(waited("seconds") >= Duration::from_secs(2), "{:?}", waited("seconds"));
    // How much of the four seconds was gone at the first answer is not known exactly.
    assert!(waited("date") >= Duration::from_secs(1), "{:?}", waited("date"));
    for case in ["nonsense", "past"] {
        assert!(waited(case) < Duration::from_secs(2), "{case} {:?}", waited(case));
    }
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(unix: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let (mut left, second) = (unix / 86_400, unix % 86_400);
    let weekday = DAYS[usize::try_from(left % 7).unwrap()];
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{:02} GMT",
        left + 1,
        MONTHS[month],
        second % 60
    )
}

fn gaps(seen: &[Seen]) -> Vec<Duration> {
    seen.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

/// OTLP check 27, the exporter without `Retry-After`.
#[test]
fn without_retry_after_waits_grow() {
    let sink = HttpFake::scripted(vec![Act::status(503); 9]);
    let retry = "retry_on_failure {\n    initial_interval = \"100ms\"\n  }";
    let lab = Setup::to(http_out("out", &sink.url(), "", retry)).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    let seen = sink.wait_for(10);
    let gaps = gaps(&seen);
    // Three tries follow each other quickly, then the queue waits: at least 1/4, 1/2 and 1 s.
    for (gap, least) in [(2, 250), (5, 500), (8, 1000)] {
        assert!(gaps[gap] >= Duration::from_millis(least), "{gaps:?}");
    }
    let total: Duration = gaps.iter().sum();
    assert!(total < Duration::from_secs(10), "{gaps:?}");
    assert_eq!(lab.metric("bessemer_dead_records", "otlphttp.out"), 0.0);
}

/// OTLP check 28: a connection that ends without an answer.
#[test]
fn a_request_without_an_answer_is_sent_again_unchanged() {
    let sink = HttpFake::scripted(vec![Act::HangUp; 3]);
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    let seen = sink.wait_for(4);
    assert!(seen.iter().all(|one| one.body == seen[0].body && one.path == seen[0].path));
    assert!(seen.windows(2).all(|pair| pair[0].connection != pair[1].connection));
    wait_until(WITHIN, "delivered", || {
        lab.metric("bessemer_delivered_records", "otlphttp.out") == 1.0
    });
    assert_eq!(sink.seen().len(), 4);
}

/// OTLP check 28: no connection at all.
///
/// Scenario: nothing listens at the destination for a while.
/// Promise: tries are few and irregular, and what waits arrives once it listens.
#[test]
fn what_cannot_be_reached_is_tried_with_growing_and_random_waits() {
    let address = free_address();
    let cases = ["a", "b", "c"];
    let url = format!("http://{address}");
    let parts = cases.map(|case| http_out(case, &url, &case_header(case), ""));
    let lab = Setup::to_all(parts).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    let retried =
        |case: &str| lab.metric("bessemer_retried_deliveries", &format!("otlphttp.{case}"));
    let began = Instant::now();
    wait_until(WITHIN, "tried", || cases.iter().all(|case| retried(case) >= 1.0));
    let most = 2.0 + began.elapsed().as_secs_f64() / 0.25;
    assert!(cases.iter().all(|case| retried(case) <= most), "a hot loop");
    let sink = HttpFake::at(address);
    let seen = sink.wait_for(3);
    assert!(seen.iter().all(|seen| bodies(&seen.logs()) == ["kept"]));
    // Three that failed at the same moments do not come back at the same moment.
    let arrivals: Vec<Instant> = cases.iter().map(|case| sink.seen_of(case)[0].at).collect();
    let (first, last) = (arrivals.iter().min().unwrap(), arrivals.iter().max().unwrap());
    assert!(*last - *first > Duration::from_millis(2), "{arrivals:?}");
}

/// OTLP check 28: keep-alive.
#[test]
fn deliveries_share_a_connection() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    for round in 1..=5 {
        assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
        sink.wait_for(round);
    }
    let seen = sink.seen();
    assert!(seen.iter().all(|one| one.connection == seen[0].connection));
}
