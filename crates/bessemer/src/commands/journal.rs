//! `bessemer journal`: what operators look at a journal with.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use bessemer_config::SystemEnvironment;
use bessemer_journal::{Check, Inspector, RealDisk, Repair, Severity};
use serde_json::{Value, json};

use crate::arguments::{Dump, Journal, ListForm, Place};
use crate::{keys, output};

mod entry;
mod stat;

/// Does what the arguments say.
pub(super) fn journal(arguments: &Journal) -> anyhow::Result<ExitCode> {
    match arguments {
        Journal::Stat(place) => stat(place),
        Journal::Dump(arguments) => dump(arguments),
        Journal::Fsck(place) => fsck(place),
        Journal::Repair(place) => repair(place),
    }
}

fn inspector(place: &Place) -> anyhow::Result<Inspector> {
    let keys = keys::source(&place.keys, &SystemEnvironment)?;
    Ok(Inspector::new(Arc::new(RealDisk), keys, place.storage.join("journal")))
}

fn stat(place: &Place) -> anyhow::Result<ExitCode> {
    let stat = inspector(place)?.stat()?;
    if place.output == ListForm::Table {
        output::print(&stat::table(&stat))?;
    } else {
        print(place.output, &stat::value(&stat))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(form: ListForm, value: &Value) -> anyhow::Result<()> {
    let text = match form {
        ListForm::Ndjson => value.to_string(),
        ListForm::Table | ListForm::Json => serde_json::to_string_pretty(value)?,
    };
    Ok(output::print(&format!("{text}\n"))?)
}

// Printed one by one: a journal may be larger than memory.
fn dump(arguments: &Dump) -> anyhow::Result<ExitCode> {
    let form = arguments.place.output;
    anyhow::ensure!(
        form != ListForm::Table || !arguments.payload,
        "--payload needs -o json or ndjson"
    );
    let (mut shown, mut printed) = (0, Ok(()));
    let mut show = |entry| {
        let text = match form {
            ListForm::Table => entry::line(&entry),
            ListForm::Ndjson => format!("{}\n", entry::value(&entry, arguments.payload)),
            ListForm::Json if shown == 0 => {
                format!("[\n{}", entry::value(&entry, arguments.payload))
            }
            ListForm::Json => format!(",\n{}", entry::value(&entry, arguments.payload)),
        };
        if form == ListForm::Table && shown == 0 {
            printed = output::print(entry::HEADING);
        }
        if printed.is_ok() {
            printed = output::print(&text);
        }
        shown += 1;
        let enough = shown >= arguments.limit || printed.is_err();
        if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let is_found = inspector(&arguments.place)?.dump(&arguments.log, arguments.from, &mut show)?;
    printed?;
    if form == ListForm::Json {
        output::print(if shown == 0 { "[]\n" } else { "\n]\n" })?;
    }
    anyhow::ensure!(
        is_found,
        "there is no log {:?}; `bessemer journal stat` lists them",
        arguments.log
    );
    Ok(ExitCode::SUCCESS)
}

fn fsck(place: &Place) -> anyhow::Result<ExitCode> {
    let check = inspector(place)?.check()?;
    if place.output == ListForm::Table {
        output::print(&check_text(&check))?;
    } else {
        print(place.output, &check_value(&check))?;
    }
    Ok(match check.worst() {
        Some(Severity::Damage) => ExitCode::FAILURE,
        Some(Severity::Unchecked) => ExitCode::from(2),
        Some(Severity::Note) | None => ExitCode::SUCCESS,
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Unchecked => "unchecked",
        Severity::Damage => "damage",
    }
}

fn check_text(check: &Check) -> String {
    let mut lines = Vec::new();
    for finding in &check.findings {
        let place = finding.offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
        let path = finding.path.display();
        lines.push(format!("{}: {path}{place}: {}", severity(finding.severity), finding.problem));
    }
    if check.more > 0 {
        lines.push(format!("and {} more", check.more));
    }
    let Check { segments, blocks, entries, records, .. } = check;
    lines.push(format!(
        "{segments} segments, {blocks} blocks, {entries} entries, {records} records verified"
    ));
    lines.join("\n") + "\n"
}

fn check_value(check: &Check) -> Value {
    let findings = check.findings.iter().map(|finding| {
        json!({
            "severity": severity(finding.severity),
            "path": finding.path,
            "offset": finding.offset,
            "problem": finding.problem,
        })
    });
    json!({
        "verdict": check.worst().map_or("intact", severity),
        "segments": check.segments,
        "blocks": check.blocks,
        "entries": check.entries,
        "records": check.records,
        "findings": findings.collect::<Vec<_>>(),
        "more_findings": check.more,
    })
}

fn repair(place: &Place) -> anyhow::Result<ExitCode> {
    let inspector = inspector(place)?;
    let repair = inspector.repair().context("nothing was moved")?;
    if place.output == ListForm::Table {
        output::print(&repair_text(&repair))?;
    } else {
        print(place.output, &repair_value(&repair))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn repair_text(repair: &Repair) -> String {
    let moved = repair.moved.iter().map(|moved| {
        let (from, to) = (moved.from.display(), moved.to.display());
        format!("moved: {from} to {to}: {}\n", moved.problem)
    });
    let left = repair.left.iter();
    let left = left.map(|(path, reason)| format!("left: {}: {reason}\n", path.display()));
    let count = format!("{} moved, {} left\n", repair.moved.len(), repair.left.len());
    moved.chain(left).chain([count]).collect()
}

fn repair_value(repair: &Repair) -> Value {
    let moved = repair
        .moved
        .iter()
        .map(|moved| json!({ "from": moved.from, "to": moved.to, "problem": moved.problem }));
    let left = repair.left.iter().map(|(path, reason)| json!({ "path": path, "reason": reason }));
    json!({ "moved": moved.collect::<Vec<_>>(), "left": left.collect::<Vec<_>>() })
}
