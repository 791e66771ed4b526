//! `/api/v1/feedback`: operators correct classes, list what they corrected, and take it back;
//! `/api/v1/similar`: what happened before that is like a message, and its tickets.
//!
//! A change is a POST of JSON or a DELETE, which a page in a browser cannot send to this port
//! unasked.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bessemer_pipeline::services::{Corrected, Correction, FeedbackError};
use serde::{Deserialize, Serialize};

use crate::admin::{Admin, problem};

/// Bytes of a correction at most.
const CORRECTION_BYTES_MAX: usize = 64 << 10;

pub(crate) fn routes() -> axum::Router<Admin> {
    axum::Router::new()
        .route("/api/v1/feedback", get(list).post(correct))
        .route("/api/v1/feedback/{template}", delete(undo))
        .route("/api/v1/similar", get(similar))
        .route("/api/v1/similar/{template}", post(tickets))
        .layer(DefaultBodyLimit::max(CORRECTION_BYTES_MAX))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    component: Option<String>,
    format: Option<String>,
}

async fn list(
    State(admin): State<Admin>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    let mut all = admin.services.corrected();
    if let Some(component) = &query.component {
        all.retain(|id, _| id == component);
    }
    match query.format.as_deref() {
        None | Some("json") => Json(all).into_response(),
        Some("jsonl") => examples(&all),
        Some(_) => problem(StatusCode::BAD_REQUEST, "format is one of json, jsonl"),
    }
}

/// As labelled messages that `bessemer train` reads.
fn examples(all: &BTreeMap<String, Vec<Corrected>>) -> Response {
    let lines = all.values().flatten().map(|one| {
        let line = serde_json::json!({
            "message": one.text, "class": one.class, "template_id": one.template
        });
        format!("{line}\n")
    });
    ([(header::CONTENT_TYPE, "application/jsonl")], lines.collect::<String>()).into_response()
}

async fn correct(
    State(admin): State<Admin>,
    correction: Result<Json<Correction>, JsonRejection>,
) -> Response {
    let correction = match correction {
        Ok(Json(correction)) => correction,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    match admin.services.feedback(correction.component.as_deref()) {
        Ok((_, feedback)) => answer(feedback.correct(correction).await),
        Err(error) => answer::<()>(Err(error)),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UndoQuery {
    component: Option<String>,
}

async fn undo(
    State(admin): State<Admin>,
    Path(template): Path<String>,
    query: Result<Query<UndoQuery>, QueryRejection>,
) -> Response {
    let component = match query {
        Ok(Query(query)) => query.component,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    match admin.services.feedback(component.as_deref()) {
        Ok((_, feedback)) => answer(feedback.undo(&template).await),
        Err(error) => answer::<()>(Err(error)),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SimilarQuery {
    message: String,
}

async fn similar(
    State(admin): State<Admin>,
    query: Result<Query<SimilarQuery>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => Json(admin.services.similar(&query.message)).into_response(),
        Err(rejection) => problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tickets {
    #[serde(default)]
    component: Option<String>,
    tickets: Vec<String>,
}

async fn tickets(
    State(admin): State<Admin>,
    Path(template): Path<String>,
    body: Result<Json<Tickets>, JsonRejection>,
) -> Response {
    let body = match body {
        Ok(Json(body)) => body,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    match admin.services.similar_of(body.component.as_deref()) {
        Ok(similar) => answer(similar.tickets(&template, body.tickets).await),
        Err(error) => answer::<()>(Err(error)),
    }
}

fn answer<T: Serialize>(result: Result<T, FeedbackError>) -> Response {
    let error = match result {
        Ok(value) => return Json(value).into_response(),
        Err(error) => error,
    };
    let status = match &error {
        FeedbackError::Bad(_) => StatusCode::BAD_REQUEST,
        FeedbackError::NotFound(_) => StatusCode::NOT_FOUND,
        FeedbackError::Conflict(_) => StatusCode::CONFLICT,
        FeedbackError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(status, &error.to_string())
}
