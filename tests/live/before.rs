//! A Collector before Bessemer: client, Collector, Bessemer, destination.

use std::net::SocketAddr;

use crate::client::{EMITTED, run_python};
use crate::collector::Collector;
use crate::counterparty::is_live;
use crate::lab::Lab;
use crate::tee::Tee;

/// Promise: what arrives is what the client sent, and what the Collector sent.
fn before(
    name: &str,
    address: impl Fn(&Lab) -> SocketAddr,
    settings: impl Fn(SocketAddr) -> String,
) {
    if !is_live() {
        return;
    }
    let lab = Lab::start();
    let passed_on = Tee::before(address(&lab));
    let collector = Collector::start(name, &settings(passed_on.address));
    let sent = Tee::before(collector.grpc);
    run_python("grpc", sent.address, "none");
    // Sends what it still holds.
    collector.stop();
    let (sent, passed_on) = (sent.records(), passed_on.records());
    sent.assert_equal(&passed_on, "through the Collector");
    lab.finish(&passed_on, &EMITTED, || ());
}

#[test]
fn what_a_collector_sends_over_grpc_arrives_equal() {
    let settings = |to| format!("{{endpoint: \"{to}\", tls: {{insecure: true}}}}");
    before("otlp_grpc", |lab| lab.grpc, settings);
}

#[test]
fn what_a_collector_sends_as_protobuf_over_http_arrives_equal() {
    before("otlp_http", |lab| lab.http, |to| format!("{{endpoint: \"http://{to}\"}}"));
}

#[test]
fn what_a_collector_sends_as_json_over_http_arrives_equal() {
    let settings = |to| format!("{{endpoint: \"http://{to}\", encoding: json}}");
    before("otlp_http", |lab| lab.http, settings);
}
