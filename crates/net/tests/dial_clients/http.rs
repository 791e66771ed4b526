//! HTTP/1.1: connections are kept, bodies arrive whole, failures are told apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bessemer_net::body::encoding::{Encoding, compress};
use bessemer_net::dial::{Body, DialError, Request, Settings};
use bessemer_runtime::Secret;
use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::net::TcpListener;

use crate::support::{
    Server, answer_once, client, eventually, millis, post, read_request, read_to_end,
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

fn echo(request: http::Request<Bytes>) -> Response<Bytes> {
    Response::new(request.into_body())
}

#[tokio::test]
async fn many_requests_in_a_row_share_one_connection() {
    let server = Server::http(echo).await;
    let client = server.client();
    for _ in 0..20 {
        assert_eq!(client.send(&post(b"hello")).await.unwrap().body, "hello");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn without_keep_alive_every_request_opens_a_connection() {
    let server = Server::http(echo).await;
    let settings = Settings { disable_keep_alives: true, ..server.settings() };
    let client = client(&settings);
    for _ in 0..3 {
        client.send(&post(b"hello")).await.unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_body_in_pieces_arrives_as_one_with_its_length() {
    let server = Server::http(|request| {
        assert_eq!(request.headers()["content-length"], "9000006");
        Response::new(request.into_body())
    })
    .await;
    let pieces = vec![
        Bytes::from_static(b"abc"),
        Bytes::new(),
        Bytes::from(vec![7; 4_000_000]),
        Bytes::from(vec![8; 5_000_000]),
        Bytes::from_static(b"xyz"),
    ];
    let expected = pieces.concat();
    let settings = Settings {
        max_response_body_size: bessemer_runtime::ByteSize::mib(10),
        ..server.settings()
    };
    let request = Request::post("/v1/logs".parse().unwrap(), Body::from(pieces));
    let answer = client(&settings).send(&request).await.unwrap();
    assert!(answer.body == expected);
}

#[tokio::test]
async fn headers_of_settings_and_request_are_sent_and_the_host_is_the_endpoint() {
    let (heads, mut seen) = tokio::sync::mpsc::channel(4);
    let server = Server::raw(move |_, mut stream| {
        let heads = heads.clone();
        async move {
            let (head, _) = read_request(&mut stream).await.unwrap();
            heads.send(head).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, OK).await.unwrap();
        }
    })
    .await;
    let mut settings = server.settings();
    settings.endpoint = format!("http://localhost:{}/otlp/", server.address.port());
    settings.headers.insert("Api-Key".into(), Secret::new("s3cret"));
    settings.headers.insert("X-Both".into(), Secret::new("settings"));
    let client = client(&settings);
    let request = Request::post(client.path("/v1/logs").unwrap(), Bytes::from_static(b"x"))
        .content_type("application/x-protobuf")
        .encoding(Encoding::Gzip)
        .header("x-both".parse().unwrap(), "request".parse().unwrap());
    client.send(&request).await.unwrap();
    let head = seen.recv().await.unwrap();
    assert!(head.starts_with("POST /otlp/v1/logs HTTP/1.1\r\n"), "{head}");
    for line in [
        format!("host: localhost:{}", server.address.port()),
        "api-key: s3cret".into(),
        "x-both: request".into(),
        "content-type: application/x-protobuf".into(),
        "content-encoding: gzip".into(),
        "content-length: 1".into(),
    ] {
        assert_eq!(head.lines().filter(|found| *found == line).count(), 1, "{line} in {head}");
    }
}

#[tokio::test]
async fn a_connection_the_peer_closed_while_idle_is_not_used_again() {
    let closed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    let server = Server::raw(move |_, mut stream| {
        let count = Arc::clone(&count);
        async move {
            answer_once(&mut stream, OK).await;
            drop(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let client = server.client();
    for turn in 1..=10 {
        client.send(&post(b"hello")).await.unwrap();
        eventually(|| closed.load(Ordering::SeqCst) == turn).await;
    }
    assert_eq!(server.connections(), 10);
}

#[tokio::test]
async fn a_server_that_says_close_costs_no_failure() {
    let server = Server::raw(|_, mut stream| async move {
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        answer_once(&mut stream, answer).await;
    })
    .await;
    let client = server.client();
    for _ in 0..20 {
        client.send(&post(b"hello")).await.unwrap();
    }
}

#[tokio::test]
async fn an_unused_connection_is_closed_after_the_idle_time() {
    let (ended, mut end) = tokio::sync::mpsc::channel(1);
    let server = Server::raw(move |_, mut stream| {
        let ended = ended.clone();
        async move {
            answer_once(&mut stream, OK).await;
            read_to_end(&mut stream).await;
            ended.send(()).await.unwrap();
        }
    })
    .await;
    let settings = Settings { idle_conn_timeout: millis(100), ..server.settings() };
    let client = client(&settings);
    client.send(&post(b"hello")).await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(10), end.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn no_more_connections_are_open_than_allowed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    let server = Server::raw(move |_, mut stream| {
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            while read_request(&mut stream).await.is_some() {
                tokio::task::yield_now().await;
                tokio::io::AsyncWriteExt::write_all(&mut stream, OK).await.unwrap();
            }
            now.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let settings = Settings { max_conns_per_host: 3, ..server.settings() };
    let client = client(&settings);
    let request = post(b"hello");
    let sends = (0..40).map(|_| client.send(&request));
    for sent in futures_util::future::join_all(sends).await {
        sent.unwrap();
    }
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_times_out_and_loses_the_connection() {
    let (ended, mut end) = tokio::sync::mpsc::channel(1);
    let server = Server::raw(move |_, mut stream| {
        let ended = ended.clone();
        async move {
            read_to_end(&mut stream).await;
            ended.send(()).await.unwrap();
        }
    })
    .await;
    let settings = Settings { timeout: millis(100), ..server.settings() };
    let error = client(&settings).send(&post(b"hello")).await.unwrap_err();
    assert!(matches!(error, DialError::Timeout { .. }), "{error}");
    assert!(error.is_retryable() && !error.is_unsent());
    tokio::time::timeout(std::time::Duration::from_secs(10), end.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_the_server_does_not_read_times_out() {
    let server = Server::raw(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let settings = Settings { timeout: millis(100), ..server.settings() };
    let request = Request::post("/".parse().unwrap(), Bytes::from(vec![0; 64 << 20]));
    let error = client(&settings).send(&request).await.unwrap_err();
    assert!(matches!(error, DialError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_lost() {
    for answer in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"] {
        let server = Server::raw(move |_, mut stream| async move {
            answer_once(&mut stream, answer).await;
        })
        .await;
        let error = server.client().send(&post(b"hello")).await.unwrap_err();
        assert!(matches!(error, DialError::Lost { .. }), "{error:?}");
        assert!(error.is_retryable() && !error.is_unsent());
    }
}

#[tokio::test]
async fn an_answer_before_the_whole_body_was_read_is_an_answer() {
    let server = Server::raw(|_, mut stream| async move {
        let mut first = [0; 1000];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first).await.unwrap();
        let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
        read_to_end(&mut stream).await;
    })
    .await;
    let request = Request::post("/".parse().unwrap(), Bytes::from(vec![0; 32 << 20]));
    let answer = server.client().send(&request).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (413, &b"big"[..]));
}

#[tokio::test]
async fn a_closed_port_is_a_failed_connection_and_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let settings = Settings { endpoint, ..Settings::default() };
    let error = client(&settings).send(&post(b"hello")).await.unwrap_err();
    assert!(matches!(error, DialError::Connect { .. }), "{error}");
    assert!(error.is_unsent() && error.is_retryable());
}

#[tokio::test]
async fn an_unknown_name_is_told_apart() {
    let endpoint = "http://no-such-host.invalid:1".into();
    let settings = Settings { endpoint, ..Settings::default() };
    let error = client(&settings).send(&post(b"hello")).await.unwrap_err();
    assert!(matches!(error, DialError::Resolve { .. }), "{error}");
    assert!(error.to_string().contains("no-such-host.invalid"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_the_other_host_sees_nothing() {
    let other = Server::http(echo).await;
    let location = format!("{}/stolen", other.url());
    let server = Server::http(move |_| {
        Response::builder()
            .status(StatusCode::TEMPORARY_REDIRECT)
            .header("location", location.clone())
            .body(Bytes::new())
            .unwrap()
    })
    .await;
    let mut settings = server.settings();
    settings.headers.insert("Authorization".into(), Secret::new("Bearer s3cret"));
    let answer = client(&settings).send(&post(b"hello")).await.unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert!(!answer.is_success() && !answer.is_retryable());
    assert_eq!((server.connections(), other.connections()), (1, 0));
}

#[tokio::test]
async fn a_compressed_answer_is_inflated() {
    for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
        let server = Server::http(move |request| {
            assert!(request.headers()["accept-encoding"].to_str().unwrap().contains("gzip"));
            let body = compress(encoding, &request.into_body()).unwrap();
            Response::builder().header("content-encoding", encoding.as_str()).body(body).unwrap()
        })
        .await;
        let answer = server.client().send(&post(b"hello hello hello")).await.unwrap();
        assert_eq!(answer.body, "hello hello hello", "{encoding}");
        assert!(!answer.headers.contains_key("content-encoding"));
    }
}

#[tokio::test]
async fn a_closed_client_refuses_requests() {
    let server = Server::http(echo).await;
    let client = server.client();
    client.send(&post(b"hello")).await.unwrap();
    client.close();
    let error = client.send(&post(b"hello")).await.unwrap_err();
    assert!(matches!(error, DialError::Cancelled), "{error}");
}

#[tokio::test]
async fn neither_settings_nor_client_print_a_secret() {
    let server = Server::http(echo).await;
    let mut settings = server.settings();
    settings.headers.insert("Authorization".into(), Secret::new("Bearer s3cret"));
    let printed = format!("{settings:?} {:?}", client(&settings));
    assert!(!printed.contains("s3cret"), "{printed}");
}

#[test]
fn settings_that_cannot_work_are_refused_with_their_name() {
    let check = |settings: Settings, setting: &str| {
        let clock = crate::support::NotedClock::new(0);
        let refused = bessemer_net::dial::Client::new(&settings, clock, crate::support::random());
        assert_eq!(refused.unwrap_err().setting, setting);
    };
    let with_header = |name: &str, value: &str| {
        let mut settings = Settings { endpoint: "http://a:1".into(), ..Settings::default() };
        settings.headers.insert(name.into(), Secret::new(value));
        settings
    };
    check(Settings::default(), "endpoint");
    check(with_header("a b", "x"), "headers.a b");
    check(with_header("Content-Length", "3"), "headers.Content-Length");
    check(with_header("X-Key", "a\r\nb: c"), "headers.X-Key");
}
