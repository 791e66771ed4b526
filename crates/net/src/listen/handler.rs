//! What answers requests, and what it is told of who asks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bessemer_runtime::BoxFuture;
use bytes::Bytes;
use http::{Request, Response};
use tower::ServiceExt as _;

use super::Reply;
use crate::body::Body;
use crate::tls::Identity;

/// Who sent a request, and where it came in.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The other end of the connection.
    pub address: SocketAddr,
    /// The name that the listener was bound with.
    pub listener: Arc<str>,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// The verified client certificate's names, when the listener asks for one.
    pub identity: Option<Arc<Identity>>,
}

/// Answers requests. A handler never fails: every failure has an answer.
pub trait Handler: Send + Sync + 'static {
    /// The answer to one request. Dropped when the client gives up.
    fn handle<'a>(
        &'a self,
        request: Request<Body>,
        peer: &'a Peer,
    ) -> BoxFuture<'a, Response<Reply>>;
}

/// Serves a tower service, such as an axum router; the [`Peer`] is among the request's extensions.
#[derive(Debug, Clone)]
pub struct Service<S>(pub S);

impl<S, B> Handler for Service<S>
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn handle<'a>(
        &'a self,
        mut request: Request<Body>,
        peer: &'a Peer,
    ) -> BoxFuture<'a, Response<Reply>> {
        request.extensions_mut().insert(peer.clone());
        let answer = self.0.clone().oneshot(request);
        Box::pin(async move {
            match answer.await {
                Ok(response) => response.map(Reply::streaming),
                Err(never) => match never {},
            }
        })
    }
}
