//! The admin port: one listener, one table of routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bessemer_config::Graph;
use bessemer_config::graph::render::{Form, render};
use bessemer_net::listen;
use bessemer_pipeline::{Ledger, Metrics, Replays, Services, Status};
use bessemer_runtime::{Clock, Tasks};
use serde::Deserialize;

use crate::{events, feedback, health, ledger, page, process, replays};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin port shows. Clones share it.
#[derive(Clone)]
pub struct Admin {
    /// The running engine.
    pub status: Status,
    /// What it runs.
    pub graph: Arc<Graph>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Where every record stands.
    pub ledger: Ledger,
    /// Dead letters and replays.
    pub replays: Replays,
    /// Event stores.
    pub services: Arc<Services>,
    /// Time, for ages and stamps.
    pub clock: Arc<dyn Clock>,
    /// The version of the binary.
    pub version: &'static str,
}

/// Why the admin port did not open.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be bound.
    #[error("admin port: {0}; choose another with --server.http.listen-addr")]
    Bind(#[from] listen::BindError),
    /// Anyone who reaches the address could administer the process.
    #[error(
        "the admin port has no authentication and {0} can be reached from other machines; use a \
         loopback address such as 127.0.0.1:12345"
    )]
    NotLoopback(String),
}

/// Opens the admin port and serves it until `tasks` is cancelled; the address it listens on.
pub async fn serve(
    admin: Admin,
    address: &str,
    tasks: &Tasks,
) -> Result<std::net::SocketAddr, AdminError> {
    let bound = listen::bind("admin", &listen::Settings::at(address))?;
    let local = bound.local_addr();
    if !local.ip().is_loopback() {
        return Err(AdminError::NotLoopback(local.to_string()));
    }
    process::watch(&admin.metrics, Arc::clone(&admin.clock), tasks);
    bound.serve(Arc::new(listen::Service(routes(admin))), tasks);
    Ok(local)
}

fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/", get(page::index))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::health))
        .route("/-/healthy", get(health::live))
        .route("/-/ready", get(health::ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/graph", get(graph))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/ledger", get(ledger::ledger))
        .route("/api/v1/compliance", get(compliance))
        .merge(replays::routes())
        .merge(feedback::routes())
        .route("/api/v1/cost", get(cost))
        .route("/api/v1/llm", get(llm))
        .route("/api/v1/templates", get(templates))
        .route("/api/v1/rules", get(rules))
        .route("/api/v1/explain", get(explain))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "no such page; / lists them") })
        .with_state(admin)
}

async fn metrics(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, OPENMETRICS)], admin.metrics.render()).into_response()
}

async fn compliance(State(admin): State<Admin>) -> Response {
    axum::Json(admin.services.reports("compliance")).into_response()
}

async fn cost(State(admin): State<Admin>) -> Response {
    axum::Json(admin.services.reports("cost")).into_response()
}

async fn templates(State(admin): State<Admin>) -> Response {
    axum::Json(admin.services.reports("templates")).into_response()
}

async fn rules(State(admin): State<Admin>) -> Response {
    axum::Json(admin.services.reports("rules")).into_response()
}

#[derive(Deserialize)]
struct ExplainQuery {
    message: String,
    #[serde(default)]
    severity: u8,
}

async fn explain(State(admin): State<Admin>, Query(query): Query<ExplainQuery>) -> Response {
    if query.severity > 24 {
        return problem(StatusCode::BAD_REQUEST, "severity is a number from 0 to 24");
    }
    // What an LLM said may be on the disk alone.
    let ask = move || admin.services.explain(&query.message, query.severity);
    match tokio::task::spawn_blocking(ask).await {
        Ok(why) => axum::Json(why).into_response(),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "the process is on its way down"),
    }
}

async fn llm(State(admin): State<Admin>) -> Response {
    axum::Json(admin.services.reports("llm")).into_response()
}

#[derive(Deserialize)]
struct GraphQuery {
    format: Option<String>,
}

async fn graph(State(admin): State<Admin>, Query(query): Query<GraphQuery>) -> Response {
    let Some(form) = Form::named(query.format.as_deref().unwrap_or("json")) else {
        return problem(StatusCode::BAD_REQUEST, "format is one of json, dot, mermaid");
    };
    let kind = match form {
        Form::Json => "application/json",
        Form::Dot => "text/vnd.graphviz",
        Form::Mermaid => "text/plain; charset=utf-8",
    };
    ([(header::CONTENT_TYPE, kind)], render(&admin.graph, form)).into_response()
}

/// An error as every route of the API answers it.
pub(crate) fn problem(status: StatusCode, message: &str) -> Response {
    let body = axum::Json(serde_json::json!({ "error": message, "status": status.as_u16() }));
    (status, body).into_response()
}
