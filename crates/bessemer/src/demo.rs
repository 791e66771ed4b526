//! `bessemer demo`: the whole pipeline with an embedded configuration, fed by telemetry that is
//! generated here and by whatever arrives on 4317 and 4318.

mod generate;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bessemer_runtime::{ByteSize, Span};

use crate::arguments::{Demo, Keys, LogFormat, LogLevel, Process};
use crate::{load, output, run};

/// The configuration; the ports are filled in, because others may hold the usual ones.
const CONFIG: &str = include_str!("demo/demo.alloy");
const GRPC_PORT: u16 = 4317;
const HTTP_PORT: u16 = 4318;

/// The command `demo`.
pub(crate) fn demo(arguments: &Demo) -> anyhow::Result<ExitCode> {
    let storage = Storage::new(arguments.storage.clone())?;
    let process = process(arguments, &storage.path);
    run::start_log(&process);
    let ports = Ports { grpc: free_port(GRPC_PORT)?, http: free_port(HTTP_PORT)? };
    let text = CONFIG
        .replace("127.0.0.1:4317", &format!("127.0.0.1:{}", ports.grpc))
        .replace("127.0.0.1:4318", &format!("127.0.0.1:{}", ports.http))
        .replace("critical.jsonl", &storage.path.join("critical.jsonl").display().to_string());
    let Some(loaded) = load::load_text("demo.alloy", text) else {
        return Ok(ExitCode::FAILURE);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(show(arguments, &process, ports, loaded));
    drop(storage);
    code
}

/// Where the receiver listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    grpc: u16,
    http: u16,
}

async fn show(
    arguments: &Demo,
    process: &Process,
    ports: Ports,
    loaded: bessemer_config::Loaded,
) -> anyhow::Result<ExitCode> {
    let mut signals = run::Signals::new()?;
    let Some(running) = run::start(loaded.graph, process).await? else {
        return Ok(ExitCode::FAILURE);
    };
    summary::introduce(&running, ports, arguments.rate)?;
    let generator = generate::start(&running, ports, arguments.rate)?;
    let summary = summary::start(&running);
    let time = arguments.time.map(|span| span.0);
    tokio::select! {
        () = signals.wait() => {}
        () = elapsed(&running, time) => {}
    }
    generator.cancel();
    generator.finished_within(std::time::Duration::from_secs(2)).await;
    summary.cancel();
    summary.finished_within(std::time::Duration::from_secs(2)).await;
    output::print("draining\n")?;
    let context = running.context.clone();
    let code = run::stop(running, process, signals).await?;
    summary::conclude(&context)?;
    Ok(code)
}

async fn elapsed(running: &run::Running, time: Option<std::time::Duration>) {
    match time {
        Some(time) => running.context.clock.sleep(time).await,
        None => std::future::pending().await,
    }
}

fn process(arguments: &Demo, storage: &std::path::Path) -> Process {
    Process {
        keys: Keys::default(),
        retain_size: None,
        retain_time: None,
        storage: storage.to_owned(),
        admin: arguments.admin.clone(),
        journal_size: ByteSize::mib(1024),
        journal_alert: 90,
        bodies: None,
        record_size: ByteSize(10_000_000),
        drain: Span(std::time::Duration::from_mins(1)),
        log_level: LogLevel::Warn,
        log_format: LogFormat::Text,
    }
}

/// The usual port, or any other when it is taken.
fn free_port(usual: u16) -> anyhow::Result<u16> {
    let bind = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port));
    let listener = bind(usual).or_else(|_| bind(0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// A data directory that goes with the demo unless the user named one.
struct Storage {
    path: PathBuf,
    is_temporary: bool,
}

impl Storage {
    fn new(named: Option<PathBuf>) -> anyhow::Result<Self> {
        let is_temporary = named.is_none();
        let path = named.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("bessemer-demo-{}", std::process::id()))
        });
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, is_temporary })
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if self.is_temporary {
            // What is left of a demo is in the system's temporary directory: no harm done.
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}
