//! The answers survive both encodings, and damage is an error, not a panic.

use super::*;
use std::time::Duration;

fn refusal() -> Status {
    Status::new(14, "disk budget reached")
        .with(Detail::RetryInfo { retry_delay: Duration::from_millis(1_500) })
        .with(Detail::BadRequest {
            field_violations: vec![FieldViolation {
                field: "resource_logs".into(),
                description: "invalid UTF-8 at byte 153".into(),
            }],
        })
}

#[test]
fn full_success_is_an_empty_message_in_both_encodings() {
    assert_eq!(ExportResponse::default().encode(), b"");
    assert_eq!(ExportResponse::default().to_json(Signal::Logs), b"{}");
    assert_eq!(ExportResponse::decode(b"").unwrap(), ExportResponse::default());
    assert_eq!(ExportResponse::from_json(b"{}").unwrap(), ExportResponse::default());
}

#[test]
fn partial_success_survives_both_encodings() {
    let response = ExportResponse::partial(3, "too old");
    assert_eq!(ExportResponse::decode(&response.encode()).unwrap(), response);
    for signal in Signal::ALL {
        let json = response.to_json(signal);
        assert_eq!(ExportResponse::from_json(&json).unwrap(), response);
    }
}

#[test]
fn partial_success_names_the_rejected_as_the_signal_does() {
    let json =
        |signal| String::from_utf8(ExportResponse::partial(3, "no").to_json(signal)).unwrap();
    let expected = |name| format!(r#"{{"partialSuccess":{{"{name}":"3","errorMessage":"no"}}}}"#);
    assert_eq!(json(Signal::Logs), expected("rejectedLogRecords"));
    assert_eq!(json(Signal::Metrics), expected("rejectedDataPoints"));
    assert_eq!(json(Signal::Traces), expected("rejectedSpans"));
}

#[test]
fn a_count_is_read_as_number_string_and_null() {
    let rejected = |text: &str| {
        let text =
            format!(r#"{{"partialSuccess":{{"rejectedSpans":{text},"new":[1]}},"new":{{}}}}"#);
        ExportResponse::from_json(text.as_bytes()).unwrap().partial_success.unwrap().rejected
    };
    assert_eq!((rejected("7"), rejected("\"7\""), rejected("null")), (7, 7, 0));
}

#[test]
fn a_status_survives_both_encodings() {
    assert_eq!(Status::decode(&refusal().encode()).unwrap(), refusal());
    assert_eq!(Status::from_json(&refusal().to_json()).unwrap(), refusal());
    assert_eq!(refusal().retry_delay(), Some(Duration::from_millis(1_500)));
}

#[test]
fn a_status_in_json_has_typed_details() {
    assert_eq!(
        String::from_utf8(refusal().to_json()).unwrap(),
        concat!(
            r#"{"code":14,"message":"disk budget reached","details":["#,
            r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"},"#,
            r#"{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":["#,
            r#"{"field":"resource_logs","description":"invalid UTF-8 at byte 153"}]}]}"#,
        )
    );
}

#[test]
fn an_unknown_detail_is_kept_in_protobuf_and_left_out_in_json() {
    let other = Detail::Other { type_url: "example.com/a.B".into(), value: vec![8, 1] };
    let status = Status::new(3, "no").with(other);
    assert_eq!(Status::decode(&status.encode()).unwrap(), status);
    assert_eq!(status.to_json(), br#"{"code":3,"message":"no"}"#);
    let read = Status::from_json(br#"{"details":[{"@type":"x/y.Z","a":1},7]}"#).unwrap();
    assert_eq!(read, Status::default());
}

#[test]
fn durations_have_the_digits_of_proto3() {
    for (text, duration) in [
        ("3s", Duration::from_secs(3)),
        ("0.000000001s", Duration::from_nanos(1)),
        ("1.000340s", Duration::from_micros(1_000_340)),
        ("-1s", Duration::ZERO),
        ("2.5s", Duration::from_millis(2_500)),
    ] {
        let json = format!(
            r#"{{"details":[{{"@type":"t/google.rpc.RetryInfo","retryDelay":"{text}"}}]}}"#
        );
        let status = Status::from_json(json.as_bytes()).unwrap();
        assert_eq!(status.retry_delay(), Some(duration), "{text}");
    }
}

#[test]
fn every_cut_of_an_answer_is_read_or_refused_without_panic() {
    let status = refusal().encode();
    let refused = (0..status.len()).filter(|&len| Status::decode(&status[..len]).is_err()).count();
    assert!(refused > status.len() / 2, "{refused}");
    let response = ExportResponse::partial(3, "too old").encode();
    assert!((1..response.len()).all(|len| ExportResponse::decode(&response[..len]).is_err()));
}

#[test]
fn a_flood_of_details_is_cut() {
    let mut status = refusal();
    status.details = vec![status.details.remove(0); 10_000];
    assert_eq!(Status::decode(&status.encode()).unwrap().details.len(), 64);
}
