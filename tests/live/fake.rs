//! A fake destination for OTLP in protobuf, over gRPC and HTTP on one port: takes everything, keeps
//! the records.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bessemer_net::body::{self, Body, BodyLimits};
use bessemer_net::grpc;
use bessemer_net::listen::{Handler, Peer, Reply, Settings, bind};
use bessemer_runtime::{BoxFuture, Budget, Tasks};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Response, StatusCode};

use crate::records::{Records, Signal};

/// A destination. Dropping it ends its port.
pub struct Fake {
    pub address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    tasks: Tasks,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Default)]
struct Kept {
    records: Records,
    problems: Vec<String>,
    /// The last value of the header.
    authorization: Option<String>,
}

impl Fake {
    pub fn start() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let (kept, tasks) = (Arc::default(), Tasks::new());
        let guard = runtime.enter();
        let bound = bind("fake", &Settings::at("127.0.0.1:0")).unwrap();
        let address = bound.local_addr();
        bound.serve(Arc::new(Taking(Arc::clone(&kept))), &tasks);
        drop(guard);
        Self { address, kept, tasks, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many records came.
    pub fn count(&self) -> usize {
        let kept = self.kept.lock().unwrap();
        assert!(kept.problems.is_empty(), "unreadable: {:#?}", kept.problems);
        kept.records.count()
    }

    /// What the last sender showed to prove who it is.
    pub fn authorization(&self) -> Option<String> {
        self.kept.lock().unwrap().authorization.clone()
    }

    /// The records that came.
    pub fn take(&self) -> Records {
        let mut kept = self.kept.lock().unwrap();
        assert!(kept.problems.is_empty(), "unreadable: {:#?}", kept.problems);
        std::mem::take(&mut kept.records)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Taking(Arc<Mutex<Kept>>);

impl Taking {
    fn keep(&self, records: Result<Records, String>, headers: &HeaderMap) {
        let mut kept = self.0.lock().unwrap();
        let shown = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        kept.authorization = shown;
        match records {
            Ok(records) => kept.records.extend([records]),
            Err(problem) => kept.problems.push(problem),
        }
    }
}

impl Handler for Taking {
    fn handle<'a>(
        &'a self,
        request: http::Request<Body>,
        _: &'a Peer,
    ) -> BoxFuture<'a, Response<Reply>> {
        Box::pin(async move {
            let is_grpc = grpc::is_grpc(&request);
            let (parts, body) = request.into_parts();
            let (limits, budget) = (BodyLimits::of_bytes(256 << 20), Budget::new(1 << 30));
            let received = if is_grpc {
                grpc::read_unary(&parts.headers, body, &limits, &budget).await
            } else {
                body::read(&parts.headers, body, &limits, &budget).await
            };
            let records = received.map_err(|error| error.to_string()).and_then(|received| {
                let path = parts.uri.path();
                let signal = Signal::of_path(path).ok_or_else(|| format!("path {path:?}"))?;
                Records::read(signal, &received.inflated)
            });
            self.keep(records, &parts.headers);
            if is_grpc {
                grpc::reply_ok(&[])
            } else {
                Reply::of(StatusCode::OK, "application/x-protobuf", "")
            }
        })
    }
}
