//! Clients that send to Bessemer itself.

use crate::client::{EMITTED, run_node, run_python, run_telemetrygen};
use crate::counterparty::is_live;
use crate::lab::Lab;
use crate::records::Signal;
use crate::tee::Tee;

fn python(protocol: &str, compression: &str) {
    if !is_live() {
        return;
    }
    let lab = Lab::start();
    let tee = Tee::before(if protocol == "grpc" { lab.grpc } else { lab.http });
    run_python(protocol, tee.address, compression);
    lab.finish(&tee.records(), &EMITTED, || ());
}

#[test]
fn what_python_sends_over_grpc_arrives_equal() {
    python("grpc", "none");
}

#[test]
fn what_python_sends_over_grpc_with_gzip_arrives_equal() {
    python("grpc", "gzip");
}

#[test]
fn what_python_sends_as_protobuf_over_http_arrives_equal() {
    python("http", "none");
}

#[test]
fn what_python_sends_as_protobuf_over_http_with_gzip_arrives_equal() {
    python("http", "gzip");
}

fn node(compression: &str) {
    if !is_live() {
        return;
    }
    let lab = Lab::start();
    let tee = Tee::before(lab.http);
    run_node(tee.address, compression);
    lab.finish(&tee.records(), &EMITTED, || ());
}

#[test]
fn what_node_sends_as_json_over_http_arrives_equal() {
    node("none");
}

#[test]
fn what_node_sends_as_json_over_http_with_gzip_arrives_equal() {
    node("gzip");
}

const ATTRIBUTES: [&str; 8] = [
    "--rate=0",
    "--workers=2",
    "--otlp-attributes=zone=\"north\"",
    "--otlp-attributes=level=3",
    "--telemetry-attributes=text=\"two words\"",
    "--telemetry-attributes=yes=true",
    "--telemetry-attributes=least=-9223372036854775808",
    "--telemetry-attributes=list=[\"a\",\"b\"]",
];
const TRACE: &str = "--trace-id=ae87dadd90e9935a4bc9660628efd569";
const SPAN: &str = "--span-id=5828fa4960140870";

fn telemetrygen(transport: &[&str]) {
    if !is_live() {
        return;
    }
    let lab = Lab::start();
    let tee = Tee::before(if transport.is_empty() { lab.grpc } else { lab.http });
    let send = |signal, arguments: &[&str]| {
        run_telemetrygen(signal, tee.address, &[&ATTRIBUTES, transport, arguments].concat());
    };
    send(
        Signal::Logs,
        &["--logs=500", "--severity-number=17", "--severity-text=Error", "--body=a b", TRACE, SPAN],
    );
    send(Signal::Traces, &["--traces=200", "--child-spans=2", "--span-links=2", "--status-code=2"]);
    for kind in ["Gauge", "Sum", "Histogram", "ExponentialHistogram"] {
        send(Signal::Metrics, &["--metrics=50", "--metric-type", kind, TRACE, SPAN]);
    }
    let sent = [(Signal::Logs, 1000), (Signal::Traces, 1200), (Signal::Metrics, 400)];
    lab.finish(&tee.records(), &sent, || ());
}

#[test]
fn what_telemetrygen_sends_over_grpc_arrives_equal() {
    telemetrygen(&[]);
}

#[test]
fn what_telemetrygen_sends_as_protobuf_over_http_arrives_equal() {
    telemetrygen(&["--otlp-http"]);
}

/// Scenario: exports go to a port of Bessemer that takes none.
/// Promise: the clients of these tests fail then, so that their success says something.
#[test]
fn clients_report_what_is_not_acknowledged() {
    if !is_live() {
        return;
    }
    let lab = Lab::start();
    let admin = lab.admin();
    let fails = |run: &(dyn Fn() + std::panic::RefUnwindSafe)| {
        assert!(std::panic::catch_unwind(run).is_err());
    };
    fails(&|| run_python("http", admin, "none"));
    fails(&|| run_python("grpc", admin, "none"));
    fails(&|| run_node(admin, "none"));
    for signal in [Signal::Logs, Signal::Metrics, Signal::Traces] {
        let count = format!("--{}=1", signal.as_str());
        fails(&|| run_telemetrygen(signal, admin, &["--otlp-http", "--rate=0", &count]));
    }
}
