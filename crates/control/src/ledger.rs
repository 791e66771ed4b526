//! `GET /api/v1/ledger`: where records stand, and whether the books balance.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bessemer_pipeline::LedgerQuery;
use bessemer_pipeline::ledger::since;
use serde::Deserialize;

use crate::admin::{Admin, problem};

/// What may be asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    record: Option<u64>,
    destination: Option<String>,
    since: Option<String>,
}

pub(crate) async fn ledger(
    State(admin): State<Admin>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    let now = admin.clock.unix_nanos();
    let since_unix_s = match asked.since.as_deref().map(|text| since(text, now)).transpose() {
        Ok(since) => since,
        Err(message) => return problem(StatusCode::BAD_REQUEST, &message),
    };
    let Asked { record, destination, .. } = asked;
    let query = LedgerQuery { record, destination, since_unix_s };
    // Segments and dead letters are read from the disk.
    let ledger = admin.ledger.clone();
    let page = tokio::task::spawn_blocking(move || ledger.page(&query)).await;
    match page.map_err(std::io::Error::other).flatten() {
        Ok(page) if page.destinations.is_empty() => {
            problem(StatusCode::NOT_FOUND, "no such destination; /health lists them")
        }
        Ok(page) => axum::Json(page).into_response(),
        Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}
