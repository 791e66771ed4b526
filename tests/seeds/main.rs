//! Every configuration of the integration handbooks, as it is written there, in a file of its own
//! under `tests/data/seeds`.
//!
//! Scenario: people paste what they have. Promise: it loads. Alone it may be warned about for not
//! being wired; beside its frame (`frames/`) it is wired. What comes with a later version is said
//! to (BSM-0115) and is the only error. What is wrong in itself stands in `wrong.json` with what is
//! said about it and with its repair.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

const UNWIRED: &str = "BSM-0151";
const REPAIRED: &str = "BSM-0153";
const LATER: &str = "BSM-0115";

/// What variables hold that the texts name; the values must appear nowhere.
const VARIABLES: [&str; 12] = [
    "AWS_REGION",
    "AWS_TOKEN",
    "AZURE_MONITOR_CONNECTION_STRING",
    "AZURE_MONITOR_INSTRUMENTATION_KEY",
    "DATADOG_API_KEY",
    "GOOGLE_CLOUD_PROJECT",
    "KAFKA_PASSWORD",
    "KAFKA_USERNAME",
    "NEW_RELIC_LICENSE_KEY",
    "SPLUNK_HEC_TOKEN",
    "SPLUNK_HEC_URL",
    "ELASTICSEARCH_API_KEY",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/seeds")
}

/// The texts that stand in a folder, without what lies deeper.
fn texts(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        path.is_file() && !path.ends_with("wrong.json") && !is_page
    });
    paths.sort();
    paths
}

fn wrong() -> Vec<Json> {
    let text = std::fs::read_to_string(folder().join("wrong.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The findings of `validate` as `severity code message` lines.
fn findings(paths: &[&Path]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bessemer"));
    command.arg("validate").arg("-o").arg("json").args(paths);
    for variable in VARIABLES {
        let scheme = if variable.ends_with("_URL") { "https://" } else { "" };
        let value = format!("{scheme}canary-{variable}");
        command.env(variable, if scheme.is_empty() { value } else { value.replace('_', "-") });
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("canary"), "a value shows: {text}");
    let line = |line: &str| {
        let finding: Json = serde_json::from_str(line).unwrap();
        let part = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", part("severity"), part("code"), part("message"))
    };
    text.lines().map(line).collect()
}

fn check(paths: &[&Path], allowed: &[&str]) {
    let found = findings(paths);
    let strange: Vec<&String> =
        found.iter().filter(|line| !allowed.iter().any(|code| line.contains(code))).collect();
    assert!(strange.is_empty(), "{}: {strange:#?}", paths[0].display());
}

/// Files that are listed as wrong in themselves.
fn listed() -> BTreeSet<String> {
    wrong().iter().map(|row| row["file"].as_str().unwrap().to_owned()).collect()
}

fn is_listed(path: &Path) -> bool {
    listed().contains(path.file_name().unwrap().to_str().unwrap())
}

#[test]
fn every_text_loads_alone() {
    let paths = texts(&folder());
    assert!(paths.len() >= 29, "{}", paths.len());
    for path in paths.iter().filter(|path| !is_listed(path)) {
        check(&[path], &[UNWIRED, REPAIRED, LATER]);
    }
}

#[test]
fn every_text_in_alloy_syntax_is_wired_by_its_frame() {
    let frames = folder().join("frames");
    for path in texts(&folder()) {
        if path.extension().is_some_and(|ending| ending == "alloy") {
            let frame = frames.join(path.file_name().unwrap());
            let frames = [frame.with_extension("yaml"), frame];
            let frame = frames.iter().find(|frame| frame.is_file());
            let frame = frame.unwrap_or_else(|| panic!("{} has no frame", path.display()));
            check(&[&path, frame], &[REPAIRED, LATER]);
        }
    }
}

#[test]
fn what_is_wrong_in_itself_is_said_to_be_and_its_repair_loads() {
    for row in wrong() {
        let part = |name: &str| row[name].as_str().unwrap().to_owned();
        let found = findings(&[&folder().join(part("file"))]);
        let says = part("diagnostic");
        assert!(found.iter().any(|line| line.contains(&says)), "{says}: {found:#?}");
        let repaired = folder().join("repaired").join(part("file"));
        check(&[&repaired], &[UNWIRED, LATER]);
    }
}
