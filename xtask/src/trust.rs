//! `cargo xtask trust`: what the proofs add up to, from `trust/ledger.jsonl` to `docs/trust.md`.

use std::fmt::Write;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// Every measured run, one JSON object a line.
pub const LEDGER: &str = "trust/ledger.jsonl";
/// The page for people.
pub const PAGE: &str = "docs/trust.md";

/// Figures of the public table: the key in rows, and what it means.
const FIGURES: [(&str, &str); 9] = [
    ("crash_states", "Crash states opened and checked"),
    ("worlds", "Simulated worlds, from the first batch to the last verdict"),
    ("crashes", "Lives of simulated processes that were ended"),
    ("kills", "`kill -9` of the real binary"),
    ("records_checked", "Records checked against what was acknowledged"),
    ("lost", "Records acknowledged and lost"),
    ("corrupt", "Records changed"),
    ("duplicates", "Records served or delivered again after a crash or a lost answer"),
    ("fuzz_executions", "Inputs tried by fuzzers"),
];

/// Adds a row to the ledger.
pub fn append(root: &Path, row: &Value) -> Result<()> {
    let path = root.join(LEDGER);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    Ok(writeln!(file, "{row}")?)
}

/// All rows of the ledger; none when there is none yet.
pub fn rows(root: &Path) -> Result<Vec<Map<String, Value>>> {
    let path = root.join(LEDGER);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path)?;
    let row = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{LEDGER}:{}", number + 1))
    };
    text.lines().enumerate().map(row).collect()
}

/// The sums for machines.
pub fn sums(rows: &[Map<String, Value>]) -> Value {
    let mut sums: Map<String, Value> =
        FIGURES.iter().map(|(key, _)| ((*key).to_owned(), json!(sum(rows, key)))).collect();
    sums.insert("cpu_seconds".into(), json!(sum(rows, "cpu_seconds")));
    sums.insert("runs".into(), json!(rows.len()));
    sums.insert("failed_runs".into(), json!(failed(rows)));
    Value::Object(sums)
}

fn sum(rows: &[Map<String, Value>], key: &str) -> u64 {
    rows.iter().filter_map(|row| row.get(key)?.as_u64()).sum()
}

fn failed(rows: &[Map<String, Value>]) -> usize {
    rows.iter().filter(|row| row.get("result") != Some(&json!("passed"))).count()
}

/// The page.
pub fn page(rows: &[Map<String, Value>]) -> Result<String> {
    let mut out = String::from(INTRODUCTION);
    for (key, meaning) in FIGURES {
        writeln!(out, "| {meaning} | {} |", grouped(sum(rows, key)))?;
    }
    writeln!(out, "| CPU time, hours | {:.1} |", hours(sum(rows, "cpu_seconds")))?;
    writeln!(out, "| Runs, and those that found something | {}, {} |", rows.len(), failed(rows))?;
    out.push_str(RUNS);
    for row in rows {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("-");
        let number = |key: &str| row.get(key).and_then(Value::as_u64);
        let seeds = match (number("seed_first"), number("seed_end")) {
            (Some(first), Some(end)) => format!("{first}..{end}"),
            _ => "-".to_owned(),
        };
        let commit = text("commit").get(..10).unwrap_or("-");
        let records = grouped(number("records_checked").unwrap_or_default());
        let (date, kind, result) = (text("date"), text("kind"), text("result"));
        writeln!(out, "| {date} | `{commit}` | {kind} | {seeds} | {records} | {result} |")?;
    }
    out.push_str(LIMITS);
    Ok(out)
}

#[expect(clippy::cast_precision_loss, reason = "one decimal for people")]
fn hours(seconds: u64) -> f64 {
    seconds as f64 / 3600.0
}

// Digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

const INTRODUCTION: &str = "\
# What the proofs add up to

<!-- Written by `cargo xtask trust` from trust/ledger.jsonl; a test compares. -->

A 2xx or OK means that the record is on disk, checksummed and synced. It is delivered at least once
to every destination it was routed to, or kept in that destination's dead-letter log with the
reason. What was run to break that promise, and what came of it:

| figure | so far |
|---|---:|
";

const RUNS: &str = "
## The runs

Every row can be run again: `SEED=n cargo test -p bessemer-journal --test proof` for crash states,
`SEED=n cargo test -p bessemer-pipeline --test simulation` for simulated worlds, at the commit named.

| date | commit | what | seeds | records checked | result |
|---|---|---|---|---:|---|
";

const LIMITS: &str = "
## What this does not prove

- One node cannot survive the loss of its disk, nor a drive that says it has synced and has not.
- The simulated disk tears, zeroes, garbles and reorders what was not synced, in sectors of 512 bytes
  and single names; a real file system can be kinder, and one with defects can be worse.
- A crash state is one moment of one run of the journal and one fate of everything that was not
  synced then. States are drawn, not all of them enumerated; two may leave the same bytes.
- A full disk is a real one of 64 MiB. A file system that an error turns read-only is a real ext4 where
  a loop device can be mounted; elsewhere calls only fail as they would then, and `.ci/run` counts the
  story as not played.
- Figures are sums over the runs listed here and nothing else.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_sums_rows_and_counts_the_failed_ones() {
        let row = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let rows = [
            row(r#"{"kind":"crash_states","crash_states":1200000,"lost":0,"result":"passed"}"#),
            row(r#"{"kind":"simulation","records_checked":7,"result":"failed"}"#),
        ];
        let page = page(&rows).unwrap();
        assert!(page.contains("| Crash states opened and checked | 1,200,000 |"), "{page}");
        assert!(page.contains("found something | 2, 1 |"), "{page}");
        assert_eq!(sums(&rows)["records_checked"], 7);
    }
}
