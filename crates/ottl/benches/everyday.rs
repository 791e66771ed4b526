//! What statements and conditions of everyday use cost a record, together and one by one: those of the
//! bench's cases g and h on a record like its own.

#![expect(clippy::unwrap_used, reason = "a bench that panics fails")]

use bessemer_ottl::{
    Compiler, Conditions, Context, Environment, ErrorMode, Functions, Program, Record,
};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Draft, Limits, Signal, Tails};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

const BATCH: &str = r#"{"resourceLogs":[{"resource":{"attributes":[
{"key":"service.name","value":{"stringValue":"checkout"}},
{"key":"deployment.environment.name","value":{"stringValue":"production"}}]},
"scopeLogs":[{"logRecords":[{"timeUnixNano":"1790000000000000000","severityNumber":9,
"severityText":"INFO","body":{"stringValue":
"request /api/v2/orders/123456 of 10.20.30.7 was served by cart with 200 in 12 ms, 4096 bytes sent"},
"attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},
{"key":"status_code","value":{"intValue":"200"}},
{"key":"url.path","value":{"stringValue":"/api/v2/orders/123456"}},
{"key":"user.id","value":{"stringValue":"u12345"}},{"key":"thread.id","value":{"intValue":"17"}},
{"key":"event.id","value":{"stringValue":"000001-00-0001"}}],
"observedTimeUnixNano":"1790000000000250000"}]}]}]}"#;

const STATEMENTS: [&str; 10] = [
    r#"set(log.attributes["environment"], resource.attributes["deployment.environment.name"])"#,
    r#"set(log.severity_text, "FATAL") where log.severity_number >= SEVERITY_NUMBER_FATAL"#,
    r#"set(log.attributes["status.class"], "5xx") where log.attributes["status_code"] >= 500"#,
    r#"set(log.attributes["request"], Concat([log.attributes["http.request.method"], log.attributes["url.path"]], " "))"#,
    r#"replace_pattern(log.attributes["url.path"], "[0-9]+", "{id}")"#,
    r#"set(log.attributes["is_slow"], true) where IsMatch(log.body.string, "in [5-9][0-9]{2} ms")"#,
    r#"set(log.attributes["user.hash"], SHA256(log.attributes["user.id"]))"#,
    r#"delete_key(log.attributes, "user.id")"#,
    r#"delete_key(log.attributes, "thread.id")"#,
    r"truncate_all(log.attributes, 64)",
];

const CONDITIONS: [&str; 5] = [
    "severity_number < SEVERITY_NUMBER_INFO",
    r#"attributes["url.path"] == "/healthz""#,
    r#"IsMatch(body, "GET /(livez|readyz)")"#,
    r#"resource.attributes["service.name"] == "canary""#,
    r#"attributes["status_code"] >= 600"#,
];

fn draft() -> Draft {
    let checked = from_otlp_json(Signal::Logs, BATCH.as_bytes(), &Limits::default()).unwrap();
    Draft::from_checked(&checked, &Tails::none())
}

fn program(texts: &[&str]) -> Program {
    let functions = Functions::standard();
    let compiler = Compiler::new(Context::Log, &functions);
    let statements = texts.iter().map(|text| compiler.statement(text).unwrap()).collect();
    Program::new(Context::Log, statements, ErrorMode::Ignore)
}

fn everyday(criterion: &mut Criterion) {
    let draft = draft();
    let mut group = criterion.benchmark_group("everyday statements");
    let written = program(&STATEMENTS);
    group.bench_function("all ten, written to the draft", |bencher| {
        let run = |draft: &mut Draft| written.run(draft, &Environment::at(0), &mut |_, _| {});
        bencher.iter_batched_ref(|| draft.fork(), run, BatchSize::SmallInput);
    });
    let mut measure = |name: &str, texts: &[&str]| {
        let program = program(texts);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut record = Record::of_item(&draft, 0);
                program.run_record(&mut record, &Environment::at(0), &mut |_, _| {}).unwrap();
                record.take_changed(Context::Log)
            });
        });
    };
    measure("all ten", &STATEMENTS);
    for text in STATEMENTS {
        let name: String = text.chars().take(40).collect();
        measure(&name, &[text]);
    }
    group.finish();
}

fn conditions(criterion: &mut Criterion) {
    let (draft, functions) = (draft(), Functions::standard());
    let compiler = Compiler::new(Context::Log, &functions);
    let mut group = criterion.benchmark_group("everyday conditions");
    let mut measure = |name: &str, texts: &[&str]| {
        let all = texts.iter().map(|text| compiler.condition(text).unwrap()).collect();
        let conditions = Conditions::new(all);
        group.bench_function(name, |bencher| {
            bencher
                .iter(|| conditions.any_for_item(&draft, 0, &Environment::at(0), &mut |_, _| {}));
        });
    };
    measure("all five", &CONDITIONS);
    for text in CONDITIONS {
        let name: String = text.chars().take(40).collect();
        measure(&name, &[text]);
    }
    group.finish();
}

criterion_group!(benches, everyday, conditions);
criterion_main!(benches);
