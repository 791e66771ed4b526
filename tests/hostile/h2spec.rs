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
/// Runs until each case but those argued has passed in one; a race lost this often is none.
const RUNS_MAX: usize = 15;

/// Fails in every run: a port that speaks HTTP/1.1 too answers in that.
const ARGUED: &[&str] = &["http2/3.5: Sends invalid connection preface"];

/// May fail in a run: the answer to the first frame of the stream was complete, and the stream
/// forgotten, before the frame at fault came.
const ANSWERED_BEFORE: &[&str] = &[
    "http2/5.1: closed: Sends a DATA frame after sending RST_STREAM frame",
    "http2/5.1: closed: Sends a HEADERS frame after sending RST_STREAM frame",
    "http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above \
     2^31-1 on a stream",
    "http2/8.1: Sends a second HEADERS frame without the END_STREAM flag",
    "http2/8.1.2.1: Sends a HEADERS frame that contains a pseudo-header field as trailers",
    "http2/8.1.2.6: Sends a HEADERS frame with the \"content-length\" header field which does not \
     equal the DATA frame payload length",
    "http2/8.1.2.6: Sends a HEADERS frame with the \"content-length\" header field which does not \
     equal the sum of the multiple DATA frames payload length",
];

/// Promise: both ports conform, but for what is argued.
#[test]
fn both_ports_conform_to_http2() {
    if !is_live() {
        drop(writeln!(std::io::stderr(), "h2spec is not run: BESSEMER_LIVE is not 1"));
        return;
    }
    let h2spec = h2spec();
    let lab = Setup::to_nothing().start();
    let may_fail: BTreeSet<&str> = ARGUED.iter().chain(ANSWERED_BEFORE).copied().collect();
    let argued: BTreeSet<&str> = ARGUED.iter().copied().collect();
    for address in [lab.grpc, lab.http] {
        let report = lab.bessemer.folder().join("h2spec.xml");
        let mut always: Option<BTreeSet<String>> = None;
        for _ in 0..RUNS_MAX {
            let failed = failures(&h2spec, address, &report);
            for case in &failed {
                assert!(may_fail.contains(case.as_str()), "{address}: {case:?} failed");
            }
            let both = always.map_or(failed.clone(), |before| &before & &failed);
            let is_argued = both.iter().map(String::as_str).eq(argued.iter().copied());
            always = Some(both);
            if is_argued {
                break;
            }
        }
        let always = always.unwrap_or_default();
        let always: BTreeSet<&str> = always.iter().map(String::as_str).collect();
        assert_eq!(always, argued, "{address}: failed in every run");
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
