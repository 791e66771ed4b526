//! Failures over gRPC, of ours and of destinations: checks 29 to 32.

use std::time::Duration;

use bessemer_net::grpc::{Code, Status};
use bessemer_record::Signal;
use prost::Message;

use crate::WITHIN;
use crate::client::{Grpc, RpcStatus, SIGNALS};
use crate::failures_http::memory_limited;
use crate::fake::{Act, HttpFake};
use crate::fake_grpc::GrpcFake;
use crate::lab::{Setup, case_header, grpc_out, http_out};
use crate::process::wait_until;
use crate::samples::{bodies, logs, smallest};

/// OTLP check 29.
#[test]
fn the_retryable_codes_and_no_others_are_sent_again() {
    let again = [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unavailable,
        Code::DataLoss,
    ];
    let never = [
        Code::Unknown,
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::Unauthenticated,
        Code::FailedPrecondition,
        Code::Unimplemented,
        Code::Internal,
        Code::ResourceExhausted,
    ];
    let plain = |code: Code| Status::new(code, "scripted");
    let mut cases: Vec<(String, Status, usize)> = Vec::new();
    for code in again {
        cases.push((code.as_str().to_lowercase(), plain(code), 2));
    }
    for code in never {
        cases.push((code.as_str().to_lowercase(), plain(code), 1));
    }
    let wait = plain(Code::ResourceExhausted).with_retry_after(Duration::from_millis(10));
    cases.push(("exhausted_for_now".to_owned(), wait, 2));
    let script = cases.iter().map(|(case, status, _)| (case.clone(), vec![Err(status.clone())]));
    let sink = GrpcFake::by_case(script);
    let parts =
        cases.iter().map(|(case, _, _)| grpc_out(case, &sink.url(), &case_header(case), ""));
    let lab = Setup::to_all(parts).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    for (case, _, tries) in &cases {
        let value = |name: &str| lab.metric(name, &format!("otlp.{case}"));
        let settled = || value("bessemer_delivered_records") + value("bessemer_dead_records");
        wait_until(WITHIN, &format!("{case} settled"), || settled() == 1.0);
        assert_eq!(sink.calls_of(case).len(), *tries, "{case}");
        let dead = if *tries == 1 { 1.0 } else { 0.0 };
        assert_eq!(value("bessemer_dead_records"), dead, "{case}");
    }
}

fn details(status: &Status) -> RpcStatus {
    let details = RpcStatus::decode(&*status.details).unwrap();
    assert_eq!(details.code, i32::from(status.code.number()));
    assert_eq!(details.message, status.message);
    details
}

/// OTLP check 30, the receiver. A budget that is used up is `RESOURCE_EXHAUSTED`, what is down is
/// `UNAVAILABLE`; `RetryInfo` makes both retryable.
#[test]
fn overload_and_outage_carry_retry_info() {
    let wait_of = |status: &Status| {
        let wait = details(status).retry_info().unwrap().retry_delay.unwrap();
        Duration::new(wait.seconds.unsigned_abs(), wait.nanos.unsigned_abs())
    };
    let limited = memory_limited();
    let status = limited.call(Signal::Logs, &logs(["x"])).unwrap_err();
    assert_eq!(status.code, Code::ResourceExhausted);
    assert!(wait_of(&status) > Duration::ZERO);

    let lab = Setup { arguments: &["--memory.bodies", "64KiB"], ..Setup::to_nothing() }.start();
    let status = lab.call(Signal::Logs, &vec![0; 100 << 10]).unwrap_err();
    assert_eq!(status.code, Code::ResourceExhausted);
    assert!(wait_of(&status) > Duration::ZERO);

    let sink = HttpFake::scripted(std::iter::repeat_n(Act::status(503), 1000));
    let receiver = "ack = \"delivered\"\n  ack_timeout = \"1s\"";
    let setup = Setup::to(http_out("out", &sink.url(), "", ""));
    let lab = Setup { receiver, ..setup }.start();
    let status = lab.call(Signal::Logs, &logs(["x"])).unwrap_err();
    assert_eq!(status.code, Code::Unavailable);
    assert!(wait_of(&status) > Duration::ZERO);
}

/// OTLP check 30, the exporter.
#[test]
fn retry_info_is_waited_for_and_backed_off_from() {
    let busy = |wait| Err(Status::new(Code::Unavailable, "busy").with_retry_after(wait));
    let second = Duration::from_secs(1);
    let sink = GrpcFake::scripted([busy(second), busy(second), busy(2 * second)]);
    let lab = Setup::to(grpc_out("out", &sink.url(), "", "")).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["kept"])).status, 200);
    let calls = sink.wait_for(4);
    let gaps: Vec<Duration> = calls.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    for (gap, least) in gaps.iter().zip([second, second, 2 * second]) {
        assert!(*gap >= least, "{gaps:?}");
    }
    assert!(calls.iter().all(|call| call.message == calls[0].message));
}

/// OTLP check 31.
#[test]
fn bad_data_is_an_invalid_argument_with_its_byte() {
    let lab = Setup::to_nothing().start();
    let grpc = Grpc::new(lab.grpc);
    for signal in SIGNALS {
        let mut message = smallest(signal);
        message.truncate(message.len() - 1);
        for bad in [&message[..], b"\xff", b"\x0a\x05"] {
            let status = grpc.export(signal, bad).unwrap_err();
            assert_eq!((status.code, status.retry_after), (Code::InvalidArgument, None));
            assert!(status.message.contains(" at byte "), "{}", status.message);
            let violations = details(&status).bad_request().unwrap().field_violations;
            assert_eq!(violations.len(), 1);
            assert!(!violations[0].field.is_empty() && !violations[0].description.is_empty());
        }
        grpc.export(signal, &smallest(signal)).unwrap();
    }
}

/// OTLP check 32.
#[test]
fn what_a_destination_will_never_take_is_counted_as_dead_and_the_rest_goes_on() {
    let refuse = || Err(Status::new(Code::InvalidArgument, "not this one"));
    let sink = GrpcFake::scripted([refuse(), refuse()]);
    let lab = Setup::to(grpc_out("out", &sink.url(), "", "")).start();
    for round in 1..=3 {
        // One record: of several, those at fault would be looked for.
        assert_eq!(lab.post(Signal::Logs, &logs([format!("round {round}")])).status, 200);
        sink.wait_for(round);
    }
    let value = |name: &str| lab.metric(name, "otlp.out");
    wait_until(WITHIN, "delivered", || value("bessemer_delivered_records") == 1.0);
    assert_eq!(value("bessemer_dead_records"), 2.0);
    let calls = sink.calls();
    assert_eq!(calls.len(), 3);
    let last = opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest::decode(
        calls[2].message.clone(),
    );
    assert_eq!(bodies(&last.unwrap())[0], "round 3");
    assert!(lab.bessemer.log().contains("not this one"), "{}", lab.bessemer.log());
}

/// Scenario: a destination refuses what holds one record of four.
/// Promise: that one is looked for and buried alone, in at most log2(n) + 1 refusals.
#[test]
fn one_record_at_fault_is_buried_alone() {
    let refuse = || Err(Status::new(Code::InvalidArgument, "not this one"));
    let sink = GrpcFake::scripted([refuse(), refuse(), refuse()]);
    let lab = Setup::to(grpc_out("out", &sink.url(), "", "")).start();
    let four = ["poison", "two", "three", "four"].map(str::to_owned);
    assert_eq!(lab.post(Signal::Logs, &logs(four)).status, 200);
    sink.wait_for(5);
    let value = |name: &str| lab.metric(name, "otlp.out");
    wait_until(WITHIN, "delivered", || value("bessemer_delivered_records") == 3.0);
    assert_eq!(value("bessemer_dead_records"), 1.0);
    assert_eq!(sink.calls().len(), 5, "four, two, the one, its neighbour, the other two");
}
