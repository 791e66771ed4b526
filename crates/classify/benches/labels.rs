//! What a label costs a record: remembered, of a known shape, of a new template; and a whole batch by
//! rules alone and with model and templates, where one record in a hundred is not remembered.

#![expect(clippy::unwrap_used, reason = "a bench that panics fails")]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use bessemer_classify::Class;
use bessemer_classify::cell::LabelCell;
use bessemer_classify::classify::{ModelSettings, Settings, TemplateSettings, step};
use bessemer_classify::memo::Memo;
use bessemer_classify::model::Model;
use bessemer_classify::templates::{Templates, mask::mask};
use bessemer_pipeline::{Context, Scratch};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Draft, Limits, Signal, Tails, Value};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use parking_lot::RwLock;

/// A body of 97 bytes.
const BODY: &str = "request /api/v2/orders/123456 of 10.20.30.7 was served by cart with 200 in 12 ms, 4096 bytes sent";
const RECORDS: usize = 1_000;
/// One record in so many has a body of its own.
const NEW_EVERY: usize = 100;

fn parts(criterion: &mut Criterion) {
    let memo = Memo::default();
    memo.put(memo.hash(BODY.as_bytes(), 9), 1);
    criterion.bench_function("remembered", |bencher| {
        bencher.iter(|| memo.get(memo.hash(black_box(BODY.as_bytes()), 9)));
    });
    let mut masked = Vec::new();
    criterion.bench_function("mask", |bencher| {
        bencher.iter(|| mask(black_box(BODY.as_bytes()), &mut masked));
    });
    let mut templates = Templates::new(10_000);
    for number in 0..1_000_u32 {
        let letter = |shift: u32| char::from(b'a' + u8::try_from((number >> shift) % 16).unwrap());
        let text = format!("{}{}{} has a template of its own", letter(0), letter(4), letter(8));
        templates.find(text.as_bytes(), &|_| false);
    }
    mask(BODY.as_bytes(), &mut masked);
    criterion.bench_function("template found by its words", |bencher| {
        bencher.iter(|| templates.find(black_box(&masked), &|_| false).0);
    });
    let model = Model::embedded().unwrap();
    criterion.bench_function("judged by the model", |bencher| {
        bencher.iter(|| model.judge(black_box(BODY), 9));
    });
}

/// A raised label as one record after the other reads it, while a second thread does the same: from a
/// cell, and from behind the lock that a cell takes the place of.
fn raised(criterion: &mut Criterion) {
    let tails = Tails::none();
    let said = [("ai.classification".to_owned(), Value::String("critical".to_owned()))];
    let label = (Class::Critical, tails.learn(&said).unwrap());
    let (cell, lock) = (LabelCell::default(), RwLock::new(Some(label)));
    cell.set(Some(label));
    let from_cell = || cell.get(black_box(&tails));
    let from_lock = || *black_box(&lock).read();
    let mut group = criterion.benchmark_group("raised label");
    group.bench_function("cell", |bencher| bencher.iter(from_cell));
    group.bench_function("lock", |bencher| bencher.iter(from_lock));
    group.bench_function("cell, two threads", |bencher| {
        beside(from_cell, || bencher.iter(from_cell));
    });
    group.bench_function("lock, two threads", |bencher| {
        beside(from_lock, || bencher.iter(from_lock));
    });
    group.finish();
}

/// Runs `measured` while another thread does `read` without a pause.
fn beside<T>(read: impl Fn() -> T + Sync, measured: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                black_box(read());
            }
        });
        measured();
        is_over.store(true, Ordering::Relaxed);
    });
}

/// A batch in which every hundredth body has `round` in it, as letters.
fn batch(round: u32) -> String {
    let record = |index: usize| {
        let body = if index.is_multiple_of(NEW_EVERY) {
            let letters: String =
                format!("{round:08x}").bytes().map(|byte| char::from(b'g' + byte % 20)).collect();
            format!("worker {letters} of pool {index} took part in a vote")
        } else {
            BODY.replace("123456", &(100_000 + index).to_string())
        };
        serde_json::json!({
            "timeUnixNano": "1790000000000000000", "severityNumber": 9, "severityText": "INFO",
            "body": { "stringValue": body },
            "attributes": [
                { "key": "http.request.method", "value": { "stringValue": "GET" } },
                { "key": "status_code", "value": { "intValue": "200" } },
                { "key": "url.path", "value": { "stringValue": "/api/v2/orders" } },
            ],
        })
    };
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] })
        .to_string()
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, enabled) in [("rules", false), ("rules, model and templates", true)] {
        let settings = Settings {
            model: ModelSettings { enabled, ..ModelSettings::default() },
            templates: TemplateSettings { enabled, ..TemplateSettings::default() },
            ..Settings::default()
        };
        let context = Context::detached().of("bessemer.processor.classify.bench");
        let classify = step(&settings, &context).unwrap();
        let tails = std::mem::take(&mut *context.tails.lock()).build();
        let limits = Limits::default();
        let inputs: Vec<_> = (0..200)
            .map(|round| from_otlp_json(Signal::Logs, batch(round).as_bytes(), &limits).unwrap())
            .map(bessemer_record::Checked::into_bytes)
            .collect();
        let mut next = inputs.iter().cycle();
        let mut scratch = Scratch::default();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    let input = next.next().unwrap().clone();
                    Draft::check(Signal::Logs, input, &limits, &tails).unwrap()
                },
                |mut draft| {
                    classify.run(&mut draft, &mut scratch);
                    draft.emit(|_| 0, 1)
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, parts, raised, batches);
criterion_main!(benches);
