//! `bessemer test`: tests beside the configuration, run through the compiled programs. Components
//! are made as they are for a run, but nothing listens, stores or sends.

pub(super) mod batch;
pub(super) mod case;
mod judge;
mod report;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bessemer_config::{Graph, Signal, decode, nearest};
use bessemer_pipeline::program::{Processed, Program};
use bessemer_pipeline::{Context, Incoming, Meta, Plan};

use crate::arguments::{Test, TestForm};
use crate::{load, output, wire};
use case::Case;
use report::Outcome;

/// The block in which a test is written.
const BLOCK: &str = "bessemer.test";
/// Bytes of a file of tests at most.
const FILE_BYTES_MAX: u64 = 16 << 20;

pub(super) fn test(arguments: &Test) -> anyhow::Result<ExitCode> {
    let Some(loaded) = load::load(&arguments.configs) else { return Ok(ExitCode::FAILURE) };
    let Some(mut cases) = written_beside(&loaded.graph) else { return Ok(ExitCode::FAILURE) };
    for file in &arguments.tests {
        cases.extend(of_file(file)?);
    }
    if let Some(part) = &arguments.only {
        cases.retain(|case| case.name.contains(part.as_str()));
    }
    if cases.is_empty() {
        bail!("there are no tests; write one in a {BLOCK} block or name a file with --tests");
    }
    let wired = match wire::wire(&loaded.graph, &Context::detached()) {
        Ok(wired) => wired,
        Err(findings) => {
            output::findings(&load::render(&findings));
            return Ok(ExitCode::FAILURE);
        }
    };
    let outcomes: Vec<Outcome> = cases
        .into_iter()
        .map(|case| Outcome { problems: problems(&wired.plan, &case), name: case.name })
        .collect();
    let is_passed = outcomes.iter().all(|outcome| outcome.problems.is_empty());
    output::print(&match arguments.output {
        TestForm::Text => report::text(&outcomes),
        TestForm::Junit => report::junit(&outcomes),
    })?;
    Ok(if is_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests in blocks of the configuration; `None` after what is wrong with them was shown.
fn written_beside(graph: &Graph) -> Option<Vec<Case>> {
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
    if findings.is_empty() {
        return Some(cases);
    }
    output::findings(&load::render(&findings));
    None
}

fn of_file(path: &Path) -> anyhow::Result<Vec<Case>> {
    let name = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{name} has {size} bytes, more than the limit of {FILE_BYTES_MAX}");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    serde_json::from_str(&text).with_context(|| format!("{name} is no list of tests"))
}

/// Everything that is not as the test expects it.
fn problems(plan: &Plan, case: &Case) -> Vec<String> {
    match ran(plan, case) {
        Ok(processed) => judge::problems(plan, case, &processed),
        Err(error) => vec![format!("{error:#}")],
    }
}

fn ran(plan: &Plan, case: &Case) -> anyhow::Result<Processed> {
    let (receiver, program) = program(plan, case)?;
    let bytes = batch::request(case)?;
    let mut meta = Meta { receiver: receiver.to_owned(), ..Meta::default() };
    let lower = |(name, value): (&String, &String)| (name.to_ascii_lowercase(), value.clone());
    meta.set_headers(case.headers.iter().map(lower));
    let incoming = Incoming { signal: case.signal(), bytes, encoded: None, meta, permit: None };
    program.run(&incoming).map_err(|refusal| anyhow::anyhow!("the batch is refused: {refusal}"))
}

/// The program of the receiver that the test names, or of the only one that there is.
fn program<'p>(plan: &'p Plan, case: &Case) -> anyhow::Result<(&'p str, &'p Arc<Program>)> {
    let signal = case.signal();
    let fitting: BTreeMap<&str, &Arc<Program>> = plan
        .programs
        .iter()
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
