//! Base64 inside a text: runs that decode to text.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::secrets::token_runs;

/// Decodes with padding or without, and bits left over.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
static PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
static URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Shorter runs are not decoded: as text they hold at most eleven characters.
const BYTES_MIN: usize = 16;

/// A run and the text that it stands for.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) range: Range<usize>,
    pub(super) text: String,
    is_url_safe: bool,
    is_padded: bool,
}

impl Encoded {
    /// Another text in the same encoding.
    pub(super) fn encode(&self, text: &str) -> String {
        let engine = if self.is_url_safe { &URL } else { &PLAIN };
        let mut encoded = engine.encode(text);
        if !self.is_padded {
            encoded.truncate(encoded.trim_end_matches('=').len());
        }
        encoded
    }
}

/// The runs of base64 that decode to text.
pub(super) fn find(text: &str) -> Vec<Encoded> {
    let runs = token_runs(text.as_bytes(), BYTES_MIN);
    runs.into_iter().filter_map(|run| decode(text, run)).collect()
}

fn decode(text: &str, mut range: Range<usize>) -> Option<Encoded> {
    let run = text.get(range.clone())?;
    let body = run.trim_end_matches('=');
    // `data=aGVs...` is one run; only what follows the sign is base64.
    if let Some(sign) = body.rfind('=') {
        range.start += sign + 1;
    }
    let run = text.get(range.clone())?;
    if run.len() < BYTES_MIN {
        return None;
    }
    let is_url_safe = run.contains(['-', '_']);
    let engine = if is_url_safe { &URL } else { &PLAIN };
    let decoded = String::from_utf8(engine.decode(run).ok()?).ok()?;
    let is_text = decoded.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    let is_padded = run.ends_with('=') || run.len().is_multiple_of(4);
    is_text.then_some(Encoded { range, text: decoded, is_url_safe, is_padded })
}
