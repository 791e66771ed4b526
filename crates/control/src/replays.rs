//! `/api/v1/dead-letters` and `/api/v1/replays`: what was refused, and sending it again.
//!
//! What changes something is a POST of JSON, which a page in a browser cannot send to this port
//! unasked.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bessemer_pipeline::ReplayError;
use bessemer_pipeline::replay::{LETTERS_MAX, Order, Selection, Shown};
use serde::Deserialize;

use crate::admin::{Admin, problem};

/// Letters of one answer unless asked otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Bytes of an order at most.
const ORDER_BYTES_MAX: usize = 64 << 10;

pub(crate) fn routes() -> axum::Router<Admin> {
    axum::Router::new()
        .route("/api/v1/dead-letters", get(letters))
        .route("/api/v1/dead-letters/drop", post(drop_letters))
        .route("/api/v1/replays", get(replays).post(start))
        .route("/api/v1/replays/{id}", get(replay))
        .route("/api/v1/replays/{id}/resume", post(resume))
        .layer(DefaultBodyLimit::max(ORDER_BYTES_MAX))
}

/// What may be asked: a [`Selection`] and how much of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LettersQuery {
    destination: Option<String>,
    number: Option<u64>,
    from: Option<String>,
    until: Option<String>,
    reason: Option<String>,
    status: Option<String>,
    class: Option<String>,
    #[serde(rename = "where")]
    condition: Option<String>,
    limit: Option<usize>,
    records: Option<bool>,
}

async fn letters(
    State(admin): State<Admin>,
    query: Result<Query<LettersQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LETTERS_MAX {
        let message = format!("limit is {limit}, write 1 to {LETTERS_MAX}");
        return problem(StatusCode::BAD_REQUEST, &message);
    }
    let shown = if query.records == Some(true) { Shown::Records } else { Shown::Facts };
    let selection = Selection {
        destination: query.destination,
        number: query.number,
        from: query.from,
        until: query.until,
        reason: query.reason,
        status: query.status,
        class: query.class,
        condition: query.condition,
    };
    answer(admin.replays.letters(selection, limit, shown).await)
}

async fn drop_letters(
    State(admin): State<Admin>,
    selection: Result<Json<Selection>, JsonRejection>,
) -> Response {
    match selection {
        Ok(Json(selection)) => {
            let dropped = admin.replays.drop_letters(selection).await;
            answer(dropped.map(|records| serde_json::json!({ "records": records })))
        }
        Err(rejection) => problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    }
}

async fn start(State(admin): State<Admin>, order: Result<Json<Order>, JsonRejection>) -> Response {
    match order {
        Ok(Json(order)) => answer(admin.replays.start(order)),
        Err(rejection) => problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    }
}

async fn resume(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    body: Result<Json<serde_json::Value>, JsonRejection>,
) -> Response {
    match body {
        Ok(_) => answer(admin.replays.resume(&id)),
        Err(rejection) => problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    }
}

async fn replays(State(admin): State<Admin>) -> Response {
    answer(admin.replays.replays())
}

async fn replay(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    answer(admin.replays.replay(&id))
}

fn answer<T: serde::Serialize>(result: Result<T, ReplayError>) -> Response {
    let error = match result {
        Ok(value) => return Json(value).into_response(),
        Err(error) => error,
    };
    let status = match &error {
        ReplayError::Bad(_) => StatusCode::BAD_REQUEST,
        ReplayError::NotFound(_) => StatusCode::NOT_FOUND,
        ReplayError::Busy(_) => StatusCode::CONFLICT,
        ReplayError::Journal(_) | ReplayError::Letters(_) | ReplayError::State(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    problem(status, &error.to_string())
}
