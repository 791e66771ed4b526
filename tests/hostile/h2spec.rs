//! The conformance suite of HTTP/2 against both ports of the binary, when `BESSEMER_LIVE=1`.
//! What may fail is argued in `docs/decisions/0005-h2spec.md`.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::Setup;

/// All cases of the suite that are not marked as strict.
const CASES: usize = 145;
/// What fails: a port that speaks HTTP/1.1 too answers in that.
const ARGUED: &[&str] = &["http2/3.5: Sends invalid connection preface"];

/// Promise: both ports conform, but for what is argued.
#[test]
fn both_ports_conform_to_http2() {
    if !is_live() {
        drop(writeln!(std::io::stderr(), "h2spec is not run: BESSEMER_LIVE is not 1"));
        return;
    }
    let h2spec = h2spec();
    let lab = Setup::to_nothing().start();
    for address in [lab.grpc, lab.http] {
        let report = lab.bessemer.folder().join("h2spec.xml");
        let failed = failures(&h2spec, address, &report);
        let failed: Vec<&str> = failed.iter().map(String::as_str).collect();
        assert_eq!(failed, ARGUED, "{address}");
    }
}

fn is_live() -> bool {
    std::env::var("BESSEMER_LIVE").is_ok_and(|live| live == "1")
}

/// The program, installed when it is missing.
fn h2spec() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed/h2spec.sh");
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("bash").arg(script).env("DIR", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let binary = said.split_whitespace().find_map(|word| word.strip_prefix("binary="));
    PathBuf::from(binary.unwrap())
}

/// The cases that fail in one run.
fn failures(h2spec: &Path, address: SocketAddr, report: &Path) -> BTreeSet<String> {
    let mut command = Command::new(h2spec);
    command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.args(["--timeout", "1", "--junit-report"]).arg(report);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("{CASES} tests, ")), "{said}");
    let report = std::fs::read_to_string(report).unwrap();
    let cases: Vec<&str> = report.split("<testcase ").skip(1).collect();
    assert_eq!(cases.len(), CASES);
    cases
        .into_iter()
        .filter(|case| case.contains("<error") || case.contains("<failure"))
        .map(name)
        .collect()
}

/// `package: description` of a case in the report.
fn name(case: &str) -> String {
    let value = |key: &str| {
        let rest = case.split_once(&format!("{key}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.replace("&#34;", "\"").replace("&quot;", "\"")
    };
    format!("{}: {}", value("package"), value("classname"))
}
