//! Trying again over real sockets, with a clock that only notes how long it would wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bessemer_net::body::encoding::Encoding;
use bessemer_net::dial::{Client, DialError, GrpcClient, GrpcSettings};
use bessemer_net::grpc::Code;
use bessemer_net::retry::{Jitter, Policy};
use bytes::Bytes;
use http::Response;

use crate::support::{NotedClock, Server, answer_once, clock, eventually, post, random};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// 1994-11-06 08:49:37 GMT
const NOW: u64 = 784_111_777_000_000_000;

fn exact() -> Policy {
    Policy { jitter: Jitter::None, ..Policy::default() }
}

fn noted(server: &Server) -> (Client, Arc<NotedClock>) {
    let clock = NotedClock::new(NOW);
    (Client::new(&server.settings(), clock.clone(), random()).unwrap(), clock)
}

/// Answers with each status in turn and with 200 after the last.
async fn answering(statuses: &'static [u16], retry_after: Option<&'static str>) -> Server {
    let turn = AtomicUsize::new(0);
    Server::http(move |_| {
        let status = statuses.get(turn.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(200);
        let mut response = Response::builder().status(status);
        if let Some(value) = retry_after {
            response = response.header("retry-after", value);
        }
        response.body(Bytes::new()).unwrap()
    })
    .await
}

#[tokio::test]
async fn busy_answers_are_tried_again_with_growing_waits() {
    for status in [&[429, 429][..], &[502, 503], &[504, 429]] {
        let server = answering(status, None).await;
        let (client, clock) = noted(&server);
        let outcome = client.send_with_retry(&post(b"x"), &exact()).await;
        assert!(outcome.result.unwrap().is_success());
        assert_eq!((outcome.attempts, outcome.retry_after), (3, None));
        assert_eq!(clock.slept(), [200, 400].map(Duration::from_millis));
    }
}

#[tokio::test]
async fn refusals_are_not_tried_again() {
    for status in [&[400][..], &[401], &[403], &[404], &[408], &[413], &[500], &[501], &[307]] {
        let server = answering(status, Some("1")).await;
        let (client, clock) = noted(&server);
        let outcome = client.send_with_retry(&post(b"x"), &exact()).await;
        assert_eq!(outcome.result.unwrap().status.as_u16(), status[0]);
        assert_eq!((outcome.attempts, clock.slept().len()), (1, 0), "{status:?}");
    }
}

#[tokio::test]
async fn the_last_answer_and_its_wait_are_handed_on() {
    let server = answering(&[503; 10], Some("7")).await;
    let (client, clock) = noted(&server);
    let outcome = client.send_with_retry(&post(b"x"), &exact()).await;
    assert_eq!(outcome.result.unwrap().status.as_u16(), 503);
    assert_eq!((outcome.attempts, outcome.retry_after), (3, Some(Duration::from_secs(7))));
    assert_eq!(clock.slept(), [7200, 7400].map(Duration::from_millis));
    assert_eq!(outcome.elapsed, Duration::from_millis(14_600));
}

#[tokio::test]
async fn a_date_in_retry_after_is_waited_for() {
    let server = answering(&[429], Some("Sun, 06 Nov 1994 08:49:47 GMT")).await;
    let (client, clock) = noted(&server);
    assert!(client.send_with_retry(&post(b"x"), &exact()).await.result.unwrap().is_success());
    assert_eq!(clock.slept(), [Duration::from_millis(10_200)]);
}

#[tokio::test]
async fn an_absurd_wait_is_left_to_the_caller_and_capped() {
    let server = answering(&[503; 10], Some("1000000000")).await;
    let (client, clock) = noted(&server);
    let outcome = client.send_with_retry(&post(b"x"), &exact()).await;
    assert_eq!((outcome.attempts, outcome.retry_after), (1, Some(Duration::from_mins(5))));
    assert!(clock.slept().is_empty());
}

#[tokio::test]
async fn a_connection_lost_mid_request_is_tried_again() {
    let server = Server::raw(|number, mut stream| async move {
        answer_once(&mut stream, if number < 3 { b"" } else { OK }).await;
    })
    .await;
    let (client, clock) = noted(&server);
    let outcome = client.send_with_retry(&post(b"x"), &exact()).await;
    assert!(outcome.result.unwrap().is_success());
    assert_eq!((outcome.attempts, clock.slept().len(), server.connections()), (3, 2, 3));
}

#[tokio::test]
async fn an_answer_too_large_is_not_asked_for_again() {
    let server = Server::http(|_| Response::new(Bytes::from(vec![0; 5 << 20]))).await;
    let (client, _) = noted(&server);
    let outcome = client.send_with_retry(&post(b"x"), &exact()).await;
    assert!(matches!(outcome.result, Err(DialError::TooLarge { .. })));
    assert_eq!(outcome.attempts, 1);
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_after_a_pause() {
    let server = answering(&[], None).await;
    let mut settings = server.settings();
    drop(server);
    settings.endpoint = "http://127.0.0.1:1".into();
    let clock = NotedClock::new(NOW);
    let client = Client::new(&settings, clock.clone(), random()).unwrap();
    let policy = Policy { base: Duration::from_millis(1), ..exact() };
    let outcome = client.send_with_retry(&post(b"x"), &policy).await;
    assert!(matches!(outcome.result, Err(DialError::Connect { .. })));
    assert_eq!(outcome.attempts, 3);
    // Between the waits of the policy lie those of the connector, which last longer.
    let paused = clock.slept().iter().filter(|slept| slept.as_millis() >= 49).count();
    assert_eq!(paused, 2, "{:?}", clock.slept());
}

#[tokio::test]
async fn closing_the_client_ends_a_wait() {
    let server = answering(&[503; 10], Some("30")).await;
    let client = Client::new(&server.settings(), clock(), random()).unwrap();
    let waiting = client.clone();
    let (policy, request) = (exact(), post(b"x"));
    let mut sent = Box::pin(waiting.send_with_retry(&request, &policy));
    let ended = async {
        tokio::select! {
            outcome = &mut sent => outcome,
            () = async {
                eventually(|| server.connections() == 1).await;
                client.close();
                std::future::pending::<()>().await;
            } => unreachable!(),
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
    assert_eq!(outcome.attempts, 1);
}

#[tokio::test]
async fn sending_can_be_moved_between_threads() {
    fn moved<T: Send>(future: T) -> T {
        future
    }
    let server = answering(&[], None).await;
    let (client, _) = noted(&server);
    let (policy, request) = (exact(), post(b"x"));
    let outcome = moved(client.send_with_retry(&request, &policy)).await;
    assert!(outcome.result.unwrap().is_success());
    let settings = GrpcSettings { endpoint: server.url(), ..GrpcSettings::default() };
    let grpc = GrpcClient::new(&settings, clock(), random()).unwrap();
    let encoding = Encoding::Identity;
    let policy = Policy::once();
    let outcome = moved(grpc.unary_with_retry(&request.path, &[], encoding, &policy)).await;
    assert_eq!(outcome.result.unwrap_err().code, Code::Unavailable);
}
