//! `bessemer ottl`: a statement or a condition and a record; the changed record, an answer or an
//! error.

mod record;

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bessemer_ottl::{
    CompileError, Compiler, Condition, Context, Environment, ErrorMode, Functions, Program,
    check_condition, check_statement, infer_context,
};
use bessemer_processors::{condition_functions, statement_functions};
use bessemer_record::json::to_otlp_json;
use bessemer_record::{Checked, Draft, Limits, Signal, Tails};
use bessemer_runtime::{Clock, SystemClock};

use super::INPUT_BYTES_MAX;
use crate::arguments::{Ottl, OttlContext};
use crate::output;

pub(super) fn ottl(arguments: &Ottl) -> anyhow::Result<ExitCode> {
    let is_stdin_taken = arguments.text.is_none() && arguments.file.is_none();
    let text = match &arguments.text {
        Some(text) => text.clone(),
        None => read(arguments.file.as_deref())?,
    };
    if is_stdin_taken && arguments.record.is_none() {
        bail!("the statement came from standard input: name the file of the record with --record");
    }
    let named = arguments.context.map(context);
    let batch = record::read(&read(arguments.record.as_deref())?, named)?;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        bail!("there is no statement and no condition");
    }
    let candidates = candidates(&lines, named, batch.signal())?;
    let printed = if lines.iter().all(|line| is_statement(line)) {
        changed(&batch, &statements(&lines, &candidates)?)?
    } else {
        answers(&batch, &conditions(&lines, &candidates)?)?
    };
    output::print(&printed)?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: Option<&Path>) -> anyhow::Result<String> {
    let mut text = String::new();
    let (name, read) = if let Some(file) = file.filter(|file| *file != Path::new("-")) {
        let name = file.display().to_string();
        let opened = std::fs::File::open(file).with_context(|| format!("cannot read {name}"))?;
        (name, opened.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text))
    } else {
        let input = std::io::stdin().take(INPUT_BYTES_MAX + 1);
        ("standard input".to_owned(), { input }.read_to_string(&mut text))
    };
    let length = read.with_context(|| format!("cannot read {name}"))?;
    if length as u64 > INPUT_BYTES_MAX {
        bail!("{name} has more than {INPUT_BYTES_MAX} bytes");
    }
    Ok(text)
}

fn context(named: OttlContext) -> Context {
    match named {
        OttlContext::Resource => Context::Resource,
        OttlContext::Scope => Context::Scope,
        OttlContext::Log => Context::Log,
        OttlContext::Span => Context::Span,
        OttlContext::SpanEvent => Context::SpanEvent,
        OttlContext::Metric => Context::Metric,
        OttlContext::DataPoint => Context::DataPoint,
    }
}

/// The contexts of a signal, the likeliest first.
fn contexts(signal: Signal) -> &'static [Context] {
    match signal {
        Signal::Logs => &[Context::Log, Context::Scope, Context::Resource],
        Signal::Metrics => {
            &[Context::Metric, Context::DataPoint, Context::Scope, Context::Resource]
        }
        Signal::Traces => &[Context::Span, Context::SpanEvent, Context::Scope, Context::Resource],
    }
}

/// The contexts to try: the named one, the one that the paths name, or all of the record.
fn candidates(
    lines: &[&str],
    named: Option<Context>,
    signal: Signal,
) -> anyhow::Result<Vec<Context>> {
    let of_signal = contexts(signal);
    let Some(wanted) = named.or_else(|| infer_context(lines.iter().copied())) else {
        return Ok(of_signal.to_vec());
    };
    if !of_signal.contains(&wanted) {
        bail!("the context {} has no part in {}", wanted.name(), signal.as_str());
    }
    Ok(vec![wanted])
}

/// Whether a text is meant as a statement: it is one, or it starts as only a statement does.
fn is_statement(text: &str) -> bool {
    if check_statement(text).is_ok() || check_condition(text).is_ok() {
        return check_statement(text).is_ok();
    }
    let name = text.find(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let (name, rest) = text.split_at(name.unwrap_or(text.len()));
    let is_call = rest.trim_start().starts_with('(');
    is_call && name != "not" && name.starts_with(|char: char| char.is_ascii_lowercase())
}

fn statements(lines: &[&str], candidates: &[Context]) -> anyhow::Result<Program> {
    let functions = statement_functions();
    first(lines, candidates, &functions, |compiler, context| {
        let lines = lines.iter().copied();
        let compiled = lines.map(|line| compiler.statement(line).map_err(|error| (line, error)));
        let compiled = compiled.collect::<Result<Vec<_>, _>>()?;
        Ok(Program::new(context, compiled, ErrorMode::Propagate))
    })
}

fn conditions(lines: &[&str], candidates: &[Context]) -> anyhow::Result<Vec<Condition>> {
    let functions = condition_functions();
    first(lines, candidates, &functions, |compiler, _| {
        let lines = lines.iter().copied();
        lines.map(|line| compiler.condition(line).map_err(|error| (line, error))).collect()
    })
}

/// Compiles in the first context that takes all lines; else says what the likeliest refuses.
fn first<'l, T>(
    lines: &[&'l str],
    candidates: &[Context],
    functions: &Functions,
    compile: impl Fn(&Compiler<'_>, Context) -> Result<T, (&'l str, CompileError)>,
) -> anyhow::Result<T> {
    let mut refused = None;
    for context in candidates {
        match compile(&Compiler::new(*context, functions), *context) {
            Ok(compiled) => return Ok(compiled),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let (line, error) = refused.context("there is no context")?;
    let mark = format!("{}^", " ".repeat(error.column.saturating_sub(1)));
    let number = lines.iter().position(|other| *other == line).unwrap_or_default() + 1;
    let place = if lines.len() > 1 { format!("line {number}, ") } else { String::new() };
    bail!("{place}{error}\n  {line}\n  {mark}")
}

fn now() -> Environment {
    Environment::at(SystemClock::default().unix_nanos())
}

/// The batch after the statements, in OTLP JSON.
fn changed(batch: &Checked, program: &Program) -> anyhow::Result<String> {
    let tails = Tails::none();
    let mut draft = Draft::from_checked(batch, &tails);
    program.run(&mut draft, &now(), &mut |_, _| {})?;
    let emitted = draft.emit(|_| 0, 1);
    let bytes = emitted.into_iter().next().context("nothing is left of the record")?.bytes;
    let after = Checked::check(batch.signal(), bytes, &Limits::default())?;
    Ok(format!("{}\n", String::from_utf8(to_otlp_json(&after))?))
}

/// For each condition, whether it holds: a line for each record that it is about.
fn answers(batch: &Checked, conditions: &[Condition]) -> anyhow::Result<String> {
    let tails = Tails::none();
    let draft = Draft::from_checked(batch, &tails);
    let now = now();
    let mut lines = String::new();
    for condition in conditions {
        for index in 0..draft.len() {
            let is_inside = matches!(condition.context(), Context::SpanEvent | Context::DataPoint);
            let answers = if is_inside {
                condition.holds_for_children(&draft, index, &now)
            } else {
                vec![condition.holds_for_item(&draft, index, &now)]
            };
            for answer in answers {
                lines.push_str(if answer? { "true\n" } else { "false\n" });
            }
        }
    }
    Ok(lines)
}
