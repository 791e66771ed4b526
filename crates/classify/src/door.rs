//! The door of the ports that this crate opens: who may come in, and what is said to whoever sends
//! a body that cannot be read.

use std::net::SocketAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bessemer_net::body::BodyError;
use bessemer_net::listen::{self, Bound, Reply};
use bessemer_pipeline::receiver::StartError;
use bessemer_pipeline::{Context, SettingsError};
use bessemer_runtime::Secret;
use http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};

/// Seconds after which a caller comes back when the budget of bodies was used up.
const COME_BACK_SECONDS: u32 = 1;

const KEYS_REMEDY: &str = "set api_keys, or listen on 127.0.0.1";

/// The keys of the callers; without one, anyone may come in.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Vec<Secret>);

impl Keys {
    /// The keys of the setting `api_keys`.
    pub(crate) fn new(keys: &[Secret]) -> Result<Self, SettingsError> {
        if keys.iter().any(|key| key.expose().is_empty()) {
            return Err(SettingsError::new("api_keys", "has an empty key", "remove it"));
        }
        Ok(Self(keys.to_vec()))
    }

    /// Whether everyone may come in.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    // What to say when a port that others reach would let everyone in.
    fn is_missing_at(&self, address: SocketAddr) -> Option<String> {
        let is_open = self.is_empty() && !address.ip().is_loopback();
        is_open.then(|| {
            format!("is empty, and {address} can be reached from other machines without a key")
        })
    }

    /// The place of the key that was given. Each key is compared in a time that does not depend on
    /// how much of it agrees.
    pub(crate) fn place_of(&self, given: &str) -> Option<usize> {
        let is_given = |key: &Secret| {
            verify_slices_are_equal(key.expose().as_bytes(), given.as_bytes()).is_ok()
        };
        self.0.iter().position(is_given)
    }
}

/// What a request gives as `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// What is wrong with a port before it is opened; the endpoints to listen on.
pub(crate) fn check(
    settings: &listen::Settings,
    keys: &Keys,
) -> Result<Vec<String>, SettingsError> {
    let address = settings.address().map_err(|error| {
        SettingsError::new("http.endpoint", error.to_string(), "write an address and a port")
    })?;
    match keys.is_missing_at(address) {
        Some(problem) => Err(SettingsError::new("api_keys", problem, KEYS_REMEDY)),
        None => Ok(vec![settings.endpoint.clone()]),
    }
}

/// Opens the port; without keys, only where no other machine reaches it.
pub(crate) fn open(
    context: &Context,
    settings: &listen::Settings,
    keys: &Keys,
) -> Result<Bound, StartError> {
    let failed = |problem: String, remedy: &str| StartError {
        component: context.id.clone(),
        problem,
        remedy: remedy.to_owned(),
    };
    let bound = listen::bind(&context.id, settings)
        .map_err(|error| failed(error.to_string(), "choose another endpoint"))?;
    let address = bound.local_addr();
    if let Some(problem) = keys.is_missing_at(address) {
        return Err(failed(format!("api_keys {problem}"), KEYS_REMEDY));
    }
    tracing::info!(component = %context.id, %address, "listens");
    Ok(bound)
}

/// The answer to a body that was not read, in the form that `refuse` gives it.
pub(crate) fn unread(
    error: &BodyError,
    refuse: impl FnOnce(StatusCode, &str) -> Response<Reply>,
) -> Response<Reply> {
    let status = error.http_status();
    let mut response = refuse(status, &error.to_string());
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(COME_BACK_SECONDS));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_key_opens() {
        let keys = Keys::new(&[Secret::new("one"), Secret::new("other")]).unwrap();
        let places = ["one", "other", "on", "ones", ""].map(|given| keys.place_of(given));
        assert_eq!(places, [Some(0), Some(1), None, None, None]);
        assert!(Keys::new(&[Secret::new("")]).is_err());
    }

    #[test]
    fn without_a_key_no_other_machine_may_reach_a_port() {
        let (none, one) = (Keys::new(&[]).unwrap(), Keys::new(&[Secret::new("k")]).unwrap());
        let path = |endpoint: &str, keys: &Keys| {
            check(&listen::Settings::at(endpoint), keys).map_err(|error| error.path)
        };
        for open in ["0.0.0.0:1", ":1", "[::]:1"] {
            assert_eq!(path(open, &none), Err("api_keys".to_owned()), "{open}");
            assert_eq!(path(open, &one), Ok(vec![open.to_owned()]));
        }
        assert_eq!(path("[::1]:1", &none), Ok(vec!["[::1]:1".to_owned()]));
        assert_eq!(path("127.0.0.1", &none), Err("http.endpoint".to_owned()));
    }

    #[test]
    fn a_body_that_finds_no_room_is_told_when_to_come_back() {
        let refuse = |status, problem: &str| Reply::of(status, "text/plain", problem.to_owned());
        let response = unread(&BodyError::Overloaded, refuse);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let response = unread(&BodyError::UnsupportedEncoding { token: "br".into() }, refuse);
        assert_eq!(response.status(), 415);
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
}
