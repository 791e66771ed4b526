//! What a record costs that none of many statements is about.

#![expect(clippy::unwrap_used, reason = "a bench that panics fails")]

use bessemer_ottl::{Compiler, Context, Environment, ErrorMode, Functions, Program, Record};
use bessemer_record::json::from_otlp_json;
use bessemer_record::{Draft, Limits, Signal, Tails};
use criterion::{Criterion, criterion_group, criterion_main};

const BATCH: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":9,
"body":{"stringValue":"GET /cart 200 in 12 ms"},"attributes":[
{"key":"key0","value":{"stringValue":"a"}},{"key":"key1","value":{"stringValue":"b"}},
{"key":"key2","value":{"stringValue":"c"}},{"key":"key3","value":{"intValue":"4"}}]}]}]}]}"#;

fn program(count: usize) -> Program {
    let functions = Functions::standard();
    let compiler = Compiler::new(Context::Log, &functions);
    let text = |at: usize| match at % 3 {
        0 => format!("set(body, 1) where attributes[\"key{}\"] == \"other{at}\"", at % 8),
        1 => format!("set(body, 1) where IsMatch(body, \"needle{at}[0-9]+\")"),
        _ => format!("set(body, 1) where body == \"text {at}\""),
    };
    let statements = (0..count).map(|at| compiler.statement(&text(at)).unwrap()).collect();
    Program::new(Context::Log, statements, ErrorMode::Ignore)
}

fn untouched(criterion: &mut Criterion) {
    let checked = from_otlp_json(Signal::Logs, BATCH.as_bytes(), &Limits::default()).unwrap();
    let draft = Draft::from_checked(&checked, &Tails::none());
    let mut group = criterion.benchmark_group("a record that no statement is about");
    for count in [1, 24, 1_000] {
        let program = program(count);
        group.bench_function(format!("{count} statements"), |bencher| {
            bencher.iter(|| {
                let mut record = Record::of_item(&draft, 0);
                program.run_record(&mut record, &Environment::at(0), &mut |_, _| {}).unwrap();
                record.steps()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, untouched);
criterion_main!(benches);
