//! Every case against every system, interleaved over rounds, and one table of the medians.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::sink::{Manner, Sink};

mod case;
mod floor;
mod measure;
mod subject;
mod table;

use case::{CASES, Case, System};
use floor::Findings;
use measure::{Measurement, Timing};
use table::Row;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Cases to run, by name; all when not given
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// Systems to run
    #[arg(long, value_enum, value_delimiter = ',', default_value = "bessemer,otelcol,null")]
    systems: Vec<System>,
    /// Length of each measurement
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Load before each measurement that is not counted
    #[arg(long, default_value_t = 1.5)]
    warmup_seconds: f64,
    /// Times that the whole list is run; figures are medians
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Calls at a time on each gRPC connection
    #[arg(long, default_value_t = 4)]
    streams: usize,
    /// Also write one JSON object a row to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Print each floor as met or missed; fail on loss, failed requests, memory over its bound and
    /// ratios far below those held so far
    #[arg(long)]
    check: bool,
    /// Binary of bessemer; built with cargo when not given
    #[arg(long)]
    bessemer: Option<PathBuf>,
    /// Binary of the Collector; built by testbed/otelcol.sh when not given
    #[arg(long)]
    otelcol: Option<PathBuf>,
    /// Data and logs of the systems; emptied before each row
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Where things are, found before anything is measured.
struct Bench {
    root: PathBuf,
    out: PathBuf,
    bessemer: PathBuf,
    otelcol: PathBuf,
    /// The destinations that work.
    sink: Sink,
}

pub(crate) fn main(options: &Options) -> anyhow::Result<()> {
    let cases = wanted(&options.cases)?;
    ensure!(options.rounds > 0, "rounds must be positive");
    let bench = Bench::prepare(options, &cases)?;
    let mut measured: Vec<Measurement> = Vec::new();
    let mut broken = Vec::new();
    for round in 1..=options.rounds {
        for case in &cases {
            for entrant in case.entrants.iter().filter(|it| options.systems.contains(&it.system)) {
                note(&format!("round {round}: {} {} ...", case.name, entrant.system));
                let timing = Timing::new(options);
                match measure::measure(&bench, case, entrant, &timing) {
                    Ok(measurement) => measured.push(measurement),
                    Err(error) => {
                        note(&format!("  {error:#}"));
                        broken.push(format!("{} {}", case.name, entrant.system));
                    }
                }
            }
        }
    }
    let rows = table::medians(&measured);
    let findings = if options.check { floor::check(&rows) } else { Findings::default() };
    report(options, &rows, &findings)?;
    if !broken.is_empty() {
        bail!("not measured: {}", broken.join(", "));
    }
    if !findings.broken.is_empty() {
        bail!("must not be: {}", findings.broken.join("; "));
    }
    Ok(())
}

fn report(options: &Options, rows: &[Row], findings: &Findings) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in table::lines(rows).iter().chain(&findings.lines) {
        crate::say(&mut out, line);
    }
    if let Some(path) = &options.json {
        let mut file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
        for row in rows {
            serde_json::to_writer(&mut file, row).context("json")?;
            writeln!(file).context("json")?;
        }
    }
    Ok(())
}

fn wanted(names: &[String]) -> anyhow::Result<Vec<&'static Case>> {
    if names.is_empty() {
        return Ok(CASES.iter().collect());
    }
    let found = |name: &String| {
        CASES.iter().find(|case| case.name == name).with_context(|| {
            let known: Vec<_> = CASES.iter().map(|case| case.name).collect();
            format!("no case {name}; there are {}", known.join(", "))
        })
    };
    names.iter().map(found).collect()
}

impl Bench {
    fn prepare(options: &Options, cases: &[&Case]) -> anyhow::Result<Self> {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = bench.parent().context("bench lies in the repository")?.to_path_buf();
        let out = options.out.clone().unwrap_or_else(|| bench.join("out"));
        std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
        let takes_part = |system| {
            options.systems.contains(&system)
                && cases.iter().any(|case| case.entrants.iter().any(|it| it.system == system))
        };
        let bessemer = match &options.bessemer {
            Some(path) => path.clone(),
            None if takes_part(System::Bessemer) => built_bessemer(&root)?,
            None => PathBuf::new(),
        };
        let otelcol = match &options.otelcol {
            Some(path) => path.clone(),
            None if takes_part(System::Otelcol) => built_otelcol(&root, &out)?,
            None => PathBuf::new(),
        };
        let sink = Sink::start(
            &addresses(&case::SINK_HTTP)?,
            &addresses(&[case::SINK_GRPC])?,
            Manner::good(),
        )?;
        let (refusing, hole) = (
            Manner { answer: 503, ..Manner::good() },
            Manner { black_hole: true, ..Manner::good() },
        );
        Sink::start(&addresses(&[case::DEAD_REFUSING])?, &[], refusing)?;
        Sink::start(&addresses(&[case::DEAD_SILENT])?, &[], hole)?;
        Ok(Self { root, out, bessemer, otelcol, sink })
    }
}

fn addresses(texts: &[&str]) -> anyhow::Result<Vec<SocketAddr>> {
    texts.iter().map(|text| text.parse().with_context(|| (*text).to_owned())).collect()
}

fn built_bessemer(root: &Path) -> anyhow::Result<PathBuf> {
    note("cargo build --release -p bessemer");
    let output = Command::new("cargo")
        .args(["build", "--release", "-p", "bessemer", "--message-format=json"])
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cargo")?;
    ensure!(output.status.success(), "bessemer does not build");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message.get("target")?.get("name")? == "bessemer";
        is_it.then(|| message.get("executable")?.as_str().map(PathBuf::from)).flatten()
    };
    lines.lines().rev().find_map(executable).context("cargo named no executable of bessemer")
}

/// The script prints `otelcol binary=PATH`.
fn built_otelcol(root: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    note("testbed/otelcol.sh");
    let output = Command::new("bash")
        .arg(root.join("testbed/otelcol.sh"))
        .env("DIR", out.join("otelcol-build"))
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("bash")?;
    ensure!(output.status.success(), "the Collector does not build");
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = line.trim().split_once("binary=").map(|(_, path)| PathBuf::from(path));
    path.context("testbed/otelcol.sh printed no binary")
}

fn note(line: &str) {
    crate::say(&mut std::io::stderr().lock(), line);
}
