//! The process of a system under test: started, waited for, read from `/proc`, ended by its id.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bessemer_runtime::{Clock, SystemClock};
use rustix::process::{Pid, Signal, kill_process};

use super::Bench;
use super::case::{self, Case, Entrant, System};
use crate::figures::float;
use crate::load::Protocol;

const READY_WITHIN: Duration = Duration::from_secs(30);
const ENDS_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// A running system; ended when dropped.
pub(crate) struct Subject {
    child: Child,
    data: PathBuf,
    clock: SystemClock,
}

impl Subject {
    /// Starts the entrant in an empty directory and waits until its receivers listen.
    pub(crate) fn start(bench: &Bench, case: &Case, entrant: &Entrant) -> anyhow::Result<Self> {
        let home = bench.out.join(format!("{}-{}", case.name, entrant.system));
        if home.exists() {
            fs::remove_dir_all(&home).with_context(|| home.display().to_string())?;
        }
        let data = home.join("data");
        fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
        let used: SocketAddr = match case.protocol {
            Protocol::Http => case::IN_HTTP,
            Protocol::Grpc => case::IN_GRPC,
        }
        .parse()?;
        ensure!(TcpStream::connect(used).is_err(), "{used} is in use");
        let mut command = command(bench, entrant, &data)?;
        let log = File::create(home.join("log")).context("log")?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("start {program}"))?;
        let mut subject = Self { child, data, clock: SystemClock::default() };
        subject.wait_ready(used).with_context(|| format!("log: {}", home.join("log").display()))?;
        Ok(subject)
    }

    fn wait_ready(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let until = self.clock.monotonic() + READY_WITHIN;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait().context("wait")? {
                bail!("ended at start: {status}");
            }
            ensure!(self.clock.monotonic() < until, "{address} is not open");
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// User and system time of all its threads, in seconds.
    pub(crate) fn cpu_s(&self) -> anyhow::Result<f64> {
        let stat = fs::read_to_string(self.proc("stat")).context("process ended")?;
        // The name in parentheses may hold spaces; user and system ticks are fields 14 and 15.
        let after = stat.rsplit_once(") ").context("stat")?.1;
        let ticks: u64 =
            after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(float(ticks) / float(rustix::param::clock_ticks_per_second()))
    }

    /// The most memory that was resident at once.
    pub(crate) fn rss_peak_bytes(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(self.proc("status")).context("process ended")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmHWM")?;
        Ok(kib * 1024)
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }

    /// Asks it to end, waits, and ends it the hard way if it does not.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("pid")?;
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(pid, Signal::TERM).context("terminate")?;
        let until = self.clock.monotonic() + ENDS_WITHIN;
        while self.clock.monotonic() < until {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        self.child.kill().context("kill")?;
        self.child.wait().context("wait")?;
        Ok(())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Reached with a live child only when a measurement failed, and reported there.
        drop(self.stop());
    }
}

fn command(bench: &Bench, entrant: &Entrant, data: &Path) -> anyhow::Result<Command> {
    let bench_dir = bench.root.join("bench");
    Ok(match entrant.system {
        System::Bessemer => {
            let mut command = Command::new(&bench.bessemer);
            command
                .arg("run")
                .arg(bench_dir.join("bessemer").join(entrant.config))
                .arg("--storage.path")
                .arg(data)
                .args(["--server.http.listen-addr", case::ADMIN]);
            command
        }
        System::Otelcol => {
            let mut command = Command::new(&bench.otelcol);
            command
                .arg("--config")
                .arg(bench_dir.join("peers/otelcol").join(entrant.config))
                .env("QUEUE_DIR", data);
            command
        }
        System::Null => {
            let mut command = Command::new(std::env::current_exe().context("own path")?);
            let [first, ..] = case::SINK_HTTP;
            command.arg("null-proxy").arg(format!("{}={first}", case::IN_HTTP)).arg(format!(
                "{}={}",
                case::IN_GRPC,
                case::SINK_GRPC
            ));
            command
        }
    })
}

/// Bytes that the files under `directory` take on the disk; one that vanishes meanwhile has none.
pub(crate) fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}
