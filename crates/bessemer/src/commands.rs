//! One function for each command that does not run the engine.

mod eval;
mod explain;
mod ottl;
mod test;
mod train;

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use bessemer_config::graph::render::{Form, render};
use bessemer_pipeline::catalog::Row;
use clap::CommandFactory;

use crate::arguments::{
    Arguments, Command, Components, FindingForm, Fmt, Graph, GraphForm, ListForm, Validate,
};
use crate::{demo, load, output, run, wire};

mod convert;
mod directory;
mod dlq;
mod journal;
mod ledger;
mod server;

/// Bytes of a configuration read from standard input at most.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// Does what the arguments say.
pub(crate) fn execute(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Run(run) => run::run(&run),
        Command::Validate(validate) => self::validate(&validate),
        Command::Test(test) => Ok(test::test(&test)),
        Command::Ottl(playground) => ottl::ottl(&playground),
        Command::Fmt(fmt) => self::fmt(&fmt),
        Command::Convert(convert) => convert::convert(&convert),
        Command::Graph(graph) => self::graph(&graph),
        Command::Components(components) => self::components(&components),
        Command::Ledger(ledger) => ledger::ledger(&ledger),
        Command::Dlq(dlq) => dlq::dlq(&dlq),
        Command::Replay(replay) => dlq::replay(&replay),
        Command::Journal(tool) => journal::journal(&tool),
        Command::Train(train) => train::train(&train),
        Command::Eval(eval) => eval::eval(&eval),
        Command::Explain(explain) => explain::explain(&explain),
        Command::Demo(demo) => demo::demo(&demo),
        Command::Completion { shell } => completion(shell),
    }
}

fn validate(arguments: &Validate) -> anyhow::Result<ExitCode> {
    let found = load::check(arguments)?;
    if arguments.output == FindingForm::Json {
        let mut lines = String::new();
        for finding in &found.findings {
            lines.push_str(&serde_json::to_string(finding)?);
            lines.push('\n');
        }
        output::print(&lines)?;
    } else {
        if !found.findings.is_empty() {
            output::findings(&found.render());
        }
        if found.is_valid() {
            let nodes = found.components;
            output::print(&format!("valid: {nodes} components\n"))?;
            for id in &found.ready {
                output::print(&format!("ready: {id}\n"))?;
            }
        }
    }
    Ok(if found.is_valid() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn fmt(arguments: &Fmt) -> anyhow::Result<ExitCode> {
    let file = arguments.file.as_deref().filter(|file| *file != Path::new("-"));
    let (name, text) = if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        (file.display().to_string(), text)
    } else {
        let mut text = String::new();
        std::io::stdin().take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
        ("<stdin>".to_owned(), text)
    };
    let formatted = match bessemer_config::format(&name, &text) {
        Ok(formatted) => formatted,
        Err(findings) => {
            output::findings(&load::render(&findings));
            return Ok(ExitCode::FAILURE);
        }
    };
    match (arguments.write, file) {
        (true, Some(file)) if formatted != text => std::fs::write(file, formatted)
            .with_context(|| format!("cannot write {}", file.display()))?,
        (true, Some(_)) => {}
        (true, None) => anyhow::bail!("--write needs a file"),
        (false, _) if arguments.test => {
            return Ok(if formatted == text { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        (false, _) => output::print(&formatted)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn graph(arguments: &Graph) -> anyhow::Result<ExitCode> {
    let Some(loaded) = load::load(&arguments.configs) else { return Ok(ExitCode::FAILURE) };
    let form = match arguments.format {
        GraphForm::Mermaid => Form::Mermaid,
        GraphForm::Dot => Form::Dot,
        GraphForm::Json => Form::Json,
    };
    output::print(&render(&loaded.graph, form))?;
    Ok(ExitCode::SUCCESS)
}

fn components(arguments: &Components) -> anyhow::Result<ExitCode> {
    let catalogs = wire::catalogs();
    let rows = catalogs.rows();
    let text = match arguments.output {
        ListForm::Table => table(rows),
        ListForm::Json => {
            let rows: Vec<_> = rows.iter().map(|row| describe(row, arguments.schemas)).collect();
            format!("{}\n", serde_json::to_string_pretty(&rows)?)
        }
        ListForm::Ndjson => {
            let lines: Vec<String> =
                rows.iter().map(|row| describe(row, arguments.schemas).to_string()).collect();
            format!("{}\n", lines.join("\n"))
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn signals(row: &Row) -> Vec<&'static str> {
    row.signals.iter().map(|signal| signal.as_str()).collect()
}

fn describe(row: &Row, schemas: bool) -> serde_json::Value {
    let mut value = serde_json::json!({
        "name": row.name,
        "aliases": row.aliases,
        "kind": row.role.as_str(),
        "signals": signals(row),
        "stability": row.stability.as_str(),
        "summary": row.summary,
        "ports": row.ports,
    });
    if let (true, Some(object)) = (schemas, value.as_object_mut()) {
        object.insert("schema".to_owned(), (row.schema)().to_value());
        object.insert("example".to_owned(), row.example.into());
    }
    value
}

fn table(rows: &[&'static Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let mut lines = vec![format!("{:width$}  {:9}  {:12}  SIGNALS", "NAME", "KIND", "STABILITY")];
    for row in rows {
        let (kind, stability) = (row.role.as_str(), row.stability.as_str());
        let signals = signals(row).join(",");
        lines.push(format!("{:width$}  {kind:9}  {stability:12}  {signals}", row.name));
    }
    format!("{}\n", lines.join("\n"))
}

fn completion(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "bessemer", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
