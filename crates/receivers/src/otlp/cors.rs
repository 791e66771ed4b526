//! Cross-origin requests of browsers, by a list of origins. Credentials are never allowed.
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>

use bessemer_net::listen::Reply;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Request, Response, StatusCode};

use super::settings;

pub(super) struct Cors {
    settings: settings::Cors,
}

impl Cors {
    pub(super) fn new(settings: &settings::Cors) -> Self {
        Self { settings: settings.clone() }
    }

    /// The request's origin when it is allowed.
    pub(super) fn origin<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let origin = request.headers().get(ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.settings
            .allowed_origins
            .iter()
            .any(|pattern| matches(pattern, text))
            .then(|| origin.clone())
    }

    /// The answer to the question whether a page may send.
    pub(super) fn preflight<B>(
        &self,
        origin: &HeaderValue,
        request: &Request<B>,
    ) -> Response<Reply> {
        let mut response = Reply::status(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        self.permit(origin, headers);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        let any = self.settings.allowed_headers.iter().any(|header| header == "*");
        let allowed = if any {
            request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).cloned()
        } else {
            let safe = ["Content-Type", "Content-Encoding"].map(str::to_owned);
            list(safe.iter().chain(&self.settings.allowed_headers))
        };
        set(headers, ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        if self.settings.max_age > 0 {
            headers.insert(ACCESS_CONTROL_MAX_AGE, self.settings.max_age.into());
        }
        response
    }

    /// Marks an answer as readable by the page.
    pub(super) fn permit(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.append(VARY, HeaderValue::from_static("Origin"));
        set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, list(self.settings.exposed_headers.iter()));
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> Option<HeaderValue> {
    let joined = names.map(String::as_str).collect::<Vec<_>>().join(", ");
    if joined.is_empty() { None } else { HeaderValue::from_str(&joined).ok() }
}

/// Whether the whole origin fits the pattern, in which one `*` stands for any text.
fn matches(pattern: &str, origin: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(origin),
        Some((start, end)) => {
            origin.len() >= start.len() + end.len()
                && origin.starts_with(start)
                && origin.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_must_fit_the_whole_pattern() {
        for (pattern, origin, fits) in [
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.example.com.evil.org", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("https://example.com", "https://example.com", true),
            ("https://example.com", "null", false),
            ("*", "null", true),
            ("https://a*a", "https://a", false),
        ] {
            assert_eq!(matches(pattern, origin), fits, "{pattern} {origin}");
        }
    }
}
