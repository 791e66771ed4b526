//! The repository keeps its own rules: one test per rule of `xtask/src/tidy.rs`.

#![expect(clippy::expect_used, reason = "a test says what it needs")]

use std::path::Path;

use xtask::tidy::{RULES, Tree};

/// Holds the repository to the rule of that name.
fn holds(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tree = Tree::read(&root).expect("the repository is readable");
    let rule = RULES.iter().find(|rule| rule.name == name).expect("a rule has this name");
    let findings: Vec<String> =
        (rule.check)(&tree).iter().map(|finding| format!("\n  {finding}")).collect();
    assert!(findings.is_empty(), "{}", findings.concat());
}

#[test]
fn every_source_file_opens_with_its_purpose() {
    holds("every_source_file_opens_with_its_purpose");
}

#[test]
fn no_source_file_exceeds_600_lines() {
    holds("no_source_file_exceeds_600_lines");
}

#[test]
fn modules_are_files_and_never_mod_rs() {
    holds("modules_are_files_and_never_mod_rs");
}

#[test]
fn sources_are_ascii() {
    holds("sources_are_ascii");
}

#[test]
fn lints_are_expected_and_never_allowed() {
    holds("lints_are_expected_and_never_allowed");
}

#[test]
fn every_todo_names_its_issue() {
    holds("every_todo_names_its_issue");
}

#[test]
fn crates_depend_downward_only() {
    holds("crates_depend_downward_only");
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    holds("every_crate_takes_the_workspace_lints");
}

#[test]
fn every_component_file_has_its_catalogue_row() {
    holds("every_component_file_has_its_catalogue_row");
}

#[test]
fn architecture_names_every_crate() {
    holds("architecture_names_every_crate");
}

#[test]
fn architecture_names_only_paths_that_exist() {
    holds("architecture_names_only_paths_that_exist");
}

#[test]
fn links_between_pages_resolve() {
    holds("links_between_pages_resolve");
}

#[test]
fn every_trust_case_names_tests_that_exist() {
    holds("every_trust_case_names_tests_that_exist");
}

#[test]
fn change_fragments_are_one_sentence() {
    holds("change_fragments_are_one_sentence");
}

#[test]
fn every_rule_has_its_test_here() {
    let source = include_str!("tidy.rs");
    for rule in RULES {
        assert!(source.contains(&format!("fn {}()", rule.name)), "no test named {}", rule.name);
    }
}
