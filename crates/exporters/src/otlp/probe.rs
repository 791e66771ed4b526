//! What an OTLP destination's answer to an empty export says of its settings.

use bessemer_net::dial::{Answer, DialError};
use bessemer_net::grpc::{Code, Status};
use bessemer_pipeline::Probe;
use http::StatusCode;

const CREDENTIALS: &str = "check headers and credentials of the client";

/// What a connection that failed says.
pub(crate) fn of_error(error: &DialError) -> Probe {
    let remedy = match error {
        DialError::Resolve { .. } => "check the host of the endpoint and the resolver",
        DialError::Connect { .. } => "check the port of the endpoint, and that it listens there",
        DialError::Tls { .. } => "check the client's tls block and whether the endpoint speaks TLS",
        DialError::Timeout { .. } => "check firewalls between here and the endpoint",
        DialError::Proxy { .. } => "check proxy_url and what the proxy lets through",
        DialError::Credentials { .. } => "check the component that auth names",
        DialError::Lost { .. }
        | DialError::Reset { .. }
        | DialError::Malformed { .. }
        | DialError::TooLarge { .. }
        | DialError::Cancelled => "check that the endpoint speaks this protocol",
    };
    Probe::Failed { reason: error.to_string(), remedy }
}

/// What an answer over HTTP says.
pub(crate) fn of_answer(answer: &Answer) -> Probe {
    let reason = format!("it answers HTTP {}", answer.status);
    let failed = |remedy| Probe::Failed { reason: reason.clone(), remedy };
    match answer.status {
        status if status.is_success() => Probe::Ready,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => failed(CREDENTIALS),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            failed("check the path of the endpoint: /v1/logs and the like are added to it")
        }
        status if status.is_redirection() => failed("name the endpoint that it points to"),
        // An empty request is legal, and not every server knows.
        StatusCode::BAD_REQUEST => Probe::Ready,
        _ => Probe::Busy { reason },
    }
}

/// What a status over gRPC says, of a server that was reached.
pub(crate) fn of_status(status: &Status) -> Probe {
    let reason = format!("it answers {}: {}", status.code.as_str(), status.message);
    match status.code {
        Code::Ok | Code::InvalidArgument => Probe::Ready,
        Code::Unauthenticated | Code::PermissionDenied => {
            Probe::Failed { reason, remedy: CREDENTIALS }
        }
        Code::Unimplemented => {
            let remedy = "check the endpoint: the server there has no OTLP service of this signal";
            Probe::Failed { reason, remedy }
        }
        // What is lost below gRPC has these codes too: a server of another protocol, for one.
        Code::Internal | Code::Unknown | Code::Unavailable | Code::DeadlineExceeded => {
            let remedy = "check that the endpoint speaks gRPC and that its server is up";
            Probe::Failed { reason, remedy }
        }
        Code::Cancelled
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::DataLoss => Probe::Busy { reason },
    }
}
