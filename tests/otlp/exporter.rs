//! How exporters behave beside each other and towards clients: checks 33 to 35 and 38.

use std::time::Duration;

use bessemer_net::grpc::Code;
use bessemer_record::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use prost::Message;

use crate::WITHIN;
use crate::client::status_of;
use crate::fake::{Act, HttpFake};
use crate::lab::{Setup, http_out};
use crate::process::{Bessemer, free_address, get, wait_until};
use crate::samples::{attribute, bodies, logs, logs_of, record, resource, scope, text};

/// OTLP check 33: how many requests are under way.
#[test]
fn as_many_requests_are_under_way_as_the_settings_say() {
    let holds = || std::iter::repeat_n(Act::Hold, 1000);
    let (one, three) = (HttpFake::scripted(holds()), HttpFake::scripted(holds()));
    let queue = "sending_queue {\n    num_consumers = 3\n  }";
    let lab = Setup::to_all([
        http_out("one", &one.url(), "", ""),
        http_out("three", &three.url(), "", queue),
    ])
    .start();
    for round in 0..8 {
        assert_eq!(lab.post(Signal::Logs, &logs([format!("{round}")])).status, 200);
        let expected = usize::min(round + 1, 3);
        wait_until(WITHIN, "under way", || three.holding().0 == expected && one.holding().0 == 1);
    }
    for sink in [&one, &three] {
        sink.release();
    }
    for id in ["otlphttp.one", "otlphttp.three"] {
        wait_until(WITHIN, "delivered", || lab.metric("bessemer_delivered_records", id) == 8.0);
    }
    assert_eq!((one.holding().1, three.holding().1), (1, 3));
}

/// OTLP check 33: shutdown.
///
/// Scenario: TERM comes while a request waits for its answer.
/// Promise: the answer is waited for, and the records are not sent again after a restart.
#[test]
fn a_shutdown_waits_for_answers_that_are_on_their_way() {
    let sink = HttpFake::scripted([Act::Hold]);
    let mut lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    assert_eq!(lab.post(Signal::Logs, &logs(["held"])).status, 200);
    wait_until(WITHIN, "under way", || sink.holding().0 == 1);
    lab.bessemer.signal(rustix::process::Signal::TERM);
    // It no longer takes data while it waits.
    let ready =
        |bessemer: &Bessemer| get(bessemer.admin, "/readyz").is_ok_and(|(status, _)| status == 200);
    wait_until(WITHIN, "draining", || {
        !ready(&lab.bessemer) || std::net::TcpStream::connect(lab.http).is_err()
    });
    assert_eq!(sink.holding().0, 1, "the request was given up");
    sink.release();
    assert_eq!(lab.bessemer.wait(), 0);
    lab.bessemer.start();
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
    let sent: Vec<String> = sink.wait_for(2).iter().flat_map(|seen| bodies(&seen.logs())).collect();
    assert_eq!(sent, ["held", "after"]);
}

/// OTLP check 34.
#[test]
fn a_slow_destination_does_not_hold_up_another() {
    let slow = HttpFake::scripted(std::iter::repeat_n(Act::Hold, 1000));
    let broken = HttpFake::scripted(std::iter::repeat_n(Act::status(503), 100));
    let healthy = HttpFake::start();
    let lab = Setup::to_all([
        http_out("slow", &slow.url(), "", ""),
        http_out("broken", &broken.url(), "", ""),
        http_out("healthy", &healthy.url(), "", ""),
    ])
    .start();
    let sent: Vec<String> = (0..50).map(|number| format!("record {number}")).collect();
    for body in &sent {
        assert_eq!(lab.post(Signal::Logs, &logs([body])).status, 200);
    }
    let arrived = |sink: &HttpFake| {
        let mut all: Vec<String> =
            sink.seen().iter().flat_map(|seen| bodies(&seen.logs())).collect();
        all.sort_unstable_by_key(|body| {
            body.strip_prefix("record ").unwrap().parse::<u32>().unwrap()
        });
        all
    };
    wait_until(Duration::from_secs(10), "at the healthy one", || arrived(&healthy) == sent);
    assert_eq!(lab.metric("bessemer_delivered_records", "otlphttp.slow"), 0.0);
    assert_eq!(lab.metric("bessemer_delivered_records", "otlphttp.broken"), 0.0);
    slow.release();
    wait_until(WITHIN, "at the slow one", || arrived(&slow) == sent);
}

/// OTLP check 35: none are made.
///
/// Scenario: each resource and each scope of a batch goes to one of two places, so that nothing of
/// it is left for the other.
/// Promise: no destination gets an envelope around nothing.
#[test]
fn routing_leaves_no_empty_envelopes() {
    let sinks = [HttpFake::start(), HttpFake::start()];
    let routes = r#"
otelcol.processor.routing "by_place" {
  from_attribute    = "place"
  default_pipelines = ["elsewhere"]
  table = [{ value = "here", pipelines = ["here"] }]
}
bessemer.pipeline "here" { to = [otelcol.exporter.otlphttp.here.input] }
bessemer.pipeline "elsewhere" { to = [otelcol.exporter.otlphttp.elsewhere.input] }
"#;
    let mut setup = Setup::to_all([
        http_out("here", &sinks[0].url(), "", ""),
        http_out("elsewhere", &sinks[1].url(), "", ""),
    ]);
    setup.blocks.push_str(routes);
    setup.to = vec!["otelcol.processor.routing.by_place.input".to_owned()];
    let lab = setup.start();
    let at = |place: &str| {
        let mut record = record(place);
        record.attributes.push(attribute("place", text(place)));
        record
    };
    let of_scope =
        |log_records| ScopeLogs { scope: Some(scope()), log_records, ..ScopeLogs::default() };
    let of_resource = |scope_logs| ResourceLogs {
        resource: Some(resource()),
        scope_logs,
        ..ResourceLogs::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![
            of_resource(vec![of_scope(vec![at("here")]), of_scope(vec![at("there")])]),
            of_resource(vec![of_scope(vec![at("there"), at("there")])]),
            of_resource(vec![of_scope(vec![at("here")])]),
        ],
    };
    assert_eq!(lab.post(Signal::Logs, &request.encode_to_vec()).status, 200);
    for (sink, groups, expected) in [
        (&sinks[0], [1, 1], vec!["here", "here"]),
        (&sinks[1], [1, 1], vec!["there", "there", "there"]),
    ] {
        let request = sink.wait_for(1)[0].logs();
        assert_eq!(bodies(&request), expected);
        let scopes: Vec<usize> =
            request.resource_logs.iter().map(|resource| resource.scope_logs.len()).collect();
        assert_eq!(scopes, groups);
        let mut all = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        assert!(all.all(|scope| !scope.log_records.is_empty() && scope.scope.is_some()));
    }
    assert_eq!(lab.post(Signal::Logs, &logs_of(vec![at("here")]).encode_to_vec()).status, 200);
    sinks[0].wait_for(2);
    assert_eq!(sinks[1].seen().len(), 1, "an empty request was sent");
}

/// OTLP check 35: those that come in. A request of nothing else is a success and goes nowhere.
#[test]
fn requests_of_empty_envelopes_are_taken_and_lead_to_no_delivery() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    let empty = ResourceLogs {
        resource: Some(resource()),
        scope_logs: vec![ScopeLogs { scope: Some(scope()), ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs::default(), empty.clone(), empty],
    };
    let request = request.encode_to_vec();
    assert_eq!(lab.post(Signal::Logs, &request).status, 200);
    lab.call(Signal::Logs, &request).unwrap();
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
    let seen = sink.wait_for(1);
    assert_eq!(bodies(&seen[0].logs()), ["after"]);
    assert_eq!(seen.len(), 1);
}

/// OTLP check 38. Where a client waits for the destination, it learns what happened there: what
/// may yet succeed is 503 or `UNAVAILABLE` with a time to come back; what the destination refused
/// for good is kept as a dead letter, and so acknowledged.
#[test]
fn with_ack_delivered_a_client_learns_how_its_destination_fares() {
    let acts = [
        Act::ok(Vec::new()),
        Act::status(400),
        Act::status(401),
        Act::status(403),
        Act::status(404),
    ];
    let troubled = std::iter::repeat_n(Act::status(429), 1000);
    let sink = HttpFake::scripted(acts.into_iter().chain(troubled));
    let receiver = "ack = \"delivered\"\n  ack_timeout = \"1s\"";
    let setup = Setup::to(http_out("out", &sink.url(), "", ""));
    let lab = Setup { receiver, ..setup }.start();
    for round in 0..5 {
        assert_eq!(lab.post(Signal::Logs, &logs(["x"])).status, 200);
        let dead = lab.metric("bessemer_dead_records", "otlphttp.out");
        assert_eq!(dead, f64::from(round), "after answer {round}");
    }
    let answer = lab.post(Signal::Logs, &logs(["later"]));
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().unwrap() >= 1));
    let (code, message, _) = status_of(&answer);
    assert_eq!(code, 14);
    assert!(message.contains("429"), "{message}");
    let status = lab.call(Signal::Logs, &logs(["later"])).unwrap_err();
    assert_eq!(status.code, Code::Unavailable);
    assert!(status.retry_after.is_some_and(|wait| wait > Duration::ZERO));
}

/// OTLP check 38: a destination that cannot be reached at all.
#[test]
fn with_ack_delivered_an_absent_destination_is_503_until_it_is_there() {
    let address = free_address();
    let receiver = "ack = \"delivered\"\n  ack_timeout = \"1s\"";
    let setup = Setup::to(http_out("out", &format!("http://{address}"), "", ""));
    let lab = Setup { receiver, ..setup }.start();
    assert_eq!(lab.post(Signal::Logs, &logs(["early"])).status, 503);
    let sink = HttpFake::at(address);
    let sent = || lab.post(Signal::Logs, &logs(["late"])).status == 200;
    wait_until(WITHIN, "acknowledged", sent);
    assert!(sink.seen().iter().any(|seen| bodies(&seen.logs()).contains(&"late".to_owned())));
}
