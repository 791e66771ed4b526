//! A token that somebody else made (RFC 6750), under a header and a scheme of choice.

use bessemer_runtime::{BoxFuture, SecretText};
use http::HeaderName;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING,
};

use super::{Authorize, Proof, no_proof};
use crate::dial::{DialError, SettingsError};

/// Headers that say how a request is read.
const RESERVED: [HeaderName; 7] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING];

/// Sends a token.
#[derive(Debug)]
pub struct Bearer {
    header: HeaderName,
    scheme: String,
    token: SecretText,
}

impl Bearer {
    /// The token, or the first line of its file, behind `scheme` unless that is empty.
    pub fn new(header: HeaderName, scheme: &str, token: SecretText) -> Self {
        Self { header, scheme: scheme.to_owned(), token }
    }

    fn current(&self) -> Result<Proof, DialError> {
        let token = self.token.current();
        let token = token.expose().lines().next().map_or("", str::trim);
        if token.is_empty() {
            return Err(no_proof("the token is empty"));
        }
        Proof::new(self.header.clone(), format!("{} {token}", self.scheme).trim_start())
    }
}

impl Authorize for Bearer {
    fn proof(&self) -> BoxFuture<'_, Result<Proof, DialError>> {
        Box::pin(std::future::ready(self.current()))
    }

    fn renew(&self, proof: &Proof) -> bool {
        self.current().is_ok_and(|current| current != *proof)
    }
}

/// A header that may carry a token.
pub fn header_name(text: &str) -> Result<HeaderName, SettingsError> {
    let refused = |problem| SettingsError::new("header", problem, "write a name as Authorization");
    let name = HeaderName::try_from(text).map_err(|_| refused("is not the name of a header"))?;
    if RESERVED.contains(&name) || name.as_str().starts_with("grpc-") {
        return Err(refused("is set by the protocol"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use bessemer_runtime::Secret;
    use http::header::AUTHORIZATION;

    use super::*;

    fn value(scheme: &str, token: &str) -> Result<Proof, DialError> {
        Bearer::new(AUTHORIZATION, scheme, SecretText::Given(Secret::new(token))).current()
    }

    #[test]
    fn the_scheme_stands_before_the_first_line_of_the_token() {
        assert_eq!(value("Bearer", "abc").unwrap().value, "Bearer abc");
        assert_eq!(value("", "abc\ndef\n").unwrap().value, "abc");
        assert!(value("Bearer", "\n").is_err());
        let error = value("Bearer", "hunter2\u{1}").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_token_has_no_place_in_a_header_of_the_protocol() {
        assert_eq!(header_name("X-Api-Key").unwrap(), "x-api-key");
        for wrong in ["", "a b", "Host", "content-length", "grpc-timeout"] {
            assert!(header_name(wrong).is_err(), "{wrong}");
        }
    }
}
