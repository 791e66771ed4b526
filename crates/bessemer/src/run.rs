//! Runs a graph: storage, engine, admin port, signals, drain.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use bessemer_config::graph::render::{Form, render};
use bessemer_config::{Graph, SystemEnvironment};
use bessemer_control::Admin;
use bessemer_journal::RealDisk;
use bessemer_pipeline::state::SqliteState;
use bessemer_pipeline::{Context, Engine, Options, Parts, Retention};
use bessemer_record::Limits;
use bessemer_runtime::{ByteSize, Tasks, machine};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{LogFormat, LogLevel, Process, Run};
use crate::{keys, load, output, wire};

/// Memory for bodies at most unless set.
const BODIES_MAX: u64 = 1 << 30;

/// A running process.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) context: Context,
    pub(crate) admin: SocketAddr,
    pub(crate) control: Tasks,
}

/// The command `run`.
pub(crate) fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    start_log(&arguments.process);
    let Some(loaded) = load::load(&arguments.configs) else { return Ok(ExitCode::FAILURE) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let Some(running) = start(loaded.graph, &arguments.process).await? else {
            return Ok(ExitCode::FAILURE);
        };
        tracing::info!(admin = %running.admin, "ready");
        signals.wait().await;
        stop(running, &arguments.process, signals).await
    })
}

/// Brings everything up; `None` after errors of the configuration were shown.
pub(crate) async fn start(graph: Graph, process: &Process) -> anyhow::Result<Option<Running>> {
    let storage = &process.storage;
    std::fs::create_dir_all(storage)
        .with_context(|| format!("cannot make the data directory {}", storage.display()))?;
    // SQLite says only that it cannot open the file; the system says why.
    std::fs::File::options()
        .create(true)
        .append(true)
        .open(storage.join("state.db"))
        .with_context(|| format!("cannot write to the data directory {}", storage.display()))?;
    let state = SqliteState::open(&storage.join("state.db"))
        .with_context(|| format!("cannot open the state file in {}", storage.display()))?;
    let limits = Limits { record_bytes_max: process.record_size.as_usize(), ..Limits::default() };
    let bodies = process.bodies.map_or_else(bodies_default, |size| size.0);
    let context = Context::new(storage.clone(), bodies, limits, Arc::new(state));
    let wired = match wire::wire(&graph, &context) {
        Ok(wired) => wired,
        Err(findings) => {
            output::findings(&load::render(&findings));
            return Ok(None);
        }
    };
    let options = Options {
        storage: storage.clone(),
        journal_bytes_max: process.journal_size.0,
        journal_alert_percent: process.journal_alert,
        sync: true,
        retention: Retention {
            bytes: process.retain_size.map_or(0, |size| size.0),
            age: process.retain_time.map(|time| time.0).unwrap_or_default(),
        },
        keys: keys::source(&process.keys, &SystemEnvironment)?,
    };
    let parts = Parts {
        built: wired.built,
        disk: Arc::new(RealDisk),
        clock: Arc::clone(&context.clock),
        random: Arc::clone(&context.random),
        metrics: Arc::clone(&context.metrics),
        config_hash: fingerprint(&graph),
        options,
    };
    let control = Tasks::new();
    context.services.start(&control).await?;
    let engine = Engine::start(wired.plan, parts).await?;
    let admin = Admin {
        status: engine.status(),
        graph: Arc::new(graph),
        metrics: Arc::clone(&context.metrics),
        ledger: engine.ledger(),
        replays: engine.replays(Arc::clone(&context.state), Arc::clone(&context.random)),
        services: Arc::clone(&context.services),
        clock: Arc::clone(&context.clock),
        version: env!("CARGO_PKG_VERSION"),
    };
    match bessemer_control::serve(admin, &process.admin, &control).await {
        Ok(admin) => Ok(Some(Running { engine, context, admin, control })),
        Err(error) => {
            engine.drain(process.drain.0).await;
            Err(error.into())
        }
    }
}

/// Names the configuration in dead letters, the same for the same graph.
fn fingerprint(graph: &Graph) -> u64 {
    let mut hasher = DefaultHasher::new();
    render(graph, Form::Json).hash(&mut hasher);
    hasher.finish()
}

/// Drains; a second signal stops at once.
pub(crate) async fn stop(
    running: Running,
    process: &Process,
    mut signals: Signals,
) -> anyhow::Result<ExitCode> {
    tracing::info!(limit = %process.drain, "draining; signal again to stop at once");
    tokio::select! {
        () = running.engine.drain(process.drain.0) => {}
        () = signals.wait() => {
            tracing::warn!("stopped in the middle of a drain; the journal keeps what is left");
            return Ok(ExitCode::FAILURE);
        }
    }
    running.control.cancel();
    running.control.finished_within(std::time::Duration::from_secs(2)).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// TERM and INT, and HUP, which is named and otherwise ignored.
pub(crate) struct Signals {
    term: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Completes at the next TERM or INT.
    pub(crate) async fn wait(&mut self) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    tracing::warn!("HUP: this version does not reload; restart to apply a new config");
                }
            }
        }
    }
}

/// A quarter of what the machine or its control group has.
fn bodies_default() -> u64 {
    let memory = machine::memory_bytes().unwrap_or(ByteSize::mib(1024).0);
    (memory / 4).min(BODIES_MAX)
}

pub(crate) fn start_log(process: &Process) {
    let level = match process.log_level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(output::errors_are_read());
    let set = match process.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    if let Err(error) = set {
        output::error(&format!("the log could not be set up: {error}"));
    }
}
