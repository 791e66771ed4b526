//! One request is never seen as two, and what is not HTTP/1.1 by the letter is refused.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::*;

/// A second request hidden where a lenient reader would find one.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: test\r\n\r\n";

/// Sends the bytes, reads to the close, and gives the first status line and the requests seen.
async fn outcome(request: &str) -> (String, u32) {
    let mirror = Mirror::new(1000);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let answer = exchange(server.address, request.as_bytes()).await;
    let status = answer.split("\r\n").next().unwrap_or_default().to_owned();
    (status, mirror.seen())
}

async fn refused(requests: &[&str]) {
    for request in requests {
        let (status, seen) = outcome(request).await;
        assert_eq!((status.as_str(), seen), ("HTTP/1.1 400 Bad Request", 0), "{request:?}");
    }
}

#[tokio::test]
async fn malformed_framing_is_400_and_closes() {
    refused(&[
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n",
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length : 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n folded: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n\tfolded\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: b\0c\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx(): b\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/3.7\r\nhost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n",
    ])
    .await;
}

#[tokio::test]
async fn heads_that_two_readers_understand_differently_are_400_and_close() {
    refused(&[
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\nx: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\n",
    ])
    .await;
}

/// Scenario: the first request of a connection is whole, the ambiguous one comes behind it, in the
/// same bytes and after the connection was idle.
#[tokio::test]
async fn a_later_request_is_looked_at_like_the_first() {
    let first = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n\n\n\n\n";
    let second =
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n";
    let mirror = Mirror::new(1000);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let answer = exchange(server.address, format!("{first}{first}{second}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");

    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for (request, status) in
        [(first, "HTTP/1.1 200"), (first, "HTTP/1.1 200"), (second, "HTTP/1.1 400")]
    {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let count = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(answer.starts_with(status), "{answer}");
    }
    assert_eq!(mirror.seen(), 4);
}

#[tokio::test]
async fn malformed_chunks_end_the_request_and_hide_no_other() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunks in [
        "5\r\nabc\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3 \rabc\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\nabc",
        "3\r\nabcX0\r\n\r\n",
        "3;a=\nb\r\nabc\r\n0\r\n\r\n",
        "\r\n\r\n",
    ] {
        let (status, seen) = outcome(&format!("{head}{chunks}{HIDDEN}")).await;
        assert!(seen <= 1, "{chunks:?}: {seen}");
        assert!(status.is_empty() || status.starts_with("HTTP/1.1 4"), "{chunks:?}: {status}");
    }
}

#[tokio::test]
async fn a_body_on_get_is_part_of_that_request() {
    let request = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{HIDDEN}",
        HIDDEN.len()
    );
    assert_eq!(outcome(&request).await, ("HTTP/1.1 200 OK".to_owned(), 1));
}

#[tokio::test]
async fn a_body_that_is_not_read_is_not_taken_for_a_request() {
    let request = format!(
        "POST /unread HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{}",
        HIDDEN.len() + 900_000,
        HIDDEN
    );
    assert_eq!(outcome(&request).await, ("HTTP/1.1 403 Forbidden".to_owned(), 1));
}
