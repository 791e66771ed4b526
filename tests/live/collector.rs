//! A real Collector that passes on what it gets.

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::WITHIN;
use crate::client::Running;
use crate::counterparty::otelcol;
use crate::process::{free_address, wait_until};

/// A Collector and where it listens.
pub struct Collector {
    process: Running,
    folder: TempDir,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
}

impl Collector {
    /// Sends all signals on with this exporter, in YAML.
    pub fn start(name: &str, exporter: &str) -> Self {
        Self::start_with(&format!("{{{name}: {exporter}}}"), name, "{}", "[]")
    }

    /// Lets all signals pass these processors on their way to an exporter, all in YAML.
    pub fn start_with(exporters: &str, name: &str, processors: &str, chain: &str) -> Self {
        let (http, grpc) = (free_address(), free_address());
        let pipeline = format!("{{receivers: [otlp], processors: {chain}, exporters: [{name}]}}");
        let config = format!(
            "receivers:
  otlp:
    protocols:
      http: {{endpoint: \"{http}\"}}
      grpc: {{endpoint: \"{grpc}\", max_recv_msg_size_mib: 64}}
processors: {processors}
exporters: {exporters}
service:
  telemetry:
    metrics: {{level: none}}
  pipelines:
    logs: {pipeline}
    metrics: {pipeline}
    traces: {pipeline}
"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(otelcol());
        command.arg("--config").arg(path).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let process = Running(command.spawn().unwrap());
        let mut collector = Self { process, folder, http, grpc };
        wait_until(WITHIN, "listening", || {
            let ended = collector.process.0.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}\n{}", collector.log());
            [http, grpc].iter().all(|address| TcpStream::connect(address).is_ok())
        });
        collector
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Ends it; it sends what it still holds, and must not have complained.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.process.0.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        wait_until(WITHIN, "ended", || self.process.0.try_wait().unwrap().is_some());
        let log = self.log();
        let is_bad = |line: &&str| line.contains("\terror\t") || line.contains("\twarn\t");
        let bad: Vec<&str> = log.lines().filter(is_bad).collect();
        assert!(bad.is_empty(), "the Collector says: {bad:#?}");
    }
}
