//! `bessemer test`: tests beside the configuration, run through the compiled programs. Components
//! are made as they are for a run, but nothing listens, stores or sends.

pub(super) mod batch;
pub(super) mod case;
mod files;
mod judge;
mod report;
mod trial;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bessemer_config::{Diagnostic, Graph, Signal, decode, nearest};
use bessemer_pipeline::program::Program;
use bessemer_pipeline::{Context, Plan};

use crate::arguments::{Test, TestForm};
use crate::{load, output, wire};
use case::Case;
use report::Outcome;
use trial::Trial;

/// The block in which a test is written.
const BLOCK: &str = "bessemer.test";
/// The status of the process when a test failed.
const FAILED: u8 = 1;
/// The same when the tests could not be run.
const BROKEN: u8 = 2;

pub(super) fn test(arguments: &Test) -> ExitCode {
    match run(arguments) {
        Ok(Some(true)) => ExitCode::SUCCESS,
        Ok(Some(false)) => ExitCode::from(FAILED),
        Ok(None) => ExitCode::from(BROKEN),
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::from(BROKEN)
        }
    }
}

/// Whether all tests passed; `None` after what is wrong with the configuration or with the tests was
/// shown.
fn run(arguments: &Test) -> anyhow::Result<Option<bool>> {
    let Some(loaded) = load::load(&arguments.configs) else { return Ok(None) };
    let Some(mut cases) = shown(cases(arguments, &loaded.graph)?) else { return Ok(None) };
    if let Some(part) = &arguments.only {
        cases.retain(|case| case.name.contains(part.as_str()));
    }
    if cases.is_empty() {
        bail!("there are no tests; write one in a {BLOCK} block or in a file NAME.test.yaml");
    }
    let context = Context::detached();
    let Some(wired) = shown(wire::wire(&loaded.graph, &context)) else { return Ok(None) };
    let trial = Trial { wired: &wired, clock: &*context.clock };
    let outcomes: Vec<Outcome> = cases
        .into_iter()
        .map(|case| Outcome { problems: problems(&trial, &case), name: case.name })
        .collect();
    output::print(&match arguments.output {
        TestForm::Text => report::text(&outcomes),
        TestForm::Junit => report::junit(&outcomes),
    })?;
    if let Some(file) = &arguments.junit {
        std::fs::write(file, report::junit(&outcomes))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(Some(outcomes.iter().all(|outcome| outcome.problems.is_empty())))
}

fn shown<T>(result: Result<T, Vec<Diagnostic>>) -> Option<T> {
    result.map_err(|findings| output::findings(&load::render(&findings))).ok()
}

/// The tests in blocks of the configuration, in files beside it and in those that are named.
fn cases(arguments: &Test, graph: &Graph) -> anyhow::Result<Result<Vec<Case>, Vec<Diagnostic>>> {
    let mut cases = Vec::new();
    let mut findings = Vec::new();
    for option in graph.options.iter().filter(|option| option.name == BLOCK) {
        match decode::<Case>(&option.value) {
            Ok(mut case) => {
                case.name.clone_from(&option.label);
                cases.push(case);
            }
            Err(more) => findings.extend(more),
        }
    }
    let mut files = files::beside(&arguments.configs.paths())?;
    files.extend(
        arguments.tests.iter().filter(|file| !files.contains(file)).cloned().collect::<Vec<_>>(),
    );
    for file in files {
        match files::read(&file)? {
            Ok(more) => cases.extend(more),
            Err(more) => findings.extend(more),
        }
    }
    Ok(if findings.is_empty() { Ok(cases) } else { Err(findings) })
}

/// Everything that is not as the test expects it.
fn problems(trial: &Trial<'_>, case: &Case) -> Vec<String> {
    let plan = &trial.wired.plan;
    let outputs = program(plan, case).and_then(|(receiver, program)| {
        let request = batch::request(case)?;
        trial.run(program, trial::incoming(case, receiver, request))
    });
    match outputs {
        Ok(outputs) => judge::problems(plan, case, &outputs),
        Err(error) => vec![format!("{error:#}")],
    }
}

/// The program of the receiver that the test names, or of the only one that there is.
fn program<'p>(plan: &'p Plan, case: &Case) -> anyhow::Result<(&'p str, &'p Arc<Program>)> {
    let signal = case.signal();
    let fitting: BTreeMap<&str, &Arc<Program>> = plan
        .programs
        .iter()
        .filter(|(id, _)| !plan.sinks.contains(id))
        .filter_map(|(id, programs)| Some((id.as_str(), programs.get(slot(signal))?.as_ref()?)))
        .collect();
    let names = || fitting.keys().copied().collect::<Vec<_>>().join(", ");
    if let Some(receiver) = &case.receiver {
        let found = fitting.get_key_value(receiver.as_str()).map(|(id, program)| (*id, *program));
        return found.with_context(|| {
            let hint = nearest::nearest(receiver, fitting.keys().copied());
            let hint = hint.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
            format!("no receiver {receiver} sends {signal} anywhere{hint}")
        });
    }
    match fitting.len() {
        0 => bail!("no receiver sends {signal} anywhere"),
        1 => fitting.into_iter().next().context("no receiver"),
        _ => bail!("several receivers send {signal}; name one as receiver: {}", names()),
    }
}

/// Where the program of a signal stands in a plan.
fn slot(signal: Signal) -> usize {
    match signal {
        Signal::Logs => 0,
        Signal::Metrics => 1,
        Signal::Traces => 2,
    }
}
