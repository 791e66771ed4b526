//! A listener that echoes, for h2spec and for measuring the listening half alone.
//!
//! `echo [ENDPOINT]` serves plain HTTP/1.1 and HTTP/2 on one port, 127.0.0.1:8080 by default. What
//! is posted to `/` comes back; what is posted anywhere else is read and answered with no bytes; a
//! gRPC call to any method is answered with an empty message. Ctrl-C and TERM drain.

use std::sync::Arc;
use std::time::Duration;

use bessemer_net::body::{self, Body};
use bessemer_net::grpc;
use bessemer_net::listen::{Handler, Peer, Reply, Settings, bind};
use bessemer_runtime::{BoxFuture, Budget, Tasks};
use http::{Request, Response, StatusCode};
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BODY_BYTES_MAX: usize = 64 << 20;
const RETRY_AFTER: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(10);

struct Echo {
    limits: body::BodyLimits,
    budget: Budget,
}

impl Handler for Echo {
    fn handle<'a>(
        &'a self,
        request: Request<Body>,
        _peer: &'a Peer,
    ) -> BoxFuture<'a, Response<Reply>> {
        Box::pin(self.answer(request))
    }
}

impl Echo {
    async fn answer(&self, request: Request<Body>) -> Response<Reply> {
        let is_call = grpc::is_grpc(&request);
        let (head, body) = request.into_parts();
        if is_call {
            return match grpc::read_unary(&head.headers, body, &self.limits, &self.budget).await {
                Ok(_received) => grpc::reply_ok(&[]),
                Err(error) => grpc::reply_body_error(&error, RETRY_AFTER),
            };
        }
        match body::read(&head.headers, body, &self.limits, &self.budget).await {
            Ok(received) if head.uri.path() == "/" => {
                let bytes = received.inflated;
                let bytes = if bytes.is_empty() { "bessemer\n".into() } else { bytes };
                Reply::of(StatusCode::OK, "application/octet-stream", bytes)
            }
            Ok(_received) => Reply::status(StatusCode::OK),
            Err(error) => Reply::of(error.http_status(), "text/plain", error.to_string()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let tasks = Tasks::new();
    let limits = body::BodyLimits::of_bytes(BODY_BYTES_MAX);
    let echo = Echo { limits, budget: Budget::new(1 << 30) };
    bind("echo", &Settings::at(endpoint))?.serve(Arc::new(echo), &tasks);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tasks.cancel();
    tasks.finished_within(GRACE).await;
    Ok(())
}
