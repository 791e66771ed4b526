//! What the detectors of all packs cost a record: one that has nothing, one that looks as if, and one
//! with something to redact. Each batch is indexed anew, which is measured alone as well.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that panics fails")]

use std::sync::Arc;

use bessemer_config::value::{Field, Form, Object};
use bessemer_config::{Data, Location, Value};
use bessemer_pipeline::{Built, Context, Scratch, Step};
use bessemer_processors::CATALOG;
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Checked, Draft, Limits, Signal, Tails};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;

const RECORDS: u64 = 100;
const BODIES: [(&str, &str); 3] = [
    (
        "nothing",
        "the request of the cart was served in time and nothing was kept back, all is well",
    ),
    (
        "look-alikes",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 took 00:12:07, order ORD-4802117, v1.24.3",
    ),
    (
        "a card and an address",
        "paid with 4111 1111 1111 1111 by bob@example.com from 198.51.100.7 today",
    ),
];

fn step() -> Arc<dyn Step> {
    let row = CATALOG.iter().find(|row| row.name == "bessemer.processor.compliance").unwrap();
    let value = |data| Value::new(data, Location::nowhere());
    let packs = ["gdpr", "pci_dss", "hipaa", "secrets"];
    let packs = packs.map(|pack| value(Data::String(pack.to_owned()))).to_vec();
    let packs = Field {
        name: "packs".to_owned(),
        name_at: Location::nowhere(),
        value: value(Data::Array(packs)),
    };
    let settings = value(Data::Object(Object { fields: vec![packs], form: Form::Block }));
    let Ok(Built::Step(step)) = (row.build)(&settings, &Context::detached().of("bench")) else {
        panic!("the settings are those of a step");
    };
    step
}

fn batch(body: &str) -> Checked {
    let record = json!({
        "severityNumber": 9, "body": { "stringValue": body },
        "attributes": [{ "key": "url.path", "value": { "stringValue": "/api/v2/orders" } }],
    });
    let records: Vec<_> = (0..RECORDS).map(|_| record.clone()).collect();
    let batch = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
    from_otlp_json(Signal::Logs, batch.to_string().as_bytes(), &Limits::default()).unwrap()
}

fn detectors(criterion: &mut Criterion) {
    let (step, mut scratch) = (step(), Scratch::default());
    let mut group = criterion.benchmark_group("detectors of all packs, per record");
    group.throughput(Throughput::Elements(RECORDS));
    let plain = batch(BODIES[0].1);
    group.bench_function("indexing alone", |bencher| {
        bencher.iter(|| Draft::from_checked(&plain, &Tails::none()));
    });
    for (name, body) in BODIES {
        let batch = batch(body);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut draft = Draft::from_checked(&batch, &Tails::none());
                step.run(&mut draft, &mut scratch);
                draft
            });
        });
    }
    group.finish();
}

criterion_group!(benches, detectors);
criterion_main!(benches);
