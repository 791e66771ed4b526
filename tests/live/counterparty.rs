//! Whether live tests run, and where the scripts of `testbed/` put what they installed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Whether live tests are to run; says so on stderr if not.
pub fn is_live() -> bool {
    let is_live = std::env::var("BESSEMER_LIVE").is_ok_and(|live| live == "1");
    if !is_live {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let line = "not run, it needs real clients; BESSEMER_LIVE=1 installs and runs them";
        writeln!(std::io::stderr(), "live: {test} is {line}").unwrap();
    }
    is_live
}

/// The interpreter that has the OpenTelemetry SDK of Python.
pub fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| install("otel-python", "python"))
}

/// The interpreter that has the libraries of `OpenAI` and Anthropic.
pub fn llm_python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| install("llm-python", "python"))
}

/// The folder with the packages of the OpenTelemetry SDK of Node.
pub fn node_modules() -> &'static str {
    static MODULES: OnceLock<String> = OnceLock::new();
    MODULES.get_or_init(|| install("otel-node", "node_modules"))
}

pub fn telemetrygen() -> &'static str {
    static TELEMETRYGEN: OnceLock<String> = OnceLock::new();
    TELEMETRYGEN.get_or_init(|| install("telemetrygen", "binary"))
}

pub fn otelcol() -> &'static str {
    static OTELCOL: OnceLock<String> = OnceLock::new();
    OTELCOL.get_or_init(|| install("otelcol", "binary"))
}

/// The folder of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a script and reads what it printed under `key`.
fn install(script: &str, key: &str) -> String {
    let output = Command::new("bash")
        .arg(root().join("testbed").join(script).with_extension("sh"))
        .env("DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("live").join(script))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}.sh: {}\n{printed}{errors}", output.status);
    let value = printed.split_ascii_whitespace().find_map(|word| word.strip_prefix(key));
    let value = value.and_then(|value| value.strip_prefix('='));
    let value = value.unwrap_or_else(|| panic!("{script}.sh printed no {key}=\n{printed}{errors}"));
    assert!(Path::new(value).exists(), "{script}.sh printed {value}, which is not there\n{errors}");
    value.to_owned()
}
