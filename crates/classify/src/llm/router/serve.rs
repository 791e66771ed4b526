//! The routes of the LLM router: who may ask, what for, and how errors look.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bessemer_net::body::{self, BodyLimits};
use bessemer_net::listen::{Handler, Peer, Reply};
use bessemer_runtime::{BoxFuture, Budget, Secret};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;

use super::call::{Call, Operation, error};
use super::relay::Relay;
use crate::llm::anthropic::VERSION_HEADER;
use crate::llm::provider::Wire;

const JSON: &str = "application/json";

/// What callers reach.
pub(super) struct Front {
    pub(super) keys: Vec<Secret>,
    pub(super) limits: BodyLimits,
    pub(super) bodies: Budget,
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
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let given = bearer.or_else(|| headers.get("x-api-key")?.to_str().ok())?;
        let is_given = |key: &Secret| {
            verify_slices_are_equal(key.expose().as_bytes(), given.as_bytes()).is_ok()
        };
        let place = self.keys.iter().position(is_given)?;
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
                let status = match &error {
                    body::BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                    body::BodyError::Overloaded => StatusCode::TOO_MANY_REQUESTS,
                    body::BodyError::Slow { .. }
                    | body::BodyError::UnsupportedEncoding { .. }
                    | body::BodyError::Invalid { .. }
                    | body::BodyError::Frame(_)
                    | body::BodyError::Interrupted { .. } => StatusCode::BAD_REQUEST,
                };
                return refuse(wire, status, "body", &error.to_string());
            }
        };
        match Call::read(operation, &received.inflated, &parts.headers, caller) {
            Ok(call) => Arc::clone(&self.relay).pass(call).await,
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

/// An error answer in the caller's protocol.
pub(super) fn refuse(wire: Wire, status: StatusCode, code: &str, message: &str) -> Response<Reply> {
    Reply::of(status, JSON, error(wire, status, code, message).to_string())
}
