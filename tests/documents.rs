//! What people copy works: every config in the examples and in the pages passes `validate`.

#![expect(clippy::expect_used, reason = "a test says what it needs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files with `extension` in `folder` and below.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The fenced blocks of a page that are marked as Alloy syntax, with the line they start on.
fn configs(page: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (index, line) in page.lines().enumerate() {
        match (inside, line.trim()) {
            (false, "```alloy") => {
                inside = true;
                found.push((index + 2, String::new()));
            }
            (true, "```") => inside = false,
            (true, _) => {
                let (_, text) = found.last_mut().expect("a block is open");
                text.push_str(line);
                text.push('\n');
            }
            (false, _) => {}
        }
    }
    found
}

/// What `validate` has against the text, if anything. It runs in an empty folder.
fn complaint(text: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("page.alloy"), text).expect("a file can be written");
    let output = Command::new(env!("CARGO_BIN_EXE_bessemer"))
        .args(["validate", "page.alloy"])
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then(|| said.into_owned())
}

#[test]
fn every_example_validates() {
    let examples = files(&root().join("examples"), "alloy");
    assert!(!examples.is_empty(), "there are no examples");
    for path in examples {
        let text = fs::read_to_string(&path).expect("the example is readable");
        if let Some(complaint) = complaint(&text) {
            panic!("{}\n{complaint}", path.display());
        }
    }
}

#[test]
fn every_config_in_the_pages_validates() {
    let mut pages = vec![root().join("README.md"), root().join("docs/start.md")];
    pages.extend(files(&root().join("docs/guides"), "md"));
    let mut count = 0;
    for page in pages {
        let text = fs::read_to_string(&page).expect("the page is readable");
        for (line, config) in configs(&text) {
            count += 1;
            if let Some(complaint) = complaint(&config) {
                panic!("{}:{line}\n{complaint}", page.display());
            }
        }
    }
    assert!(count >= 3, "the pages hold {count} configs");
}

/// Promise: what others take of these components is taken here, as far as the files list it; what
/// has no effect is said.
#[test]
fn settings_that_people_bring_are_taken() {
    for name in ["everything.yaml", "everything.alloy"] {
        let output = Command::new(env!("CARGO_BIN_EXE_bessemer"))
            .arg("validate")
            .arg(root().join("tests/data/dialects").join(name))
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}\n{said}");
        assert!(said.contains("\"wait_for_result\" is accepted and has no effect"), "{said}");
    }
}

#[test]
fn a_wrong_config_is_noticed() {
    let complaint = complaint("otelcol.receiver.otlp \"in\" { nonsense = 1 }\n");
    assert!(complaint.is_some_and(|text| text.contains("nonsense")));
}

#[test]
fn the_trust_page_says_what_was_measured() {
    let rows = xtask::trust::rows(&root()).expect("the ledger is readable");
    let page = xtask::trust::page(&rows).expect("the ledger makes a page");
    let written = fs::read_to_string(root().join(xtask::trust::PAGE)).expect("the page is there");
    assert!(page == written, "run `cargo xtask trust`");
}

/// Runs `bessemer test` on a text; returns whether it passed, and what it said.
fn tested(text: &str, arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("page.alloy"), text).expect("a file can be written");
    let output = Command::new(env!("CARGO_BIN_EXE_bessemer"))
        .args(["test", "page.alloy"])
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said.into_owned())
}

fn tested_page() -> String {
    let page = fs::read_to_string(root().join("docs/guides/testing.md")).expect("the page exists");
    configs(&page).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn the_tests_of_the_guide_pass_and_are_counted() {
    let (is_passed, said) = tested(&tested_page(), &[]);
    assert!(is_passed, "{said}");
    assert!(said.contains("ok     errors_leave_with_their_environment"), "{said}");
    assert!(said.ends_with("2 tests, 0 failed\n"), "{said}");
    let (is_passed, said) = tested(&tested_page(), &["--only", "nowhere", "--output", "junit"]);
    assert!(is_passed && said.contains("tests=\"1\" failures=\"0\""), "{said}");
}

#[test]
fn a_test_that_fails_says_what_came_out_instead() {
    for (right, wrong, expected) in [
        ("count       = 1", "count       = 2", "expected 2 records, got 1"),
        ("\"production\",", "\"staging\",", "to be \"staging\", got \"production\""),
        ("severity = \"DEBUG\"", "severity = \"INFO\"", "expected 0 records, got 1"),
        ("\"otelcol.exporter.debug.out\"", "\"otelcol.exporter.debug.oot\"", "did you mean"),
        ("\"body\"                   = \"disk full\"", "\"attributes.a\" = 1", "got null"),
    ] {
        let page = tested_page();
        assert!(page.contains(right), "{right}");
        let (is_passed, said) = tested(&page.replace(right, wrong), &[]);
        assert!(!is_passed && said.contains(expected), "{said}");
    }
}

#[test]
fn tests_in_files_run_beside_those_in_blocks() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("tests.json");
    let case = r#"[{ "name": "from_a_file", "headers": { "X-Tenant": "a" },
        "batch": "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"x\"}}]}]}]}",
        "expect": [{ "count": 1, "fields": { "body": "x" } }] }]"#;
    fs::write(&file, case).expect("a file can be written");
    let (is_passed, said) = tested(&tested_page(), &["--tests", &file.to_string_lossy()]);
    assert!(is_passed && said.contains("ok     from_a_file"), "{said}");
}

/// Runs `bessemer test` in a folder with these files; returns the exit status, and what it said.
fn tested_files(files: &[(&str, &str)], arguments: &[&str]) -> (i32, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("it can be made");
        fs::write(path, text).expect("a file can be written");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_bessemer"))
        .arg("test")
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("it ended by itself"), said.into_owned(), folder)
}

fn example(name: &str) -> String {
    fs::read_to_string(root().join("examples").join(name)).expect("the example exists")
}

#[test]
fn tests_in_files_are_found_beside_a_file_and_in_a_folder() {
    let (config, tests) = (example("dedup.alloy"), example("dedup.test.yaml"));
    let json = r#"[{"name": "in_json", "record": [{"body": "x"}], "expect": [{"count": 1}]}]"#;
    let files = [
        ("conf/dedup.alloy", config.as_str()),
        ("conf/dedup.test.yaml", tests.as_str()),
        ("conf/other.test.json", json),
    ];
    let (status, said, _) = tested_files(&files, &["conf/dedup.alloy"]);
    assert!(status == 0 && said.ends_with("2 tests, 0 failed\n"), "{status} {said}");
    let (status, said, folder) = tested_files(&files, &["conf", "--junit", "out.xml"]);
    assert!(status == 0 && said.ends_with("3 tests, 0 failed\n"), "{status} {said}");
    let xml = fs::read_to_string(folder.path().join("out.xml")).expect("it is written");
    assert!(xml.contains("tests=\"3\" failures=\"0\"") && xml.contains("in_json"), "{xml}");
}

#[test]
fn the_exit_status_tells_a_failed_test_from_one_that_was_not_run() {
    let (config, tests) = (example("dedup.alloy"), example("dedup.test.yaml"));
    let run = |tests: &str| {
        let files = [("a.alloy", config.as_str()), ("a.test.yaml", tests)];
        let (status, said, _) = tested_files(&files, &["a.alloy"]);
        (status, said)
    };
    let (status, said) = run(&tests.replacen("log_count: 2", "log_count: 3", 1));
    assert!(status == 1 && said.contains("to be 3, got 2"), "{status} {said}");
    let (status, said) = run(&tests.replacen("  expect:", "  expects:", 1));
    assert!(status == 2 && said.contains("a.test.yaml:"), "{status} {said}");
    let (status, said) = run("- record: [{ body: x }]\n");
    assert!(status == 2 && said.contains("needs a name"), "{status} {said}");
    let (status, said) = run("[]");
    assert!(status == 2 && said.contains("there are no tests"), "{status} {said}");
}
