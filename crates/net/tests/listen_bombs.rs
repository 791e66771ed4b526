//! Bodies that inflate to a thousand times their size, measured on the whole process.
//!
//! One test in a binary of its own: the high-water mark of memory and the processor time belong to
//! the process, so nothing else may run beside it.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test, as it should")]

use std::sync::Arc;
use std::time::Duration;

use bessemer_net::body::{self, Body, BodyError, BodyLimits, Encoding};
use bessemer_runtime::Budget;
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use http::{HeaderMap, HeaderValue};
use rustix::time::{ClockId, clock_gettime};

/// The allocator of the binary: the C library's keeps freed buffers, which is not measured here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIB: usize = 1 << 20;
const CAP: usize = 64 * MIB;
const SLACK_KIB: usize = 16 << 10;

/// A MiB of zeros as deflate blocks that may be repeated: they refer to nothing but zeros.
fn zeros() -> Vec<u8> {
    let mut blocks = Vec::with_capacity(MIB);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&vec![0; MIB], &mut blocks, FlushCompress::Sync).unwrap();
    blocks
}

/// A GiB of zeros as one gzip member of a MiB.
fn gzip_bomb() -> Vec<u8> {
    let head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
    // The checksum is never reached; the size is true.
    [head, zeros().repeat(1024), vec![0, 0, 0, 0, 0, 0, 0, 0x40]].concat()
}

fn zlib_bomb() -> Vec<u8> {
    [vec![0x78, 0xda], zeros().repeat(1024)].concat()
}

fn members_bomb() -> Vec<u8> {
    body::compress(Encoding::Gzip, &vec![0; MIB]).unwrap().repeat(1024)
}

/// Runs of 128 KiB, four bytes each, up to a GiB, in a frame with a window of 2^`window_log`.
fn zstd_bomb(window_log: u8) -> Vec<u8> {
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (window_log - 10) << 3];
    bomb.extend([0x02, 0x00, 0x10, 0x00].repeat(8191));
    bomb.extend([0x03, 0x00, 0x10, 0x00]);
    bomb
}

fn peak_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sets the high-water mark back to what is resident now.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

async fn read(encoding: Encoding, bomb: Bytes, budget: &Budget) -> BodyError {
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", HeaderValue::from_static(encoding.as_str()));
    let limits = BodyLimits::of_bytes(CAP);
    body::read(&headers, Body::full(bomb), &limits, budget).await.unwrap_err()
}

#[tokio::test]
async fn bombs_cost_no_more_than_the_limit_and_a_second() {
    let bombs = [
        ("gzip", Encoding::Gzip, gzip_bomb()),
        ("gzip members", Encoding::Gzip, members_bomb()),
        ("deflate", Encoding::Deflate, zlib_bomb()),
        ("zstd", Encoding::Zstd, zstd_bomb(23)),
    ];
    let budget = Budget::new(256 * MIB as u64);
    for (name, encoding, bomb) in bombs {
        let bomb = Bytes::from(bomb);
        forget_peak();
        let (memory, time) = (peak_kib(), processor_time());
        let error = read(encoding, bomb.clone(), &budget).await;
        assert!(matches!(error, BodyError::TooLarge { limit: CAP }), "{name}: {error}");
        let (memory, time) = (peak_kib() - memory, processor_time().saturating_sub(time));
        assert!(memory <= CAP / 1024 + SLACK_KIB, "{name}: {memory} KiB");
        assert!(time <= Duration::from_secs(1), "{name}: {time:?}");
        assert_eq!(budget.used(), 0);
        many_at_once(name, encoding, &bomb, &budget).await;
    }
    let wide = read(Encoding::Zstd, zstd_bomb(24).into(), &budget).await;
    assert!(wide.to_string().contains("window is larger than 8 MiB"), "{wide}");
}

/// 64 at once stay below the budget together.
async fn many_at_once(name: &str, encoding: Encoding, bomb: &Bytes, budget: &Budget) {
    forget_peak();
    let memory = peak_kib();
    let shared = Arc::new(budget.clone());
    let all = (0..64).map(|_| {
        let (bomb, budget) = (bomb.clone(), Arc::clone(&shared));
        async move { read(encoding, bomb, &budget).await }
    });
    let errors = futures_util::future::join_all(all).await;
    for error in errors {
        assert!(matches!(error, BodyError::TooLarge { .. } | BodyError::Overloaded), "{error}");
    }
    let memory = peak_kib() - memory;
    let limit = usize::try_from(budget.limit()).unwrap() / 1024 + SLACK_KIB;
    assert!(memory <= limit, "64 x {name}: {memory} KiB of {limit}");
    assert_eq!(budget.used(), 0);
}
