//! Tokens that are known as text or in a file, one a line.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use bessemer_runtime::{BoxFuture, SecretText};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Authenticator, Denied, Principal, behind, single};

/// Lets in who shows one of the tokens.
#[derive(Debug)]
pub struct Bearer {
    id: String,
    header: HeaderName,
    scheme: String,
    tokens: Vec<SecretText>,
}

impl Bearer {
    /// Tokens that one authenticator knows at most; each costs a digest per request.
    pub const TOKENS_MAX: usize = 1000;

    /// Tokens behind `scheme`, unless that is empty, in `header`. Callers are known as `id`.
    pub fn new(id: &str, header: HeaderName, scheme: &str, tokens: Vec<SecretText>) -> Self {
        Self { id: id.to_owned(), header, scheme: scheme.to_owned(), tokens }
    }

    fn check(&self, headers: &HeaderMap) -> Result<Principal, Denied> {
        let value = single(headers, &self.header)?;
        let shown = if self.scheme.is_empty() {
            Some(value.trim_ascii())
        } else {
            behind(value, &self.scheme)
        };
        let shown = shown.filter(|token| !token.is_empty()).ok_or(Denied::Unknown)?;
        // Digests are of one length, so the comparison does not tell how long a token is.
        let shown = digest(&SHA256, shown);
        let mut is_known = false;
        for source in &self.tokens {
            let source = source.current();
            let tokens = source.expose().lines().map(str::trim).filter(|token| !token.is_empty());
            for token in tokens.take(Self::TOKENS_MAX) {
                let known = digest(&SHA256, token.as_bytes());
                is_known |= verify_slices_are_equal(known.as_ref(), shown.as_ref()).is_ok();
            }
        }
        if is_known { Ok(Principal(self.id.clone())) } else { Err(Denied::Unknown) }
    }
}

impl Authenticator for Bearer {
    fn authenticate<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> BoxFuture<'a, Result<Principal, Denied>> {
        Box::pin(std::future::ready(self.check(headers)))
    }

    fn challenge(&self) -> HeaderValue {
        let scheme = if self.scheme.is_empty() { "Bearer" } else { &self.scheme };
        HeaderValue::from_str(scheme).unwrap_or(HeaderValue::from_static("Bearer"))
    }

    fn header(&self) -> &HeaderName {
        &self.header
    }
}

#[cfg(test)]
mod tests {
    use bessemer_runtime::Secret;
    use http::header::AUTHORIZATION;

    use super::*;

    fn check(scheme: &str, tokens: &[&str], shown: &[&str]) -> Result<Principal, Denied> {
        let tokens = tokens.iter().map(|token| SecretText::Given(Secret::new(*token))).collect();
        let mut headers = HeaderMap::new();
        for value in shown {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        Bearer::new("auth", AUTHORIZATION, scheme, tokens).check(&headers)
    }

    #[test]
    fn one_of_the_tokens_behind_the_scheme_lets_in_and_nothing_else_does() {
        let known = Ok(Principal("auth".into()));
        assert_eq!(check("Bearer", &["one", "two"], &["Bearer two"]), known);
        assert_eq!(
            check("Bearer", &["one\ntwo\n"], &["bearer  two "]),
            known,
            "as a file has them"
        );
        assert_eq!(check("", &["one"], &["one"]), known);
        assert_eq!(check("Bearer", &["one"], &[]), Err(Denied::Missing));
        for wrong in
            ["one", "Bearer", "Bearer ", "Bearer on", "Bearer one1", "Basic one", "Bearerone"]
        {
            assert_eq!(check("Bearer", &["one"], &[wrong]), Err(Denied::Unknown), "{wrong}");
        }
        assert_eq!(check("Bearer", &["one"], &["Bearer x", "Bearer one"]), Err(Denied::Unknown));
        assert_eq!(check("Bearer", &[""], &["Bearer "]), Err(Denied::Unknown), "no empty token");
    }
}
