//! The rules, ready to be asked: what becomes of a key, what of a text.

use std::collections::BTreeSet;

use bessemer_pipeline::SettingsError;
use regex::{Regex, RegexSet};

use super::mask::Mask;
use super::settings::Settings;
use crate::attributes::pattern;

/// What is to be done with an attribute, as far as its key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing.
    Ignored,
    /// It is removed.
    Redacted,
    /// Its whole value is masked, unless that is allowed.
    Masked,
    /// What is blocked in its value is masked.
    Looked,
}

/// The rules.
#[derive(Debug)]
pub(super) struct Rules {
    /// Keys that are kept; none for all.
    allowed_keys: Option<BTreeSet<String>>,
    ignored_keys: BTreeSet<String>,
    ignored_key_patterns: RegexSet,
    blocked_key_patterns: RegexSet,
    allowed_values: RegexSet,
    /// All blocked expressions at once say which of them to run.
    blocked_set: RegexSet,
    blocked: Vec<Regex>,
    mask: Mask,
    /// Whether values that are no text are looked at.
    pub(super) all_types: bool,
}

impl Rules {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let set = |path: &str, patterns: &[String]| {
            pattern::compile_set(patterns).map_err(|reason| not_a_pattern(path, &reason))
        };
        let one = |pattern: &String| {
            pattern::compile(pattern).map_err(|reason| not_a_pattern("blocked_values", &reason))
        };
        let allowed_keys = settings.allowed_keys.iter().cloned().collect();
        Ok(Self {
            allowed_keys: (!settings.allow_all_keys).then_some(allowed_keys),
            ignored_keys: settings.ignored_keys.iter().cloned().collect(),
            ignored_key_patterns: set("ignored_key_patterns", &settings.ignored_key_patterns)?,
            blocked_key_patterns: set("blocked_key_patterns", &settings.blocked_key_patterns)?,
            allowed_values: set("allowed_values", &settings.allowed_values)?,
            blocked_set: set("blocked_values", &settings.blocked_values)?,
            blocked: settings.blocked_values.iter().map(one).collect::<Result<_, _>>()?,
            mask: Mask::new(settings)?,
            all_types: settings.redact_all_types,
        })
    }

    /// What the key of an attribute makes of it.
    pub(super) fn fate(&self, key: &str) -> Fate {
        if self.ignored_keys.contains(key) || is_match(&self.ignored_key_patterns, key) {
            Fate::Ignored
        } else if self.allowed_keys.as_ref().is_some_and(|keys| !keys.contains(key)) {
            Fate::Redacted
        } else if is_match(&self.blocked_key_patterns, key) {
            Fate::Masked
        } else {
            Fate::Looked
        }
    }

    /// Whether a value passes whatever is blocked in it.
    pub(super) fn is_allowed(&self, text: &str) -> bool {
        is_match(&self.allowed_values, text)
    }

    /// The text that replaces one of an attribute with this fate; none if it stays.
    pub(super) fn masked(&self, fate: Fate, text: &str) -> Option<String> {
        if fate == Fate::Masked {
            return Some(self.mask.of(text));
        }
        if self.blocked.is_empty() {
            return None;
        }
        let hits = self.blocked_set.matches(text);
        if !hits.matched_any() {
            return None;
        }
        // An expression may also match what the mask of an earlier one left, so all later ones run.
        let first = hits.iter().next().unwrap_or_default();
        let mut masked = text.to_owned();
        for pattern in self.blocked.iter().skip(first) {
            let replaced = pattern.replace_all(&masked, |found: &regex::Captures<'_>| {
                self.mask.of(found.get(0).map_or("", |found| found.as_str()))
            });
            if let std::borrow::Cow::Owned(replaced) = replaced {
                masked = replaced;
            }
        }
        (masked != text).then_some(masked)
    }
}

/// Without expressions there is no engine to start.
fn is_match(patterns: &RegexSet, text: &str) -> bool {
    !patterns.is_empty() && patterns.is_match(text)
}

fn not_a_pattern(path: &str, reason: &str) -> SettingsError {
    let problem = format!("holds what is not a regular expression: {reason}");
    SettingsError::new(path, problem, "see the syntax of RE2")
}
