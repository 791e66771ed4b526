//! `otelcol.processor.transform`: runs statements in OTTL over records.
//!
//! Groups of statements run one after the other, each over the whole batch, so that a later group
//! sees what an earlier one did. A record that no statement changes leaves as the bytes it came in.

mod functions;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_ottl::{Compiler, Context, ErrorMode as Mode, Functions, Program, infer_context};
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context as Component, Scratch, SettingsError, Step};
use bessemer_record::{Draft, Signal};

use crate::filter::conditions::{Failures, compile_all, not_ottl};
pub use functions::functions as statement_functions;
pub(crate) use settings::Settings;
use settings::{Entry, StatementGroup};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.transform "example" {
  error_mode = "ignore"

  log_statements {
    context    = "log"
    conditions = ["severity_number < SEVERITY_NUMBER_INFO"]
    statements = [
      `set(attributes["deployment.environment"], resource.attributes["env"])`,
      `replace_pattern(body, "password=\\S+", "password=***") where IsString(body)`,
    ]
  }

  output {
    logs = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, context: &Component) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Step(Arc::new(Transform::new(&settings, context)?)))
}

/// The step.
#[derive(Debug)]
struct Transform {
    groups: Vec<Group>,
    failures: Failures,
}

/// Statements that run together.
#[derive(Debug)]
struct Group {
    signal: Signal,
    program: Program,
}

/// The contexts of a signal, the innermost one first.
fn contexts(signal: Signal) -> &'static [Context] {
    match signal {
        Signal::Logs => &[Context::Log, Context::Scope, Context::Resource],
        Signal::Metrics => {
            &[Context::DataPoint, Context::Metric, Context::Scope, Context::Resource]
        }
        Signal::Traces => &[Context::SpanEvent, Context::Span, Context::Scope, Context::Resource],
    }
}

impl Transform {
    fn new(settings: &Settings, context: &Component) -> Result<Self, SettingsError> {
        if settings.flatten_data {
            let remedy = "remove it; edits of a resource or scope reach all its records";
            return Err(SettingsError::new("flatten_data", "is not available", remedy));
        }
        let functions = functions::functions();
        let mode = Mode::from(settings.error_mode);
        let mut groups = Vec::new();
        let lists = [
            ("log_statements", Signal::Logs, &settings.log_statements),
            ("metric_statements", Signal::Metrics, &settings.metric_statements),
            ("trace_statements", Signal::Traces, &settings.trace_statements),
        ];
        for (name, signal, list) in lists {
            let texts = texts(name, list)?;
            if !texts.is_empty() {
                groups.push(plain(name, signal, texts, mode, &functions)?);
            }
            for (index, entry) in list.iter().enumerate() {
                let Entry::Group(statements) = entry else { continue };
                let path = format!("{name}[{index}]");
                let mode = statements.error_mode.map_or(mode, Mode::from);
                groups.push(group(&path, signal, statements, mode, &functions)?);
            }
        }
        let flat = [
            ("log", Signal::Logs, &settings.statements.log),
            ("metric", Signal::Metrics, &settings.statements.metric),
            ("trace", Signal::Traces, &settings.statements.trace),
        ];
        for (name, signal, texts) in flat {
            for (index, text) in texts.iter().enumerate() {
                let path = format!("statements.{name}[{index}]");
                let text = vec![text.clone()];
                let group = plain(&path, signal, text, mode, &functions);
                groups.push(group.map_err(|error| SettingsError { path, ..error })?);
            }
        }
        if groups.is_empty() {
            let remedy = "add a log_statements, metric_statements or trace_statements block";
            return Err(SettingsError::new("log_statements", "has no statement", remedy));
        }
        Ok(Self { groups, failures: Failures::new(context, settings.error_mode) })
    }
}

/// The plain texts of a list, which is then all texts: the Collector takes no mixture either.
fn texts(name: &str, list: &[Entry]) -> Result<Vec<String>, SettingsError> {
    let texts = list.iter().filter_map(|entry| match entry {
        Entry::Text(text) => Some(text.clone()),
        Entry::Group(_) => None,
    });
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() || texts.len() == list.len() {
        return Ok(texts);
    }
    let remedy = "write all of it as texts, or all of it as groups with statements";
    Err(SettingsError::new(name, "mixes texts with groups", remedy))
}

/// Statements without settings of their own: one group, in the one context in which all of them make
/// sense.
fn plain(
    path: &str,
    signal: Signal,
    statements: Vec<String>,
    mode: Mode,
    functions: &Functions,
) -> Result<Group, SettingsError> {
    let settings = StatementGroup { statements, ..StatementGroup::default() };
    group(path, signal, &settings, mode, functions).map_err(|error| {
        let path = error.path.replace(".statements", "");
        SettingsError { path, ..error }
    })
}

fn group(
    path: &str,
    signal: Signal,
    settings: &StatementGroup,
    mode: Mode,
    functions: &Functions,
) -> Result<Group, SettingsError> {
    let texts: Vec<&String> = settings.statements.iter().collect();
    if texts.is_empty() {
        let path = format!("{path}.statements");
        return Err(SettingsError::new(&path, "is empty", "write a statement"));
    }
    let (signal, context) = placed(path, signal, settings, &texts, functions)?;
    let compiler = Compiler::new(context, functions);
    let compiled = texts.iter().enumerate().map(|(index, text)| {
        let path = format!("{path}.statements[{index}]");
        compiler.statement(text).map_err(|error| not_ottl(&path, text, &error.to_string()))
    });
    let statements = compiled.collect::<Result<Vec<_>, _>>()?;
    let path = format!("{path}.conditions");
    let conditions = compile_all(&path, context, functions, &settings.conditions)?;
    Ok(Group {
        signal,
        program: Program::new(context, statements, mode).with_conditions(conditions),
    })
}

/// The context that the settings name, or else the one in which all texts make sense. Statements
/// without a context that only make sense for another signal are taken as meant for that one.
fn placed(
    path: &str,
    signal: Signal,
    settings: &StatementGroup,
    texts: &[&String],
    functions: &Functions,
) -> Result<(Signal, Context), SettingsError> {
    if let Some(name) = &settings.context {
        let named = Context::from_name(name).filter(|found| contexts(signal).contains(found));
        return named.map(|context| (signal, context)).ok_or_else(|| {
            let names: Vec<&str> = contexts(signal).iter().map(|one| one.name()).collect();
            let remedy = format!("write one of {}", names.join(", "));
            SettingsError::new(&format!("{path}.context"), format!("can not be {name:?}"), remedy)
        });
    }
    let all = || {
        texts.iter().map(|text| text.as_str()).chain(settings.conditions.iter().map(String::as_str))
    };
    let compiles = |context: Context| {
        let compiler = Compiler::new(context, functions);
        texts.iter().all(|text| compiler.statement(text).is_ok())
            && settings.conditions.iter().all(|text| compiler.condition(text).is_ok())
    };
    let inferred = infer_context(all()).filter(|found| contexts(signal).contains(found));
    if let Some(context) = inferred.filter(|context| compiles(*context)) {
        return Ok((signal, context));
    }
    // Without a prefix to go by, the record itself is what is meant.
    let usual =
        [Context::Log, Context::Span, Context::Metric, Context::DataPoint, Context::SpanEvent];
    let mut signals = vec![signal];
    signals.extend(Signal::ALL.into_iter().filter(|other| *other != signal));
    for signal in signals {
        let fitting = usual.into_iter().chain([Context::Scope, Context::Resource]);
        let mut fitting = fitting.filter(|one| contexts(signal).contains(one));
        if let Some(context) = fitting.find(|context| compiles(*context)) {
            return Ok((signal, context));
        }
    }
    // None fits: the one that is most likely meant says what is wrong.
    Ok((signal, inferred.or(contexts(signal).first().copied()).unwrap_or(Context::Resource)))
}

impl Step for Transform {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let environment = self.failures.environment();
        let signal = draft.signal();
        for group in self.groups.iter().filter(|group| group.signal == signal) {
            let mut report = |source: &str, error: &bessemer_ottl::RunError| {
                self.failures.report(source, error);
            };
            if let Err(error) = group.program.run(draft, &environment, &mut report) {
                return self.failures.refuse("a statement", &error, scratch);
            }
        }
    }
}
