//! The routes of the sorter: who may ask, what comes in, what goes out.

use std::sync::Arc;

use bessemer_net::body::{self, BodyLimits};
use bessemer_net::listen::{Handler, Peer, Reply};
use bessemer_pipeline::Metrics;
use bessemer_runtime::{BoxFuture, Budget};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::classify::explain::{Decider, Explainer, Question};
use crate::door::{self, Keys};
use crate::rules::severity;

/// Records of one request at most.
const RECORDS_MAX: usize = 10_000;
const JSON: &str = "application/json";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What callers reach.
pub(super) struct Front {
    pub(super) keys: Keys,
    pub(super) limits: BodyLimits,
    pub(super) bodies: Budget,
    pub(super) metrics: Arc<Metrics>,
    pub(super) explainer: Explainer,
}

/// One record, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Asked {
    Many(Vec<Record>),
    One(Record),
}

/// A record as callers send it; keys that are not known are passed over.
#[derive(Debug, Deserialize)]
struct Record {
    message: String,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    attributes: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Level {
    Number(u8),
    Name(String),
}

/// The label of a record.
#[derive(Debug, Serialize)]
struct Label {
    classification: &'static str,
    confidence: f64,
    tier: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
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
        match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/health") => Reply::of(StatusCode::OK, JSON, r#"{"status":"ok"}"#),
            _ if !self.may_ask(&parts.headers) => {
                refuse(StatusCode::UNAUTHORIZED, "send a key as Authorization: Bearer")
            }
            (&Method::GET, "/metrics") => {
                Reply::of(StatusCode::OK, OPENMETRICS, self.metrics.render())
            }
            (&Method::POST, "/classify") => self.classify(&parts.headers, body).await,
            (_, "/classify") => refuse(StatusCode::METHOD_NOT_ALLOWED, "send a POST"),
            _ => refuse(
                StatusCode::NOT_FOUND,
                "there are POST /classify, GET /health and GET /metrics",
            ),
        }
    }

    fn may_ask(&self, headers: &HeaderMap) -> bool {
        let given = || self.keys.place_of(door::bearer(headers)?);
        self.keys.is_empty() || given().is_some()
    }

    async fn classify(&self, headers: &HeaderMap, body: body::Body) -> Response<Reply> {
        let received = match body::read(headers, body, &self.limits, &self.bodies).await {
            Ok(received) => received,
            Err(error) => return door::unread(&error, refuse),
        };
        match serde_json::from_slice(&received.inflated) {
            Ok(Asked::One(record)) => match self.label(&record) {
                Some(label) => answer(&label),
                None => refuse(StatusCode::PAYLOAD_TOO_LARGE, "the record is too long"),
            },
            Ok(Asked::Many(records)) if records.len() > RECORDS_MAX => {
                let problem = format!("at most {RECORDS_MAX} records fit into one request");
                refuse(StatusCode::PAYLOAD_TOO_LARGE, &problem)
            }
            Ok(Asked::Many(records)) => {
                let labels: Option<Vec<Label>> =
                    records.iter().map(|record| self.label(record)).collect();
                match labels {
                    Some(labels) => answer(&labels),
                    None => refuse(StatusCode::PAYLOAD_TOO_LARGE, "a record is too long"),
                }
            }
            Err(error) => {
                let problem = format!("send a record with a message, or a list of them: {error}");
                refuse(StatusCode::BAD_REQUEST, &problem)
            }
        }
    }

    /// `None` for a record that is too long.
    fn label(&self, record: &Record) -> Option<Label> {
        let level = match &record.level {
            Some(Level::Number(number)) => Some(*number).filter(|number| *number <= 24),
            Some(Level::Name(name)) => severity(name),
            None => None,
        };
        let found = self.explainer.explain(&Question {
            body: &record.message,
            severity: level.unwrap_or_default(),
            attributes: &record.attributes,
        })?;
        Some(Label {
            classification: found.class.as_str(),
            confidence: found.confidence,
            tier: found.tier.as_str(),
            reason: found.reason,
            model: found.model.filter(|_| found.tier == Decider::Model).map(|model| model.name),
        })
    }
}

fn answer(value: &impl Serialize) -> Response<Reply> {
    Reply::of(StatusCode::OK, JSON, json!(value).to_string())
}

fn refuse(status: StatusCode, problem: &str) -> Response<Reply> {
    Reply::of(status, JSON, json!({ "error": problem }).to_string())
}
