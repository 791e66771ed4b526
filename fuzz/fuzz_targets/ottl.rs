//! Any text compiles in every context or is an error; what compiles runs on records made of the same
//! input within its bounds. Nothing panics, and what comes out is a batch that passes the check.
#![no_main]

use std::sync::LazyLock;

use bessemer_ottl::{
    Compiler, Context, Environment, ErrorMode, Functions, Limits, Program, check_condition,
    check_statement, infer_context,
};
use bessemer_record::{Checked, Draft, Signal, Tails};
use libfuzzer_sys::fuzz_target;
use prost::Message;

#[expect(dead_code, reason = "shared with the property tests, which use all of it")]
#[path = "../../crates/record/tests/oracle/generate.rs"]
mod generate;

const LIMITS: Limits = Limits { value_bytes_max: 64 << 10, steps_max: 2_000, metrics_added_max: 16 };
const NOW: u64 = 1_700_000_000_000_000_000;

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::standard);

/// What statements are made of besides names of functions: few inputs are texts by chance.
const PARTS: &[&str] = &[
    "(", "(", ")", ")", ", ", ", ", "[", "]", "{", "}", ": ", ".", " where ", " and ", " or ", "not ",
    " == ", " != ", " < ", " <= ", " > ", " >= ", " + ", " - ", " * ", " / ", "=", "true", "false",
    "nil", "0", "1", "-1", "9223372036854775807", "2.5", ".5", "1e9", "0x00ff", "\"\"", "\"a\"",
    "\"key\"", "\"%Y-%m-%d\"", "\"(?P<a>x+)|\\\\d\"", "\"%{WORD:a}\"", "\"/a/b[1]\"", "\"a=b c=d\"",
    "\"{\\\"a\\\":[1,null]}\"", "\"<a k='1'>t<b/></a>\"", "\"1h2m\"", "\"key\"", "\"value\"",
    "\"upsert\"", "\"*\"", "\"$1\"", "[\"a\"]", "[0]", "attributes", "attributes[\"a\"]", "body",
    "cache", "cache[\"a\"]", "name", "time", "time_unix_nano", "trace_id", "span_id.string",
    "trace_state[\"a\"]", "status.message", "kind.string", "events", "data_points", "value_int",
    "value_double", "bucket_counts", "positive.bucket_counts", "resource.attributes", "resource",
    "instrumentation_scope.name", "metric.name", "metric.type", "span.name", "severity_number",
    "SEVERITY_NUMBER_INFO", "METRIC_DATA_TYPE_SUM", "SHA256", "target=", "depth=", "values=",
];

/// The text itself, or the parts that the bytes stand for.
fn source(is_made: bool, bytes: &[u8]) -> Option<String> {
    if !is_made {
        return std::str::from_utf8(bytes).ok().map(str::to_owned);
    }
    let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    let part = |byte: &u8| {
        let at = usize::from(*byte);
        PARTS.get(at).or_else(|| names.get((at - PARTS.len()) % names.len())).copied()
    };
    Some(bytes.iter().filter_map(part).collect())
}

fn signal(context: Context, choice: u8) -> Signal {
    match context {
        Context::Resource | Context::Scope => Signal::ALL[usize::from(choice) % 3],
        Context::Log => Signal::Logs,
        Context::Span | Context::SpanEvent => Signal::Traces,
        Context::Metric | Context::DataPoint => Signal::Metrics,
    }
}

fn batch(signal: Signal, bytes: &[u8]) -> Option<Checked> {
    let mut dice = generate::Dice::new(bytes);
    let request = match signal {
        Signal::Logs => dice.logs().encode_to_vec(),
        Signal::Metrics => dice.metrics().encode_to_vec(),
        Signal::Traces => dice.traces().encode_to_vec(),
    };
    Checked::check(signal, request.into(), &bessemer_record::Limits::default()).ok()
}

fuzz_target!(|input: &[u8]| {
    let Some((&[choice, length], rest)) = input.split_first_chunk() else { return };
    let (text, record) = rest.split_at(rest.len().min(usize::from(length)));
    let Some(text) = source(choice & 0x80 != 0, text) else { return };
    drop((check_statement(&text), check_condition(&text), infer_context([text.as_str()])));
    for context in Context::ALL {
        let compiler = Compiler::new(context, &FUNCTIONS).with_limits(LIMITS);
        drop(compiler.value(&text));
        let condition = compiler.condition(&text).ok();
        let statement = compiler.statement(&text).ok();
        if condition.is_none() && statement.is_none() {
            continue;
        }
        let Some(batch) = batch(signal(context, choice), record) else { continue };
        let program = Program::new(context, statement.into_iter().collect(), ErrorMode::Silent);
        run(&program.with_conditions(condition.into_iter().collect()), &batch, &text);
    }
});

fn run(program: &Program, batch: &Checked, text: &str) {
    let tails = Tails::none();
    let mut draft = Draft::from_checked(batch, &tails);
    let done = program.run(&mut draft, &Environment::at(NOW), &mut |_, _| {});
    assert!(done.is_ok(), "{text}: a silent failure refuses nothing: {done:?}");
    for emitted in draft.emit(|_| 0, 1) {
        let after = Checked::check(batch.signal(), emitted.bytes, &bessemer_record::Limits::default());
        assert!(after.is_ok(), "{text}: {after:?}");
    }
}
