//! Unary gRPC: messages and statuses in all their places, and connections that come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bessemer_net::body::encoding::{Encoding, compress};
use bessemer_net::dial::{Credentials, GrpcClient, GrpcSettings};
use bessemer_net::grpc::{Code, Status, frame};
use bessemer_net::retry::{Jitter, Policy};
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::auth::Numbered;
use crate::support::{NotedClock, Server, clock, eventually, millis, random, read_to_end};

const METHOD: PathAndQuery =
    PathAndQuery::from_static("/opentelemetry.proto.collector.logs.v1.LogsService/Export");

/// A call as the server sees it.
struct Call {
    head: http::request::Parts,
    message: Bytes,
    respond: SendResponse<Bytes>,
}

impl Call {
    /// Headers, the framed message, and the status in trailers.
    fn answer(mut self, message: &[u8], status: &Status) {
        let response = Response::builder().header("content-type", "application/grpc");
        let mut stream = self.respond.send_response(response.body(()).unwrap(), false).unwrap();
        stream.send_data(frame::frame(message, false).unwrap(), false).unwrap();
        let mut trailers = HeaderMap::new();
        status.write_to(&mut trailers);
        stream.send_trailers(trailers).unwrap();
    }

    /// Any head, any bytes, no trailers.
    fn answer_raw(mut self, response: http::response::Builder, body: Bytes) {
        let response = response.body(()).unwrap();
        let mut stream = self.respond.send_response(response, body.is_empty()).unwrap();
        if !body.is_empty() {
            stream.send_data(body, true).unwrap();
        }
    }
}

async fn read(mut body: RecvStream) -> Option<Bytes> {
    let mut all = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.ok()?;
        body.flow_control().release_capacity(data.len()).unwrap();
        all.put(data);
    }
    Some(frame::unary(all.freeze()).unwrap().1)
}

/// Serves one connection; calls are answered as soon as they are complete, side by side.
async fn serve<F>(stream: TcpStream, builder: h2::server::Builder, answer: Arc<F>)
where
    F: Fn(Call) + Send + Sync + 'static,
{
    let mut connection = builder.handshake(stream).await.unwrap();
    let tasks = bessemer_runtime::Tasks::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let answer = Arc::clone(&answer);
        tasks.spawn(async move {
            let (head, body): (_, RecvStream) = request.into_parts();
            if let Some(message) = read(body).await {
                answer(Call { head, message, respond });
            }
        });
    }
}

async fn server<F: Fn(Call) + Send + Sync + 'static>(answer: F) -> Server {
    let answer = Arc::new(answer);
    Server::raw(move |_, stream| serve(stream, h2::server::Builder::new(), Arc::clone(&answer)))
        .await
}

fn settings(server: &Server) -> GrpcSettings {
    GrpcSettings { endpoint: server.url(), timeout: millis(5000), ..GrpcSettings::default() }
}

fn client(settings: &GrpcSettings) -> GrpcClient {
    GrpcClient::new(settings, clock(), random()).unwrap()
}

async fn call(client: &GrpcClient) -> Result<Bytes, Status> {
    client.unary(&METHOD, &[Bytes::from_static(b"hello")], Encoding::Identity).await
}

#[tokio::test]
async fn a_message_goes_out_in_pieces_and_one_comes_back() {
    let server = server(|call| {
        assert_eq!(call.head.uri.path(), METHOD.path());
        for (name, value) in [
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-encoding", "gzip"),
            ("grpc-timeout", "5000m"),
            ("x-tenant", "blue"),
        ] {
            assert_eq!(call.head.headers[name], value);
        }
        let message = call.message.clone();
        call.answer(&message, &Status::ok());
    })
    .await;
    let mut settings = settings(&server);
    settings.headers.insert("X-Tenant".into(), bessemer_runtime::Secret::new("blue"));
    settings.endpoint = server.address.to_string();
    settings.tls.insecure = true;
    let client = client(&settings);
    let pieces = [vec![1_u8; 700_000], vec![2; 3], vec![3; 90_000]].map(Bytes::from);
    for _ in 0..5 {
        let answer = client.unary(&METHOD, &pieces, Encoding::Gzip).await.unwrap();
        assert!(answer == pieces.concat());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_refused_proof_is_renewed_once() {
    let server = server(|call| {
        let is_known = call.head.headers["authorization"] == "2";
        let code = if is_known { Code::Ok } else { Code::Unauthenticated };
        call.answer(b"", &Status::new(code, ""));
    })
    .await;
    let proofs = Numbered::new(true);
    let credentials = Some(Credentials::new(proofs.clone()));
    let client = client(&settings(&server)).with_credentials(credentials);
    call(&client).await.unwrap();
    assert_eq!(call(&client).await.unwrap_err().code, Code::Unauthenticated);
    assert_eq!(proofs.asked(), 4, "twice for each call");
}

#[tokio::test]
async fn many_calls_at_once_share_a_connection() {
    let server = server(|call| call.answer(b"", &Status::ok())).await;
    let client = client(&settings(&server));
    let calls = futures_util::future::join_all((0..100).map(|_| call(&client)));
    assert!(calls.await.iter().all(Result::is_ok));
    assert_eq!(server.connections(), 1);
}

/// Scenario: many large messages at once, over a peer with small frames and windows or large ones,
/// with a write buffer of any size. Promise: every message arrives as it was sent.
#[tokio::test]
async fn large_messages_side_by_side_are_not_mixed_up() {
    for (frame, window, gathered) in [
        (16_384, 65_535, 0),
        (16_384, 1 << 20, 1000),
        (16_384, 4 << 20, 262_144),
        (1 << 20, 1 << 20, 262_144),
    ] {
        let answer = Arc::new(|call: Call| {
            let echo = call.message.slice(..call.message.len() / 2);
            call.answer(&echo, &Status::ok());
        });
        let server = Server::raw(move |_, stream| {
            let mut builder = h2::server::Builder::new();
            builder.max_frame_size(frame).initial_window_size(window);
            serve(stream, builder, Arc::clone(&answer))
        })
        .await;
        let mut settings = settings(&server);
        settings.write_buffer_size = bessemer_runtime::ByteSize(gathered);
        let client = client(&settings);
        let calls = (0..20_u8).map(|number| {
            let client = &client;
            async move {
                let size = 1000 + usize::from(number) * 50_000;
                let noise = (0..size).map(|at| u8::try_from(at % 251).unwrap() ^ number);
                let message = Bytes::from(noise.collect::<Vec<_>>());
                let pieces = [message.slice(..size / 3), message.slice(size / 3..)];
                let echo = client.unary(&METHOD, &pieces, Encoding::Identity).await.unwrap();
                assert!(echo == message.slice(..size / 2), "{number}");
            }
        });
        futures_util::future::join_all(calls).await;
    }
}

#[tokio::test]
async fn a_head_larger_than_the_limit_is_refused_for_good() {
    let server = server(|call| {
        let mut response = Response::builder();
        for number in 0..100 {
            response = response.header(format!("x-{number}"), "y".repeat(1000));
        }
        call.answer_raw(response, Bytes::new());
    })
    .await;
    let client = client(&settings(&server));
    let message = [Bytes::from_static(b"hello")];
    let policy = Policy::default();
    let outcome = client.unary_with_retry(&METHOD, &message, Encoding::Identity, &policy).await;
    let status = outcome.result.unwrap_err();
    assert_eq!((status.code, outcome.attempts), (Code::Internal, 1), "{status:?}");
}

#[tokio::test]
async fn a_status_in_trailers_is_the_result_even_behind_a_message() {
    let server = server(|call| {
        let status = Status::new(Code::InvalidArgument, "100 % wrong\nat byte 7");
        call.answer(b"ignored", &status);
    })
    .await;
    let status = call(&client(&settings(&server))).await.unwrap_err();
    assert_eq!(status.code, Code::InvalidArgument);
    assert_eq!(status.message, "100 % wrong\nat byte 7");
}

#[tokio::test]
async fn a_status_in_headers_alone_is_the_result_with_its_wait() {
    let server = server(|call| {
        let mut response = Response::builder().header("content-type", "application/grpc");
        let status = Status::new(Code::ResourceExhausted, "busy");
        let status = status.with_retry_after(Duration::from_millis(1500));
        status.write_to(response.headers_mut().unwrap());
        call.answer_raw(response, Bytes::new());
    })
    .await;
    let status = call(&client(&settings(&server))).await.unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (Code::ResourceExhausted, "busy"));
    assert_eq!(status.retry_after, Some(Duration::from_millis(1500)));
}

#[tokio::test]
async fn an_http_status_without_a_grpc_one_is_translated() {
    for (http, code) in [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (429, Code::Unavailable),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
        (500, Code::Unknown),
        (302, Code::Unknown),
        (200, Code::Unknown),
    ] {
        let server = server(move |call| {
            call.answer_raw(Response::builder().status(http), Bytes::from_static(b"<html>"));
        })
        .await;
        let status = call(&client(&settings(&server))).await.unwrap_err();
        assert_eq!(status.code, code, "{http}");
    }
}

#[tokio::test]
async fn an_ok_without_a_whole_message_is_internal() {
    for body in
        [&b""[..], b"\0\0", b"\0\0\0\0\x09abc", b"\x07\0\0\0\0", b"\0\0\0\0\0x", b"\x01\0\0\0\0"]
    {
        let server = server(move |mut call| {
            let response = Response::new(());
            let mut stream = call.respond.send_response(response, false).unwrap();
            stream.send_data(Bytes::from_static(body), false).unwrap();
            let mut trailers = HeaderMap::new();
            Status::ok().write_to(&mut trailers);
            stream.send_trailers(trailers).unwrap();
        })
        .await;
        let status = call(&client(&settings(&server))).await.unwrap_err();
        assert_eq!(status.code, Code::Internal, "{body:?}");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_inflated_up_to_the_limit() {
    let server = server(|mut call| {
        let size = if call.message == "hello" { 5 << 20 } else { 1 << 20 };
        let body = compress(Encoding::Gzip, &vec![0; size]).unwrap();
        let response = Response::builder().header("grpc-encoding", "gzip").body(()).unwrap();
        let mut stream = call.respond.send_response(response, false).unwrap();
        stream.send_data(frame::frame(&body, true).unwrap(), false).unwrap();
        let mut trailers = HeaderMap::new();
        Status::ok().write_to(&mut trailers);
        stream.send_trailers(trailers).unwrap();
    })
    .await;
    let client = client(&settings(&server));
    let answer = client.unary(&METHOD, &[Bytes::from_static(b"x")], Encoding::Identity).await;
    assert_eq!(answer.unwrap().len(), 1 << 20);
    let status = call(&client).await.unwrap_err();
    assert_eq!((status.code, status.retry_after), (Code::Internal, None));
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_the_limit() {
    // Never ended: the client must give up by itself.
    let open = std::sync::Mutex::new(Vec::new());
    let server = server(move |mut call| {
        let mut stream = call.respond.send_response(Response::new(()), false).unwrap();
        let piece = Bytes::from(vec![0; 1 << 20]);
        for _ in 0..100 {
            stream.send_data(piece.clone(), false).unwrap();
        }
        open.lock().unwrap().push(stream);
    })
    .await;
    let status = call(&client(&settings(&server))).await.unwrap_err();
    assert_eq!((status.code, status.retry_after), (Code::Internal, None));
}

#[tokio::test]
async fn what_does_not_speak_http2_is_unavailable() {
    let http1 = Server::raw(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        read_to_end(&mut stream).await;
    })
    .await;
    let closing = Server::raw(|_, _| async {}).await;
    for server in [http1, closing] {
        let status = call(&client(&settings(&server))).await.unwrap_err();
        assert_eq!(status.code, Code::Unavailable, "{status:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_unavailable_for_all_who_wait_and_found_again() {
    let held = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = held.local_addr().unwrap();
    drop(held);
    let settings =
        GrpcSettings { endpoint: format!("http://{address}"), ..GrpcSettings::default() };
    let client = client(&settings);
    let calls = futures_util::future::join_all((0..50).map(|_| call(&client)));
    let calls = tokio::time::timeout(Duration::from_secs(5), calls).await.unwrap();
    assert!(calls.iter().all(|call| call.as_ref().unwrap_err().code == Code::Unavailable));

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let tasks = bessemer_runtime::Tasks::new();
    tasks.spawn(async move {
        let stream = listener.accept().await.unwrap().0;
        let answer = Arc::new(|call: Call| call.answer(b"", &Status::ok()));
        serve(stream, h2::server::Builder::new(), answer).await;
    });
    call(&client).await.unwrap();
}

#[tokio::test]
async fn wait_for_ready_waits_until_the_server_is_there() {
    let held = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = held.local_addr().unwrap();
    drop(held);
    let settings = GrpcSettings {
        endpoint: format!("http://{address}"),
        wait_for_ready: true,
        timeout: millis(10_000),
        ..GrpcSettings::default()
    };
    let client = client(&settings);
    let tasks = bessemer_runtime::Tasks::new();
    tasks.spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let stream = listener.accept().await.unwrap().0;
        let answer = Arc::new(|call: Call| call.answer(b"", &Status::ok()));
        serve(stream, h2::server::Builder::new(), answer).await;
    });
    call(&client).await.unwrap();
}

/// A server that takes one call per connection and then says GOAWAY.
async fn one_call_a_connection() -> Server {
    Server::raw(|_, stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut tasks = Vec::new();
        while let Some(Ok((request, respond))) = connection.accept().await {
            connection.graceful_shutdown();
            let (head, body) = Request::into_parts(request);
            tasks.push(async move {
                let message = read(body).await.unwrap();
                Call { head, message, respond }.answer(b"", &Status::ok());
            });
            let done = futures_util::future::join_all(tasks.drain(..));
            tokio::select! {
                _ = done => {}
                _ = std::future::poll_fn(|context| connection.poll_closed(context)) => {}
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_goaway_costs_no_call() {
    let server = one_call_a_connection().await;
    let client = client(&settings(&server));
    for _ in 0..20 {
        call(&client).await.unwrap();
    }
    assert!(server.connections() > 10, "{}", server.connections());
}

#[tokio::test]
async fn a_call_the_server_did_not_look_at_moves_on_at_once() {
    let server = Server::raw(|number, stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            if number == 1 {
                respond.send_reset(Reason::REFUSED_STREAM);
                connection.graceful_shutdown();
                continue;
            }
            let (head, body) = request.into_parts();
            let call = async move {
                let message = read(body).await.unwrap();
                Call { head, message, respond }.answer(b"", &Status::ok());
            };
            tokio::select! {
                () = call => {}
                _ = std::future::poll_fn(|context| connection.poll_closed(context)) => {}
            }
        }
    })
    .await;
    call(&client(&settings(&server))).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn resets_are_final_only_when_they_speak_of_the_request() {
    for (reason, code) in [
        (Reason::REFUSED_STREAM, Code::Unavailable),
        (Reason::INTERNAL_ERROR, Code::Unavailable),
        (Reason::ENHANCE_YOUR_CALM, Code::Unavailable),
        (Reason::CANCEL, Code::Cancelled),
        (Reason::PROTOCOL_ERROR, Code::Internal),
    ] {
        let server = server(move |mut call| call.respond.send_reset(reason)).await;
        let status = call(&client(&settings(&server))).await.unwrap_err();
        assert_eq!(status.code, code, "{status:?}");
    }
}

#[tokio::test]
async fn a_connection_lost_mid_call_is_unavailable_and_replaced() {
    let server = Server::raw(|number, stream| async move {
        if number == 1 {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            drop(connection.accept().await);
            return;
        }
        let answer = Arc::new(|call: Call| call.answer(b"", &Status::ok()));
        serve(stream, h2::server::Builder::new(), answer).await;
    })
    .await;
    let client = client(&settings(&server));
    assert_eq!(call(&client).await.unwrap_err().code, Code::Unavailable);
    call(&client).await.unwrap();
    assert_eq!(server.connections(), 2);
}

/// Scenario: the peer allows two streams. Promise: no more are open on one connection, further
/// connections take calls up to their own limit, and all calls are answered.
#[tokio::test]
async fn the_peers_stream_limit_is_kept_and_more_connections_help() {
    let most = Arc::new(AtomicUsize::new(0));
    let peak = Arc::clone(&most);
    let server = Server::raw(move |_, stream| {
        let (peak, open) = (Arc::clone(&peak), Arc::new(AtomicUsize::new(0)));
        async move {
            let mut builder = h2::server::Builder::new();
            builder.max_concurrent_streams(2);
            let answer = Arc::new(move |call: Call| {
                peak.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                call.answer(b"", &Status::ok());
                open.fetch_sub(1, Ordering::SeqCst);
            });
            serve(stream, builder, answer).await;
        }
    })
    .await;
    let client = client(&settings(&server));
    call(&client).await.unwrap();
    let calls = futures_util::future::join_all((0..60).map(|_| call(&client)));
    assert!(calls.await.iter().all(Result::is_ok));
    assert!(most.load(Ordering::SeqCst) <= 2);
    assert!((2..=4).contains(&server.connections()), "{}", server.connections());
}

/// Answers nothing after the settings: no call, no ping.
async fn mute() -> Server {
    Server::raw(|_, mut stream| async move {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        stream.write_all(&settings).await.unwrap();
        read_to_end(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn a_call_without_an_answer_ends_with_its_time_and_retires_the_silent_connection() {
    let server = mute().await;
    let settings = GrpcSettings { timeout: millis(150), ..settings(&server) };
    let client = client(&settings);
    // The settings of the server are a sign of life during the first call only.
    for connections in [1, 1, 2] {
        let status = call(&client).await.unwrap_err();
        assert_eq!(status.code, Code::DeadlineExceeded);
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn an_unanswered_ping_ends_the_calls_before_their_time() {
    let server = mute().await;
    let mut settings = settings(&server);
    settings.timeout = millis(60_000);
    settings.keepalive.time = millis(50);
    settings.keepalive.timeout = millis(50);
    let client = client(&settings);
    let status = tokio::time::timeout(Duration::from_secs(10), call(&client)).await.unwrap();
    assert_eq!(status.unwrap_err().code, Code::Unavailable);
}

#[tokio::test]
async fn an_answered_ping_leaves_a_slow_call_alone() {
    let server = Server::raw(|_, stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        let (head, body) = request.into_parts();
        let call = async move {
            let message = read(body).await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            Call { head, message, respond }.answer(b"", &Status::ok());
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = call => {}
            _ = std::future::poll_fn(|context| connection.poll_closed(context)) => {}
        }
    })
    .await;
    let mut settings = settings(&server);
    settings.keepalive.time = millis(20);
    settings.keepalive.timeout = millis(2000);
    call(&client(&settings)).await.unwrap();
}

#[tokio::test]
async fn a_busy_server_is_tried_again_after_the_wait_it_asks_for() {
    let turn = AtomicUsize::new(0);
    let server = server(move |call| {
        let busy =
            Status::new(Code::ResourceExhausted, "").with_retry_after(Duration::from_secs(2));
        let status = if turn.fetch_add(1, Ordering::SeqCst) == 0 { busy } else { Status::ok() };
        call.answer(b"", &status);
    })
    .await;
    let clock = NotedClock::new(0);
    let client = GrpcClient::new(&settings(&server), clock.clone(), random()).unwrap();
    let policy = Policy { jitter: Jitter::None, ..Policy::default() };
    let message = [Bytes::from_static(b"hello")];
    let outcome = client.unary_with_retry(&METHOD, &message, Encoding::Identity, &policy).await;
    outcome.result.unwrap();
    assert_eq!((outcome.attempts, clock.slept()), (2, vec![Duration::from_millis(2200)]));
}

#[tokio::test]
async fn a_message_too_large_for_the_server_is_not_tried_again() {
    let server =
        server(|call| call.answer(b"", &Status::new(Code::ResourceExhausted, "64 MiB"))).await;
    let client = client(&settings(&server));
    let message = [Bytes::from_static(b"hello")];
    let policy = Policy::default();
    let outcome = client.unary_with_retry(&METHOD, &message, Encoding::Identity, &policy).await;
    assert_eq!((outcome.result.unwrap_err().code, outcome.attempts), (Code::ResourceExhausted, 1));
}

#[tokio::test]
async fn a_closed_client_cancels_calls() {
    let server = server(|call| call.answer(b"", &Status::ok())).await;
    let client = client(&settings(&server));
    call(&client).await.unwrap();
    client.close();
    assert_eq!(call(&client).await.unwrap_err().code, Code::Cancelled);
}

#[tokio::test]
async fn a_dropped_client_closes_its_connections() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let server = Server::raw(move |_, stream| {
        let count = Arc::clone(&count);
        async move {
            let answer = Arc::new(|call: Call| call.answer(b"", &Status::ok()));
            serve(stream, h2::server::Builder::new(), answer).await;
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let client = client(&settings(&server));
    call(&client).await.unwrap();
    drop(client);
    eventually(|| ended.load(Ordering::SeqCst) == 1).await;
}
