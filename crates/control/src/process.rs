//! CPU time and memory of this process, as Prometheus clients name them.

use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::Metrics;
use bessemer_runtime::{Clock, Tasks, machine};

/// How often the figures are read.
const EVERY: Duration = Duration::from_secs(1);

/// Keeps the figures fresh until `tasks` is cancelled.
pub(crate) fn watch(metrics: &Metrics, clock: Arc<dyn Clock>, tasks: &Tasks) {
    let cpu = metrics.gauge("process_cpu_milliseconds", "User and system time of all threads");
    let resident = metrics.gauge("process_resident_memory_bytes", "Resident memory");
    let files = metrics.gauge("process_open_fds", "Open files");
    let stop = tasks.clone();
    tasks.spawn(async move {
        loop {
            if let Some(millis) = cpu_millis() {
                cpu.set(millis);
            }
            if let Some(bytes) = resident_bytes() {
                resident.set(bytes);
            }
            if let Some(count) = open_files() {
                files.set(count);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.sleep(EVERY) => {}
            }
        }
    });
}

fn cpu_millis() -> Option<i64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec.checked_mul(1000)?.checked_add(time.tv_nsec / 1_000_000)
}

fn resident_bytes() -> Option<i64> {
    machine::resident_bytes().and_then(|bytes| i64::try_from(bytes).ok())
}

fn open_files() -> Option<i64> {
    i64::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_this_process_are_plausible() {
        assert!(resident_bytes().unwrap() > 1 << 20);
        assert!(open_files().unwrap() >= 3);
        assert!(cpu_millis().unwrap() >= 0);
    }
}
