//! `bessemer ottl`: a statement and a record in, the record or an error out.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// The exit code, standard output and standard error.
fn ottl(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bessemer"))
        .arg("ottl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without having read all of it.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Scenario: statements, conditions and records in every form, by argument, file and standard input.
/// Promise: the changed record is printed as OTLP JSON, a condition as true or false.
#[test]
fn a_statement_changes_a_record_and_a_condition_answers() {
    let _alone = crate::alone();
    let (code, out, said) =
        ottl(&["set(attributes[\"n\"], 1) where body == \"hi\""], "{\"body\": \"hi\"}");
    assert_eq!(code, 0, "{said}");
    let attribute = "\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"1\"}}]";
    assert!(out.starts_with("{\"resourceLogs\":") && out.contains(attribute), "{out}");

    let event = "{\"message\": {\"id\": 7}}";
    let (_, out, said) = ottl(&["body[\"message\"][\"id\"] == 7"], event);
    assert_eq!(out, "true\n", "{said}");

    let span = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\",\"events\":[\
                {\"name\":\"x\"},{\"name\":\"y\"}]}]}]}]}";
    let (_, out, said) = ottl(&["--context", "spanevent", "name == \"y\""], span);
    assert_eq!(out, "false\ntrue\n", "{said}");

    let folder = tempfile::tempdir().unwrap();
    let (texts, record) = (folder.path().join("texts"), folder.path().join("record.json"));
    std::fs::write(&texts, "set(log.cache[\"a\"], \"A\")\n\nset(log.body, log.cache[\"a\"])\n")
        .unwrap();
    std::fs::write(&record, "{}").unwrap();
    let record = record.to_str().unwrap();
    let (_, out, said) = ottl(&["--file", texts.to_str().unwrap(), "--record", record], "");
    assert!(out.contains("\"body\":{\"stringValue\":\"A\"}"), "{out}{said}");
    let (_, out, said) =
        ottl(&["--record", record], "severity_number == SEVERITY_NUMBER_UNSPECIFIED");
    assert_eq!(out, "true\n", "{said}");
}

#[test]
fn what_is_wrong_is_told_with_its_column_and_the_nearest_name() {
    let _alone = crate::alone();
    for (arguments, input, expected) in [
        (
            &["set(bdy, 1)"][..],
            "{}",
            "column 5: bdy is no path of a log; did you mean body?\n  set(bdy, 1)\n      ^",
        ),
        (
            &["IsMtch(body, \"x\")"],
            "{}",
            "column 1: there is no function IsMtch; did you mean IsMatch?",
        ),
        (&["set(body, ParseJSON(\"{\"))"], "{}", "not JSON"),
        (&["set(body, 1)"], "{", "the record is no JSON"),
        (&["set(body, 1)"], "{\"resourceLogs\": 1}", "the record is no OTLP JSON"),
        (
            &["--context", "span", "name == nil"],
            "{\"resourceLogs\": []}",
            "span has no part in logs",
        ),
        (&[], "body == nil", "--record"),
    ] {
        let (code, out, said) = ottl(arguments, input);
        assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
