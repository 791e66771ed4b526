//! Base64 and character sets.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::error::RunError;
use crate::functions::Call;
use crate::value::Value;

/// What Windows-1252 has in place of the control characters from 0x80.
const WINDOWS_1252: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2C6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];

pub(super) fn base64_decode(call: &Call<'_>) -> Result<Value, RunError> {
    from_base64(call.text(0).as_bytes(), "base64").map(Value::String)
}

pub(super) fn base64_encode(call: &Call<'_>) -> Result<Value, RunError> {
    let bytes = call.text(0);
    Ok(Value::String(match call.text_or(1, "base64") {
        "base64" => STANDARD.encode(bytes),
        "base64-raw" => STANDARD_NO_PAD.encode(bytes),
        "base64-url" => URL_SAFE.encode(bytes),
        "base64-raw-url" => URL_SAFE_NO_PAD.encode(bytes),
        other => return Err(RunError::invalid(format!("unknown variant {other:?}"))),
    }))
}

fn from_base64(text: &[u8], variant: &str) -> Result<String, RunError> {
    let text: Vec<u8> =
        text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    let decoded = match variant {
        "base64-raw" => STANDARD_NO_PAD.decode(text),
        "base64-url" => URL_SAFE.decode(text),
        "base64-raw-url" => URL_SAFE_NO_PAD.decode(text),
        _ => STANDARD.decode(text),
    };
    let bytes = decoded.map_err(|error| RunError::invalid(format!("not base64: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn decode(call: &Call<'_>) -> Result<Value, RunError> {
    let bytes = match call.value(0) {
        Value::Bytes(bytes) => bytes.as_slice(),
        Value::String(text) => text.as_bytes(),
        other => return Err(other.mismatch("a string or bytes")),
    };
    let encoding = call.text(1).to_ascii_lowercase();
    let text = match encoding.as_str() {
        "base64" | "base64-raw" | "base64-url" | "base64-raw-url" => from_base64(bytes, &encoding)?,
        "utf-8" | "utf8" | "us-ascii" | "ascii" | "nop" => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        "iso-8859-1" | "latin1" | "l1" => bytes.iter().map(|byte| char::from(*byte)).collect(),
        "windows-1252" | "cp1252" => bytes.iter().map(|byte| windows(*byte)).collect(),
        "utf-16" | "utf-16be" | "utf16be" => utf16(bytes, u16::from_be_bytes),
        "utf-16le" | "utf16le" => utf16(bytes, u16::from_le_bytes),
        other => return Err(RunError::invalid(format!("there is no encoding {other:?} here"))),
    };
    Ok(Value::String(text))
}

fn windows(byte: u8) -> char {
    let high = usize::from(byte).checked_sub(0x80).and_then(|at| WINDOWS_1252.get(at));
    high.copied().unwrap_or(char::from(byte))
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
    String::from_utf16_lossy(&units)
}
