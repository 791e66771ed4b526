//! Between hyper and the handler: counts the request in, and its answer out.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bessemer_runtime::BoxFuture;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::Activity;
use super::handler::{Handler, Peer};
use super::reply::Reply;
use crate::body::Body;

/// The service of one connection.
pub(super) struct Serve {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) peer: Arc<Peer>,
    pub(super) activity: Arc<Activity>,
}

/// A request in the handler; counted out on drop, also when the client gives up.
struct Handling(Arc<Activity>);

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.handling.fetch_sub(1, Relaxed);
    }
}

impl hyper::service::Service<Request<Incoming>> for Serve {
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Tracked>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.on_request();
        let handling = Handling(Arc::clone(&self.activity));
        let (handler, peer) = (Arc::clone(&self.handler), Arc::clone(&self.peer));
        Box::pin(async move {
            let response = handler.handle(request.map(Body::from), &peer).await;
            // Counted in before it is counted out, so that a tick never sees neither.
            let response = response.map(|reply| Tracked::new(reply, Arc::clone(&handling.0)));
            drop(handling);
            Ok(response)
        })
    }
}

/// An answer that is counted until the protocol has taken all of it.
pub(super) struct Tracked {
    reply: Reply,
    activity: Arc<Activity>,
    waiting: bool,
}

impl Tracked {
    fn new(reply: Reply, activity: Arc<Activity>) -> Self {
        activity.replying.fetch_add(1, Relaxed);
        Self { reply, activity, waiting: false }
    }

    fn set_waiting(&mut self, waiting: bool) {
        match (self.waiting, waiting) {
            (false, true) => drop(self.activity.waiting.fetch_add(1, Relaxed)),
            (true, false) => drop(self.activity.waiting.fetch_sub(1, Relaxed)),
            (true, true) | (false, false) => {}
        }
        self.waiting = waiting;
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.set_waiting(false);
        self.activity.replying.fetch_sub(1, Relaxed);
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.reply).poll_frame(context);
        self.set_waiting(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}
