//! One gRPC connection of the load, with a fixed number of calls on it at any time.

use anyhow::Context;
use bessemer_runtime::Clock;
use bytes::Bytes;
use futures_util::future::join_all;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use tokio::task::JoinSet;

use super::{Answer, PAUSE, Plan, Tally};
use crate::grpc;

const SEND_BUFFER_BYTES: usize = 4 << 20;

/// Keeps one connection busy until the run is over.
pub(super) fn connection(plan: &Plan) -> Tally {
    let mut tally = Tally::default();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tally.note_broken(error.to_string());
            return tally;
        }
    };
    while !plan.is_over() {
        if let Err(error) = runtime.block_on(one_connection(plan, &mut tally)) {
            if !plan.gives_up() {
                tally.note_broken(format!("{error:#}"));
            }
            std::thread::sleep(plan.cut(PAUSE));
        }
    }
    tally
}

async fn one_connection(plan: &Plan, tally: &mut Tally) -> anyhow::Result<()> {
    let stream = tokio::net::TcpStream::connect(plan.to).await.context("connect")?;
    stream.set_nodelay(true).context("no delay")?;
    let mut builder = h2::client::Builder::new();
    builder.max_send_buffer_size(SEND_BUFFER_BYTES);
    let (sender, connection) = builder.handshake::<_, Bytes>(stream).await.context("handshake")?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let calls = (0..plan.streams).map(|_| calls(plan, sender.clone()));
    let mut first_failure = Ok(());
    for (counted, outcome) in join_all(calls).await {
        tally.merge(counted);
        first_failure = first_failure.and(outcome);
    }
    driver.abort_all();
    first_failure
}

async fn calls(plan: &Plan, sender: SendRequest<Bytes>) -> (Tally, anyhow::Result<()>) {
    let mut tally = Tally::default();
    while let Some(message) = plan.next() {
        let started = plan.clock.monotonic();
        let left = plan.gives_up_at.saturating_sub(started);
        let called = tokio::time::timeout(left, call(plan, sender.clone(), message.clone())).await;
        let latency = plan.clock.monotonic().saturating_sub(started);
        match called {
            Ok(Ok(answer)) => {
                if let Some(pause) = tally.note(answer, latency) {
                    tokio::time::sleep(plan.cut(pause)).await;
                }
            }
            Ok(Err(error)) => {
                tally.unanswered += 1;
                return (tally, Err(error));
            }
            Err(_) => tally.unanswered += 1,
        }
    }
    (tally, Ok(()))
}

async fn call(plan: &Plan, sender: SendRequest<Bytes>, message: Bytes) -> anyhow::Result<Answer> {
    let mut sender = sender.ready().await.context("connection")?;
    let mut request = Request::post(format!("http://{}{}", plan.to, grpc::LOGS_PATH))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if plan.is_gzip {
        request = request.header("grpc-encoding", "gzip");
    }
    let request = request.body(()).context("request")?;
    let (response, mut body) = sender.send_request(request, false).context("send")?;
    body.send_data(message, true).context("send")?;
    let (head, mut stream) = response.await.context("answer")?.into_parts();
    if grpc::status(&head.headers).is_some() {
        return Ok(answer(&head.headers));
    }
    while let Some(chunk) = stream.data().await {
        let length = chunk.context("answer")?.len();
        stream.flow_control().release_capacity(length).context("window")?;
    }
    let trailers = stream.trailers().await.context("trailers")?;
    Ok(answer(&trailers.unwrap_or_default()))
}

fn answer(headers: &HeaderMap) -> Answer {
    match grpc::status(headers) {
        Some(0) => Answer::Acked,
        Some(grpc::RESOURCE_EXHAUSTED | grpc::UNAVAILABLE) => {
            Answer::Throttled { after: grpc::retry_after(headers) }
        }
        Some(status) => {
            let said = headers.get("grpc-message").and_then(|text| text.to_str().ok());
            Answer::Failed(format!("grpc status {status}: {}", said.unwrap_or_default()))
        }
        None => Answer::Failed("no grpc status".to_owned()),
    }
}
