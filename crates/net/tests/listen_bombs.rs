//! Bodies that inflate to a thousand times their size, measured on the whole process.
//!
//! One test in a binary of its own: the high-water mark of memory and the processor time belong to
//! the process, so nothing else may run beside it.

use std::io::Write as _;
use std::sync::Arc;

use bessemer_net::body::{self, Body, BodyError, BodyLimits, Encoding};
use bessemer_runtime::Budget;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{HeaderMap, HeaderValue};
use rustix::time::{ClockId, clock_gettime};

/// The allocator of the binary: the C library's keeps freed buffers, which is not measured here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIB: usize = 1 << 20;
const CAP: usize = 64 * MIB;
const SLACK_KIB: usize = 16 << 10;

/// A GiB of zeros as one gzip member of a MiB.
fn gzip_bomb() -> Vec<u8> {
    let zeros = vec![0; MIB];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..1024 {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

/// A few MiB of zeros as a zlib stream, and the same as gzip members in a row up to a GiB.
fn small_bombs() -> (Vec<u8>, Vec<u8>) {
    let zeros = vec![0; 128 * MIB];
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&zeros).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&zeros[..MIB]).unwrap();
    (zlib.finish().unwrap(), gzip.finish().unwrap().repeat(1024))
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

fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

async fn read(encoding: Encoding, bomb: Bytes, budget: &Budget) -> BodyError {
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", HeaderValue::from_static(encoding.as_str()));
    let limits = BodyLimits::of_bytes(CAP);
    body::read(&headers, Body::full(bomb), &limits, budget).await.unwrap_err()
}

#[tokio::test]
async fn bombs_cost_no_more_than_the_limit_and_a_second() {
    let (zlib, members) = small_bombs();
    let bombs = [
        ("gzip", Encoding::Gzip, gzip_bomb()),
        ("gzip members", Encoding::Gzip, members),
        ("deflate", Encoding::Deflate, zlib),
        ("zstd", Encoding::Zstd, zstd_bomb(23)),
    ];
    let budget = Budget::new(256 * MIB as u64);
    for (name, encoding, bomb) in bombs {
        let bomb = Bytes::from(bomb);
        forget_peak();
        let (memory, time) = (peak_kib(), processor_seconds());
        let error = read(encoding, bomb.clone(), &budget).await;
        assert!(matches!(error, BodyError::TooLarge { limit: CAP }), "{name}: {error}");
        let (memory, time) = (peak_kib() - memory, processor_seconds() - time);
        assert!(memory <= CAP / 1024 + SLACK_KIB, "{name}: {memory} KiB");
        assert!(time <= 1.0, "{name}: {time} s");
        assert_eq!(budget.used(), 0);
        many_at_once(name, encoding, &bomb, &budget).await;
    }
    let wide = read(Encoding::Zstd, zstd_bomb(24).into(), &budget).await;
    assert!(wide.to_string().contains("window is larger than 8 MiB"), "{wide}");
}

/// 64 at once share the budget: some pass it, none of them together does.
async fn many_at_once(name: &str, encoding: Encoding, bomb: &Bytes, budget: &Budget) {
    forget_peak();
    let memory = peak_kib();
    let shared = Arc::new(budget.clone());
    let all = (0..64).map(|_| {
        let (bomb, budget) = (bomb.clone(), Arc::clone(&shared));
        async move { read(encoding, bomb, &budget).await }
    });
    let errors = futures_util::future::join_all(all).await;
    let overloaded = errors.iter().filter(|error| matches!(error, BodyError::Overloaded)).count();
    assert!(overloaded > 0, "{name}");
    let memory = peak_kib() - memory;
    let limit = usize::try_from(budget.limit()).unwrap() / 1024 + SLACK_KIB;
    assert!(memory <= limit, "{name}: {memory} KiB of {limit}");
    assert_eq!(budget.used(), 0);
}
