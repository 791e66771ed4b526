//! Where a client connects to, read out of the forms people write.

use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, Scheme};

use super::error::SettingsError;

/// One host and port, and whether TLS is spoken with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) secure: bool,
    /// Name or address, IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// As `Host` and `:authority` carry it: without the port when it is the scheme's own.
    pub(super) authority: Authority,
    /// The endpoint's own path, without a slash at its end.
    pub(super) path: String,
}

impl Endpoint {
    /// Whether it is on this machine, as far as its text tells.
    pub(super) fn is_loopback(&self) -> bool {
        let is_own = |address: IpAddr| address.is_loopback();
        self.host == "localhost" || self.host.parse().is_ok_and(is_own)
    }

    /// An HTTP endpoint, which names its scheme.
    pub(super) fn http(text: &str) -> Result<Self, SettingsError> {
        let uri = parse(text)?;
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(error(text, "has no scheme", "write http:// or https:// before it")),
        };
        if uri.query().is_some() {
            return Err(error(text, "has a query", "leave out what begins with ?"));
        }
        Self::build(text, &uri, secure)
    }

    /// A gRPC endpoint, where `insecure` decides what a missing scheme means.
    pub(super) fn grpc(text: &str, insecure: bool) -> Result<Self, SettingsError> {
        let bare = text.strip_prefix("dns:///").unwrap_or(text);
        let uri = parse(bare)?;
        let secure = match uri.scheme() {
            None => !insecure,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(_) => {
                let remedy = "write host:port, http://host:port or https://host:port";
                return Err(error(text, "has a scheme that gRPC cannot dial", remedy));
            }
        };
        if uri.scheme().is_none() && uri.port_u16().is_none() {
            return Err(error(text, "has no port", "write host:port, as localhost:4317"));
        }
        if !uri.path().trim_end_matches('/').is_empty() || uri.query().is_some() {
            return Err(error(text, "has a path", "gRPC services have fixed paths: leave it out"));
        }
        Self::build(text, &uri, secure)
    }

    /// Host and port, for people and for errors.
    pub(super) fn address(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }

    fn build(text: &str, uri: &Uri, secure: bool) -> Result<Self, SettingsError> {
        let authority = uri.authority().ok_or_else(|| error(text, "has no host", EXAMPLE))?;
        if authority.as_str().contains('@') {
            let remedy = "send an Authorization header with the setting headers";
            // The text itself holds the credentials.
            return Err(SettingsError::new("endpoint", "it holds credentials", remedy));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(error(text, "has no host", EXAMPLE));
        }
        let own_port = if secure { 443 } else { 80 };
        let port = match authority.port() {
            Some(port) => Some(port.as_u16()).filter(|port| *port != 0),
            None if authority.as_str().ends_with(':') => None,
            None => Some(own_port),
        };
        let port = port.ok_or_else(|| error(text, "has no valid port", EXAMPLE))?;
        let short = uri.scheme().is_some() && port == own_port;
        let authority = if short { authority.host().parse() } else { Ok(authority.clone()) };
        let authority = authority.map_err(|_| error(text, "has no valid host", EXAMPLE))?;
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { secure, host: host.to_owned(), port, authority, path })
    }
}

const EXAMPLE: &str = "write it as https://host:port";

fn parse(text: &str) -> Result<Uri, SettingsError> {
    if text.trim().is_empty() {
        return Err(SettingsError::new("endpoint", "it is empty", EXAMPLE));
    }
    text.trim().parse().map_err(|_| {
        if text.contains('@') {
            return SettingsError::new("endpoint", "it is not a URL", EXAMPLE);
        }
        error(text, "is not a URL", EXAMPLE)
    })
}

fn error(text: &str, problem: &str, remedy: &str) -> SettingsError {
    SettingsError::new("endpoint", format!("{text:?} {problem}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Result<Endpoint, SettingsError>, expected: Option<(bool, &str, u16, &str)>) {
        let found = found.ok();
        let seen = found.as_ref().map(|e| (e.secure, e.host.as_str(), e.port, e.path.as_str()));
        assert_eq!(seen, expected);
    }

    #[test]
    fn http_endpoints_name_scheme_host_and_path() {
        let http = |text| Endpoint::http(text);
        check(http("http://a:4318"), Some((false, "a", 4318, "")));
        check(http("https://a.b/otlp/"), Some((true, "a.b", 443, "/otlp")));
        check(http("http://[::1]:9/x"), Some((false, "::1", 9, "/x")));
        for bad in ["", "a:4318", "a", "ftp://a", "http://", "http://u:p@a", "http://a?x=1"] {
            check(http(bad), None);
        }
    }

    #[test]
    fn grpc_endpoints_take_tls_from_scheme_or_setting() {
        check(Endpoint::grpc("a:4317", true), Some((false, "a", 4317, "")));
        check(Endpoint::grpc("a:4317", false), Some((true, "a", 4317, "")));
        check(Endpoint::grpc("http://a:4317", false), Some((false, "a", 4317, "")));
        check(Endpoint::grpc("https://a", true), Some((true, "a", 443, "")));
        check(Endpoint::grpc("dns:///a:1", true), Some((false, "a", 1, "")));
        check(Endpoint::grpc("[::1]:4317", true), Some((false, "::1", 4317, "")));
        for bad in ["", "a", "unix:///x", "http://a/x", "a:0", "a:99999"] {
            check(Endpoint::grpc(bad, true), None);
        }
    }

    #[test]
    fn credentials_in_an_endpoint_are_refused_and_not_repeated() {
        for text in ["http://me:hunter2@a:1", "me:hunter2@a b"] {
            let refused = Endpoint::http(text).unwrap_err().to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn the_authority_leaves_out_the_port_of_the_scheme() {
        assert_eq!(Endpoint::http("https://a:443/x").unwrap().authority, "a");
        assert_eq!(Endpoint::http("https://a:444/x").unwrap().authority, "a:444");
        assert_eq!(Endpoint::grpc("[::1]:443", false).unwrap().authority, "[::1]:443");
        assert_eq!(Endpoint::grpc("[::1]:443", false).unwrap().address(), "[::1]:443");
    }
}
