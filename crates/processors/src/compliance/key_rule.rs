//! Keys whose values are sensitive, compared word by word from the end.

use super::settings::Action;

/// A key and what is done with its values.
#[derive(Debug, Clone)]
pub(super) struct KeyRule {
    words: Vec<String>,
    pub(super) action: Action,
}

impl KeyRule {
    /// A rule for keys that end with the words of this one.
    pub(super) fn new(key: &str, action: Action) -> Self {
        Self { words: words(key), action }
    }

    /// The word that every key it stands for ends with.
    pub(super) fn last_word(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// Whether it stands for a key of these words.
    pub(super) fn fits(&self, key: &[String]) -> bool {
        !self.words.is_empty() && key.ends_with(&self.words)
    }
}

/// The words of a key: split at punctuation and where capitals begin, in lower case.
pub(super) fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for letter in key.chars() {
        let is_border = !letter.is_alphanumeric() || (letter.is_uppercase() && was_lower);
        if is_border && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase() || letter.is_numeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whether a key of these words says that its value is a secret; the telling word if so.
pub(super) fn secret_word(key: &[String]) -> Option<&'static str> {
    const LAST: [&str; 12] = [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "apikey",
        "secretkey",
        "accesskey",
        "privatekey",
        "credential",
        "credentials",
    ];
    const BEFORE_KEY: [&str; 10] = [
        "api",
        "access",
        "secret",
        "private",
        "account",
        "auth",
        "client",
        "signing",
        "encryption",
        "shared",
    ];
    let last = key.last()?;
    if let Some(word) = LAST.into_iter().find(|word| last == word) {
        return Some(word);
    }
    let before = key.iter().rev().nth(1)?;
    (last == "key" && BEFORE_KEY.contains(&before.as_str())).then_some("key")
}
