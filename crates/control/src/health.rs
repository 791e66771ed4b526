//! Probes: `/livez` says the process lives, `/readyz` that it takes data, `/health` that every
//! destination answers. Only the first should restart anything.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::admin::Admin;

pub(crate) async fn live() -> &'static str {
    "alive\n"
}

pub(crate) async fn ready(State(admin): State<Admin>) -> Response {
    match admin.status.readiness() {
        Ok(()) => {
            let alerts = admin.status.alerts();
            let lines = alerts.iter().map(|alert| format!("{alert}\n"));
            format!("ready\n{}", lines.collect::<String>()).into_response()
        }
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

pub(crate) async fn health(State(admin): State<Admin>) -> Response {
    let destinations = admin.status.destinations();
    let readiness = admin.status.readiness();
    let healthy = readiness.is_ok() && destinations.iter().all(|destination| destination.healthy);
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "status": if healthy { "healthy" } else { "unhealthy" },
        "ready": readiness.is_ok(),
        "reason": readiness.err(),
        "version": admin.version,
        "alerts": admin.status.alerts(),
        "destinations": destinations,
    });
    (status, axum::Json(body)).into_response()
}
