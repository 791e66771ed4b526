//! Features of a message: words and pairs of words, characters 3 to 5 inside words, and the shape.
//!
//! A feature is a 32-bit hash. It knows which token it came from, so that an explanation can name
//! it. Training and judging find the same features by the same code, in one pass over the tokens.

use super::text::{Kind, Marks, Text, Token, fold};

/// Characters of a word that make n-grams at most.
const WORD_CHARACTERS_MAX: usize = 24;
/// Shortest word that makes n-grams of characters.
const WORD_CHARACTERS_MIN: usize = 4;
/// The border of a word.
const BORDER: u8 = b'~';

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

/// Calls `found` for every feature of a message; `bytes` are those that `text` was read from, and
/// `severity` is the OpenTelemetry number, or 0. A word tells nothing new when it stands again.
#[inline]
pub(crate) fn features(text: &Text, bytes: &[u8], severity: u8, mut found: impl FnMut(Feature)) {
    let mut known = 0_u64;
    for (index, token) in text.tokens.iter().enumerate() {
        let (before, own) = (text.tokens.get(..index).unwrap_or_default(), word_of(token));
        let bit = 1 << (own >> 58);
        let again = known & bit != 0 && before.iter().any(|token| word_of(token) == own);
        known |= bit;
        let token_of = |key, source| Feature { key, source, token: Some(index) };
        let is_run =
            before.len() > 1 && before.iter().rev().take(2).all(|token| word_of(token) == own);
        if let Some(last) = before.last().filter(|_| !is_run) {
            found(token_of(pair_key(word_of(last), own), Source::Words));
        }
        if again {
            continue;
        }
        found(token_of(key_of(own), Source::Words));
        if token.kind == Kind::Word && !token.negated {
            let word = bytes.get(token.start..token.end).unwrap_or_default();
            grams(word, |key| found(token_of(key, Source::Characters)));
        }
    }
    shape(text, severity, |key| found(Feature { key, source: Source::Shape, token: None }));
}

/// The key of a word by itself.
pub(super) fn word_key(token: &Token) -> u32 {
    key_of(word_of(token))
}

/// A word, and whether it is negated, spread over 64 bits.
#[inline]
fn word_of(token: &Token) -> u64 {
    let own = u64::from(token.hash) | u64::from(token.negated) << 32;
    (own ^ own << 29).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

/// N-grams of a word between its borders; the last five bytes are kept in one number.
#[inline]
fn grams(word: &[u8], mut found: impl FnMut(u32)) {
    if !(WORD_CHARACTERS_MIN..=WORD_CHARACTERS_MAX).contains(&word.len()) {
        return;
    }
    let gram = |bytes: u64, length: u64| key_of(bytes & ((1 << (8 * length)) - 1) | length << 56);
    let mut bytes = u64::from(BORDER);
    for (at, byte) in word.iter().copied().chain([BORDER]).enumerate() {
        bytes = bytes << 8 | u64::from(fold(byte));
        // The border and `at + 1` bytes have been read.
        if at >= 1 {
            found(gram(bytes, 3));
        }
        if at >= 2 {
            found(gram(bytes, 4));
        }
        if at >= 3 {
            found(gram(bytes, 5));
        }
    }
}

/// Numbers and structure in a few steps each.
#[inline]
fn shape(text: &Text, severity: u8, mut found: impl FnMut(u32)) {
    let tokens = &text.tokens;
    let Marks { capitals, pairs, shouts, percents, lines } = text.marks;
    let numbers = tokens.iter().filter(|token| token.kind != Kind::Word).count();
    let part = (numbers * 4).checked_div(tokens.len()).unwrap_or_default();
    let steps = |count: u32| u64::from(count.checked_ilog2().map_or(0, |log| log + 1));
    let shape = [
        u64::from(severity).div_ceil(4),
        steps(u32::try_from(tokens.len()).unwrap_or(u32::MAX)),
        part as u64,
        steps(capitals),
        u64::from(pairs.min(3)),
        u64::from(shouts.min(1)),
        u64::from(percents.min(1)),
        u64::from(lines.min(2)),
    ];
    for (name, value) in (1_u64..).zip(shape) {
        found(key_of(name << 40 | value << 8 | 0xff));
    }
}

fn pair_key(before: u64, own: u64) -> u32 {
    key_of(before.rotate_left(17) ^ own)
}

#[inline]
fn key_of(bits: u64) -> u32 {
    let mixed = (bits ^ bits >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u32::try_from((mixed ^ mixed >> 29) >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::text::read;
    use super::*;

    fn keys(message: &str, source: Source) -> Vec<u32> {
        let mut keys = Vec::new();
        features(&read(message), message.as_bytes(), 0, |feature| {
            if feature.source == source {
                keys.push(feature.key);
            }
        });
        keys
    }

    #[test]
    fn forms_of_one_word_share_characters() {
        let one = keys("failed", Source::Characters);
        let other = keys("FAILURE", Source::Characters);
        assert!(one.iter().filter(|key| other.contains(key)).count() >= 4);
    }

    #[test]
    fn a_word_has_all_its_characters_three_to_five_at_a_time() {
        // Between borders it has six bytes: four of three, three of four, two of five.
        assert_eq!(keys("down", Source::Characters).len(), 4 + 3 + 2);
    }

    #[test]
    fn a_negated_word_is_another_feature_without_characters() {
        let plain = keys("errors", Source::Words);
        let negated = keys("no errors", Source::Words);
        assert!(!negated.contains(&plain[0]));
        assert!(keys("no errors", Source::Characters).is_empty());
    }

    #[test]
    fn a_word_that_stands_again_counts_once() {
        let once = keys("lost disk", Source::Characters).len();
        assert_eq!(keys("lost disk, LOST disk", Source::Characters).len(), once);
    }

    #[test]
    fn values_of_numbers_do_not_matter() {
        assert_eq!(keys("read 12 of 99", Source::Words), keys("read 7 of 3", Source::Words));
    }
}
