//! A Collector after Bessemer: client, Bessemer, Collector, destination.

use crate::client::{EMITTED, run_python};
use crate::collector::Collector;
use crate::counterparty::is_live;
use crate::fake::Fake;
use crate::lab::Lab;
use crate::tee::Tee;

/// Promise: what a Collector passes on is what the client sent to Bessemer.
fn after(way: &'static str, exporter: &str, settings: impl Fn(&Collector) -> String) {
    if !is_live() {
        return;
    }
    let fake = Fake::start();
    let to_fake = format!("{{endpoint: \"{}\", compression: none}}", fake.url());
    let collector = Collector::start("otlp_http", &to_fake);
    let blocks = format!("{exporter} \"out\" {{\n  {}\n}}", settings(&collector));
    let lab = Lab::start_with(&format!("{exporter}.out.input"), &blocks, vec![(way, fake)]);
    let tee = Tee::before(lab.grpc);
    run_python("grpc", tee.address, "none");
    lab.finish(&tee.records(), &EMITTED, || collector.stop());
}

#[test]
fn what_is_sent_to_a_collector_over_grpc_arrives_equal() {
    let settings = |to: &Collector| format!("client {{ endpoint = \"http://{}\" }}", to.grpc);
    after("gRPC", "otelcol.exporter.otlp", settings);
}

#[test]
fn what_is_sent_to_a_collector_as_protobuf_over_http_arrives_equal() {
    let settings = |to: &Collector| format!("client {{ endpoint = \"http://{}\" }}", to.http);
    after("HTTP, protobuf", "otelcol.exporter.otlphttp", settings);
}

#[test]
fn what_is_sent_to_a_collector_as_json_over_http_arrives_equal() {
    let settings = |to: &Collector| {
        format!("client {{ endpoint = \"http://{}\" }}\n  encoding = \"json\"", to.http)
    };
    after("HTTP, JSON", "otelcol.exporter.otlphttp", settings);
}
