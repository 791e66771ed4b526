//! Cancellation: the port closes at once, what was begun is finished.

use std::sync::Arc;
use std::time::Duration;

use bessemer_runtime::Span;
use http::StatusCode;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::support::*;

#[tokio::test]
async fn requests_in_flight_are_answered_and_new_connections_refused() {
    let mirror = Mirror::new(1000);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let mut first = http1(connect(server.address).await).await;
    let mut second = http2(connect(server.address).await).await;
    let mut idle = connect(server.address).await;
    let first = first.send_request(post("/hold", "one"));
    let second = second.send_request(post("/hold", "two"));
    let draining = async {
        until("both requests", || mirror.seen() == 2).await;
        server.tasks.cancel();
        assert_eq!(read_to_close(&mut idle).await, "");
        let refused = async {
            while TcpStream::connect(server.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        within("the closed port", refused).await;
        mirror.release.add_permits(2);
    };
    let (first, second, ()) = tokio::join!(first, second, draining);
    let first = first.unwrap();
    assert_eq!(first.headers()["connection"], "close");
    assert_eq!(text(first).await, (StatusCode::OK, "one".into()));
    assert_eq!(text(second.unwrap()).await, (StatusCode::OK, "two".into()));
    assert!(server.tasks.finished_within(DEADLINE).await);
    assert_eq!(server.stats.open(), 0);
}

#[tokio::test]
async fn an_http2_client_is_told_goodbye() {
    let server = serve(&local(), Mirror::new(1000));
    let mut stream = raw_http2(server.address).await;
    stream.write_all(&frame(1, 5, 1, &block(&GET))).await.unwrap();
    loop {
        let (kind, id, _) = read_frame(&mut stream).await.unwrap();
        if (kind, id) == (1, 1) {
            break;
        }
    }
    server.tasks.cancel();
    assert_eq!(goaway(&mut stream).await, Some(0));
    assert!(server.tasks.finished_within(DEADLINE).await);
}

/// Scenario: one connection is idle when it is too old, the other has a request in flight.
#[tokio::test]
async fn an_http2_connection_that_is_too_old_is_told_goodbye_and_has_a_grace() {
    let mut settings = local();
    settings.limits.header_timeout = Span(Duration::from_millis(100));
    settings.limits.connection_age_max = Some(Span(Duration::from_millis(200)));
    settings.limits.connection_age_grace = Some(Span(Duration::from_millis(300)));
    let server = serve(&settings, Mirror::new(1000));
    let mut idle = raw_http2(server.address).await;
    let mut busy = http2(connect(server.address).await).await;
    let held = busy.send_request(post("/hold", "one"));
    assert_eq!(goaway(&mut idle).await, Some(0));
    assert!(within("the end of the grace", held).await.is_err());
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_the_caller_beyond_its_grace() {
    let mirror = Mirror::new(1000);
    let server = serve(&local(), Arc::clone(&mirror) as _);
    let mut client = http1(connect(server.address).await).await;
    let request = client.send_request(post("/hold", ""));
    let draining = async {
        until("the request", || mirror.seen() == 1).await;
        server.tasks.cancel();
        assert!(!server.tasks.finished_within(Duration::from_millis(50)).await);
    };
    tokio::select! {
        _ = request => panic!("nothing released it"),
        () = draining => {}
    }
}
