//! A fake OTLP/gRPC destination that answers what a script says and notes what it got.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bessemer_net::body::{Body, BodyLimits};
use bessemer_net::grpc::{Status, read_unary, reply_ok, reply_status};
use bessemer_net::listen::{Handler, Peer, Reply, Settings, bind};
use bessemer_runtime::{BoxFuture, Budget, Tasks};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use crate::client::background_runtime;
use crate::process::wait_until;

const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// A call as it came.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: Instant,
    pub path: String,
    pub headers: HeaderMap,
    /// Inflated.
    pub message: Bytes,
    /// Whether the message travelled compressed.
    pub is_compressed: bool,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What the destination answers: a message, or a status that is none of success.
pub type Reaction = Result<Vec<u8>, Status>;

/// A destination. Dropping it ends its port.
pub struct GrpcFake {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Tasks,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    /// What is left to answer for each value of the metadata `x-case`; afterwards success.
    script: Mutex<HashMap<String, VecDeque<Reaction>>>,
}

impl GrpcFake {
    /// Answers this in turn, then success.
    pub fn scripted(reactions: impl IntoIterator<Item = Reaction>) -> Self {
        Self::by_case([(String::new(), reactions.into_iter().collect())])
    }

    /// A script of its own for each value of the metadata `x-case`.
    pub fn by_case(script: impl IntoIterator<Item = (String, Vec<Reaction>)>) -> Self {
        let runtime = background_runtime();
        let script = script.into_iter().map(|(case, reactions)| (case, reactions.into()));
        let shared = Arc::new(Shared { script: Mutex::new(script.collect()), ..Shared::default() });
        let tasks = Tasks::new();
        let guard = runtime.enter();
        let bound = bind("fake", &Settings::at("127.0.0.1:0")).unwrap();
        let address = bound.local_addr();
        bound.serve(Arc::new(Service(Arc::clone(&shared))), &tasks);
        drop(guard);
        Self { address, shared, tasks, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// The calls that carried this value in `x-case`.
    pub fn calls_of(&self, case: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.header("x-case") == Some(case)).collect()
    }

    /// Waits until this many calls came; all of them.
    pub fn wait_for(&self, count: usize) -> Vec<Call> {
        wait_until(ARRIVES_WITHIN, "delivered", || self.calls().len() >= count);
        self.calls()
    }
}

impl Drop for GrpcFake {
    fn drop(&mut self) {
        self.tasks.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Service(Arc<Shared>);

impl Handler for Service {
    fn handle<'a>(&'a self, request: Request<Body>, _: &'a Peer) -> BoxFuture<'a, Response<Reply>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let limits = BodyLimits::of_bytes(256 << 20);
            let received = read_unary(&parts.headers, body, &limits, &Budget::new(1 << 30)).await;
            let Ok(received) = received else {
                return reply_status(&Status::new(bessemer_net::grpc::Code::Internal, "unread"));
            };
            let call = Call {
                at: Instant::now(),
                path: parts.uri.path().to_owned(),
                headers: parts.headers,
                message: received.inflated,
                is_compressed: received.encoded.is_some(),
            };
            let case = call.header("x-case").unwrap_or_default().to_owned();
            self.0.calls.lock().unwrap().push(call);
            let next = self.0.script.lock().unwrap().get_mut(&case).and_then(VecDeque::pop_front);
            match next {
                None => reply_ok(&[]),
                Some(Ok(message)) => reply_ok(&message),
                Some(Err(status)) => reply_status(&status),
            }
        })
    }
}
