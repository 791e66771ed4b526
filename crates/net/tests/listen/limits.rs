//! Sizes to the byte, times to the quarter, connections to the one.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bessemer_net::listen::Settings;
use bessemer_runtime::Span;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::support::*;

const LIMIT: usize = 100_000;

fn hurried() -> Settings {
    let mut settings = local();
    settings.limits.header_timeout = Span(Duration::from_millis(200));
    settings.limits.write_timeout = Span(Duration::from_millis(200));
    settings.limits.idle_timeout = Span(Duration::from_millis(400));
    settings
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let head = "POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    for chunk in body.chunks(7001) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[tokio::test]
async fn a_body_of_the_limit_is_accepted_and_one_byte_more_is_413() {
    let mirror = Mirror::new(LIMIT);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    for (form, name) in [(with_length as fn(&[u8]) -> Vec<u8>, "length"), (chunked, "chunked")] {
        for (size, status) in [(LIMIT, "200 OK"), (LIMIT + 1, "413 Payload Too Large")] {
            let answer = exchange(server.address, &form(&vec![b'x'; size])).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name} {size}: {answer}");
        }
    }
    assert_eq!(mirror.budget.used(), 0);
}

#[tokio::test]
async fn a_length_above_the_limit_is_refused_before_the_body_is_sent() {
    let server = serve(&local(), Mirror::new(LIMIT));
    let request = format!(
        "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        LIMIT + 1
    );
    let answer = exchange(server.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_length_that_lies_low_ends_at_its_word_and_one_that_lies_high_times_out() {
    let mirror = Mirror::new(LIMIT);
    let server = serve(&hurried(), Arc::clone(&mirror) as _);
    let low = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nabcd\r\n\r\n";
    let answer = exchange(server.address, low.as_bytes()).await;
    assert!(answer.contains("\r\n\r\nabHTTP/1.1 400"), "{answer}");
    let high = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nab";
    let answer = exchange(server.address, high.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(mirror.budget.used(), 0);
}

#[tokio::test]
async fn bad_lengths_are_400() {
    let mirror = Mirror::new(LIMIT);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    for length in
        ["-1", "+1", "1a", "0x1", "", "1,1", "1\r\ncontent-length: 2", "18446744073709551616"]
    {
        let request = format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\na");
        let answer = exchange(server.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{length:?}: {answer}");
    }
    assert_eq!(mirror.seen(), 0);
}

#[tokio::test]
async fn headers_above_64_kib_or_100_lines_are_431() {
    let mirror = Mirror::new(LIMIT);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let with_header = |size: usize| {
        format!("GET / HTTP/1.1\r\nconnection: close\r\nx: {}\r\n\r\n", "a".repeat(size))
    };
    let answer = exchange(server.address, with_header(60_000).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for size in [66_000, 1 << 20] {
        let answer = exchange(server.address, with_header(size).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let mut many = "GET / HTTP/1.1\r\n".to_owned();
    for number in 0..101 {
        write!(many, "x{number}: a\r\n").unwrap();
    }
    let answer = exchange(server.address, format!("{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(mirror.seen(), 1);
}

#[tokio::test]
async fn headers_that_trickle_are_closed() {
    let mirror = Mirror::new(LIMIT);
    let server = serve(&hurried(), Arc::clone(&mirror) as _);
    let (mut reader, mut writer) = connect(server.address).await.into_split();
    writer.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let trickling = async {
        while writer.write_all(b"a: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        answer = read_to_close(&mut reader) => assert_eq!(answer, ""),
        () = trickling => {}
    }
    until("the counter", || server.stats.timed_out() == 1).await;
    assert_eq!(mirror.seen(), 0);
}

#[tokio::test]
async fn a_body_that_trickles_is_408() {
    let server = serve(&local(), Mirror::new(LIMIT));
    let (mut reader, mut writer) = connect(server.address).await.into_split();
    writer
        .write_all(b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\n")
        .await
        .unwrap();
    let trickling = async {
        while writer.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = read_to_close(&mut reader) => {
            assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        }
        () = trickling => {}
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_both_protocols_and_before_the_first_byte() {
    let server = serve(&hurried(), Mirror::new(LIMIT));
    let mut silent = connect(server.address).await;
    assert_eq!(read_to_close(&mut silent).await, "");
    let mut used = connect(server.address).await;
    used.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    assert!(read_to_close(&mut used).await.starts_with("HTTP/1.1 200"));
    let mut second = raw_http2(server.address).await;
    assert_eq!(goaway(&mut second).await, Some(0));
    until("all closed", || server.stats.open() == 0).await;
}

#[tokio::test]
async fn a_parked_connection_serves_its_next_request_also_when_it_comes_in_pieces() {
    let mut settings = local();
    settings.limits.write_timeout = Span(Duration::from_millis(40));
    let mirror = Mirror::new(LIMIT);
    let server = serve(&settings, Arc::clone(&mirror) as _);
    let parked = || until("the parking", || server.stats.parked() == 1);
    let mut client = http1(connect(server.address).await).await;
    for _ in 0..3 {
        let body = bytes::Bytes::from(vec![b'x'; LIMIT]);
        let answer = within("http1", client.send_request(post("/", body.clone()))).await.unwrap();
        assert_eq!(text(answer).await.1, body);
        parked().await;
    }
    drop(client);
    until("its close", || server.stats.open() == 0).await;
    assert_eq!(server.stats.parked(), 0);
    let mut stream = connect(server.address).await;
    for (start, rest) in [("G", "ET / HTTP/1.1\r\n\r\n"), ("GET / HTTP/1.1\r\nhost: t", "\r\n\r\n")]
    {
        stream.write_all(start.as_bytes()).await.unwrap();
        until("the start", || server.stats.parked() == 0).await;
        stream.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        within("the answer", stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        parked().await;
        // What is left of the answer.
        drop(stream.try_read(&mut [0; 1000]));
    }
    assert_eq!(mirror.seen(), 5);
    server.tasks.cancel();
    assert!(server.tasks.finished_within(DEADLINE).await);
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_disconnected() {
    let mirror = Mirror::new(64 << 20);
    let server = serve(&hurried(), Arc::clone(&mirror) as _);
    let mut stream = connect(server.address).await;
    // More than the socket buffers of both ends hold.
    let body = vec![b'x'; 32 << 20];
    stream.write_all(&with_length(&body)).await.unwrap();
    until("the disconnection", || server.stats.timed_out() == 1).await;
    until("all closed", || server.stats.open() == 0).await;
}

#[tokio::test]
async fn a_zero_window_held_open_is_disconnected() {
    let mirror = Mirror::new(LIMIT);
    let server = serve(&hurried(), Arc::clone(&mirror) as _);
    let mut stream = raw_http2(server.address).await;
    // SETTINGS_INITIAL_WINDOW_SIZE = 0: the answer's bytes may never be sent.
    stream.write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])).await.unwrap();
    let headers =
        block(&[(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "test")]);
    stream.write_all(&frame(1, 4, 1, &headers)).await.unwrap();
    stream.write_all(&frame(0, 1, 1, b"echo")).await.unwrap();
    until("the disconnection", || server.stats.timed_out() == 1).await;
}

#[tokio::test]
async fn connections_above_the_limit_get_503_and_the_others_stay() {
    let mut settings = local();
    settings.limits.connections_max = 3;
    let mirror = Mirror::new(LIMIT);
    let server = serve(&settings, Arc::clone(&mirror) as _);
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(connect(server.address).await);
    }
    until("three connections", || server.stats.open() == 3).await;
    for _ in 0..20 {
        let answer = exchange(server.address, b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("retry-after: 1"));
    }
    assert_eq!(server.stats.refused(), 20);
    let mut first = kept.remove(0);
    first.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    within("the answer", first.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    drop(first);
    until("a free place", || server.stats.open() == 2).await;
    let answer =
        exchange(server.address, b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
