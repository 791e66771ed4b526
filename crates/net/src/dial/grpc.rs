//! Unary gRPC calls whose messages are bytes.

use std::sync::Arc;
use std::time::Duration;

use bessemer_runtime::{Clock, Random};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, TE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};

use super::auth::{Credentials, Proof};
use super::channel::{Bounds, Channel, Outbound, Speak};
use super::client::{USER_AGENT_VALUE, connector, custom_headers};
use super::endpoint::Endpoint;
use super::error::{DialError, SettingsError};
use super::http2::Pings;
use super::message::Body;
use super::outcome::{Next, Outcome, retry};
use super::reply::Reply;
use super::settings::GrpcSettings;
use super::tls::Offer;
use crate::body::encoding::{ACCEPTED, Encoding, InflateError, inflate};
use crate::grpc::{Code, Status, frame};
use crate::retry::{Policy, grpc_is_retryable};

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Below the five minutes after which common gateways forget a connection without a word.
const IDLE_TIMEOUT: Duration = Duration::from_mins(4);
/// One buffer for each connection; larger ones leave the caches.
const WRITE_BUFFER_MAX: usize = 4 << 20;

/// A client of one gRPC server; clones share its connections.
#[derive(Clone)]
pub struct GrpcClient {
    channel: Arc<Channel>,
    headers: HeaderMap,
    credentials: Option<Credentials>,
    message_bytes_max: usize,
}

impl GrpcClient {
    /// A client that connects with its first call.
    pub fn new(
        settings: &GrpcSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, SettingsError> {
        let mut endpoint = Endpoint::grpc(&settings.endpoint, settings.tls.insecure)?;
        if let Some(authority) = &settings.authority {
            endpoint.authority = authority.parse().map_err(|_| {
                let problem = format!("{authority:?} is no host and port");
                SettingsError::new("authority", problem, "write host or host:port")
            })?;
        }
        let message_bytes_max = settings.max_response_body_size.as_usize();
        let keepalive = &settings.keepalive;
        let bounds = Bounds {
            speak: Speak::Http2,
            timeout: settings.timeout.0,
            body_bytes_max: message_bytes_max.saturating_add(frame::PREFIX_BYTES),
            idle_max: 0,
            idle_timeout: IDLE_TIMEOUT,
            connections_max: 0,
            shared_max: usize::try_from(settings.max_conns_per_host).unwrap_or(1).max(1),
            pings: Pings {
                after: keepalive.time.0,
                timeout: keepalive.timeout.0,
                while_idle: keepalive.permit_without_stream,
            },
            write_buffer_bytes: settings.write_buffer_size.as_usize().min(WRITE_BUFFER_MAX),
            wait_for_ready: settings.wait_for_ready,
        };
        let mut headers = custom_headers(&settings.headers)?;
        headers.remove(http::header::HOST);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
        headers.entry(USER_AGENT).or_insert(USER_AGENT_VALUE);
        headers.insert(GRPC_TIMEOUT, timeout_value(bounds.timeout));
        let limit = settings.connect_timeout.0;
        let connector = connector(endpoint, &settings.tls, Offer::Http2, limit, (clock, random))?;
        let channel = Channel::new(connector, bounds);
        Ok(Self { channel, headers, credentials: None, message_bytes_max })
    }

    /// The same, proving with every call who sends.
    #[must_use]
    pub fn with_credentials(self, credentials: Option<Credentials>) -> Self {
        self.channel.warn_if_shown(credentials.as_ref());
        Self { credentials, ..self }
    }

    /// Opens a connection and lets it go, to see whether name, network and TLS work.
    pub async fn reach(&self) -> Result<(), DialError> {
        self.channel.connector.connect().await.map(drop)
    }

    /// One try of a call; `message` in pieces, already encoded as `encoding` says.
    ///
    /// A destination that cannot be reached is `UNAVAILABLE`, one that does not answer in time
    /// `DEADLINE_EXCEEDED`, an answer too large to read `INTERNAL`.
    pub async fn unary(
        &self,
        path: &PathAndQuery,
        message: &[Bytes],
        encoding: Encoding,
    ) -> Result<Bytes, Status> {
        let Some(credentials) = &self.credentials else {
            return self.call(path, message, encoding, None).await;
        };
        let proof =
            async || credentials.proof(&self.channel).await.map_err(|error| status_of(&error));
        let first = proof().await?;
        let answer = self.call(path, message, encoding, Some(&first)).await;
        match &answer {
            Err(status) if status.code == Code::Unauthenticated && credentials.renew(&first) => {
                self.call(path, message, encoding, Some(&proof().await?)).await
            }
            Err(_) | Ok(_) => answer,
        }
    }

    async fn call(
        &self,
        path: &PathAndQuery,
        message: &[Bytes],
        encoding: Encoding,
        proof: Option<&Proof>,
    ) -> Result<Bytes, Status> {
        let length = message.iter().map(Bytes::len).sum();
        let Some(prefix) = frame::prefix(length, !encoding.is_identity()) else {
            let problem = format!("a message of {length} bytes does not fit gRPC");
            return Err(Status::new(Code::ResourceExhausted, problem));
        };
        let mut headers = self.headers.clone();
        if !encoding.is_identity() {
            headers.insert(GRPC_ENCODING, HeaderValue::from_static(encoding.as_str()));
        }
        if let Some(proof) = proof {
            proof.write_to(&mut headers);
        }
        let body = Body::prefixed(Bytes::copy_from_slice(&prefix), message);
        let outbound =
            Outbound { method: &Method::POST, path, headers: &headers, body: &body, witness: None };
        let exchanged = self.channel.exchange(&outbound).await;
        let reply = exchanged.map_err(|error| status_of(&error))?;
        read(&reply, self.message_bytes_max)
    }

    /// The same, tried again as `policy` and the status allow.
    pub async fn unary_with_retry(
        &self,
        path: &PathAndQuery,
        message: &[Bytes],
        encoding: Encoding,
        policy: &Policy,
    ) -> Outcome<Bytes, Status> {
        let next = |result: &Result<Bytes, Status>| match result {
            Err(status) if grpc_is_retryable(status) => Next::Retry(status.retry_after),
            Err(_) | Ok(_) => Next::Stop,
        };
        retry(&self.channel, policy, || self.unary(path, message, encoding), next).await
    }

    /// Ends all waits and connections; calls after it are `CANCELLED`.
    pub fn close(&self) {
        self.channel.close();
    }
}

impl std::fmt::Debug for GrpcClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let endpoint = &self.channel.connector.endpoint;
        formatter.debug_struct("GrpcClient").field("endpoint", endpoint).finish_non_exhaustive()
    }
}

/// At most eight digits and a unit; servers stop working for a client that is gone.
fn timeout_value(timeout: Duration) -> HeaderValue {
    let millis = timeout.as_millis();
    let text = if millis < 100_000_000 {
        format!("{millis}m")
    } else {
        format!("{}S", timeout.as_secs().min(99_999_999))
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("30S"))
}

/// The message of an answer, or why there is none.
fn read(reply: &Reply, limit: usize) -> Result<Bytes, Status> {
    // Headers alone carry the status of an answer without a message.
    let status = Status::from_headers(&reply.trailers);
    let status = status.or_else(|| Status::from_headers(&reply.headers));
    match status {
        Some(status) if status.code == Code::Ok => message(reply, limit),
        Some(status) => Err(status),
        None => Err(status_of_http(reply)),
    }
}

fn status_of_http(reply: &Reply) -> Status {
    let http = reply.status;
    if http.is_success() {
        return Status::new(Code::Unknown, "the answer carries no grpc-status");
    }
    let problem = format!("the answer is HTTP {} and carries no grpc-status", http.as_u16());
    Status::new(Code::from_http(http), problem)
}

fn message(reply: &Reply, limit: usize) -> Result<Bytes, Status> {
    let internal = |problem: String| Status::new(Code::Internal, problem);
    let (header, message) =
        frame::unary(reply.body.clone()).map_err(|error| internal(error.to_string()))?;
    if !header.compressed {
        return Ok(message);
    }
    let named = reply.headers.get(GRPC_ENCODING).and_then(|value| value.to_str().ok());
    let encoding = named.and_then(Encoding::parse).filter(|encoding| !encoding.is_identity());
    let Some(encoding) = encoding else {
        return Err(internal(format!("the answer is compressed as {named:?}")));
    };
    inflate(encoding, &message, limit).map_err(|error| match error {
        // Not RESOURCE_EXHAUSTED: a server says with that code that the request is too large.
        InflateError::TooLarge { .. } => Status::new(Code::Internal, error.to_string()),
        InflateError::Invalid { .. } => internal(error.to_string()),
    })
}

/// Speaks of errors below gRPC in its codes.
fn status_of(error: &DialError) -> Status {
    let code = match error {
        DialError::Timeout { .. } => Code::DeadlineExceeded,
        DialError::TooLarge { .. } => Code::Internal,
        DialError::Cancelled => Code::Cancelled,
        DialError::Reset { reason } => code_of_reset(*reason),
        DialError::Resolve { .. }
        | DialError::Connect { .. }
        | DialError::Tls { .. }
        | DialError::Lost { .. }
        | DialError::Malformed { .. }
        | DialError::Proxy { .. }
        | DialError::Credentials { .. } => Code::Unavailable,
    };
    Status::new(code, error.to_string())
}

/// gRPC calls most resets internal errors, which are final. Proxies and restarting servers send
/// them too, and a request without an answer is to be sent again (OTLP, "All Other Responses"), so
/// only the resets that speak of the request itself are final here.
fn code_of_reset(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        h2::Reason::PROTOCOL_ERROR
        | h2::Reason::FLOW_CONTROL_ERROR
        | h2::Reason::FRAME_SIZE_ERROR
        | h2::Reason::COMPRESSION_ERROR
        | h2::Reason::HTTP_1_1_REQUIRED => Code::Internal,
        _ => Code::Unavailable,
    }
}
