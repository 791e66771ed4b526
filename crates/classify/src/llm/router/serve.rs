//! The routes of the LLM router: who may ask, what for, and how errors look.

use std::sync::Arc;

use bessemer_net::body::{self, BodyLimits};
use bessemer_net::listen::{Handler, Peer, Reply};
use bessemer_runtime::{BoxFuture, Budget};
use http::header::{HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;

use super::call::{Call, Operation, error};
use super::held::held;
use super::relay::Relay;
use crate::door::{self, Keys};
use crate::llm::anthropic::VERSION_HEADER;
use crate::llm::provider::Wire;

const JSON: &str = "application/json";

/// What callers reach.
pub(super) struct Front {
    pub(super) keys: Keys,
    pub(super) limits: BodyLimits,
    pub(super) bodies: Budget,
    /// The places of calls that are under way.
    pub(super) calls: Arc<Semaphore>,
    pub(super) relay: Arc<Relay>,
}

impl Handler for Front {
    fn handle<'a>(
        &'a self,
        request: Request<body::Body>,
        _: &'a Peer,
    ) -> BoxFuture<'a, Response<Reply>> {
        Box::pin(self.answer(request))
    }
}

impl Front {
    async fn answer(&self, request: Request<body::Body>) -> Response<Reply> {
        let (parts, body) = request.into_parts();
        let wire = wire_of(&parts);
        let Some(caller) = self.caller(&parts.headers) else {
            let message = "send a key of the router as Authorization: Bearer or x-api-key";
            return refuse(wire, StatusCode::UNAUTHORIZED, "invalid_api_key", message);
        };
        match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/health") => Reply::of(StatusCode::OK, JSON, r#"{"status":"ok"}"#),
            (&Method::GET, "/v1/models") => self.models(wire),
            (&Method::GET, path) if path.starts_with("/v1/models/") => {
                self.model(wire, path.strip_prefix("/v1/models/").unwrap_or_default())
            }
            (&Method::POST, "/v1/chat/completions") => {
                self.pass(Operation::Chat, &parts, body, caller).await
            }
            (&Method::POST, "/v1/embeddings") => {
                self.pass(Operation::Embeddings, &parts, body, caller).await
            }
            (&Method::POST, "/v1/messages") => {
                self.pass(Operation::Messages, &parts, body, caller).await
            }
            _ => {
                let message = "there are GET /v1/models and POST /v1/chat/completions, \
                               /v1/embeddings, /v1/messages";
                refuse(wire, StatusCode::NOT_FOUND, "unknown_url", message)
            }
        }
    }

    /// The name of whoever asks: the place of the key, never the key.
    fn caller(&self, headers: &HeaderMap) -> Option<String> {
        if self.keys.is_empty() {
            return Some("anyone".to_owned());
        }
        let given = door::bearer(headers).or_else(|| headers.get("x-api-key")?.to_str().ok())?;
        let place = self.keys.place_of(given)?;
        Some(format!("key {}", place + 1))
    }

    async fn pass(
        &self,
        operation: Operation,
        parts: &Parts,
        body: body::Body,
        caller: String,
    ) -> Response<Reply> {
        let wire = operation.wire();
        let received = match body::read(&parts.headers, body, &self.limits, &self.bodies).await {
            Ok(received) => received,
            Err(error) => {
                return door::unread(&error, |status, problem| {
                    refuse(wire, status, "body", problem)
                });
            }
        };
        match Call::read(operation, &received.inflated, &parts.headers, caller) {
            Ok(call) => match Arc::clone(&self.calls).try_acquire_owned() {
                Ok(place) => held(Arc::clone(&self.relay).pass(call).await, place),
                Err(_) => overloaded(wire),
            },
            Err(problem) => refuse(wire, StatusCode::BAD_REQUEST, "invalid_request", &problem),
        }
    }

    fn models(&self, wire: Wire) -> Response<Reply> {
        let models = self.relay.models(wire);
        let data: Vec<_> =
            models.iter().map(|(name, owner)| description(wire, name, owner)).collect();
        let (first, last) = (models.first().map(|one| &one.0), models.last().map(|one| &one.0));
        let page = match wire {
            Wire::Chat => json!({ "object": "list", "data": data }),
            Wire::Messages => {
                json!({ "data": data, "has_more": false, "first_id": first, "last_id": last })
            }
        };
        Reply::of(StatusCode::OK, JSON, page.to_string())
    }

    fn model(&self, wire: Wire, name: &str) -> Response<Reply> {
        let models = self.relay.models(wire);
        let Some((name, owner)) = models.iter().find(|(known, _)| known == name) else {
            let message = "no provider has this model; GET /v1/models lists them";
            return refuse(wire, StatusCode::NOT_FOUND, "model_not_found", message);
        };
        Reply::of(StatusCode::OK, JSON, description(wire, name, owner).to_string())
    }
}

/// Anthropic's SDK says so in every request.
fn wire_of(parts: &Parts) -> Wire {
    let is_messages =
        parts.headers.contains_key(VERSION_HEADER) || parts.uri.path() == "/v1/messages";
    if is_messages { Wire::Messages } else { Wire::Chat }
}

fn description(wire: Wire, name: &str, owner: &str) -> serde_json::Value {
    match wire {
        Wire::Chat => json!({ "id": name, "object": "model", "created": 0, "owned_by": owner }),
        Wire::Messages => json!({
            "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"
        }),
    }
}

fn overloaded(wire: Wire) -> Response<Reply> {
    let message = "as many calls as may be are under way";
    let mut answer = refuse(wire, StatusCode::TOO_MANY_REQUESTS, "overloaded", message);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// An error answer in the caller's protocol.
pub(super) fn refuse(wire: Wire, status: StatusCode, code: &str, message: &str) -> Response<Reply> {
    Reply::of(status, JSON, error(wire, status, code, message).to_string())
}
