//! Features of a message: words and pairs of words, characters 3 to 5 inside words, and the shape.
//!
//! A feature is a 32-bit hash. It knows which tokens it came from, so that an explanation can name
//! them.

use super::text::{Kind, Token, tokens};

/// Characters of a word that make n-grams at most.
const WORD_CHARACTERS_MAX: usize = 24;
/// Shortest word that makes n-grams of characters.
const WORD_CHARACTERS_MIN: usize = 4;
/// Lengths of the n-grams.
const GRAMS: std::ops::RangeInclusive<usize> = 3..=5;

/// What a feature was made of; its weight before training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// One or two words.
    Words,
    /// Characters inside a word.
    Characters,
    /// Severity and shape of the message.
    Shape,
}

impl Source {
    /// How much a feature of this kind counts beside the others.
    pub(crate) const fn weight(self) -> f32 {
        match self {
            Self::Words => 1.0,
            Self::Characters => 0.4,
            Self::Shape => 0.7,
        }
    }
}

/// One feature as it stands in a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feature {
    pub(crate) key: u32,
    pub(crate) source: Source,
    /// Index of the token it came from; none for the shape.
    pub(crate) token: Option<usize>,
}

/// Calls `found` for every feature of a message; `severity` is the OpenTelemetry number, or 0.
pub(crate) fn features(message: &str, severity: u8, mut found: impl FnMut(Feature)) {
    features_of(&tokens(message), message, severity, &mut found);
}

/// The same for tokens that are known.
pub(crate) fn features_of(
    tokens: &[Token],
    message: &str,
    severity: u8,
    found: &mut impl FnMut(Feature),
) {
    for (index, token) in tokens.iter().enumerate() {
        let mut word = |key| found(Feature { key, source: Source::Words, token: Some(index) });
        let own = word_hash(token);
        word(finish(own));
        if let Some(before) = index.checked_sub(1).and_then(|before| tokens.get(before)) {
            word(finish(join(word_hash(before), own)));
        }
        if token.kind == Kind::Word && !token.negated {
            grams(&token.text, |key| {
                found(Feature { key, source: Source::Characters, token: Some(index) });
            });
        }
    }
    shape(tokens, message, severity, |key| {
        found(Feature { key, source: Source::Shape, token: None });
    });
}

/// The key of a word by itself.
pub(super) fn word_key(token: &Token) -> u32 {
    finish(word_hash(token))
}

fn word_hash(token: &Token) -> u32 {
    let seed = if token.negated { 0x21 } else { 0x57 };
    token.text.bytes().fold(seed, step)
}

/// N-grams of a word between two marks of its borders.
fn grams(word: &str, mut found: impl FnMut(u32)) {
    if word.len() < WORD_CHARACTERS_MIN || word.len() > WORD_CHARACTERS_MAX {
        return;
    }
    let length = word.len() + 2;
    let at = |index: usize| match index {
        0 => b'<',
        _ => word.as_bytes().get(index - 1).copied().unwrap_or(b'>'),
    };
    for start in 0..length.saturating_sub(2) {
        let mut hash = 0xc3_u32;
        for offset in 0..*GRAMS.end() {
            if start + offset >= length {
                break;
            }
            hash = step(hash, at(start + offset));
            if GRAMS.contains(&(offset + 1)) {
                found(finish(hash));
            }
        }
    }
}

/// Numbers and structure in a few steps each.
fn shape(tokens: &[Token], message: &str, severity: u8, mut found: impl FnMut(u32)) {
    let mut named = |name: &str, value: usize| {
        let value = u8::try_from(value).unwrap_or(u8::MAX);
        found(finish(step(name.bytes().fold(0x99, step), value)));
    };
    named("severity", usize::from(severity).div_ceil(4));
    named("words", tokens.len().checked_ilog2().map_or(0, |log| log as usize + 1));
    let numbers = tokens.iter().filter(|token| token.kind != Kind::Word).count();
    named("numbers", (numbers * 4).checked_div(tokens.len()).unwrap_or_default());
    let capitals = message.bytes().take(64).filter(u8::is_ascii_uppercase).count();
    named("capitals", capitals / 8);
    let exception = message.contains("Exception") || message.contains("Error:");
    named("exception", usize::from(exception));
    let frame =
        message.contains("\tat ") || message.contains("Traceback") || message.contains('\n');
    named("frame", usize::from(frame));
    named("shout", usize::from(message.contains('!')));
    named("pairs", message.bytes().filter(|byte| *byte == b'=').take(3).count());
}

fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

fn join(before: u32, own: u32) -> u32 {
    before.rotate_left(13).wrapping_mul(0x85eb_ca6b) ^ own
}

fn finish(hash: u32) -> u32 {
    let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    let mixed = (mixed ^ (mixed >> 12)).wrapping_mul(0x297a_2d39);
    mixed ^ (mixed >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(message: &str, source: Source) -> Vec<u32> {
        let mut keys = Vec::new();
        features(message, 0, |feature| {
            if feature.source == source {
                keys.push(feature.key);
            }
        });
        keys
    }

    #[test]
    fn forms_of_one_word_share_characters() {
        let one = keys("failed", Source::Characters);
        let other = keys("failure", Source::Characters);
        assert!(one.iter().filter(|key| other.contains(key)).count() >= 4);
    }

    #[test]
    fn a_negated_word_is_another_feature_without_characters() {
        let plain = keys("errors", Source::Words);
        let negated = keys("no errors", Source::Words);
        assert!(!negated.contains(&plain[0]));
        assert!(keys("no errors", Source::Characters).is_empty());
    }

    #[test]
    fn values_of_numbers_do_not_matter() {
        assert_eq!(keys("read 12 of 99", Source::Words), keys("read 7 of 3", Source::Words));
    }
}
