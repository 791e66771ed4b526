//! Tokens of a message: words without their case, with numbers, identifiers and paths masked.
//!
//! Names are split where their case changes (`ConnectionRefused` is two words), since failures
//! often stand only in the name of an exception. A word after a negator (`no errors`, `0 failed`)
//! or before a zero (`errors=0`) is marked as negated. A word is known by its hash, so that reading
//! a message allocates once.

/// Bytes of a message that are read at most.
pub const TEXT_BYTES_MAX: usize = 2048;
/// Tokens of a message at most.
pub const TOKENS_MAX: usize = 256;

/// How many words after a negator it reaches.
const NEGATION_REACH: usize = 2;
/// Bytes that a token takes with what stands around it, about.
const BYTES_PER_TOKEN: usize = 4;

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Letters.
    Word,
    /// The number zero.
    Zero,
    /// Any other number.
    Number,
    /// Hexadecimal digits.
    Identifier,
    /// A path of files.
    Path,
}

impl Kind {
    /// What stands for tokens of this kind; nothing for words, which stand for themselves.
    pub(super) const fn mask(self) -> &'static str {
        match self {
            Self::Word => "",
            Self::Zero => "0",
            Self::Number => "#",
            Self::Identifier => "&",
            Self::Path => "/",
        }
    }
}

/// One token and where it stands in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The first byte in the message.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// What it stands for.
    pub kind: Kind,
    /// Whether a negator takes its meaning away.
    pub negated: bool,
    /// Of the word in lower case, or of the mask.
    pub(super) hash: u32,
}

/// A message as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The tokens in their order.
    pub tokens: Vec<Token>,
    /// What stands between them.
    pub(super) marks: Marks,
}

/// Bytes that say something without being part of a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Capital letters.
    pub(super) capitals: u32,
    /// Signs of equality, as in `key=value`.
    pub(super) pairs: u32,
    /// Exclamation marks.
    pub(super) shouts: u32,
    /// Signs of percent.
    pub(super) percents: u32,
    /// Ends of lines and tabs, as in the trace of a stack.
    pub(super) lines: u32,
}

/// Reads a message.
pub fn read(message: &str) -> Text {
    let bytes = head(message.as_bytes());
    let tokens = Vec::with_capacity((bytes.len() / BYTES_PER_TOKEN + 4).min(TOKENS_MAX));
    let mut text = Text { tokens, marks: Marks::default() };
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if text.tokens.len() >= TOKENS_MAX {
            break;
        }
        if kind_of(*byte) & PART != 0 {
            at += chunk(bytes.get(at..).unwrap_or_default(), at, &mut text);
        } else if *byte == b'/' && begins_path(bytes, at) {
            let rest = bytes.get(at..).unwrap_or_default();
            let length = run(rest, |byte| !ends_path(byte));
            text.tokens.push(masked(at, length, Kind::Path));
            at += length;
        } else {
            text.marks.add(*byte);
            at += 1;
        }
    }
    text.tokens.truncate(TOKENS_MAX);
    negate(&mut text.tokens, bytes);
    text
}

/// The bytes of a message that are read.
pub(super) fn head(message: &[u8]) -> &[u8] {
    message.get(..message.len().min(TEXT_BYTES_MAX)).unwrap_or_default()
}

impl Marks {
    #[inline]
    fn add(&mut self, byte: u8) {
        match byte {
            b'=' => self.pairs += 1,
            b'!' => self.shouts += 1,
            b'%' => self.percents += 1,
            b'\n' | b'\t' => self.lines += 1,
            _ => {}
        }
    }
}

const LOWER: u8 = 1;
const DIGIT: u8 = 2;
/// Beyond ASCII, which counts as letters.
const BEYOND: u8 = 4;
const HEX: u8 = 8;
/// The bit in which capital and small letters differ.
const UPPER: u8 = 0x20;
/// What words and numbers are made of.
const PART: u8 = LOWER | DIGIT | BEYOND | UPPER;

/// The kind of each byte.
#[expect(clippy::indexing_slicing, reason = "a constant is made when this is compiled")]
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let own = byte as u8;
        kinds[byte] = match own {
            b'0'..=b'9' => DIGIT | HEX,
            b'a'..=b'f' => LOWER | HEX,
            b'g'..=b'z' => LOWER,
            b'A'..=b'F' => UPPER | HEX,
            b'G'..=b'Z' => UPPER,
            0x80.. => BEYOND,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

#[inline]
fn kind_of(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// A letter without its case.
#[inline]
pub(super) fn fold(byte: u8) -> u8 {
    byte | (kind_of(byte) & UPPER)
}

/// The hash of a word, byte by byte in lower case.
#[inline]
pub(super) const fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(0x0100_0193)
}

const SEED: u32 = 0x811c_9dc5;

#[expect(clippy::indexing_slicing, reason = "constants are made when this is compiled")]
const fn hash_of(word: &[u8]) -> u32 {
    let (mut hash, mut at) = (SEED, 0);
    while at < word.len() {
        hash = step(hash, word[at]);
        at += 1;
    }
    hash
}

fn run(bytes: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !holds(*byte)).unwrap_or(bytes.len())
}

fn begins_path(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
}

fn ends_path(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b')' | b']' | b',' | b';' | b'>')
}

#[inline]
fn masked(start: usize, length: usize, kind: Kind) -> Token {
    let hash = hash_of(kind.mask().as_bytes());
    Token { start, end: start + length, kind, negated: false, hash }
}

/// Reads the run of letters and digits at the start of `rest` and returns its length; most are one
/// word or one number, whose hash is ready by then.
#[inline]
fn chunk(rest: &[u8], start: usize, text: &mut Text) -> usize {
    let (mut hash, mut all, mut each, mut length, mut capitals) = (SEED, 0, u8::MAX, 0, 0);
    for byte in rest {
        let kind = kind_of(*byte);
        if kind & PART == 0 {
            break;
        }
        all |= kind;
        each &= kind;
        capitals += u32::from(kind & UPPER != 0);
        hash = step(hash, byte | (kind & UPPER));
        length += 1;
    }
    text.marks.capitals += capitals;
    let first_is_capital = rest.first().is_some_and(u8::is_ascii_uppercase);
    if all & DIGIT == 0 && (capitals == u32::from(first_is_capital) || each & UPPER != 0) {
        let end = start + length;
        text.tokens.push(Token { start, end, kind: Kind::Word, negated: false, hash });
    } else if each & DIGIT != 0 {
        text.tokens.push(number(rest.get(..length).unwrap_or_default(), start));
    } else {
        split(rest.get(..length).unwrap_or_default(), start, &mut text.tokens);
    }
    length
}

fn number(digits: &[u8], start: usize) -> Token {
    let kind = if digits == b"0" { Kind::Zero } else { Kind::Number };
    masked(start, digits.len(), kind)
}

/// Splits a run of letters and digits into words and numbers.
fn split(chunk: &[u8], start: usize, found: &mut Vec<Token>) {
    let digits = chunk.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_hex = chunk.iter().all(|byte| kind_of(*byte) & HEX != 0);
    let is_prefixed = chunk.starts_with(b"0x") || chunk.starts_with(b"0X");
    if is_prefixed || (is_hex && digits > 0 && chunk.len() >= 6) {
        found.push(masked(start, chunk.len(), Kind::Identifier));
        return;
    }
    let mut at = 0;
    while let Some(first) = chunk.get(at) {
        let rest = chunk.get(at..).unwrap_or_default();
        let start = start + at;
        if first.is_ascii_digit() {
            let length = run(rest, |byte| byte.is_ascii_digit());
            found.push(number(rest.get(..length).unwrap_or_default(), start));
            at += length;
        } else {
            let length = word_length(rest);
            let word = rest.get(..length).unwrap_or_default();
            let hash = word.iter().fold(SEED, |hash, byte| step(hash, fold(*byte)));
            let end = start + length;
            found.push(Token { start, end, kind: Kind::Word, negated: false, hash });
            at += length;
        }
    }
}

/// The length of the first word: `HTTPServer` is `HTTP` and `Server`.
fn word_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        let before = bytes.get(at - 1).copied().unwrap_or_default();
        let next_is_lower = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_is_lower));
        if begins || byte.is_ascii_digit() {
            break;
        }
        at += 1;
    }
    at
}

/// Words that take the meaning of the next ones away.
const NEGATORS: [u32; 7] = [
    hash_of(b"no"),
    hash_of(b"not"),
    hash_of(b"without"),
    hash_of(b"none"),
    hash_of(b"zero"),
    hash_of(b"never"),
    hash_of(b"cannot"),
];

/// Marks words whose meaning a negator or a zero takes away.
fn negate(tokens: &mut [Token], bytes: &[u8]) {
    let mut reach = 0;
    let mut before: Option<&mut Token> = None;
    for token in tokens {
        if token.kind == Kind::Zero || NEGATORS.contains(&token.hash) {
            reach = NEGATION_REACH;
            let word = before.filter(|word| token.kind == Kind::Zero && word.kind == Kind::Word);
            if let Some(word) = word {
                let between = bytes.get(word.end..token.start).unwrap_or_default();
                word.negated |= between.iter().any(|byte| matches!(byte, b'=' | b':'));
            }
        } else if reach > 0 {
            token.negated = token.kind == Kind::Word;
            reach -= 1;
        }
        before = Some(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(message: &str, expected: &str) {
        let text = |token: &Token| {
            let word = message.get(token.start..token.end).unwrap().to_lowercase();
            let word = if token.kind == Kind::Word { &word } else { token.kind.mask() };
            assert_eq!(token.hash, hash_of(word.as_bytes()), "{word}");
            if token.negated { format!("!{word}") } else { word.to_owned() }
        };
        let found: Vec<String> = read(message).tokens.iter().map(text).collect();
        assert_eq!(found.join(" "), expected, "{message}");
    }

    #[test]
    fn names_are_split_where_their_case_changes() {
        check("NullPointerException in HTTPServer", "null pointer exception in http server");
        check("ERROR Failed to", "error failed to");
    }

    #[test]
    fn numbers_identifiers_and_paths_are_masked() {
        check("wrote 512 to /var/log/error.log at 0xdead00", "wrote # to / at &");
        check("blk_38865 on node-12 of 0", "blk # on node # of 0");
        check("deadbeef is a word, 4f5e6a7b is none", "deadbeef is a word & is none");
    }

    #[test]
    fn what_is_negated_is_marked() {
        check("no errors found", "no !errors !found");
        check("done, failed=0 lost=3", "done !failed 0 !lost #");
    }

    #[test]
    fn marks_between_words_are_counted() {
        let marks = read("a=1 b=2 at 90%!\n\tat X.Y").marks;
        assert_eq!((marks.pairs, marks.percents, marks.shouts, marks.lines), (2, 1, 1, 2));
        assert_eq!(marks.capitals, 2);
    }

    proptest! {
        #[test]
        fn tokens_stand_in_order_inside_the_message(message in "\\PC{0,200}") {
            let mut end = 0;
            for token in read(&message).tokens {
                prop_assert!(token.start >= end && token.end > token.start);
                prop_assert!(token.end <= message.len());
                end = token.end;
            }
        }
    }
}
