//! HTTP/2 clients that try to make the server work or remember for nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::support::*;

const ENHANCE_YOUR_CALM: u32 = 11;

/// Sends `frames` over and over until the server ends the connection; gives the GOAWAY code, and
/// `None` when the close overtook it.
async fn flood(stream: TcpStream, mut frames: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    let (reader, mut writer) = stream.into_split();
    let sending = async move {
        for number in 0..1_000_000 {
            if writer.write_all(&frames(number)).await.is_err() {
                return;
            }
        }
        panic!("the server never ended the connection");
    };
    let ending = async move {
        let mut reader = reader;
        let mut head = [0; 9];
        loop {
            tokio::io::AsyncReadExt::read_exact(&mut reader, &mut head).await.ok()?;
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            tokio::io::AsyncReadExt::read_exact(&mut reader, &mut payload).await.ok()?;
            if head[3] == 7 {
                return Some(u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]));
            }
        }
    };
    within("the end of the flood", async { tokio::join!(sending, ending).1 }).await
}

/// A polite client beside the flood is answered.
async fn still_serves(server: &Server) {
    let mut client = http2(connect(server.address).await).await;
    let answer = within("a polite client", client.send_request(post("/", "hello"))).await.unwrap();
    assert_eq!(text(answer).await.1, "hello");
    until("the flood's end", || server.stats.open() <= 1).await;
}

fn calm(code: Option<u32>) {
    assert!(matches!(code, None | Some(ENHANCE_YOUR_CALM)), "{code:?}");
}

#[tokio::test]
async fn rapid_reset_ends_the_connection() {
    let mirror = Mirror::new(1000);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let stream = raw_http2(server.address).await;
    let headers = block(&GET);
    let code = flood(stream, |number| {
        let id = number * 2 + 1;
        [frame(1, 5, id, &headers), frame(3, 0, id, &[0, 0, 0, 8])].concat()
    });
    calm(code.await);
    still_serves(&server).await;
}

#[tokio::test]
async fn made_resets_end_the_connection() {
    let server = serve(&local(), Mirror::new(1000));
    let stream = raw_http2(server.address).await;
    let headers = block(&GET);
    // A window beyond 2^31 is an error that the server must answer with a reset of the stream.
    let code = flood(stream, |number| {
        let id = number * 2 + 1;
        [frame(1, 4, id, &headers), frame(8, 0, id, &[0x7f, 0xff, 0xff, 0xff])].concat()
    });
    calm(code.await);
    still_serves(&server).await;
}

#[tokio::test]
async fn continuations_without_end_end_the_connection() {
    let server = serve(&local(), Mirror::new(1000));
    let mut stream = raw_http2(server.address).await;
    stream.write_all(&frame(1, 0, 1, &block(&GET))).await.unwrap();
    let more = block(&[("x", "y")]).repeat(100);
    let code = flood(stream, |_| frame(9, 0, 1, &more)).await;
    assert!(code != Some(0), "{code:?}");
    still_serves(&server).await;
}

#[tokio::test]
async fn a_header_list_above_the_limit_is_refused() {
    let mirror = Mirror::new(1000);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let mut stream = raw_http2(server.address).await;
    // One entry of 4 KiB in the dynamic table, then one byte each to name it again.
    let mut bomb = block(&GET);
    bomb.extend([0x40, 1, b'x', 0x7f, 0x80 + 25, 30]);
    bomb.extend([b'a'; 3992]);
    bomb.extend([0xbe; 4000]);
    stream.write_all(&frame(1, 5, 1, &bomb)).await.unwrap();
    let refused = loop {
        let (kind, id, payload) = read_frame(&mut stream).await.unwrap();
        if id == 1 || kind == 7 {
            break (kind, payload);
        }
    };
    // Either 431 in HEADERS, a reset of the stream, or the end of the connection.
    assert!(matches!(refused.0, 1 | 3 | 7), "{refused:?}");
    assert_eq!(mirror.seen(), 0);
    drop(stream);
    still_serves(&server).await;
}

#[tokio::test]
async fn settings_and_pings_that_are_never_read_back_do_not_pile_up() {
    for (kind, payload) in [(4, &[][..]), (6, &[0; 8][..])] {
        let mut settings = local();
        settings.limits.write_timeout = bessemer_runtime::Span(Duration::from_millis(300));
        let server = serve(&settings, Mirror::new(1000));
        let stream = raw_http2(server.address).await;
        let (_reader, mut writer) = stream.into_split();
        let frames = frame(kind, 0, 0, payload).repeat(1000);
        let sending = async { while writer.write_all(&frames).await.is_ok() {} };
        within("the end of the flood", sending).await;
        still_serves(&server).await;
    }
}

#[tokio::test]
async fn settings_pings_and_empty_data_without_end_end_the_connection() {
    let ping = frame(6, 0, 0, &[0; 8]);
    let data = frame(0, 0, 1, &[]);
    for frames in [&ping, &frame(4, 0, 0, &[]), &data, &frame(2, 0, 3, &[0; 5])] {
        let server = serve(&local(), Mirror::new(1000));
        let mut stream = raw_http2(server.address).await;
        stream.write_all(&frame(1, 4, 1, &block(&GET))).await.unwrap();
        let frames = frames.repeat(1000);
        flood(stream, |_| frames.clone()).await;
        assert_eq!(server.stats.timed_out(), 0);
        still_serves(&server).await;
    }
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_one_by_one() {
    let mut settings = local();
    settings.limits.streams_max = 10;
    let mirror = Mirror::new(1000);
    let server = serve(&settings, Arc::clone(&mirror) as _);
    let mut stream = raw_http2(server.address).await;
    let headers = block(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/hold"),
        (":authority", "test"),
    ]);
    for number in 0..20 {
        stream.write_all(&frame(1, 5, number * 2 + 1, &headers)).await.unwrap();
    }
    let mut refused = 0;
    while refused < 10 {
        let (kind, _, payload) = read_frame(&mut stream).await.unwrap();
        if kind == 3 {
            assert_eq!(payload, [0, 0, 0, 7]);
            refused += 1;
        }
    }
    until("the others", || mirror.seen() == 10).await;
    mirror.release.add_permits(10);
}
