//! An HTTP proxy before a destination (RFC 9110, section 9.3.6, and RFC 9112, section 3.2).
//!
//! A destination with `https` is reached through a tunnel that `CONNECT` asks for, so the proxy sees
//! its host and port and nothing else. One with `http` is named in whole in every request, which
//! the proxy reads.

use bessemer_runtime::Secret;
use http::header::PROXY_AUTHORIZATION;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::auth::basic_value;
use super::endpoint::Endpoint;
use super::error::{DialError, SettingsError};
use crate::grpc::status::percent_decode;

/// Bytes of the answer to `CONNECT` at most.
const HEAD_MAX: usize = 16 << 10;
const HEAD_END: &[u8] = b"\r\n\r\n";
const REMEDY: &str = "write it as http://host:port or http://user:password@host:port";

/// Where it is and what it is shown.
pub(super) struct Proxy {
    pub(super) endpoint: Endpoint,
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Reads `http://user:password@host:port`; nothing of it is shown in an error.
    pub(super) fn parse(url: &Secret) -> Result<Self, SettingsError> {
        let refused = |problem: &str| SettingsError::new("proxy_url", problem, REMEDY);
        let uri: Uri = url.expose().trim().parse().map_err(|_| refused("is not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(refused("has a scheme other than http"));
        }
        let authority = uri.authority().map_or("", Authority::as_str);
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        let endpoint = Endpoint::http(&format!("http://{place}"))
            .map_err(|_| refused("has no valid host and port"))?;
        if !matches!(uri.path_and_query().map(PathAndQuery::as_str), None | Some("/")) {
            return Err(refused("has a path"));
        }
        let authorization = credentials.map(authorization).transpose();
        let authorization = authorization.map_err(|()| refused("holds control characters"))?;
        Ok(Self { endpoint, authorization })
    }

    /// Shows the proxy who sends.
    pub(super) fn write_to(&self, headers: &mut HeaderMap) {
        if let Some(value) = &self.authorization {
            headers.insert(PROXY_AUTHORIZATION, value.clone());
        }
    }

    /// Makes a connection to the proxy one to `target`.
    pub(super) async fn tunnel(
        &self,
        stream: &mut TcpStream,
        target: &Endpoint,
    ) -> Result<(), DialError> {
        let target = target.address();
        let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
        if let Some(value) = &self.authorization {
            head.extend([&b"Proxy-Authorization: "[..], value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        let lost = |error: std::io::Error| self.error(format!("was lost: {error}"));
        stream.write_all(&head).await.map_err(lost)?;
        let mut answer = Vec::new();
        while !answer.ends_with(HEAD_END) {
            // Byte by byte: what stands behind the head belongs to the destination.
            let byte = stream.read_u8().await.map_err(lost)?;
            answer.push(byte);
            if answer.len() > HEAD_MAX {
                return Err(self.error(format!("answers more than {HEAD_MAX} bytes")));
            }
        }
        match status(&answer) {
            Some(200..=299) => Ok(()),
            Some(407) => Err(self.error("asks for another user and password (407)".to_owned())),
            Some(status) => Err(self.error(format!("answers {status} to CONNECT {target}"))),
            None => Err(self.error("does not speak HTTP".to_owned())),
        }
    }

    fn error(&self, reason: String) -> DialError {
        DialError::Proxy { address: self.endpoint.address(), reason }
    }
}

fn authorization(credentials: &str) -> Result<HeaderValue, ()> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let decoded = |text: &str| Secret::new(percent_decode(text.as_bytes()));
    let value = basic_value(&decoded(user), &decoded(password));
    let mut value = HeaderValue::from_str(&value).map_err(drop)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The code of `HTTP/1.1 200 Connection established`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    let code = rest.split(' ').nth(1)?;
    code.parse().ok().filter(|_| code.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Proxy, SettingsError> {
        Proxy::parse(&Secret::new(url))
    }

    #[test]
    fn host_port_and_credentials_are_taken_from_the_url() {
        let proxy = parse("http://proxy.local:3128").unwrap();
        assert_eq!(
            (proxy.endpoint.address().as_str(), proxy.endpoint.secure),
            ("proxy.local:3128", false)
        );
        assert!(proxy.authorization.is_none());
        assert_eq!(parse("http://[::1]/").unwrap().endpoint.address(), "[::1]:80");
        let proxy = parse("http://Aladdin:open%20sesame@proxy:1").unwrap();
        assert_eq!(proxy.authorization.unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn what_no_proxy_has_is_refused_and_not_shown() {
        for url in [
            "",
            "hunter2",
            "proxy:3128",
            "https://me:hunter2@proxy",
            "socks5://me:hunter2@proxy",
            "http://me:hunter2@",
            "http://me:hunter2@proxy:0",
            "http://me:hunter2@proxy/path",
            "http://me:hunter2@proxy?x",
            "http://me:hunter2@pro xy",
        ] {
            let error = parse(url).map(drop).unwrap_err();
            assert_eq!(error.setting, "proxy_url", "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn only_a_status_line_has_a_status() {
        assert_eq!(status(b"HTTP/1.0 200\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), Some(407));
        for wrong in
            [&b"\r\n\r\n"[..], b"SSH-2.0\r\n\r\n", b"HTTP/1.1 2000 x\r\n\r\n", b"\xff\r\n\r\n"]
        {
            assert_eq!(status(wrong), None);
        }
    }
}
