//! Floods of HTTP/2 frames: the connection that sends them ends, memory stays flat, and another
//! connection is served without a failure.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::grpc_path;
use crate::frames::{
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Ending, HEADERS,
    NEWEST, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, open, post, put_header,
    put_kept_header, reset,
};
use crate::lab::{Lab, Setup};
use crate::samples::logs;
use crate::sized;
use crate::watch::{Bystander, MIB, forget_peak, peak};

use bessemer_record::Signal;

/// All times shortened to a second, so that what is stuck ends soon.
const IMPATIENT: &str = r#"
    limits {
      header_timeout = "1s"
      body_timeout   = "1s"
      write_timeout  = "1s"
      idle_timeout   = "5s"
    }"#;
const ENDS_WITHIN: Duration = Duration::from_secs(15);
const GROWTH_MAX: u64 = 32 * MIB;

fn lab() -> Lab {
    Setup { http: IMPATIENT, grpc: IMPATIENT, ..Setup::to_nothing() }.start()
}

/// Runs an attack on each port beside honest clients of both.
fn survives(attack: impl Fn(SocketAddr)) {
    let lab = lab();
    for address in [lab.grpc, lab.http] {
        let bystanders = [Bystander::grpc(lab.grpc), Bystander::http(lab.http)];
        forget_peak(&lab.bessemer);
        let memory = lab.bessemer.resident();
        attack(address);
        for bystander in bystanders {
            bystander.was_served();
        }
        let growth = peak(&lab.bessemer).saturating_sub(memory);
        assert!(growth < GROWTH_MAX, "{} MiB", growth / MIB);
    }
    assert_eq!(lab.post(Signal::Logs, &logs(["after"])).status, 200);
}

/// Sends `pieces` while the answers are read away; how the connection ends.
fn flood(
    address: SocketAddr,
    settings: &[u8],
    pieces: impl Iterator<Item = Vec<u8>> + Send,
) -> Option<Ending> {
    let (mut writer, mut reader) = open(address, settings);
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let mut pieces = pieces;
            let is_closed = pieces.any(|piece| writer.send(&piece).is_err());
            // Kept open: whoever ends the connection is the other side.
            (!is_closed).then_some(writer)
        });
        let ending = reader.ending(ENDS_WITHIN);
        drop(sending.join().unwrap());
        ending
    })
}

/// The same without reading any answer until the flood is over.
fn deaf_flood(address: SocketAddr, pieces: impl Iterator<Item = Vec<u8>>) -> Option<Ending> {
    let (mut writer, mut reader) = open(address, &[]);
    for piece in pieces {
        if writer.send(&piece).is_err() {
            return Some(Ending::Closed);
        }
    }
    reader.ending(ENDS_WITHIN)
}

/// The odd numbers, which are the streams of a client.
fn streams(count: usize) -> impl Iterator<Item = u32> {
    (1..).step_by(2).take(count)
}

fn logs_path() -> Vec<u8> {
    post(grpc_path(Signal::Logs))
}

/// CVE-2023-44487.
#[test]
fn rapid_resets_end_the_connection() {
    let headers = logs_path();
    survives(|address| {
        let pieces = streams(sized(20_000, 100_000)).map(|stream| {
            [frame(HEADERS, END_HEADERS, stream, &headers), reset(stream, CANCEL)].concat()
        });
        // In pieces of many frames, as an attacker sends them.
        let all: Vec<u8> = pieces.flatten().collect();
        let ending = flood(address, &[], all.chunks(64 << 10).map(<[u8]>::to_vec));
        assert_eq!(ending, Some(Ending::GoAway(ENHANCE_YOUR_CALM)));
    });
}

/// CVE-2025-8671: the server is made to do the resetting.
#[test]
fn being_made_to_reset_ends_the_connection() {
    let headers = logs_path();
    survives(|address| {
        let pieces = streams(sized(5000, 50_000)).map(|stream| {
            let overflow = (u32::MAX >> 1).to_be_bytes();
            [
                frame(HEADERS, END_HEADERS, stream, &headers),
                frame(WINDOW_UPDATE, 0, stream, &overflow),
            ]
            .concat()
        });
        let ending = flood(address, &[], pieces);
        assert_eq!(ending, Some(Ending::GoAway(ENHANCE_YOUR_CALM)));
    });
}

/// CVE-2024-27316 and its kin: headers that never end.
#[test]
fn continuations_without_an_end_end_the_connection() {
    for filler in [Vec::new(), {
        let mut block = Vec::new();
        put_header(&mut block, "x", "y");
        block
    }] {
        survives(|address| {
            let first = frame(HEADERS, 0, 1, &logs_path());
            let more = frame(CONTINUATION, 0, 1, &filler).repeat(100);
            let pieces = std::iter::once(first).chain(std::iter::repeat_n(more, sized(500, 5000)));
            let ending = flood(address, &[], pieces);
            assert!(ending.is_some(), "{} bytes each: still open", filler.len());
        });
    }
}

/// RUSTSEC-2026-0258: frames without data cost no window.
#[test]
fn empty_data_without_an_end_ends_or_is_bounded() {
    survives(|address| {
        let first = frame(HEADERS, END_HEADERS, 1, &logs_path());
        let empty = frame(DATA, 0, 1, &[]).repeat(1000);
        let pieces = std::iter::once(first).chain(std::iter::repeat_n(empty, sized(200, 2000)));
        let ending = flood(address, &[], pieces);
        assert!(ending.is_some(), "still open");
    });
}

/// Scenario: three connections at a time flood with frames that each ask for an answer, and read
/// none.
#[test]
fn floods_of_settings_and_pings_end_when_nobody_reads_the_answers() {
    let kinds = [
        frame(SETTINGS, 0, 0, &[]),
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]),
        frame(PING, 0, 0, b"12345678"),
    ];
    survives(|address| {
        std::thread::scope(|scope| {
            let attacks = kinds.each_ref().map(|kind| {
                let piece = kind.repeat(1000);
                let pieces = std::iter::repeat_n(piece, sized(1000, 10_000));
                scope.spawn(move || deaf_flood(address, pieces))
            });
            for attack in attacks {
                assert!(attack.join().unwrap().is_some(), "still open");
            }
        });
    });
}

/// Promise: who reads the answers is served, one answer for each, and no memory is kept.
#[test]
fn settings_and_pings_are_answered_one_for_one() {
    survives(|address| {
        let (mut writer, mut reader) = open(address, &[]);
        let deadline = Instant::now() + ENDS_WITHIN;
        let rounds = sized(1000, 5000);
        for round in 0..rounds {
            let payload = (round as u64).to_be_bytes();
            writer.send(&frame(PING, 0, 0, &payload)).unwrap();
            loop {
                let frame = reader.next(deadline).unwrap();
                if frame.kind == PING {
                    assert_eq!((frame.flags, &frame.payload[..]), (1, &payload[..]));
                    break;
                }
            }
        }
    });
}

/// A table entry of some kilobytes, then a header block of references to it.
#[test]
fn a_bomb_of_header_references_is_refused() {
    survives(|address| {
        let mut first = logs_path();
        put_kept_header(&mut first, "x", &"y".repeat(3000));
        let mut second = logs_path();
        second.extend(std::iter::repeat_n(NEWEST, 12_000));
        let (mut writer, mut reader) = open(address, &[]);
        writer.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &first)).unwrap();
        for stream in streams(sized(100, 1000)).skip(1) {
            // 36 megabytes of headers in 12 kilobytes.
            if writer.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &second)).is_err() {
                return;
            }
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut refused = 0;
        while let Ok(frame) = reader.next(deadline) {
            // 431 is no entry of the static table; 200 would be the byte 0x88.
            let is_of_bomb = frame.stream > 1 && matches!(frame.kind, HEADERS | RST_STREAM);
            if is_of_bomb {
                assert!(frame.kind == RST_STREAM || frame.payload[0] != 0x88, "{frame:?}");
                refused += 1;
            }
            if refused > 10 {
                return;
            }
        }
    });
}

/// Scenario: a client allows no byte of any answer, and asks.
/// Promise: it is disconnected.
#[test]
fn a_window_of_zero_does_not_hold_answers_for_long() {
    let message = logs(["x"]);
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let framed = [&[0][..], &length, &message].concat();
    survives(|address| {
        let no_window = [0, 4, 0, 0, 0, 0];
        let pieces = streams(200).map(|stream| {
            [
                frame(HEADERS, END_HEADERS, stream, &logs_path()),
                frame(DATA, END_STREAM, stream, &framed),
            ]
            .concat()
        });
        assert!(flood(address, &no_window, pieces).is_some(), "still open");
    });
}

/// Promise: streams over the limit are refused one by one, those within it are served.
#[test]
fn streams_over_the_limit_are_refused() {
    const REFUSED_STREAM: u32 = 7;
    let lab = Setup { grpc: "max_concurrent_streams = 10", ..Setup::to_nothing() }.start();
    let (mut writer, mut reader) = open(lab.grpc, &[]);
    // The limit binds a client once it acknowledged the settings.
    let deadline = Instant::now() + ENDS_WITHIN;
    while reader.next(deadline).unwrap().kind != SETTINGS {}
    writer.send(&frame(SETTINGS, 1, 0, &[])).unwrap();
    for stream in streams(30) {
        writer.send(&frame(HEADERS, END_HEADERS, stream, &logs_path())).unwrap();
    }
    let mut refused = Vec::new();
    while refused.len() < 20 {
        let frame = reader.next(deadline).unwrap();
        if frame.kind == RST_STREAM {
            assert_eq!(frame.payload, REFUSED_STREAM.to_be_bytes());
            refused.push(frame.stream);
        }
    }
    let expected: Vec<u32> = streams(30).skip(10).collect();
    assert_eq!(refused, expected);
    let message = logs(["x"]);
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let framed = [&[0][..], &length, &message].concat();
    writer.send(&frame(DATA, END_STREAM, 1, &framed)).unwrap();
    loop {
        let frame = reader.next(deadline).unwrap();
        if frame.stream == 1 && frame.kind == HEADERS {
            break;
        }
    }
}
