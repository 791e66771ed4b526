//! What clients are told, by protocol: one refusal, its HTTP form and its gRPC form.
//!
//! | refusal | HTTP | gRPC |
//! |---|---|---|
//! | malformed | 400 with BadRequest | `INVALID_ARGUMENT` with BadRequest |
//! | not known who | 401 + WWW-Authenticate | `UNAUTHENTICATED` |
//! | too large | 413 | `RESOURCE_EXHAUSTED` without RetryInfo |
//! | over a budget | 429 + Retry-After | `RESOURCE_EXHAUSTED` with RetryInfo |
//! | not now | 503 + Retry-After | `UNAVAILABLE` with RetryInfo |
//! | never | 500 | `INTERNAL` |

use std::time::Duration;

use bessemer_access::callers::Denied;
use bessemer_net::body::BodyError;
use bessemer_net::grpc::{self, Code};
use bessemer_net::listen::Reply;
use bessemer_pipeline::{Meta, Outlet, Refusal};
use bessemer_record::json::JsonError;
use bessemer_record::message::{Detail, FieldViolation, Status};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};

use super::Shared;
use super::door::Door;

/// When a client comes back after the budget of bodies was used up.
pub(super) const COME_BACK: Duration = Duration::from_secs(1);

/// The encoding of a request, and so of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Protobuf,
    Json,
}

impl Form {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// Full success: `partial_success` stays unset, so the message has no bytes.
pub(super) fn http_success(form: Form) -> Response<Reply> {
    let body: &'static [u8] = match form {
        Form::Protobuf => b"",
        Form::Json => b"{}",
    };
    Reply::of(StatusCode::OK, form.content_type(), body)
}

pub(super) fn http_denied(denied: Denied, door: &Door, form: Form) -> Response<Reply> {
    let code = i32::from(Code::Unauthenticated.number());
    let body = Status::new(code, denied.to_string());
    let mut response = http_problem(StatusCode::UNAUTHORIZED, &body, None, form);
    if let Some(challenge) = door.challenge() {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

pub(super) fn http_body_error(error: &BodyError, form: Form) -> Response<Reply> {
    let status = error.http_status();
    let wait = (status == StatusCode::TOO_MANY_REQUESTS).then_some(COME_BACK);
    let code = error.grpc_status(COME_BACK).code;
    http_problem(status, &Status::new(i32::from(code.number()), error.to_string()), wait, form)
}

pub(super) fn http_json_error(error: &JsonError) -> Response<Reply> {
    let (status, code) = if error.is_too_large() {
        (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted)
    } else {
        (StatusCode::BAD_REQUEST, Code::InvalidArgument)
    };
    let mut body = Status::new(i32::from(code.number()), error.to_string());
    if code == Code::InvalidArgument {
        body = body.with(bad_request(&format!("byte {}", error.offset), &error.kind.to_string()));
    }
    http_problem(status, &body, None, Form::Json)
}

pub(super) fn http_refusal(refusal: &Refusal, form: Form) -> Response<Reply> {
    let (status, wait) = match refusal {
        Refusal::Check(error) if error.is_too_large() => (StatusCode::PAYLOAD_TOO_LARGE, None),
        Refusal::Check(_) => (StatusCode::BAD_REQUEST, None),
        Refusal::Overloaded { retry_after, .. } => {
            (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after))
        }
        Refusal::Unavailable { retry_after, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(*retry_after))
        }
        Refusal::Rejected { .. } => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    http_problem(status, &status_of(refusal), wait, form)
}

pub(super) fn grpc_refusal(refusal: &Refusal) -> grpc::Status {
    let status = status_of(refusal);
    let mut answer =
        grpc::Status::new(Code::from_number(i64::from(status.code)), status.message.clone())
            .with_details(status.encode().into());
    answer.retry_after = status.retry_delay();
    answer
}

fn status_of(refusal: &Refusal) -> Status {
    let (code, detail) = match refusal {
        Refusal::Check(error) if error.is_too_large() => (Code::ResourceExhausted, None),
        Refusal::Check(error) => {
            let field = if error.path.is_empty() {
                format!("byte {}", error.offset)
            } else {
                error.path.to_string()
            };
            (Code::InvalidArgument, Some(bad_request(&field, &refusal.to_string())))
        }
        Refusal::Overloaded { retry_after, .. } => {
            (Code::ResourceExhausted, Some(retry(*retry_after)))
        }
        Refusal::Unavailable { retry_after, .. } => (Code::Unavailable, Some(retry(*retry_after))),
        Refusal::Rejected { .. } => (Code::Internal, None),
    };
    let status = Status::new(i32::from(code.number()), refusal.to_string());
    match detail {
        Some(detail) => status.with(detail),
        None => status,
    }
}

const fn retry(retry_delay: Duration) -> Detail {
    Detail::RetryInfo { retry_delay }
}

fn bad_request(field: &str, description: &str) -> Detail {
    let violation = FieldViolation { field: field.to_owned(), description: description.to_owned() };
    Detail::BadRequest { field_violations: vec![violation] }
}

fn http_problem(
    status: StatusCode,
    body: &Status,
    wait: Option<Duration>,
    form: Form,
) -> Response<Reply> {
    let bytes = match form {
        Form::Protobuf => body.encode(),
        Form::Json => body.to_json(),
    };
    let mut response = Response::new(Reply::full(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    if let Some(wait) = wait {
        // Whole seconds, rounded up: zero would ask for an immediate retry.
        let seconds = wait.as_millis().div_ceil(1000).clamp(1, 86_400);
        headers.insert(RETRY_AFTER, u32::try_from(seconds).unwrap_or(1).into());
    }
    response
}

/// Provenance of a request of `principal`; `headers` are kept without credentials.
pub(super) fn meta(
    outlet: &Outlet,
    shared: &Shared,
    headers: Option<&HeaderMap>,
    (door, principal): (&Door, String),
) -> Meta {
    let mut meta = Meta {
        principal,
        receiver: outlet.receiver().to_owned(),
        received_at: shared.clock.unix_nanos(),
        ..Meta::default()
    };
    if let Some(headers) = headers {
        let kept =
            headers.iter().filter(|(name, _)| !door.hides(name)).filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            });
        meta.set_headers(kept);
    }
    meta
}
