//! `UserAgent`: the name and version of well-known clients.

use crate::error::RunError;
use crate::functions::Call;
use crate::value::Value;

/// What a client calls itself, and the name that is given to it; more specific ones first.
static CLIENTS: [(&str, &str); 33] = [
    ("Googlebot/", "Googlebot"),
    ("bingbot/", "bingbot"),
    ("YandexBot/", "YandexBot"),
    ("DuckDuckBot/", "DuckDuckBot"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge Mobile"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("UCBrowser/", "UC Browser"),
    ("CriOS/", "Chrome Mobile iOS"),
    ("FxiOS/", "Firefox iOS"),
    ("Electron/", "Electron"),
    ("HeadlessChrome/", "HeadlessChrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Firefox/", "Firefox"),
    ("MSIE ", "IE"),
    ("Trident/7.0; rv:", "IE"),
    ("Opera/", "Opera"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-requests/", "Python Requests"),
    ("Python-urllib/", "Python-urllib"),
    ("okhttp/", "okhttp"),
    ("Go-http-client/", "Go-http-client"),
    ("Apache-HttpClient/", "Apache-HttpClient"),
    ("PostmanRuntime/", "PostmanRuntime"),
    ("axios/", "axios"),
    ("node-fetch/", "node-fetch"),
    ("Java/", "Java"),
];

pub(super) fn parse(call: &Call<'_>) -> Result<Value, RunError> {
    let agent = call.text(0);
    let (name, version) = client(agent);
    Ok(Value::Map(vec![
        ("user_agent.name".to_owned(), Value::from(name)),
        ("user_agent.version".to_owned(), Value::from(version)),
        ("user_agent.original".to_owned(), Value::from(agent)),
    ]))
}

fn client(agent: &str) -> (&'static str, &str) {
    for (mark, name) in &CLIENTS {
        if let Some((_, rest)) = agent.split_once(mark) {
            let is_mobile = *mark == "Chrome/" && agent.contains("Android");
            return (if is_mobile { "Chrome Mobile" } else { name }, version(rest));
        }
    }
    if agent.contains("Safari/")
        && let Some((_, rest)) = agent.split_once("Version/")
    {
        let is_mobile = agent.contains("Mobile/");
        return (if is_mobile { "Mobile Safari" } else { "Safari" }, version(rest));
    }
    ("Other", "")
}

/// At most three numbers: more of them tell builds apart, not versions.
fn version(rest: &str) -> &str {
    let mut dots = 0;
    let is_end = |char: char| {
        dots += u32::from(char == '.');
        dots > 2 || !(char.is_ascii_digit() || char == '.')
    };
    let end = rest.find(is_end).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_the_name_and_version_that_they_tell() {
        for (agent, expected) in [
            ("Mozilla/5.0 Chrome/51.0.2704.103 Safari/537.36", ("Chrome", "51.0.2704")),
            ("Mozilla/5.0 Chrome/51.0 Safari/537.36 OPR/38.0.2220.41", ("Opera", "38.0.2220")),
            ("curl/7.81.0", ("curl", "7.81.0")),
            ("Wget/1", ("Wget", "1")),
            ("something else", ("Other", "")),
            ("", ("Other", "")),
        ] {
            assert_eq!(client(agent), expected, "{agent}");
        }
    }
}
