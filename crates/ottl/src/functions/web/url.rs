//! `URL`: the parts of an address, under the names of the semantic conventions.

use crate::error::RunError;
use crate::functions::Call;
use crate::value::Value;

pub(super) fn parse(call: &Call<'_>) -> Result<Value, RunError> {
    let text = call.text(0);
    let wrong = || RunError::invalid(format!("{text:?} is no URL"));
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(wrong());
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) =
        rest.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", rest));
    let is_opaque = !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/');
    let first = rest.split('/').next().unwrap_or_default();
    if scheme.is_empty() && first.contains(':') {
        return Err(wrong());
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    if authority.contains(' ') {
        return Err(wrong());
    }
    let decoded = if is_opaque { String::new() } else { decoded(path).ok_or_else(wrong)? };
    let path = decoded.as_str();
    let scheme = scheme.to_ascii_lowercase();
    let original = &respelled(text, &scheme, if is_opaque { 0 } else { rest.len() });
    let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (domain, port) = split_port(host).ok_or_else(wrong)?;
    let domain = domain.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(domain);
    let (username, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let mut entries = Vec::new();
    let mut put = |key: &str, text: &str, is_always: bool| {
        if is_always || !text.is_empty() {
            entries.push((format!("url.{key}"), Value::from(text)));
        }
    };
    put("original", original, true);
    put("domain", domain, true);
    put("scheme", &scheme, true);
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

/// The text without percent escapes; none if one is broken.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The whole address with its scheme in lower case; a part of this length behind the scheme that has
/// characters which no address has is escaped.
fn respelled(text: &str, scheme: &str, length: usize) -> String {
    let start = if scheme.is_empty() { 0 } else { scheme.len() + 1 };
    let head = if scheme.is_empty() { String::new() } else { format!("{scheme}:") };
    let (part, tail) =
        text.get(start..).unwrap_or_default().split_at_checked(length).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte);
    if part.bytes().all(|byte| is_plain(byte) || b"!'()*[]%".contains(&byte)) {
        return format!("{head}{part}{tail}");
    }
    let mut escaped = String::with_capacity(part.len() * 2);
    for byte in part.bytes() {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{head}{escaped}{tail}")
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
