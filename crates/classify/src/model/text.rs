//! Tokens of a message: words in lower case, with numbers, identifiers and paths masked.
//!
//! Names are split where their case changes (`ConnectionRefused` is two words), since failures
//! often stand only in the name of an exception. A word after a negator (`no errors`, `0 failed`)
//! or before a zero (`errors=0`) is marked as negated.

/// Bytes of a message that are read at most.
pub const TEXT_BYTES_MAX: usize = 2048;
/// Tokens of a message at most.
pub const TOKENS_MAX: usize = 256;

/// How many words after a negator it reaches.
const NEGATION_REACH: usize = 2;

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

/// One token and where it stands in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The first byte in the message.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// What it stands for.
    pub kind: Kind,
    /// The word in lower case, or the mask.
    pub text: String,
    /// Whether a negator takes its meaning away.
    pub negated: bool,
}

/// The tokens of a message in their order.
pub fn tokens(message: &str) -> Vec<Token> {
    let bytes = message.as_bytes();
    let bytes = bytes.get(..bytes.len().min(TEXT_BYTES_MAX)).unwrap_or_default();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() && found.len() < TOKENS_MAX {
        let rest = bytes.get(at..).unwrap_or_default();
        if begins_path(bytes, at) {
            let length = rest.iter().position(|byte| ends_path(*byte)).unwrap_or(rest.len());
            found.push(masked(at, length, Kind::Path));
            at += length;
        } else if is_part(rest.first().copied()) {
            let length = run(rest, |byte| is_part(Some(byte)));
            split_chunk(rest.get(..length).unwrap_or_default(), at, &mut found);
            at += length;
        } else {
            at += 1;
        }
    }
    found.truncate(TOKENS_MAX);
    negate(&mut found, bytes);
    found
}

fn is_part(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte >= 0x80)
}

fn run(bytes: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !holds(*byte)).unwrap_or(bytes.len())
}

fn begins_path(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    bytes.get(at) == Some(&b'/')
        && before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
}

fn ends_path(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b')' | b']' | b',' | b';' | b'>')
}

fn masked(start: usize, length: usize, kind: Kind) -> Token {
    let text = match kind {
        Kind::Zero => "0",
        Kind::Number => "#",
        Kind::Identifier => "&",
        Kind::Path => "/",
        Kind::Word => "",
    };
    Token { start, end: start + length, kind, text: text.to_owned(), negated: false }
}

/// Splits a run of letters and digits into words and numbers.
fn split_chunk(chunk: &[u8], start: usize, found: &mut Vec<Token>) {
    let digits = chunk.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_hex = chunk.iter().all(u8::is_ascii_hexdigit);
    let is_prefixed = chunk.starts_with(b"0x") || chunk.starts_with(b"0X");
    if is_prefixed || (is_hex && digits > 0 && digits < chunk.len() && chunk.len() >= 6) {
        found.push(masked(start, chunk.len(), Kind::Identifier));
        return;
    }
    let mut at = 0;
    while let Some(first) = chunk.get(at) {
        let rest = chunk.get(at..).unwrap_or_default();
        let length = if first.is_ascii_digit() {
            let length = run(rest, |byte| byte.is_ascii_digit());
            let kind = if length == 1 && *first == b'0' { Kind::Zero } else { Kind::Number };
            found.push(masked(start + at, length, kind));
            length
        } else {
            let length = word_length(rest);
            let word = rest.get(..length).unwrap_or_default();
            let text = String::from_utf8_lossy(word).to_lowercase();
            let end = start + at + length;
            found.push(Token { start: start + at, end, kind: Kind::Word, text, negated: false });
            length
        };
        at += length;
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

/// Marks words whose meaning a negator or a zero takes away.
fn negate(tokens: &mut [Token], bytes: &[u8]) {
    let mut reach = 0;
    for token in tokens.iter_mut() {
        if is_negator(token) {
            reach = NEGATION_REACH;
        } else if reach > 0 {
            token.negated = token.kind == Kind::Word;
            reach -= 1;
        }
    }
    for pair in 1..tokens.len() {
        let Some([word, zero]) = tokens.get_mut(pair - 1..=pair) else { continue };
        let between = bytes.get(word.end..zero.start).unwrap_or_default();
        let assigns = between.iter().any(|byte| matches!(byte, b'=' | b':'));
        if assigns && zero.kind == Kind::Zero && word.kind == Kind::Word {
            word.negated = true;
        }
    }
}

fn is_negator(token: &Token) -> bool {
    token.kind == Kind::Zero
        || matches!(&*token.text, "no" | "not" | "without" | "none" | "zero" | "never" | "cannot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(message: &str, expected: &str) {
        let text = |token: &Token| {
            if token.negated { format!("!{}", token.text) } else { token.text.clone() }
        };
        let found: Vec<String> = tokens(message).iter().map(text).collect();
        assert_eq!(found.join(" "), expected, "{message}");
    }

    #[test]
    fn names_are_split_where_their_case_changes() {
        check("NullPointerException in HTTPServer", "null pointer exception in http server");
    }

    #[test]
    fn numbers_identifiers_and_paths_are_masked() {
        check("wrote 512 to /var/log/error.log at 0xdead00", "wrote # to / at &");
        check("blk_38865 on node-12", "blk # on node #");
    }

    #[test]
    fn what_is_negated_is_marked() {
        check("no errors found", "no !errors !found");
        check("done, failed=0 lost=3", "done !failed 0 !lost #");
    }

    proptest! {
        #[test]
        fn tokens_stand_in_order_inside_the_message(message in "\\PC{0,200}") {
            let mut end = 0;
            for token in tokens(&message) {
                prop_assert!(token.start >= end && token.end > token.start);
                prop_assert!(token.end <= message.len());
                end = token.end;
            }
        }
    }
}
