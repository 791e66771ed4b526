//! Text that may leave for a provider: what looks like a person, a secret or an address is
//! replaced by a word that says what stood there.
//!
//! This is the last net, below the redaction that a pipeline is configured to do: whatever is
//! asked went through here, because a prompt takes no other type. It prefers to replace too much:
//! a template needs its words, not its values.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexBuilder};
use serde::Serialize;

/// Bytes of one text at most; what is longer is cut.
pub const TEXT_BYTES_MAX: usize = 2 << 10;
/// Bytes that are looked at: replacing can make a text shorter, so more than is kept.
const INPUT_BYTES_MAX: usize = 8 << 10;

/// Redacted, bounded text. The only way to make one is through the rules of this file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Redacted(String);

impl Redacted {
    /// Redacts and bounds `text`.
    pub fn new(text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(INPUT_BYTES_MAX)).unwrap_or_default();
        let mut text: Cow<'_, str> = Cow::Borrowed(text);
        for rule in RULES.iter() {
            if let Cow::Owned(replaced) = rule.pattern.replace_all(&text, rule) {
                text = Cow::Owned(replaced);
            }
        }
        let mut text = text.into_owned();
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

struct Rule {
    pattern: Regex,
    word: &'static str,
}

/// What stands before the secret is kept where the pattern names it `keep`.
impl regex::Replacer for &Rule {
    fn replace_append(&mut self, captures: &Captures<'_>, text: &mut String) {
        if let Some(kept) = captures.name("keep") {
            text.push_str(kept.as_str());
        }
        text.push_str(self.word);
    }
}

/// In their order: what is more telling comes first.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    PATTERNS
        .iter()
        .filter_map(|(pattern, word)| {
            // The patterns are constants; a test compiles them all.
            let pattern = RegexBuilder::new(pattern).case_insensitive(true).build().ok()?;
            Some(Rule { pattern, word })
        })
        .collect()
});

const PATTERNS: &[(&str, &str)] = &[
    (r"-----BEGIN [A-Z ]{1,40}-----(?s:.)*?(?:-----END [A-Z ]{1,40}-----|\z)", "<key>"),
    // A cut text can end inside any of these, so none needs its end.
    (r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}", "<token>"),
    (r"(?P<keep>://)[^\s/@:]{0,256}:[^\s/@]{0,256}@", "<user>@"),
    (r"(?P<keep>\b(?:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{8,}", "<token>"),
    (
        r#"(?P<keep>(?:pass(?:wd|word|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|authorization|cookie|session(?:[_-]?id)?|signature|sig)["']?\s{0,4}[=:]\s{0,4})(?:"[^"]*"?|'[^']*'?|[^\s,;&}]+)"#,
        "<secret>",
    ),
    (
        r"\b(?:AKIA|ASIA|AIza|gh[pousr]_|xox[abprs]-|sk-|pk-|rk_|glpat-|xai-)[A-Za-z0-9_-]{8,}",
        "<key>",
    ),
    (r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)+", "<email>"),
    (r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", "<mac>"),
    (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "<uuid>"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "<ip>"),
    (
        r"(?:[0-9a-f]{1,4}:){3,7}(?::?[0-9a-f]{1,4})?|::(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}\b",
        "<ip>",
    ),
    (r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", "<iban>"),
    (r"(?P<keep>/(?:home|users)/)[^/\s]+", "<user>"),
    // Long runs that mix letters and digits are names of something or keys to it.
    (r"\b[A-Za-z_-]*\d[A-Za-z0-9_-]*[A-Za-z][A-Za-z0-9_+/=-]{14,}", "<token>"),
    (r"\b[0-9a-f]{16,}\b", "<hex>"),
    // Cards, telephones, accounts, social security numbers.
    (r"\+?\b\d(?:[ ().-]{0,2}\d){5,}", "<number>"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(RULES.len(), PATTERNS.len());
    }

    #[test]
    fn what_names_or_opens_something_does_not_leave() {
        for (text, expected) in [
            ("mail to jane.doe@example.org failed", "mail to <email> failed"),
            ("login from 203.0.113.7 port 22", "login from <ip> port 22"),
            ("peer fe80:0:0:1::2a gone", "peer <ip> gone"),
            ("password=hunter2, retry", "password=<secret>, retry"),
            (r#"{"api_key": "abc def"}"#, r#"{"api_key": <secret>}"#),
            ("Authorization: Bearer abcdefgh12345678", "Authorization: <secret> <token>"),
            ("GET https://bob:pw@host/x", "GET https://<user>@host/x"),
            ("card 4111 1111 1111 1111 refused", "card <number> refused"),
            ("call +49 30 1234567", "call <number>"),
            ("id 123e4567-e89b-12d3-a456-426614174000", "id <uuid>"),
            ("open /home/alice/x", "open /home/<user>/x"),
            ("jwt eyJhbGciOi.eyJzdWIi.sig", "jwt <token>"),
            ("key sk-abcdefghijkl", "key <key>"),
            ("disk 3 failed after 12 tries", "disk 3 failed after 12 tries"),
        ] {
            assert_eq!(Redacted::new(text).as_str(), expected, "{text}");
        }
    }

    #[test]
    fn a_private_key_without_its_end_does_not_leave() {
        let text = format!("-----BEGIN RSA PRIVATE KEY-----\n{}", "MIIE\n".repeat(100));
        assert_eq!(Redacted::new(&text).as_str(), "<key>");
    }

    proptest! {
        #[test]
        fn any_text_is_bounded_and_holds_no_address(
            before in ".{0,80}", after in ".{0,80}", long in 0..5_000_usize,
        ) {
            let text = format!("{before} jane.doe@example.org {} {after}", "x ".repeat(long));
            let redacted = Redacted::new(&text);
            prop_assert!(redacted.as_str().len() <= TEXT_BYTES_MAX);
            prop_assert!(!redacted.as_str().contains("jane.doe@example.org"));
        }
    }
}
