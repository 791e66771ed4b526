//! `GET /api/v1/events`: asks the embedded event store.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bessemer_pipeline::{EventFilter, QueryError};
use serde::Deserialize;

use crate::admin::{Admin, problem};

/// Events of one page unless asked otherwise.
const LIMIT_DEFAULT: u32 = 100;
/// Events of one page at most.
const LIMIT_MAX: u32 = 1_000;

/// What may be asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    store: Option<String>,
    service: Option<String>,
    classification: Option<String>,
    severity: Option<String>,
    signal: Option<String>,
    from: Option<String>,
    until: Option<String>,
    text: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

pub(crate) async fn events(
    State(admin): State<Admin>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    let store = query.store.clone();
    let Some(store) = admin.services.event_query(store.as_deref()) else {
        let message = "no event store: add a bessemer.exporter.store block to the config";
        return problem(StatusCode::NOT_FOUND, message);
    };
    let filter = match filter(query) {
        Ok(filter) => filter,
        Err(message) => return problem(StatusCode::BAD_REQUEST, &message),
    };
    match store.query(filter).await {
        Ok(page) => axum::Json(page).into_response(),
        Err(error @ QueryError::Bad(_)) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(error @ QueryError::Unavailable(_)) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
        }
    }
}

fn filter(query: EventsQuery) -> Result<EventFilter, String> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(format!("limit is {limit}, write 1 to {LIMIT_MAX}"));
    }
    let classes = ["critical", "warning", "info"];
    if let Some(class) = query.classification.as_deref().filter(|class| !classes.contains(class)) {
        return Err(format!("classification is {class:?}, write one of {}", classes.join(", ")));
    }
    Ok(EventFilter {
        service: query.service,
        classification: query.classification,
        severity_min: query.severity.as_deref().map(severity).transpose()?,
        signal: query.signal,
        from: query.from.as_deref().map(|text| time("from", text)).transpose()?,
        until: query.until.as_deref().map(|text| time("until", text)).transpose()?,
        text: query.text,
        limit,
        cursor: query.cursor,
    })
}

fn severity(text: &str) -> Result<u8, String> {
    let names =
        [("TRACE", 1), ("DEBUG", 5), ("INFO", 9), ("WARN", 13), ("ERROR", 17), ("FATAL", 21)];
    let named =
        names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, number)| *number);
    let number = named.or_else(|| text.parse().ok().filter(|number| (1..=24).contains(number)));
    number.ok_or_else(|| format!("severity is {text:?}, write a name such as ERROR or 1 to 24"))
}

/// RFC 3339, or nanoseconds since the Unix epoch.
fn time(name: &str, text: &str) -> Result<u64, String> {
    if let Ok(nanos) = text.parse::<u64>() {
        return Ok(nanos);
    }
    let error = || format!("{name} is {text:?}, write RFC 3339 or nanoseconds since the epoch");
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| error())?;
    u64::try_from(timestamp.as_nanosecond()).map_err(|_| error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(time("from", "1970-01-01T00:00:01Z"), Ok(1_000_000_000));
        assert_eq!(time("from", "17"), Ok(17));
        assert!(time("from", "yesterday").unwrap_err().contains("RFC 3339"));
    }

    #[test]
    fn severities_are_read_by_name_and_number() {
        assert_eq!(severity("error"), Ok(17));
        assert_eq!(severity("3"), Ok(3));
        assert!(severity("0").is_err() && severity("loud").is_err());
    }
}
