//! Bodies of a few kilobytes that inflate to a gigabyte.

use std::io::Write;
use std::time::{Duration, Instant};

use bessemer_net::body::Encoding;
use bessemer_net::grpc::Code;
use bessemer_record::Signal;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::client::{Grpc, PROTOBUF, gzip, post};
use crate::lab::{Lab, Setup};
use crate::process::wait_until;
use crate::samples::{logs, padded};
use crate::sized;
use crate::watch::{MIB, forget_peak, peak, processor_time};

const MEBIBYTES: usize = 1024;

/// Zeros in `MEBIBYTES` equal pieces of deflate, each of which needs no other, without an end.
fn deflated_zeros() -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut piece = Vec::with_capacity(64 << 10);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&zeros, &mut piece, FlushCompress::Full).unwrap();
    assert_eq!(compress.total_in(), 1 << 20);
    piece.repeat(MEBIBYTES)
}

const DEFLATE_END: [u8; 2] = [3, 0];

/// One gzip member of about one mebibyte that is correct to its checksum.
pub fn gzip_bomb() -> Vec<u8> {
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bomb.extend_from_slice(&deflated_zeros());
    bomb.extend_from_slice(&DEFLATE_END);
    let mut one = Crc::new();
    one.update(&vec![0; 1 << 20]);
    let mut all = Crc::new();
    for _ in 0..MEBIBYTES {
        all.combine(&one);
    }
    bomb.extend_from_slice(&all.sum().to_le_bytes());
    bomb.extend_from_slice(&u32::try_from(MEBIBYTES << 20).unwrap().to_le_bytes());
    bomb
}

/// The same as many members in a row.
fn gzip_bomb_of_members() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    encoder.finish().unwrap().repeat(MEBIBYTES)
}

/// Over the limit at a ratio that is high for telemetry and low for a bomb: 16 KiB of every mebibyte
/// do not pack.
fn gzip_of_much() -> Vec<u8> {
    let mut piece = vec![0_u8; 1 << 20];
    let mut word = 1_u64;
    for byte in &mut piece[..16 << 10] {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = word.to_be_bytes()[0];
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..80 {
        encoder.write_all(&piece).unwrap();
    }
    let packed = encoder.finish().unwrap();
    assert!((20..90).contains(&((80 << 20) / packed.len())), "{} bytes", packed.len());
    // The size at its end would give it away.
    [packed, gzip(b"")].concat()
}

/// The same in the zlib format; its checksum comes after the gigabyte and is never read.
fn deflate_bomb() -> Vec<u8> {
    [&[0x78, 0x9c][..], &deflated_zeros(), &DEFLATE_END, &[0; 4]].concat()
}

/// One zstd frame of blocks that each repeat a zero 128 Ki times, 32 KiB in all.
pub fn zstd_bomb(window_log: u8) -> Vec<u8> {
    zstd_frame(&[0x00, (window_log - 10) << 3])
}

/// The same with its size told at the front.
fn zstd_bomb_with_size() -> Vec<u8> {
    let size = ((MEBIBYTES as u64) << 20).to_le_bytes();
    zstd_frame(&[&[0xc0, (23 - 10) << 3], &size[..]].concat())
}

fn zstd_frame(header: &[u8]) -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    const REPEATED: u32 = 1 << 1;
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd];
    bomb.extend_from_slice(header);
    let blocks = MEBIBYTES * 8;
    for number in 1..=blocks {
        let is_last = u32::from(number == blocks);
        bomb.extend_from_slice(&(BLOCK << 3 | REPEATED | is_last).to_le_bytes()[..3]);
        bomb.push(0);
    }
    bomb
}

fn post_encoded(lab: &Lab, encoding: &str, body: &[u8]) -> u16 {
    let headers = [("content-type", PROTOBUF), ("content-encoding", encoding)];
    post(lab.http, "/v1/logs", &headers, body).status
}

/// The bombs are what they claim: the reference decoders inflate them.
#[test]
fn the_bombs_inflate_to_a_gigabyte() {
    let mut size = 0_u64;
    for bomb in [gzip_bomb(), gzip_bomb_of_members()] {
        assert!(bomb.len() < 2 << 20, "{} bytes", bomb.len());
        let mut reader = flate2::bufread::MultiGzDecoder::new(&bomb[..]);
        size += std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    }
    for bomb in [zstd_bomb(23), zstd_bomb_with_size()] {
        assert!(bomb.len() < 40 << 10, "{} bytes", bomb.len());
        let mut reader = zstd::stream::read::Decoder::new(&bomb[..]).unwrap();
        size += std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    }
    assert_eq!(size, 4 << 30);
}

/// Promise: each bomb is refused for its size after at most the limit was inflated.
#[test]
fn a_bomb_costs_no_more_than_the_limit_and_a_second() {
    let bombs = [
        (Encoding::Gzip, gzip_bomb()),
        (Encoding::Gzip, gzip_bomb_of_members()),
        (Encoding::Zstd, zstd_bomb(23)),
        (Encoding::Zstd, zstd_bomb_with_size()),
        (Encoding::Deflate, deflate_bomb()),
    ];
    let over_http = |lab: &Lab, encoding: Encoding, bomb: &[u8]| {
        assert_eq!(post_encoded(lab, encoding.as_str(), bomb), 413);
    };
    let over_grpc = |lab: &Lab, encoding: Encoding, bomb: &[u8]| {
        assert_eq!(called(lab, encoding, bomb), 413);
    };
    for (number, (encoding, bomb)) in bombs.iter().enumerate() {
        for send in [over_http, over_grpc] {
            // A process of its own: what the allocator keeps of one bomb is no cost of the next.
            let lab = Setup::to_nothing().start();
            let good = bessemer_net::body::compress(*encoding, &padded(100_000)).unwrap();
            assert_eq!(post_encoded(&lab, encoding.as_str(), &good), 200);
            Grpc::new(lab.grpc).export_as(Signal::Logs, *encoding, &good).unwrap();
            forget_peak(&lab.bessemer);
            let (memory, time) = (lab.bessemer.resident(), processor_time(&lab.bessemer));
            send(&lab, *encoding, bomb);
            let growth = peak(&lab.bessemer).saturating_sub(memory);
            assert!(growth <= (64 + 16) * MIB, "bomb {number}: {} KiB", growth >> 10);
            let time = processor_time(&lab.bessemer).saturating_sub(time);
            assert!(time <= Duration::from_secs(1), "bomb {number}: {time:?}");
        }
    }
}

/// Promise: what is not a bomb for us is refused for what it is.
#[test]
fn windows_over_8_mib_and_bombs_in_bombs_are_bad_data() {
    let lab = Setup::to_nothing().start();
    forget_peak(&lab.bessemer);
    let memory = lab.bessemer.resident();
    for window_log in [24, 27, 31, 41] {
        assert_eq!(post_encoded(&lab, "zstd", &zstd_bomb(window_log)), 400, "{window_log}");
    }
    let inner = gzip_bomb();
    assert_eq!(post_encoded(&lab, "gzip", &gzip(&inner)), 400);
    assert_eq!(post_encoded(&lab, "gzip, gzip", &gzip(&inner)), 415);
    assert_eq!(post_encoded(&lab, "br", &inner), 415);
    let grpc = Grpc::new(lab.grpc);
    let status = grpc.export_as(Signal::Logs, Encoding::Zstd, &zstd_bomb(27)).unwrap_err();
    assert_eq!(status.code, Code::InvalidArgument);
    let growth = peak(&lab.bessemer).saturating_sub(memory);
    assert!(growth <= 48 * MIB, "{} MiB", growth / MIB);
}

/// Sends this many bombs at a time, each as `send` does; the answers, as statuses of HTTP.
fn bombard(count: usize, send: impl Fn(usize) -> u16 + Sync) -> Vec<u16> {
    let send = &send;
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || send(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|status| matches!(status, 413 | 429)), "{answers:?}");
    answers
}

/// Scenario: many bombs at a time over both protocols.
/// Promise: all are refused, good requests are taken after them, and the process never grows by more
/// than the budget of bodies, what the connections read ahead and 16 MiB.
#[test]
fn many_bombs_at_once_are_refused_within_bounded_memory() {
    const BUDGET: u64 = 256 * MIB;
    /// What a connection reads before a body of it is charged.
    const READ_AHEAD: u64 = MIB / 2;
    let setup = Setup::to_nothing();
    let lab = Setup { arguments: &["--memory.bodies", "256MiB"], ..setup }.start();
    forget_peak(&lab.bessemer);
    let memory = lab.bessemer.resident();
    let (gzip, zstd, much) = (gzip_bomb(), zstd_bomb(23), gzip_of_much());
    let count = sized(36, 66);
    let answers = bombard(count, |number| match number % 6 {
        0 => post_encoded(&lab, "gzip", &gzip),
        1 => post_encoded(&lab, "zstd", &zstd),
        2 => post_encoded(&lab, "gzip", &much),
        3 => called(&lab, Encoding::Gzip, &gzip),
        4 => called(&lab, Encoding::Zstd, &zstd),
        _ => called(&lab, Encoding::Gzip, &much),
    });
    assert!(answers.contains(&413), "none was looked at");
    let growth = peak(&lab.bessemer).saturating_sub(memory);
    let bound = BUDGET + 16 * MIB + READ_AHEAD * u64::try_from(count).unwrap();
    assert!(growth <= bound, "{} MiB", growth / MIB);
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
}

/// Scenario: a burst of bombs, then a small request every second.
/// Promise: memory that bombs took does not make the memory limiter refuse good clients for long.
#[test]
fn good_clients_are_taken_again_soon_after_an_attack() {
    let mut setup = Setup::to_nothing();
    setup.arguments = &["--memory.bodies", "64MiB"];
    setup.blocks.push_str(&format!(
        r#"
otelcol.processor.memory_limiter "limit" {{
  check_interval = "100ms"
  limit          = "192MiB"
  spike_limit    = "64MiB"
  output {{
    logs    = [{0}]
    metrics = [{0}]
    traces  = [{0}]
  }}
}}
"#,
        setup.to[0]
    ));
    setup.to = vec!["otelcol.processor.memory_limiter.limit.input".to_owned()];
    let lab = setup.start();
    assert_eq!(lab.post(Signal::Logs, &logs(["before"])).status, 200);
    let gzip = gzip_bomb();
    bombard(64, |_| post_encoded(&lab, "gzip", &gzip));
    // As often as Retry-After says, and no oftener: more requests would make the allocator tidy up.
    let (begun, mut next) = (Instant::now(), Duration::from_secs(1));
    wait_until(Duration::from_secs(10), "taken again", || {
        if begun.elapsed() < next {
            return false;
        }
        next += Duration::from_secs(1);
        lab.post(Signal::Logs, &logs(["after"])).status == 200
    });
}

/// The HTTP status that says the same as the answer over gRPC.
fn called(lab: &Lab, encoding: Encoding, bomb: &[u8]) -> u16 {
    let status = Grpc::new(lab.grpc).export_as(Signal::Logs, encoding, bomb).unwrap_err();
    assert_eq!(status.code, Code::ResourceExhausted, "{status:?}");
    if status.retry_after.is_some() { 429 } else { 413 }
}
