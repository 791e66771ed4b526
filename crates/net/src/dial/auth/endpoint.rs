//! A token endpoint over HTTP, asked by client credentials.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bessemer_runtime::{BoxFuture, ByteSize, Clock, Random, Secret, SecretText, Span};
use http::header::{ACCEPT, AUTHORIZATION};
use http::uri::PathAndQuery;
use http::{HeaderValue, StatusCode};

use super::oauth2::Grants;
use super::token::{self, Granted, encoded, form};
use super::{Proof, basic, no_proof};
use crate::dial::{Answer, Client, DialError, Request, Settings, SettingsError};
use crate::tls::settings::Tls;

/// The time one question has unless the settings say otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer at most: tokens that carry claims have some KiB.
const ANSWER_BYTES_MAX: ByteSize = ByteSize(256 << 10);

/// Bytes from which on a field of the question is taken for a secret in what the endpoint says.
const HIDDEN_FROM: usize = 4;

/// Where tokens come from and who asks for them.
#[derive(Debug)]
pub struct Grant {
    /// The URL of the endpoint, with its query if it has one.
    pub token_url: String,
    /// The client.
    pub client_id: SecretText,
    /// What proves that it is this client.
    pub client_secret: SecretText,
    /// What tokens are for.
    pub scopes: Vec<String>,
    /// Further fields of the question, each with its values.
    pub params: BTreeMap<String, Vec<Secret>>,
    /// The time one question has; zero means the default.
    pub timeout: Duration,
    /// How the endpoint is trusted.
    pub tls: Tls,
}

/// The endpoint of a grant.
pub(super) struct Endpoint {
    client: Client,
    path: PathAndQuery,
    /// The URL without its query, for errors.
    place: String,
    grant: Grant,
    /// Whether the endpoint knows its client by the fields of the body alone.
    knows_body: AtomicBool,
}

impl Endpoint {
    pub(super) fn new(
        grant: Grant,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, SettingsError> {
        let (url, query) = match grant.token_url.split_once('?') {
            Some((url, query)) => (url, format!("?{query}")),
            None => (grant.token_url.as_str(), String::new()),
        };
        let timeout = if grant.timeout.is_zero() { TIMEOUT } else { grant.timeout };
        let settings = Settings {
            endpoint: url.to_owned(),
            tls: grant.tls.clone(),
            timeout: Span(timeout),
            max_response_body_size: ANSWER_BYTES_MAX,
            ..Settings::default()
        };
        let named = |error: SettingsError| match error.setting.as_str() {
            "endpoint" => SettingsError { setting: "token_url".to_owned(), ..error },
            _ => error,
        };
        let client = Client::new(&settings, clock, random).map_err(named)?;
        let path = client.path(&query).map_err(named)?;
        let place = url.to_owned();
        Ok(Self { client, path, place, grant, knows_body: AtomicBool::new(false) })
    }

    /// Servers must know a client by the header (RFC 6749, section 2.3.1), and some know it by the
    /// body alone; what worked is tried first from then on.
    async fn ask(&self) -> Result<Granted, DialError> {
        let first = self.knows_body.load(Ordering::Relaxed);
        let answer = self.ask_as(first).await?;
        if !matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED) {
            return token::read(&answer);
        }
        let other = self.ask_as(!first).await?;
        if !other.is_success() {
            return token::read(&answer);
        }
        self.knows_body.store(!first, Ordering::Relaxed);
        token::read(&other)
    }

    async fn ask_as(&self, in_body: bool) -> Result<Answer, DialError> {
        let (id, secret) = (self.grant.client_id.current(), self.grant.client_secret.current());
        let scopes = self.grant.scopes.join(" ");
        let mut fields = vec![("grant_type", "client_credentials")];
        if !scopes.is_empty() {
            fields.push(("scope", &scopes));
        }
        if in_body {
            fields.extend([("client_id", id.expose()), ("client_secret", secret.expose())]);
        }
        let params = self.grant.params.iter();
        let params =
            params.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        fields.extend(params.map(|(name, value)| (name.as_str(), value.expose())));
        let mut request = Request::post(self.path.clone(), form(fields.into_iter()).into_bytes())
            .content_type("application/x-www-form-urlencoded")
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if !in_body {
            let encoded = |secret: &Secret| Secret::new(encoded(secret.expose()));
            let value = basic::value(&encoded(&id), &encoded(&secret));
            Proof::new(AUTHORIZATION, &value)?.write_to(&mut request.headers);
        }
        self.client.send(&request).await
    }

    /// Names the place, and none of the secrets that an endpoint may repeat in its answer.
    fn explained(&self, error: &DialError) -> DialError {
        let reason = if let DialError::Credentials { reason } = error {
            reason.clone()
        } else {
            error.to_string()
        };
        let secret = self.grant.client_secret.current();
        let params = self.grant.params.values().flatten();
        let params = params.filter(|param| param.expose().len() >= HIDDEN_FROM);
        let hidden = std::iter::once(&secret)
            .filter(|secret| !secret.expose().is_empty())
            .chain(params)
            .fold(reason, |reason, secret| reason.replace(secret.expose(), "***"));
        no_proof(format!("the token endpoint {}: {hidden}", self.place))
    }
}

impl Grants for Endpoint {
    fn grant(&self) -> BoxFuture<'_, Result<Granted, DialError>> {
        // Boxed, since a client may itself ask for credentials and the types would have no end.
        Box::pin(async { self.ask().await.map_err(|error| self.explained(&error)) })
    }
}
