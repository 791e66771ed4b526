//! What a token endpoint is asked and what it answers (RFC 6749, section 4.4).

use std::fmt::Write as _;
use std::time::Duration;

use bessemer_runtime::Secret;
use http::header::AUTHORIZATION;
use serde::Deserialize;

use super::{Proof, no_proof};
use crate::dial::{Answer, DialError};

/// Characters of what an endpoint says of its refusal that are passed on.
const SAID_CHARS: usize = 200;

/// A token and how long it holds.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) proof: Proof,
    /// `None` when the endpoint does not say.
    pub(super) lifetime: Option<Duration>,
}

#[derive(Deserialize)]
struct Success {
    access_token: Secret,
    #[serde(default)]
    token_type: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
}

/// Some endpoints write the number as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Reads an answer.
pub(super) fn read(answer: &Answer) -> Result<Granted, DialError> {
    if !answer.is_success() {
        return Err(refused(answer));
    }
    let success: Success = serde_json::from_slice(&answer.body)
        .map_err(|_| no_proof("it answers without an access_token in JSON"))?;
    if success.access_token.expose().is_empty() {
        return Err(no_proof("it answers with an empty access_token"));
    }
    let scheme = match success.token_type.to_ascii_lowercase().as_str() {
        "" | "bearer" => "Bearer",
        _ => success.token_type.as_str(),
    };
    let proof = Proof::new(AUTHORIZATION, &format!("{scheme} {}", success.access_token.expose()))?;
    Ok(Granted { proof, lifetime: success.expires_in.and_then(|seconds| seconds.lifetime()) })
}

impl Seconds {
    /// Zero and less mean that nothing is said.
    fn lifetime(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        Duration::try_from_secs_f64(seconds).ok().filter(|lifetime| !lifetime.is_zero())
    }
}

/// Never the body as it is: some endpoints repeat what they were asked.
fn refused(answer: &Answer) -> DialError {
    let mut reason = format!("it answers HTTP {}", answer.status.as_u16());
    if let Ok(Failure { error, error_description }) = serde_json::from_slice(&answer.body) {
        let said = [error, error_description].join(" ");
        let said = said.trim().chars().filter(|c| !c.is_control()).take(SAID_CHARS);
        let said: String = said.collect();
        if !said.is_empty() {
            reason = format!("{reason}: {said}");
        }
    }
    no_proof(reason)
}

/// Fields as a form (`application/x-www-form-urlencoded`).
pub(super) fn form<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>) -> String {
    let pair = |(name, value): (&str, &str)| format!("{}={}", encoded(name), encoded(value));
    fields.map(pair).collect::<Vec<_>>().join("&")
}

/// Text as a form has it.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            // Writing to a string does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn answer(status: u16, body: &str) -> Result<Granted, DialError> {
        let status = StatusCode::from_u16(status).unwrap();
        read(&Answer { status, headers: HeaderMap::new(), body: body.to_owned().into() })
    }

    #[test]
    fn tokens_are_read_in_the_forms_that_endpoints_write() {
        for (body, value, seconds) in [
            (r#"{"access_token":"t","token_type":"bearer","expires_in":60}"#, "Bearer t", Some(60)),
            (r#"{"access_token":"t","expires_in":"3600","scope":"a"}"#, "Bearer t", Some(3600)),
            (r#"{"access_token":"t","token_type":"MAC"}"#, "MAC t", None),
            (r#"{"access_token":"t","expires_in":0}"#, "Bearer t", None),
            (r#"{"access_token":"t","expires_in":-1}"#, "Bearer t", None),
            (r#"{"access_token":"t","expires_in":"soon"}"#, "Bearer t", None),
        ] {
            let granted = answer(200, body).unwrap();
            assert_eq!(granted.proof, Proof::new(AUTHORIZATION, value).unwrap(), "{body}");
            assert_eq!(granted.lifetime, seconds.map(Duration::from_secs), "{body}");
        }
    }

    #[test]
    fn an_answer_without_a_token_says_what_is_wrong_and_shows_no_secret() {
        for (status, body, said) in [
            (200, "<html>hunter2", "without an access_token"),
            (200, r#"{"access_token":""}"#, "empty access_token"),
            (200, r#"{"access_token":["hunter2"]}"#, "without an access_token"),
            (
                401,
                r#"{"error":"invalid_client","error_description":"no\nsuch"}"#,
                "invalid_client nosuch",
            ),
            (400, "client_secret=hunter2", "HTTP 400"),
            (200, "{\"access_token\":\"hunter2\\u0001\"}", "characters"),
        ] {
            let error = answer(status, body).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn forms_are_encoded_byte_by_byte() {
        let fields = [("a b", "x&y=z"), ("u", "\u{e9}~*")];
        assert_eq!(form(fields.into_iter()), "a+b=x%26y%3Dz&u=%C3%A9%7E*");
    }
}
