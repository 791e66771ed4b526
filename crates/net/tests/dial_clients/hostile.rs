//! Answers that would fill the memory or never end.

use std::time::Duration;

use bessemer_net::body::encoding::{Encoding, compress};
use bessemer_net::dial::{DialError, Settings};
use bytes::Bytes;
use http::Response;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Server, client, post, read_request};

static X: [u8; 65_536] = [b'x'; 65_536];

/// Writes `chunk` until the client hangs up; gives the bytes written.
async fn flood(stream: &mut TcpStream, chunk: &[u8]) -> usize {
    let mut written = 0;
    while stream.write_all(chunk).await.is_ok() {
        written += chunk.len();
    }
    written
}

/// A server that begins with `head` and goes on with `chunk` for ever.
async fn check_flood(head: &'static [u8], chunk: &'static [u8], expected_part: Option<&str>) {
    let (floods, mut written) = tokio::sync::mpsc::channel(1);
    let server = Server::raw(move |_, mut stream| {
        let floods = floods.clone();
        async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(head).await.unwrap();
            floods.send(flood(&mut stream, chunk).await).await.unwrap();
        }
    })
    .await;
    let sent = tokio::time::timeout(Duration::from_secs(10), async {
        server.client().send(&post(b"hello")).await
    });
    let error = sent.await.expect("the client reads without end").unwrap_err();
    match (&error, expected_part) {
        (DialError::TooLarge { part, .. }, Some(expected)) => assert_eq!(*part, expected),
        (DialError::Malformed { .. }, None) => {}
        _ => panic!("{error}"),
    }
    // What the client took, and what lay in the buffers of both sockets.
    let written = written.recv().await.unwrap();
    assert!(written < 64 << 20, "{written} bytes were taken");
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_limit() {
    let chunk = [&b"10000\r\n"[..], &X, b"\r\n"].concat();
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    check_flood(head, chunk.leak(), Some("body")).await;
}

#[tokio::test]
async fn a_body_until_the_end_of_the_connection_is_read_up_to_the_limit() {
    check_flood(b"HTTP/1.1 200 OK\r\n\r\n", &X, Some("body")).await;
}

#[tokio::test]
async fn a_gibibyte_that_is_announced_is_not_read() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    check_flood(head, &X, Some("body")).await;
}

#[tokio::test]
async fn a_head_of_hundred_megabytes_is_refused() {
    check_flood(b"HTTP/1.1 200 OK\r\nx: ", &X, Some("head")).await;
}

#[tokio::test]
async fn a_hundred_thousand_headers_are_refused() {
    check_flood(b"HTTP/1.1 200 OK\r\n", b"x-name: value\r\n", Some("head")).await;
}

#[tokio::test]
async fn informational_answers_without_end_are_refused() {
    check_flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n", Some("head")).await;
}

#[tokio::test]
async fn garbage_is_malformed() {
    for garbage in [&b"SSH-2.0-OpenSSH_9.6\r\n"[..], b"\0\0\0\x12\x04\0\0\0\0\0", b"<html>\r\n\r\n"]
    {
        let server = Server::raw(move |_, mut stream| async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(garbage).await.unwrap();
        })
        .await;
        let error = server.client().send(&post(b"hello")).await.unwrap_err();
        assert!(matches!(error, DialError::Malformed { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_limited_by_its_inflated_size() {
    for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
        let bomb = compress(encoding, &vec![0; 64 << 20]).unwrap();
        assert!(bomb.len() < 1 << 20);
        let server = Server::http(move |_| {
            let response = Response::builder().header("content-encoding", encoding.as_str());
            response.body(bomb.clone()).unwrap()
        })
        .await;
        let error = server.client().send(&post(b"hello")).await.unwrap_err();
        let DialError::TooLarge { limit, part } = error else { panic!("{error}") };
        assert_eq!((limit, part), (4 << 20, "body"));
        assert!(!DialError::TooLarge { limit, part }.is_retryable());
    }
}

#[tokio::test]
async fn a_broken_or_unknown_encoding_is_malformed() {
    for (name, body) in [("gzip", &b"not gzip"[..]), ("br", b"x"), ("gzip, gzip", b"x")] {
        let server = Server::http(move |_| {
            let response = Response::builder().header("content-encoding", name);
            response.body(Bytes::from_static(body)).unwrap()
        })
        .await;
        let error = server.client().send(&post(b"hello")).await.unwrap_err();
        assert!(matches!(error, DialError::Malformed { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn the_limit_of_an_answer_is_a_setting() {
    let server = Server::http(|_| Response::new(Bytes::from(vec![0; 1001]))).await;
    let limited = |bytes| Settings {
        max_response_body_size: bessemer_runtime::ByteSize(bytes),
        ..server.settings()
    };
    assert!(client(&limited(1001)).send(&post(b"hello")).await.is_ok());
    let error = client(&limited(1000)).send(&post(b"hello")).await.unwrap_err();
    assert!(matches!(error, DialError::TooLarge { limit: 1000, part: "body" }), "{error}");
}
