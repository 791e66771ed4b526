//! Cookies of one destination (RFC 6265): kept from its answers, sent with later requests.
//!
//! A client has one host, so a cookie's domain says whether it is kept and nothing more. What would
//! go over a limit is not kept; the destination then sees a client without that cookie.

use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;

use super::endpoint::Endpoint;
use crate::retry::date;

/// Cookies of one destination; beyond them the oldest goes.
const COOKIES_MAX: usize = 50;
/// Bytes of name and value of one cookie.
const COOKIE_BYTES_MAX: usize = 4 << 10;

/// What was kept, oldest first.
#[derive(Default)]
pub(super) struct Jar {
    kept: Mutex<Vec<Cookie>>,
}

struct Cookie {
    name: String,
    value: String,
    path: String,
    /// Sent over TLS alone.
    is_secure: bool,
    /// Since the Unix epoch; `None` as long as the process lives.
    expires: Option<Duration>,
}

impl Jar {
    /// Adds the cookies for `path` to those that `headers` has.
    pub(super) fn write_to(
        &self,
        headers: &mut HeaderMap,
        endpoint: &Endpoint,
        path: &str,
        now: Duration,
    ) {
        let mut kept = self.kept.lock();
        kept.retain(|cookie| cookie.holds(now));
        let mut sent: Vec<&Cookie> = kept
            .iter()
            .filter(|cookie| (!cookie.is_secure || endpoint.secure) && cookie.is_for(path))
            .collect();
        // Longer paths come first, and of those the older ones.
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let own = headers.get(COOKIE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let pairs = sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
        let text = own.into_iter().chain(pairs).collect::<Vec<_>>().join("; ");
        drop(kept);
        if text.is_empty() {
            return;
        }
        // All of it came in headers, so it can go in one.
        if let Ok(mut value) = HeaderValue::from_str(&text) {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }

    /// Keeps what an answer to a request of `path` sets.
    pub(super) fn keep(&self, headers: &HeaderMap, endpoint: &Endpoint, path: &str, now: Duration) {
        for value in headers.get_all(SET_COOKIE).iter().take(COOKIES_MAX) {
            let set = value.to_str().ok().and_then(|text| Cookie::parse(text, endpoint, path, now));
            let Some(set) = set else { continue };
            let mut kept = self.kept.lock();
            kept.retain(|cookie| (&cookie.name, &cookie.path) != (&set.name, &set.path));
            if !set.holds(now) {
                continue;
            }
            if kept.len() >= COOKIES_MAX {
                kept.remove(0);
            }
            kept.push(set);
        }
    }
}

impl Cookie {
    fn parse(text: &str, endpoint: &Endpoint, path: &str, now: Duration) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_sound = !name.is_empty() && name.len() + value.len() <= COOKIE_BYTES_MAX;
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            path: default_path(path).to_owned(),
            is_secure: false,
            expires: None,
        };
        let mut has_age = false;
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "secure" => cookie.is_secure = true,
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "domain" if !is_within(&endpoint.host, value) => return None,
                // The age counts where both are there.
                "max-age" => {
                    if let Ok(seconds) = value.trim().parse::<i64>() {
                        let age = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                        cookie.expires = Some(now.saturating_add(age));
                        has_age = true;
                    }
                }
                "expires" if !has_age => {
                    cookie.expires = date::parse(value).map(Duration::from_secs);
                }
                _ => {}
            }
        }
        is_sound.then_some(cookie)
    }

    fn holds(&self, now: Duration) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether it is sent with requests of `path`.
    fn is_for(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        })
    }
}

/// The folder of a path.
fn default_path(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}

/// Whether a domain is the host or one above it.
fn is_within(host: &str, domain: &str) -> bool {
    let domain = domain.trim().trim_start_matches('.').to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    let is_above = host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
    domain.is_empty() || host == domain || (is_above && domain.contains('.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(784_111_777);

    /// What is sent for `path` after these were set by an answer to `/v1/logs`.
    fn sent(url: &str, set: &[&str], path: &str) -> String {
        let (jar, endpoint) = (Jar::default(), Endpoint::http(url).unwrap());
        for set in set {
            let mut answer = HeaderMap::new();
            answer.append(SET_COOKIE, set.parse().unwrap());
            jar.keep(&answer, &endpoint, "/v1/logs", NOW);
        }
        let mut headers = HeaderMap::new();
        jar.write_to(&mut headers, &endpoint, path, NOW + Duration::from_secs(1));
        headers.get(COOKIE).map_or("", |value| value.to_str().unwrap()).to_owned()
    }

    #[test]
    fn cookies_come_back_where_and_as_long_as_the_destination_says() {
        let check = |set: &[&str], expected: &str| {
            assert_eq!(sent("http://a.b.c", set, "/v1/logs"), expected, "{set:?}");
        };
        check(&["id=1; HttpOnly; SameSite=Lax"], "id=1");
        check(&["a=1", "b=2; Path=/v1/logs", "a=3"], "b=2; a=3");
        check(&["a=1; Max-Age=60", "a=; Max-Age=0"], "");
        check(
            &[
                "a=1; Max-Age=1",
                "b=2; Max-Age=-1",
                "c=3; Max-Age=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ],
            "c=3",
        );
        check(
            &[
                "a=1; Expires=Sun, 06 Nov 1994 08:49:36 GMT",
                "b=2; Expires=Mon, 07 Nov 1994 08:49:36 GMT",
            ],
            "b=2",
        );
        check(
            &[
                "a=1; Domain=b.c",
                "b=2; Domain=.A.B.C",
                "c=3; Domain=c",
                "d=4; Domain=x.c",
                "e=5; Domain=",
            ],
            "a=1; b=2; e=5",
        );
        check(&["a=1; Secure", "=2", "nothing"], "");
        assert_eq!(sent("https://a", &["a=1; Secure"], "/v1/logs"), "a=1");
        for (path, is_sent) in
            [("/v1", true), ("/v1/x", true), ("/v2", false), ("/v10", false), ("/", false)]
        {
            assert_eq!(sent("http://a", &["a=1"], path) == "a=1", is_sent, "{path}");
        }
    }

    #[test]
    fn a_destination_that_sets_ever_new_cookies_fills_no_memory() {
        let many: Vec<String> = (0..COOKIES_MAX * 3).map(|at| format!("n{at}={at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let sent_back = sent("http://a", &many, "/v1/logs");
        assert_eq!(sent_back.split("; ").count(), COOKIES_MAX);
        assert!(sent_back.contains("n149=149") && !sent_back.contains("n0=0"));
        let large = format!("a={}", "x".repeat(COOKIE_BYTES_MAX));
        assert_eq!(sent("http://a", &[&large], "/v1/logs"), "");
    }

    #[test]
    fn a_cookie_of_the_settings_stays_in_front() {
        let (jar, endpoint) = (Jar::default(), Endpoint::http("http://a").unwrap());
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, "b=2".parse().unwrap());
        jar.keep(&headers, &endpoint, "/", NOW);
        headers.insert(COOKIE, "a=1".parse().unwrap());
        jar.write_to(&mut headers, &endpoint, "/", NOW);
        assert_eq!(headers.get(COOKIE).unwrap(), "a=1; b=2");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Whatever is set, what is sent is one line of pairs.
        #[test]
        fn no_set_cookie_breaks_a_request(text in "[ -~]{0,80}", path in "/[a-z/]{0,12}") {
            let sent = sent("http://a", &[&text], &path);
            prop_assert!(sent.is_empty() || sent.contains('='), "{}", sent);
        }
    }
}
