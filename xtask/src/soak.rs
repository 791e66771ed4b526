//! `cargo xtask soak`: runs the crash-state explorer, the simulation, kills of the real binary and
//! the fuzz targets for a while, and appends what was measured to `trust/ledger.jsonl`.
//!
//! The tests print one `soak-row` of figures each. A run that fails has found something: its row
//! says so, and its seed is in the output.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::trust;

/// What is run, with its share of the time in percent.
const RUNS: [Run; 3] = [
    Run {
        kind: "crash_states",
        package: "bessemer-journal",
        test: "proof",
        case: "no_crash_state",
        share: 40,
    },
    Run {
        kind: "simulation",
        package: "bessemer-pipeline",
        test: "simulation",
        case: "whatever_a_seed",
        share: 25,
    },
    Run {
        kind: "kills",
        package: "bessemer",
        test: "stories",
        case: "acked_records_survive_kill_9",
        share: 20,
    },
];

/// What of the time the fuzz targets share, in percent.
const FUZZ_SHARE: u64 = 15;

struct Run {
    kind: &'static str,
    package: &'static str,
    test: &'static str,
    case: &'static str,
    share: u64,
}

/// Runs for about `minutes` and appends one row per run.
pub fn soak(root: &Path, minutes: u64, seed: u64) -> Result<Vec<Value>> {
    let git = |words: &[&str]| line(Command::new("git").args(words).current_dir(root));
    let commit = git(&["rev-parse", "HEAD"])?;
    if !git(&["status", "--porcelain"])?.is_empty() {
        bail!("the tree differs from {commit}: a row would name a commit that was not run");
    }
    // All before the first, so that what runs is what was committed, whatever is edited meanwhile.
    let binaries: Vec<PathBuf> = RUNS.iter().map(|run| run.build(root)).collect::<Result<_>>()?;
    let mut rows = Vec::new();
    for (run, binary) in RUNS.iter().zip(binaries) {
        let before = cpu_seconds()?;
        let output = run.play(&binary, minutes * 60 * run.share / 100, seed)?;
        let row = run.row(&output, &commit, cpu_seconds()? - before)?;
        let failed = row.get("result") != Some(&json!("passed"));
        trust::append(root, &row)?;
        rows.push(row);
        if failed {
            bail!("{}\n{} found something", text(&output), run.kind);
        }
    }
    let (row, failure) = fuzz(root, minutes * 60 * FUZZ_SHARE / 100, &commit)?;
    trust::append(root, &row)?;
    rows.push(row);
    match failure {
        Some(told) => bail!("{told}"),
        None => Ok(rows),
    }
}

// All targets one after another. Needs cargo-fuzz and a nightly toolchain.
fn fuzz(root: &Path, seconds: u64, commit: &str) -> Result<(Value, Option<String>)> {
    let cargo = |words: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz"]).args(words).current_dir(root);
        command
    };
    let targets = line(&mut cargo(&["list"]))?;
    line(&mut cargo(&["build"]))?;
    let targets: Vec<&str> = targets.lines().collect();
    let share = (seconds / targets.len().max(1) as u64).max(1);
    let (before, mut executions, mut failure) = (cpu_seconds()?, 0, None);
    for target in targets {
        let time = format!("-max_total_time={share}");
        let output =
            cargo(&["run", target, "--", &time, "-print_final_stats=1", "-timeout=10"]).output()?;
        let told = text(&output);
        let figure = "stat::number_of_executed_units:";
        let found = told.lines().find_map(|line| line.strip_prefix(figure)?.trim().parse().ok());
        executions += found.unwrap_or(0_u64);
        if !output.status.success() {
            failure = Some(format!("{told}\nfuzz target {target} found something"));
            break;
        }
    }
    let result = if failure.is_none() { "passed" } else { "failed" };
    let row = json!({
        "kind": "fuzz", "commit": commit, "date": today()?, "fuzz_executions": executions,
        "cpu_seconds": cpu_seconds()? - before, "result": result,
    });
    Ok((row, failure))
}

fn today() -> Result<String> {
    line(Command::new("date").args(["-u", "+%Y-%m-%d"]))
}

impl Run {
    // A copy of the test's binary, which later builds do not replace.
    fn build(&self, root: &Path) -> Result<PathBuf> {
        let words = ["test", "--no-run", "--message-format", "json", "--package", self.package];
        let mut command = Command::new(env!("CARGO"));
        command.args(words).args(["--test", self.test]).current_dir(root);
        let told = line(&mut command)?;
        let built = told
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message.pointer("/profile/test") == Some(&json!(true)))
            .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
            .context("cargo named no executable")?;
        let copy = built.with_file_name(format!("soak-{}", self.test));
        std::fs::copy(&built, &copy)?;
        Ok(copy)
    }

    fn play(&self, binary: &Path, seconds: u64, seed: u64) -> Result<Output> {
        let mut command = Command::new(binary);
        command.arg(self.case).env("BESSEMER_SOAK_SECONDS", seconds.to_string());
        Ok(command.env("BESSEMER_SOAK_SEED", seed.to_string()).output()?)
    }

    fn row(&self, output: &Output, commit: &str, cpu_seconds: u64) -> Result<Value> {
        let told = text(output);
        let figures = told.lines().find_map(|line| line.strip_prefix("soak-row "));
        let mut row: Map<String, Value> = match figures {
            Some(figures) => serde_json::from_str(figures).context("a row of figures")?,
            None => Map::new(),
        };
        let passed = output.status.success() && figures.is_some();
        row.insert("kind".into(), json!(self.kind));
        row.insert("commit".into(), json!(commit));
        row.insert("date".into(), json!(today()?));
        row.insert("cpu_seconds".into(), json!(cpu_seconds));
        row.insert("result".into(), json!(if passed { "passed" } else { "failed" }));
        Ok(Value::Object(row))
    }
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn line(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        bail!("{command:?} ended with {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// CPU time of the children of this process that have ended, by the system's accounts.
fn cpu_seconds() -> Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("a process status")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok());
    // cutime and cstime, in hundredths of a second on every Linux.
    let (user, system) = (ticks(13).context("cutime")?, ticks(14).context("cstime")?);
    Ok((user + system) / 100)
}
