//! Real clients: each sends all it has and must report that all of it was acknowledged.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::WITHIN;
use crate::counterparty::{node_modules, python, telemetrygen};
use crate::process::wait_until;
use crate::records::Signal;

/// What the emitting programs send of each signal; of metrics, data points, at least.
pub const EMITTED: [(Signal, usize); 3] =
    [(Signal::Logs, 6000), (Signal::Metrics, 2000), (Signal::Traces, 1600)];

/// The exporters of the OpenTelemetry SDK of Python; `protocol` is `grpc` or `http`.
pub fn run_python(protocol: &str, address: SocketAddr, compression: &str) {
    let mut command = Command::new(python());
    command.arg(program("emit.py")).args([protocol, &url(address), compression]);
    run(command);
}

/// The exporters of the OpenTelemetry SDK of Node, which send JSON over HTTP.
pub fn run_node(address: SocketAddr, compression: &str) {
    let mut command = Command::new("node");
    command.env("NODE_PATH", node_modules());
    command.arg(program("emit.cjs")).args([&url(address), compression]);
    run(command);
}

/// telemetrygen, of one signal; `arguments` beside where to send.
pub fn run_telemetrygen(signal: Signal, address: SocketAddr, arguments: &[&str]) {
    let mut command = Command::new(telemetrygen());
    command.arg(signal.as_str()).args(["--otlp-insecure", "--otlp-endpoint"]);
    command.arg(address.to_string()).args(arguments);
    let log = finish(command);
    // It ends with 0 although exports failed, and logs what it does on stderr: itself with a level,
    // its SDK without one, after a date with slashes.
    let is_bad = |line: &&str| {
        let is_of_sdk = line.starts_with("20") && line.get(4..5) == Some("/");
        is_of_sdk || line.contains("\tERROR\t") || line.contains("\tWARN\t")
    };
    let bad: Vec<&str> = log.lines().filter(is_bad).collect();
    assert!(bad.is_empty(), "telemetrygen {}: {bad:#?}", signal.as_str());
}

/// A program of ours that uses the libraries of a client.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/live/clients").join(name)
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Runs a program that must say nothing and succeed.
pub fn run(command: Command) {
    let program = format!("{command:?}");
    let said = finish(command);
    assert!(said.is_empty(), "{program} said:\n{said}");
}

/// Runs a program that must succeed; what it wrote.
fn finish(mut command: Command) -> String {
    let output = tempfile::NamedTempFile::new().unwrap();
    let open = || std::fs::OpenOptions::new().append(true).open(output.path()).unwrap();
    command.stdin(Stdio::null()).stdout(open()).stderr(open());
    let mut running = Running(command.spawn().unwrap());
    let mut status = None;
    wait_until(WITHIN, "ended", || {
        status = running.0.try_wait().unwrap();
        status.is_some()
    });
    let (status, said) = (status.unwrap(), std::fs::read_to_string(output.path()).unwrap());
    assert!(status.success(), "{command:?}: {status}\n{said}");
    said
}

/// A program that does not outlive its test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
