//! `UserAgent`: the name and version of well-known clients.

use crate::error::RunError;
use crate::functions::Call;
use crate::value::Value;

/// What a client calls itself, and the name that is given to it; more specific ones first.
static CLIENTS: [(&str, &str); 34] = [
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
    ("kube-probe/", "kube-probe"),
    ("Prometheus/", "Prometheus"),
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

fn version(rest: &str) -> &str {
    let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.');
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
}
