//! HTTP/1.1, HTTP/2 and gRPC on one port.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bessemer_net::body::{Body, Encoding, compress};
use bessemer_net::grpc::{Status, frame};
use bessemer_net::listen::{Peer, Service};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};

use super::support::*;

#[tokio::test]
async fn one_plain_port_speaks_http1_and_http2() {
    let mirror = Mirror::new(1 << 20);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let mut first = http1(connect(server.address).await).await;
    let mut second = http2(connect(server.address).await).await;
    for size in [0, 1, 20_000, 1 << 20] {
        let body = Bytes::from(vec![b'x'; size]);
        let answer = within("http1", first.send_request(post("/", body.clone()))).await.unwrap();
        assert_eq!(text(answer).await, (StatusCode::OK, body.clone()));
        let answer = within("http2", second.send_request(post("/", body.clone()))).await.unwrap();
        assert_eq!(text(answer).await, (StatusCode::OK, body));
    }
    assert_eq!(mirror.seen(), 8);
    assert_eq!(server.stats.accepted(), 2);
    assert_eq!(mirror.budget.used(), 0);
    let peer = mirror.peers.lock().unwrap()[0].clone();
    assert_eq!((&*peer.listener, peer.encrypted), ("test", false));
}

#[tokio::test]
async fn a_connection_serves_many_requests_one_after_the_other() {
    let mirror = Mirror::new(1000);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let mut client = http1(connect(server.address).await).await;
    for _ in 0..100 {
        let answer = within("http1", client.send_request(post("/", "x"))).await.unwrap();
        assert_eq!(text(answer).await.0, StatusCode::OK);
    }
    assert_eq!((server.stats.accepted(), mirror.seen()), (1, 100));
}

async fn call(
    server: &Server,
    encoding: Option<Encoding>,
    message: &[u8],
) -> (HeaderMap, Bytes, Option<Status>) {
    let packed = compress(encoding.unwrap_or_default(), message).unwrap();
    let mut request = post("/a.Service/Method", frame::frame(&packed, encoding.is_some()).unwrap());
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    if let Some(encoding) = encoding {
        headers.insert("grpc-encoding", HeaderValue::from_static(encoding.as_str()));
    }
    let mut client = http2(connect(server.address).await).await;
    let answer = within("the call", client.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let (head, body) = answer.into_parts();
    let body = within("the answer", body.collect()).await.unwrap();
    let trailers = body.trailers().cloned();
    let status = Status::from_headers(trailers.as_ref().unwrap_or(&head.headers));
    (head.headers, body.to_bytes(), status)
}

#[tokio::test]
async fn a_unary_call_comes_back_in_every_encoding() {
    let server = serve(&local(), Mirror::new(1 << 20));
    let message = vec![b'm'; 311_000];
    for encoding in [None, Some(Encoding::Gzip), Some(Encoding::Zstd)] {
        let (headers, body, status) = call(&server, encoding, &message).await;
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(status, Some(Status::ok()));
        assert_eq!(frame::unary(body).unwrap().1, message, "{encoding:?}");
    }
}

#[tokio::test]
async fn a_message_one_byte_too_large_is_resource_exhausted_without_retry_info() {
    let server = serve(&local(), Mirror::new(1000));
    for encoding in [None, Some(Encoding::Gzip)] {
        let (_, _, status) = call(&server, encoding, &[7; 1000]).await;
        assert_eq!(status, Some(Status::ok()));
        let (_, body, status) = call(&server, encoding, &[7; 1001]).await;
        let status = status.unwrap();
        assert_eq!(status.code.as_str(), "RESOURCE_EXHAUSTED");
        assert_eq!((status.retry_after, status.details.len(), body.len()), (None, 0, 0));
    }
}

#[tokio::test]
async fn an_exhausted_budget_is_resource_exhausted_with_retry_info() {
    let mirror = Mirror::new(1 << 20);
    let _held = mirror.budget.try_take(mirror.budget.limit() - 10).unwrap();
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let status = call(&server, None, &[7; 1000]).await.2.unwrap();
    assert_eq!(status.code.as_str(), "RESOURCE_EXHAUSTED");
    assert_eq!(status.retry_after, Some(std::time::Duration::from_secs(2)));
    let mut client = http1(connect(server.address).await).await;
    let answer = within("http1", client.send_request(post("/", vec![0; 1000]))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_tower_service_is_told_its_peer() {
    let service = tower::service_fn(|request: Request<Body>| async move {
        let peer = request.extensions().get::<Peer>().unwrap().clone();
        let body = Full::new(Bytes::from(peer.address.ip().to_string()));
        Ok::<_, Infallible>(Response::new(body))
    });
    let server = serve(&local(), Arc::new(Service(service)));
    let mut client = http1(connect(server.address).await).await;
    let answer = within("http1", client.send_request(post("/", ""))).await.unwrap();
    assert_eq!(text(answer).await.1, "127.0.0.1");
}

#[tokio::test]
async fn many_clients_at_once_are_all_answered() {
    let mirror = Mirror::new(1 << 20);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let clients = (0..50_u8).map(|number| {
        let address = server.address;
        async move {
            let mut client = http2(connect(address).await).await;
            for _ in 0..5 {
                let body = vec![number; 30_000];
                let answer = within("http2", client.send_request(post("/", body.clone()))).await;
                assert_eq!(text(answer.unwrap()).await.1, body);
            }
        }
    });
    futures_util::future::join_all(clients).await;
    assert_eq!(mirror.seen.load(Ordering::SeqCst), 250);
    assert_eq!(mirror.budget.used(), 0);
}
