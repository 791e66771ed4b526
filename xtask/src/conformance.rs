//! `cargo xtask conformance`: what other projects' own tests say is right, run against this one.
//!
//! The cases lie beside the project and are no part of it: a folder with one folder per subject,
//! given by `--cases DIR` or `BESSEMER_CASES`. For each file the passed and all rows are printed,
//! and the ids of those that fail; `--json` prints one object a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bessemer_pipeline::Catalogs;
use serde_json::{Value as Json, json};

mod alloy;
mod batches;
mod collector;
mod effective;
mod graphs;
mod ottl;
mod pairs;
mod processors;
mod wire;

const FALLBACK: &str = "../shared/cases";
/// Failing ids that are printed for a file.
const FAILURES_SHOWN: usize = 40;

/// What became of the rows of one file.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    name: String,
    passed: usize,
    failed: Vec<String>,
    /// Rows that nothing here can judge: they use components that this version does not have.
    skipped: usize,
}

impl Tally {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Counts a row: nothing is wrong, or this is.
    pub(crate) fn count(&mut self, id: &str, problem: Option<String>) {
        match problem {
            None => self.passed += 1,
            Some(problem) => self.failed.push(format!("{id}: {problem}")),
        }
    }

    /// Counts a row that can not be judged.
    pub(crate) fn skip(&mut self) {
        self.skipped += 1;
    }

    fn total(&self) -> usize {
        self.passed + self.failed.len()
    }
}

/// Runs the cases that the arguments name.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut folder = None;
    let mut is_json = false;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--cases" => {
                folder = Some(PathBuf::from(words.next().context("--cases needs a folder")?));
            }
            "--json" => is_json = true,
            other => bail!("unknown argument: {other}"),
        }
    }
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        bail!("{} is no folder", folder.display());
    }
    let mut out = std::io::stdout().lock();
    let Some(folder) = folder.or_else(default_folder) else {
        writeln!(out, "cases: not present")?;
        return Ok(());
    };
    let mut tallies = alloy::run(&folder.join("alloy"))?;
    tallies.extend(pairs::run(&folder.join("alloy"))?);
    tallies.extend(collector::run(&folder.join("otelcol-yaml"))?);
    tallies.extend(processors::run(&folder.join("ottl"))?);
    tallies.extend(ottl::run(&folder.join("ottl"))?);
    tallies.extend(wire::run(&folder.join("wire"))?);
    for tally in &tallies {
        print(&mut out, tally, is_json)?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a command of the project, not the product")]
fn default_folder() -> Option<PathBuf> {
    let given = std::env::var("BESSEMER_CASES").unwrap_or_else(|_| FALLBACK.to_owned());
    Some(PathBuf::from(given)).filter(|folder| folder.is_dir())
}

fn print(out: &mut impl Write, tally: &Tally, is_json: bool) -> Result<()> {
    if is_json {
        let row = json!({
            "file": tally.name, "passed": tally.passed, "total": tally.total(),
            "failed": tally.failed, "skipped": tally.skipped,
        });
        writeln!(out, "{row}")?;
        return Ok(());
    }
    write!(out, "{:<36} {:>5} / {}", tally.name, tally.passed, tally.total())?;
    match tally.skipped {
        0 => writeln!(out)?,
        skipped => writeln!(out, " ({skipped} not judged: components of other versions)")?,
    }
    for failure in tally.failed.iter().take(FAILURES_SHOWN) {
        writeln!(out, "    {failure}")?;
    }
    Ok(())
}

/// The components of this version.
pub(crate) fn catalogs() -> Catalogs {
    Catalogs::new(&[
        bessemer_receivers::CATALOG,
        bessemer_processors::CATALOG,
        bessemer_classify::CATALOG,
        bessemer_exporters::CATALOG,
    ])
}

/// The rows of a file of JSON lines; none if there is no such file.
pub(crate) fn rows(path: &Path) -> Result<Vec<Json>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The files under a folder, sorted.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}
