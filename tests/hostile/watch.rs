//! What a hostile client must not change: memory and processor time of the process, and how it
//! serves the others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bessemer_record::Signal;

use crate::client::Grpc;
use crate::load::{Http, request};
use crate::process::Bessemer;

pub const MIB: u64 = 1 << 20;

/// The most memory the process ever had resident, bytes.
pub fn peak(bessemer: &Bessemer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bessemer.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Forgets the most memory so far: from here on it is measured anew.
pub fn forget_peak(bessemer: &Bessemer) {
    std::fs::write(format!("/proc/{}/clear_refs", bessemer.pid()), "5").unwrap();
}

/// Processor time of the process so far.
pub fn processor_time(bessemer: &Bessemer) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", bessemer.pid())).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    let ticks = |index: usize| -> u64 {
        fields.split_ascii_whitespace().nth(index).unwrap().parse().unwrap()
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Open files and sockets of the process.
pub fn open_files(bessemer: &Bessemer) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", bessemer.pid())).unwrap().count()
}

/// An honest client on one connection, sending all the time.
pub struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Service>,
}

/// How a bystander was served.
#[derive(Debug, Default)]
pub struct Service {
    pub taken: usize,
    pub failed: usize,
    pub slowest: Duration,
}

impl Bystander {
    pub fn http(address: SocketAddr) -> Self {
        let mut http = Http::connect(address).unwrap();
        Self::start(move |number| {
            let kind = "content-type: application/x-protobuf\r\n";
            http.post("/v1/logs", kind, &request([number])).is_ok_and(|answer| answer.status == 200)
        })
    }

    pub fn grpc(address: SocketAddr) -> Self {
        let grpc = Grpc::new(address);
        Self::start(move |number| grpc.export(Signal::Logs, &request([number])).is_ok())
    }

    fn start(mut send: impl FnMut(u64) -> bool + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut service = Service::default();
            let mut number = 0;
            // At least one at the end, however short the attack was.
            let mut is_last = false;
            while !is_last {
                is_last = stopped.load(Ordering::Relaxed);
                number += 1;
                let begun = Instant::now();
                if send(number) {
                    service.taken += 1;
                } else {
                    service.failed += 1;
                }
                service.slowest = service.slowest.max(begun.elapsed());
                std::thread::park_timeout(Duration::from_millis(5));
            }
            service
        });
        Self { stop, thread }
    }

    /// Stops it; every request must have been taken, and in time.
    pub fn was_served(self) -> Service {
        self.stop.store(true, Ordering::Relaxed);
        let service = self.thread.join().unwrap();
        assert_eq!(service.failed, 0, "{service:?}");
        assert!(service.taken > 0, "{service:?}");
        // Far above what a busy machine adds, far below what waiting for an attacker costs.
        assert!(service.slowest < Duration::from_secs(3), "{service:?}");
        service
    }
}
