//! Who calls: what a request brings is held against users or tokens, before its body is read.
//!
//! Comparisons take as long for a wrong secret as for a right one, and a refusal says nothing of
//! what was sent.

mod basic;
mod bearer;
mod htpasswd;

use std::sync::Arc;

use bessemer_runtime::BoxFuture;
use http::header::{HeaderMap, HeaderName, HeaderValue};

pub use basic::Basic;
pub use bearer::Bearer;
use htpasswd::Htpasswd;
pub use htpasswd::HtpasswdError;

/// Who called: a user, or the authenticator whose token was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal(pub String);

/// Why a caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing was shown.
    #[error("the request has no credentials")]
    Missing,
    /// What was shown is not known.
    #[error("the credentials are not known")]
    Unknown,
}

/// Tells who calls.
pub trait Authenticator: Send + Sync + 'static {
    /// Who sent a request with these headers.
    fn authenticate<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> BoxFuture<'a, Result<Principal, Denied>>;

    /// The value of `WWW-Authenticate` for those who are denied.
    fn challenge(&self) -> HeaderValue;

    /// The header with the credentials; it is kept with no record.
    fn header(&self) -> &HeaderName;
}

/// An authenticator that components share.
#[derive(Clone)]
pub struct Callers(pub Arc<dyn Authenticator>);

impl std::fmt::Debug for Callers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Callers(***)")
    }
}

/// The one value of a header; two would let the peers disagree on which counts.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Denied> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Denied::Missing)?;
    if values.next().is_some() {
        return Err(Denied::Unknown);
    }
    Ok(value.as_bytes())
}

/// What stands behind a scheme, whose letters may have any case (RFC 9110, section 11.1).
fn behind<'v>(value: &'v [u8], scheme: &str) -> Option<&'v [u8]> {
    let (start, rest) = value.split_at_checked(scheme.len())?;
    let is_it = start.eq_ignore_ascii_case(scheme.as_bytes());
    rest.strip_prefix(b" ").filter(|_| is_it).map(<[u8]>::trim_ascii)
}
