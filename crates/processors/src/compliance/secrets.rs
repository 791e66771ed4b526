//! Secrets by their shape: tokens of providers, JWTs, private keys, passwords in addresses and
//! behind telling words, and text too random to be anything else.

use std::ops::Range;

use memchr::memmem;
use regex::bytes::Regex;
use serde::Deserialize;

use super::detect::{Detector, Hit};

/// Token shapes as data: what any of them starts with, and its expression.
static TOKENS: &str = include_str!("tokens.json");

/// Words before a secret, as the prefilter looks for them.
pub(super) const WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "key",
    "bearer ",
    "basic ",
];

const KEYED: &str = r#"(?i-u)(pass(?:word|wd|phrase)|pwd|secret|token|(?:api|access|account|auth|client|private|secret|shared|signing|encryption)[ _-]?(?:access[_-]?)?(?:key|secret))["'\\]{0,4}[ \t]{0,4}(=|:)[ \t]{0,4}((?:\\?["'])?)([^\s"'\\,;&}\])>]{1,4096})"#;
const AUTHORIZATION: &str = r"(?i-u)\b(?:bearer|basic)[ \t]{1,4}([A-Za-z0-9._~+/=-]{8,4096})";
const JWT: &str = r"(?-u)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*";
/// Bytes of an address with a password at most.
const ADDRESS_BYTES_MAX: usize = 2048;
/// Text of this length on can be called random.
const RANDOM_BYTES_MIN: usize = 24;
/// Bits for each byte from which on text is called random.
const RANDOM_BITS_MIN: f64 = 4.2;

#[derive(Debug, Deserialize)]
struct Token {
    words: Vec<String>,
    pattern: String,
}

/// The compiled shapes.
#[derive(Debug)]
pub(super) struct Shapes {
    tokens: Regex,
    keyed: Regex,
    authorization: Regex,
    jwt: Regex,
    words: Vec<String>,
}

impl Shapes {
    /// Compiles them; an error in the data is an error of the build, proved absent by a test.
    pub(super) fn new() -> Result<Self, String> {
        let tokens: Vec<Token> = serde_json::from_str(TOKENS).map_err(|error| error.to_string())?;
        let patterns: Vec<&str> = tokens.iter().map(|token| token.pattern.as_str()).collect();
        let compile = |pattern: &str| Regex::new(pattern).map_err(|error| error.to_string());
        Ok(Self {
            tokens: compile(&format!(r"(?-u)\b(?:{})", patterns.join("|")))?,
            keyed: compile(KEYED)?,
            authorization: compile(AUTHORIZATION)?,
            jwt: compile(JWT)?,
            words: tokens.into_iter().flat_map(|token| token.words).collect(),
        })
    }

    /// What tokens start with.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    pub(super) fn tokens(&self, text: &[u8], out: &mut Vec<Hit>) {
        out.extend(self.tokens.find_iter(text).map(|found| (Detector::Token, found.range())));
    }

    pub(super) fn jwts(&self, text: &[u8], out: &mut Vec<Hit>) {
        out.extend(self.jwt.find_iter(text).map(|found| (Detector::Jwt, found.range())));
    }

    pub(super) fn authorizations(&self, text: &[u8], out: &mut Vec<Hit>) {
        for found in self.authorization.captures_iter(text) {
            let Some(secret) = found.get(1) else { continue };
            let bytes = secret.as_bytes();
            // Not the prose of "basic authentication" or "bearer certificate".
            let is_prose = bytes.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'.');
            if !is_prose {
                out.push((Detector::Authorization, secret.range()));
            }
        }
    }

    pub(super) fn keyed(&self, text: &[u8], out: &mut Vec<Hit>) {
        for found in self.keyed.captures_iter(text) {
            let (Some(word), Some(sign), Some(quote), Some(value)) =
                (found.get(1), found.get(2), found.get(3), found.get(4))
            else {
                continue;
            };
            let is_sure = sign.as_bytes() == b"=" || !quote.is_empty();
            if is_secret_value(word.as_bytes(), value.as_bytes(), is_sure) {
                out.push((Detector::KeyedSecret, value.range()));
            }
        }
    }
}

/// Whether a value behind a telling word is a secret and not prose or a placeholder.
pub(super) fn is_secret_value(word: &[u8], value: &[u8], is_sure: bool) -> bool {
    const PLACEHOLDERS: [&str; 10] =
        ["null", "none", "nil", "true", "false", "undefined", "unset", "redacted", "masked", "n/a"];
    const PROSE: [&str; 28] = [
        "invalid",
        "expired",
        "incorrect",
        "required",
        "missing",
        "wrong",
        "must",
        "is",
        "was",
        "not",
        "no",
        "reset",
        "changed",
        "rejected",
        "accepted",
        "ok",
        "failed",
        "denied",
        "empty",
        "the",
        "unexpected",
        "cannot",
        "could",
        "unable",
        "found",
        "valid",
        "has",
        "too",
    ];
    let is = |words: &[&str]| words.iter().any(|one| value.eq_ignore_ascii_case(one.as_bytes()));
    let is_placeholder = value.is_empty()
        || is(&PLACEHOLDERS)
        || value.starts_with(b"[")
        || value.starts_with(b"$")
        || value.starts_with(b"{")
        || value.starts_with(b"<")
        || value.iter().all(|byte| matches!(byte, b'*' | b'.' | b'x' | b'X' | b'-'));
    if is_placeholder {
        return false;
    }
    if word.eq_ignore_ascii_case(b"token") && value.len() < 8 {
        return false;
    }
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let names_password = word.to_ascii_lowercase().starts_with(b"p");
    is_sure || (!is(&PROSE) && (has_digit || names_password))
}

/// Finds blocks of PEM that hold private keys, up to their end or that of the text.
pub(super) fn private_keys(text: &[u8], out: &mut Vec<Hit>) {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    const KIND: &[u8] = b"PRIVATE KEY";
    const LABEL_BYTES_MAX: usize = 48;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memmem::find(rest, BEGIN)) {
        let start = at + found;
        let body = start + BEGIN.len();
        at = body;
        let label_end = text.len().min(body + LABEL_BYTES_MAX);
        if memmem::find(text.get(body..label_end).unwrap_or_default(), KIND).is_none() {
            continue;
        }
        let end = text.get(body..).and_then(|rest| memmem::find(rest, END)).map_or(
            text.len(),
            |offset| {
                let after = body + offset + END.len();
                let rest = text.get(after..).unwrap_or_default();
                after + memmem::find(rest, b"-----").map_or(rest.len(), |dashes| dashes + 5)
            },
        );
        out.push((Detector::PrivateKey, start..end));
        at = end;
    }
}

/// Finds the passwords of addresses such as `postgres://user:password@host/db`.
pub(super) fn connection_strings(text: &[u8], out: &mut Vec<Hit>) {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memmem::find(rest, b"://")) {
        let start = at + found + 3;
        at = start;
        let rest = text.get(start..).unwrap_or_default();
        let rest = rest.get(..rest.len().min(ADDRESS_BYTES_MAX)).unwrap_or_default();
        let stop = |byte: &u8| {
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\\' | b'?')
        };
        let len = rest.iter().position(stop).unwrap_or(rest.len());
        let authority = rest.get(..len).unwrap_or_default();
        // The next address must not lend its `@` to this one.
        let own = memmem::find(authority, b"://").unwrap_or(authority.len());
        let authority = authority.get(..own).unwrap_or_default();
        let Some(host) = memchr::memrchr(b'@', authority) else { continue };
        let user = authority.get(..host).unwrap_or_default();
        if let Some(colon) = memchr::memchr(b':', user)
            && colon + 1 < host
            && !user.get(..colon).unwrap_or_default().contains(&b'/')
        {
            out.push((Detector::ConnectionString, start + colon + 1..start + host));
        }
    }
}

/// The runs of text that could be a token or base64.
pub(super) fn token_runs(text: &[u8], bytes_min: usize) -> Vec<Range<usize>> {
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=')
    };
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.iter().position(is_part)) {
        let start = at + start;
        let rest = text.get(start..).unwrap_or_default();
        let len = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        at = start + len;
        if len >= bytes_min {
            runs.push(start..at);
        }
    }
    runs
}

/// Finds text too random to be words, numbers, hashes or identifiers.
pub(super) fn random(text: &[u8], out: &mut Vec<Hit>) {
    for run in token_runs(text, RANDOM_BYTES_MIN) {
        let mut range = run;
        // `key=value` is one run; only the value is the secret.
        let bytes = text.get(range.clone()).unwrap_or_default();
        let body = bytes.trim_ascii_end();
        let unpadded = body.len() - body.iter().rev().take_while(|byte| **byte == b'=').count();
        if let Some(sign) = memchr::memrchr(b'=', body.get(..unpadded).unwrap_or_default()) {
            range.start += sign + 1;
        }
        let bytes = text.get(range.clone()).unwrap_or_default();
        if is_random(bytes) && !is_digest(text, range.start, bytes) {
            out.push((Detector::Entropy, range));
        }
    }
}

fn is_digest(text: &[u8], start: usize, bytes: &[u8]) -> bool {
    let lead = text.get(start.saturating_sub(8)..start).unwrap_or_default();
    memmem::find(&lead.to_ascii_lowercase(), b"sha").is_some()
        || bytes.to_ascii_lowercase().starts_with(b"sha")
}

fn is_random(bytes: &[u8]) -> bool {
    if bytes.len() < RANDOM_BYTES_MIN || bytes.len() > 512 {
        return false;
    }
    let count = |is: fn(&u8) -> bool| bytes.iter().filter(|byte| is(byte)).count();
    let (lower, upper, digits) =
        (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase), count(u8::is_ascii_digit));
    let marks = bytes.len() - lower - upper - digits;
    lower >= 4
        && upper >= 4
        && digits >= 2
        && marks * 8 <= bytes.len()
        && entropy(bytes) >= RANDOM_BITS_MIN.min(limit(bytes.len()))
}

/// Short text cannot reach the entropy of long text: nine tenths of what all-distinct bytes have.
#[expect(clippy::cast_precision_loss, reason = "lengths are at most 512")]
fn limit(len: usize) -> f64 {
    (len as f64).log2() * 0.87
}

#[expect(clippy::cast_precision_loss, reason = "lengths are at most 512")]
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let len = bytes.len() as f64;
    let bits = |count: &u32| {
        let share = f64::from(*count) / len;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}
