//! Credentials: a proof that a destination refuses is renewed once, and no request goes without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bessemer_net::dial::auth::{Authorize, Proof};
use bessemer_net::dial::{Credentials, DialError};
use bessemer_runtime::BoxFuture;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Response, StatusCode};

use crate::support::{Server, post};

/// Proofs with a number, the first of which may be renewed.
#[derive(Clone)]
pub(crate) struct Numbered {
    asked: Arc<AtomicU32>,
    renews: bool,
}

impl Numbered {
    pub(crate) fn new(renews: bool) -> Self {
        Self { asked: Arc::default(), renews }
    }

    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Authorize for Numbered {
    fn proof(&self) -> BoxFuture<'_, Result<Proof, DialError>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        Box::pin(std::future::ready(Proof::new(AUTHORIZATION, &number.to_string())))
    }

    fn renew(&self, _: &Proof) -> bool {
        self.renews
    }
}

struct Never;

impl Authorize for Never {
    fn proof(&self) -> BoxFuture<'_, Result<Proof, DialError>> {
        Box::pin(std::future::pending())
    }

    fn renew(&self, _: &Proof) -> bool {
        false
    }
}

/// Knows who shows 2.
fn knows_two(request: &http::Request<Bytes>) -> StatusCode {
    let known = request.headers().get(AUTHORIZATION) == Some(&HeaderValue::from_static("2"));
    if known { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}

#[tokio::test]
async fn a_refused_proof_is_renewed_once_if_it_can_be() {
    for (renews, status, asked) in [(true, 200, 2), (false, 401, 1)] {
        let server = Server::http(|request| {
            let mut answer = Response::new(Bytes::new());
            *answer.status_mut() = knows_two(&request);
            answer
        })
        .await;
        let proofs = Numbered::new(renews);
        let client = server.client().with_credentials(Some(Credentials::new(proofs.clone())));
        assert_eq!(client.send(&post(b"x")).await.unwrap().status, status);
        assert_eq!(proofs.asked(), asked);
    }
    let server = Server::http(|_| {
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::UNAUTHORIZED;
        answer
    })
    .await;
    let proofs = Numbered::new(true);
    let client = server.client().with_credentials(Some(Credentials::new(proofs.clone())));
    assert_eq!(client.send(&post(b"x")).await.unwrap().status, 401);
    assert_eq!(proofs.asked(), 2, "and no more often");
}

#[tokio::test]
async fn a_client_that_is_closed_does_not_wait_for_a_proof() {
    let server = Server::http(|_| Response::new(Bytes::new())).await;
    let client = server.client().with_credentials(Some(Credentials::new(Never)));
    let closing = client.clone();
    let request = post(b"x");
    let (sent, ()) = tokio::join!(client.send(&request), async { closing.close() });
    assert!(matches!(sent, Err(DialError::Cancelled)));
    assert_eq!(server.connections(), 0);
}
