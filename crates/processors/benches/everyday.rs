//! What the processors of the bench's cases g to j cost, each built from the configuration of its case
//! and run over 1,000 records like those of the bench: checked, changed, written. The case "nothing" is
//! what checking and writing cost alone.

#![expect(clippy::unwrap_used, reason = "a bench that panics fails")]
#![expect(clippy::panic, reason = "a bench that panics fails")]

use std::hint::black_box;
use std::sync::Arc;

use bessemer_config::{Context as Reading, DiskSources, FixedEnvironment, Source, load_text};
use bessemer_pipeline::catalog::Catalogs;
use bessemer_pipeline::{Built, Context, Scratch, Step};
use bessemer_record::edit::Field;
use bessemer_record::value::{Value, encode_any_value, encode_key_value};
use bessemer_record::{Draft, Limits, Signal, Tails};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: usize = 1_000;
const RESOURCES: usize = 4;

const CASES: [(&str, &str); 4] = [
    ("g: ten statements", include_str!("../../../bench/bessemer/transform.alloy")),
    ("h: five conditions", include_str!("../../../bench/bessemer/filter.alloy")),
    ("i: six actions", include_str!("../../../bench/bessemer/attributes.alloy")),
    ("j: twenty patterns", include_str!("../../../bench/bessemer/redaction.alloy")),
];

fn message(number: u32, content: &[u8], out: &mut Vec<u8>) {
    Field::Bytes(content).put(number, out);
}

fn attribute(number: u32, key: &str, value: &Value, out: &mut Vec<u8>) {
    let mut pair = Vec::new();
    encode_key_value(key, value, &mut pair);
    message(number, &pair, out);
}

fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

fn record(at: usize) -> Vec<u8> {
    let is_error = at.is_multiple_of(20);
    let (severity, level) = match (is_error, at % 10) {
        (true, _) => (17, "ERROR"),
        (false, 1) => (5, "DEBUG"),
        (false, 2) => (13, "WARN"),
        (false, _) => (9, "INFO"),
    };
    let status = if is_error { 503 } else { 200 + i64::try_from(at % 5).unwrap() };
    let path = format!("/api/v2/orders/{}", at * 7_919 % 1_000_000);
    let took = at * 31 % 900;
    let words = format!(
        "request {path} of 10.20.{}.7 was served by cart with {status} in {took} ms, {} bytes sent, \
         {:016x}",
        at % 250,
        at * 89,
        at * 0x9E37_79B9,
    );
    let (mut out, mut body) = (Vec::new(), Vec::new());
    encode_any_value(&text(words), &mut body);
    Field::Fixed64(1_790_000_000_000_000_000 + at as u64).put(1, &mut out);
    Field::Varint(severity).put(2, &mut out);
    message(3, level.as_bytes(), &mut out);
    message(5, &body, &mut out);
    let method = if at.is_multiple_of(2) { "GET" } else { "POST" };
    attribute(6, "http.request.method", &text(method), &mut out);
    attribute(6, "status_code", &Value::Int(status), &mut out);
    attribute(6, "url.path", &text(path), &mut out);
    attribute(6, "user.id", &text(format!("u{:05}", at * 17 % 50_000)), &mut out);
    attribute(6, "thread.id", &Value::Int(i64::try_from(at % 64).unwrap()), &mut out);
    attribute(6, "event.id", &text(format!("000001-00-{at:04x}")), &mut out);
    Field::Fixed64(1_790_000_000_000_250_000 + at as u64).put(11, &mut out);
    out
}

fn batch() -> Bytes {
    let mut out = Vec::new();
    for at in 0..RESOURCES {
        let (mut resource, mut records, mut group) = (Vec::new(), Vec::new(), Vec::new());
        attribute(1, "service.name", &text("checkout"), &mut resource);
        attribute(1, "service.instance.id", &text(format!("checkout-00-{at}")), &mut resource);
        attribute(1, "deployment.environment.name", &text("production"), &mut resource);
        attribute(1, "host.name", &text(format!("node-{at:03}")), &mut resource);
        let per_resource = RECORDS / RESOURCES;
        for number in at * per_resource..(at + 1) * per_resource {
            message(2, &record(number), &mut records);
        }
        message(1, &resource, &mut group);
        message(2, &records, &mut group);
        message(1, &group, &mut out);
    }
    out.into()
}

/// The processor of a case, without what stands before and behind it.
fn step(case: &str) -> Arc<dyn Step> {
    let (_, rest) = case.split_once("otelcol.processor.").unwrap();
    let (block, _) = rest.split_once("otelcol.exporter.otlphttp \"out\"").unwrap();
    let block = block.replace("otelcol.exporter.otlphttp.out.input", "");
    let source = Source::new("case.alloy", format!("otelcol.processor.{block}"));
    let catalogs = Catalogs::new(&[bessemer_processors::CATALOG]);
    let environment = &FixedEnvironment::default();
    let context = Reading { sources: &DiskSources, environment, catalog: &catalogs };
    let loaded = load_text(&source, &context).unwrap();
    let node = loaded.graph.nodes.first().unwrap();
    let row = catalogs.find(&node.kind).unwrap();
    let built = (row.build)(&node.settings, &Context::detached().of(&node.id)).unwrap();
    let Built::Step(step) = built else { panic!("{built:?} is no step") };
    step
}

fn everyday(criterion: &mut Criterion) {
    let (batch, tails) = (batch(), Tails::none());
    let mut group = criterion.benchmark_group("everyday processors");
    group.throughput(Throughput::Elements(RECORDS as u64));
    let mut measure = |name: &str, step: Option<&dyn Step>| {
        group.bench_function(name, |bencher| {
            let mut scratch = Scratch::default();
            bencher.iter(|| {
                let limits = Limits::default();
                let checked = Draft::check(Signal::Logs, batch.clone(), &limits, &tails);
                let mut draft = checked.unwrap();
                if let Some(step) = step {
                    step.run(&mut draft, &mut scratch);
                }
                black_box(draft.emit(|_| 0, 1));
            });
        });
    };
    measure("nothing", None);
    for (name, case) in CASES {
        measure(name, Some(step(case).as_ref()));
    }
    group.finish();
}

criterion_group!(benches, everyday);
criterion_main!(benches);
