//! `URL`: the parts of an address, under the names of the semantic conventions.

use crate::error::RunError;
use crate::functions::Call;
use crate::value::Value;

pub(super) fn parse(call: &Call<'_>) -> Result<Value, RunError> {
    let original = call.text(0);
    let wrong = || RunError::invalid(format!("{original:?} is no URL"));
    if original.is_empty() || original.chars().any(|char| char.is_control() || char == ' ') {
        return Err(wrong());
    }
    let (rest, fragment) = original.split_once('#').unwrap_or((original, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) =
        rest.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", rest));
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (domain, port) = split_port(host).ok_or_else(wrong)?;
    let (username, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let mut entries = Vec::new();
    let mut put = |key: &str, text: &str, is_always: bool| {
        if is_always || !text.is_empty() {
            entries.push((format!("url.{key}"), Value::from(text)));
        }
    };
    put("original", original, true);
    put("domain", domain, true);
    put("scheme", scheme, true);
    put("path", path, true);
    put("fragment", fragment, false);
    put("query", query, false);
    put("user_info", user_info, false);
    put("username", username, false);
    put("password", password, false);
    put("extension", extension(path), false);
    if !port.is_empty() {
        let port: i64 = port.parse().map_err(|_| wrong())?;
        entries.push(("url.port".to_owned(), Value::Int(port)));
    }
    Ok(Value::Map(entries))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn split_port(host: &str) -> Option<(&str, &str)> {
    let start = host.rfind(']').map_or(0, |end| end + 1);
    let (address, tail) = host.split_at_checked(start)?;
    let (name, port) = tail.split_once(':').unwrap_or((tail, ""));
    let domain = host.get(..address.len() + name.len())?;
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some((domain, port))
}

fn extension(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').map_or("", |(_, extension)| extension)
}
