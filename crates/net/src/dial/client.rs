//! The HTTP client: one endpoint, its headers, its connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bessemer_runtime::{Clock, Random, Secret};
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderName, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::auth::{Credentials, Proof};
use super::channel::{Bounds, Channel, Outbound, Speak};
use super::connect::{Connector, Gate};
use super::cookies::Jar;
use super::endpoint::Endpoint;
use super::error::{DialError, SettingsError};
use super::http2::Pings;
use super::message::{Answer, Request};
use super::outcome::{Next, Outcome, retry};
use super::proxy::Proxy;
use super::reply::{Reply, Witness};
use super::settings::Settings;
use super::tls::{ClientTls, Offer};
use crate::body::encoding::{ACCEPTED, Encoding, InflateError, inflate};
use crate::retry::Policy;
use crate::tls::settings::Tls;

/// Sent unless the settings name another.
pub(super) const USER_AGENT_VALUE: HeaderValue =
    HeaderValue::from_static(concat!("bessemer/", env!("CARGO_PKG_VERSION")));

/// What `max_conns_per_host = 0` means: no queue of ours is without a limit.
const CONNECTIONS_MAX: u32 = 256;
/// Shared HTTP/2 connections of one client.
const SHARED_MAX: usize = 4;

/// Bytes gathered before a write on an HTTP/2 connection.
const WRITE_BUFFER: usize = 256 << 10;

/// Headers that belong to the connection or follow from the body.
const RESERVED: [HeaderName; 7] =
    [CONNECTION, CONTENT_LENGTH, CONTENT_ENCODING, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// A client of one HTTP endpoint; clones share its connections.
#[derive(Clone)]
pub struct Client {
    channel: Arc<Channel>,
    headers: HeaderMap,
    credentials: Option<Credentials>,
    cookies: Option<Arc<Jar>>,
    body_bytes_max: usize,
}

impl Client {
    /// A client that connects with its first request.
    pub fn new(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, SettingsError> {
        let endpoint = Endpoint::http(&settings.endpoint)?;
        let mut headers = custom_headers(&settings.headers)?;
        let host = HeaderValue::from_str(endpoint.authority.as_str()).map_err(|_| {
            SettingsError::new("endpoint", "its host is no header value", "write an ASCII name")
        })?;
        headers.entry(HOST).or_insert(host);
        headers.entry(USER_AGENT).or_insert(USER_AGENT_VALUE);
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(ACCEPTED));
        let speak = match (endpoint.secure, settings.force_attempt_http2) {
            (true, true) => Speak::Either,
            (true, false) | (false, _) => Speak::Http1,
        };
        let offer = if speak == Speak::Either { Offer::Both } else { Offer::Http1 };
        let bounds = bounds(settings, speak);
        let body_bytes_max = bounds.body_bytes_max;
        let limit = settings.connect_timeout.0;
        let mut connector = connector(endpoint, &settings.tls, offer, limit, (clock, random))?;
        let proxy = settings.proxy_url.as_ref().filter(|url| !url.expose().is_empty());
        connector.proxy = proxy.map(Proxy::parse).transpose()?;
        let channel = Channel::new(connector, bounds);
        let cookies = settings.cookies.is_some_and(|cookies| cookies.enabled).then(Arc::default);
        Ok(Self { channel, headers, credentials: None, cookies, body_bytes_max })
    }

    /// The same, proving with every request who sends.
    #[must_use]
    pub fn with_credentials(self, credentials: Option<Credentials>) -> Self {
        self.channel.warn_if_shown(credentials.as_ref());
        Self { credentials, ..self }
    }

    /// The path of `suffix` below the endpoint's own path: `/otlp` and `/v1/logs` make
    /// `/otlp/v1/logs`.
    pub fn path(&self, suffix: &str) -> Result<PathAndQuery, SettingsError> {
        let joined = format!("{}{suffix}", self.channel.connector.endpoint.path);
        let joined = if joined.is_empty() { "/".to_owned() } else { joined };
        joined.parse().map_err(|_| {
            let problem = format!("{joined:?} is not a path");
            SettingsError::new("endpoint", problem, "leave out spaces and control characters")
        })
    }

    /// One try: sends `request` and reads the whole answer, whatever its status.
    pub async fn send(&self, request: &Request) -> Result<Answer, DialError> {
        self.send_watched(request, None).await
    }

    /// The same, while `witness` sees the answer come.
    pub async fn send_watched(
        &self,
        request: &Request,
        witness: Option<&dyn Witness>,
    ) -> Result<Answer, DialError> {
        let Some(credentials) = &self.credentials else {
            return self.exchange(request, witness, None).await;
        };
        let first = credentials.proof(&self.channel).await?;
        let answer = self.exchange(request, witness, Some(&first)).await?;
        if answer.status != StatusCode::UNAUTHORIZED || !credentials.renew(&first) {
            return Ok(answer);
        }
        let second = credentials.proof(&self.channel).await?;
        self.exchange(request, witness, Some(&second)).await
    }

    async fn exchange(
        &self,
        request: &Request,
        witness: Option<&dyn Witness>,
        proof: Option<&Proof>,
    ) -> Result<Answer, DialError> {
        let mut headers = self.headers.clone();
        for (name, value) in &request.headers {
            headers.insert(name, value.clone());
        }
        if let Some(proof) = proof {
            proof.write_to(&mut headers);
        }
        let (endpoint, path) = (&self.channel.connector.endpoint, request.path.path());
        let now = || Duration::from_nanos(self.channel.clock().unix_nanos());
        if let Some(jar) = &self.cookies {
            jar.write_to(&mut headers, endpoint, path, now());
        }
        let outbound = Outbound {
            method: &request.method,
            path: &request.path,
            headers: &headers,
            body: &request.body,
            witness,
        };
        let reply = self.channel.exchange(&outbound).await?;
        if let Some(jar) = &self.cookies {
            jar.keep(&reply.headers, endpoint, path, now());
        }
        answer(reply, self.body_bytes_max)
    }

    /// The same, tried again as `policy` and the OTLP rules for HTTP allow.
    pub async fn send_with_retry(
        &self,
        request: &Request,
        policy: &Policy,
    ) -> Outcome<Answer, DialError> {
        let clock = self.channel.clock();
        let next = |result: &Result<Answer, DialError>| match result {
            Ok(answer) if answer.is_retryable() => {
                Next::Retry(answer.retry_after(clock.unix_nanos()))
            }
            Err(error) if error.is_retryable() => Next::Retry(None),
            Ok(_) | Err(_) => Next::Stop,
        };
        retry(&self.channel, policy, || self.send(request), next).await
    }

    /// Ends all waits and idle connections; requests after it are [`DialError::Cancelled`].
    pub fn close(&self) {
        self.channel.close();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let endpoint = &self.channel.connector.endpoint;
        formatter.debug_struct("Client").field("endpoint", endpoint).finish_non_exhaustive()
    }
}

fn bounds(settings: &Settings, speak: Speak) -> Bounds {
    let idle = settings.max_idle_conns;
    let idle = settings.max_idle_conns_per_host.map_or(idle, |host| host.min(idle));
    let idle = if settings.disable_keep_alives { 0 } else { idle };
    let connections = match settings.max_conns_per_host {
        0 => CONNECTIONS_MAX,
        connections => connections,
    };
    let connections_max = usize::try_from(connections).unwrap_or(usize::MAX);
    Bounds {
        speak,
        timeout: settings.timeout.0,
        body_bytes_max: settings.max_response_body_size.as_usize(),
        idle_max: usize::try_from(idle).unwrap_or(usize::MAX),
        idle_timeout: settings.idle_conn_timeout.0,
        connections_max,
        shared_max: connections_max.min(SHARED_MAX),
        pings: Pings {
            after: settings.http2_read_idle_timeout.0,
            timeout: settings.http2_ping_timeout.0,
            while_idle: false,
        },
        write_buffer_bytes: WRITE_BUFFER,
        wait_for_ready: false,
    }
}

/// What opens the connections of either client.
pub(super) fn connector(
    endpoint: Endpoint,
    tls: &Tls,
    offer: Offer,
    limit: Duration,
    (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
) -> Result<Connector, SettingsError> {
    let tls = endpoint.secure.then(|| ClientTls::new(tls, &endpoint.host, offer)).transpose()?;
    Ok(Connector { endpoint, proxy: None, tls, limit, clock, random, gate: Gate::default() })
}

/// The headers of the settings, marked as secrets.
pub(super) fn custom_headers(
    settings: &BTreeMap<String, Secret>,
) -> Result<HeaderMap, SettingsError> {
    let mut headers = HeaderMap::with_capacity(settings.len() + 8);
    for (name, value) in settings {
        let refused = |problem: &str, remedy: &str| {
            SettingsError::new(format!("headers.{name}"), problem, remedy)
        };
        let parsed = HeaderName::try_from(name.as_str())
            .map_err(|_| refused("it is not a header name", "use letters, digits and dashes"))?;
        if RESERVED.contains(&parsed) || parsed.as_str().starts_with("grpc-") {
            return Err(refused("it is set by the protocol", "leave it out"));
        }
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
            refused("its value holds control characters", "check it for a line break")
        })?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

/// Decompresses the body; several encodings on top of each other are nobody's honest answer.
fn answer(reply: Reply, limit: usize) -> Result<Answer, DialError> {
    let Reply { status, mut headers, body, .. } = reply;
    let body = match headers.remove(CONTENT_ENCODING) {
        Some(value) if !body.is_empty() => {
            let named = value.to_str().ok().and_then(Encoding::parse);
            let encoding = named.ok_or_else(|| DialError::Malformed {
                reason: format!("unknown content-encoding {value:?}"),
            })?;
            headers.remove(CONTENT_LENGTH);
            inflated(encoding, &body, limit)?
        }
        Some(_) | None => body,
    };
    Ok(Answer { status, headers, body })
}

fn inflated(encoding: Encoding, body: &Bytes, limit: usize) -> Result<Bytes, DialError> {
    inflate(encoding, body, limit).map_err(|error| match error {
        InflateError::TooLarge { limit } => DialError::TooLarge { limit, part: "body" },
        InflateError::Invalid { .. } => DialError::Malformed { reason: error.to_string() },
    })
}
