//! The namespace `encoding`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::{Call, json, yaml};
use crate::alloy::evaluate::Evaluated;
use crate::value::Value;

pub(super) fn from_json(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    let text = call.text(0)?;
    let parsed: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| call.fail(error))?;
    Ok(json::value(parsed, &call.at))
}

pub(super) fn from_yaml(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    let text = call.text(0)?;
    let parsed = yaml::parse(&text).map_err(|error| call.fail(error))?;
    Ok(json::value(parsed, &call.at))
}

pub(super) fn to_json(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    let value = call.argument(0)?;
    if value.as_object().is_none() {
        return Err(call.wrong_type(value, "object"));
    }
    let mut out = String::new();
    json::write(&mut out, value).map_err(|(value, reason)| call.fail_at(value, reason))?;
    Ok(call.string(out))
}

pub(super) fn from_base64(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    decoded(call, &STANDARD)
}

pub(super) fn from_url_base64(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    decoded(call, &URL_SAFE)
}

fn decoded(call: &Call<'_>, engine: &impl base64::Engine) -> Result<Value, Box<crate::Diagnostic>> {
    // Line ends inside are no data, as in Go.
    let text = call.text(0)?.replace(['\r', '\n'], "");
    let bytes = engine.decode(text).map_err(|error| call.fail(error))?;
    let text = String::from_utf8(bytes).map_err(|_| call.fail("the decoded bytes are no UTF-8"))?;
    Ok(call.string(text))
}

pub(super) fn to_base64(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    Ok(call.string(STANDARD.encode(call.text(0)?)))
}

pub(super) fn to_url_base64(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    Ok(call.string(URL_SAFE.encode(call.text(0)?)))
}

pub(super) fn url_encode(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    let mut out = String::new();
    for byte in call.text(0)?.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => {
                out.push('%');
                out.extend([other >> 4, other & 15].map(digit));
            }
        }
    }
    Ok(call.string(out))
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

pub(super) fn url_decode(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    let text = call.text(0)?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next(), rest.next()];
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let [Some(high), Some(low)] = digits.map(digit) else {
                    return Err(call.fail("invalid percent escape"));
                };
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
            }
            other => bytes.push(other),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| call.fail("the decoded bytes are no UTF-8"))?;
    Ok(call.string(text))
}
