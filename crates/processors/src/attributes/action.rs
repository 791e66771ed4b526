//! Actions, ready to run on one list of attributes.

use aws_lc_rs::digest;
use bessemer_record::Value;
use bessemer_record::edit::{Attribute, List};
use bessemer_record::value::{AnyValue, Text};
use regex::Regex;

use super::settings::ConvertedType;
use super::text::{parse_double, text_of};

/// One action.
#[derive(Debug)]
pub(crate) enum Action {
    /// Sets an attribute.
    Set { key: String, when: When, source: Source },
    /// Removes attributes.
    Delete(Pick),
    /// Replaces values by their hashes.
    Hash(Pick),
    /// Sets an attribute for each group of an expression: `targets` are their keys.
    /// `first` is the number of the group that belongs to the first of these.
    Extract { key: String, pattern: Regex, targets: Vec<String>, first: usize },
    /// Changes the type of a value.
    Convert { key: String, to: ConvertedType },
}

/// When an attribute is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// While there is none with its key.
    Absent,
    /// While there is one.
    Present,
    /// Always.
    Always,
}

/// Where a value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// From the settings.
    Constant(Value, Attribute),
    /// From the attribute with this key.
    Attribute(String),
    /// From the request header with this name.
    Header(String),
}

/// Request headers, names in lower case.
type Headers = [(String, String)];

/// The attributes that an action is for: that with the key and those whose key matches.
#[derive(Debug)]
pub(crate) struct Pick {
    pub(crate) key: Option<String>,
    pub(crate) pattern: Option<Regex>,
}

impl Action {
    /// Whether the action would do something to a list, of which it is asked which keys are there.
    ///
    /// If this is so for no action of a program, the whole program leaves the list as it is.
    pub(crate) fn is_due(&self, has: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Set { key, when, source } => {
                let is_wanted = match when {
                    When::Absent => !has(key),
                    When::Present => has(key),
                    When::Always => true,
                };
                is_wanted
                    && match source {
                        Source::Constant(..) | Source::Header(_) => true,
                        Source::Attribute(from) => has(from),
                    }
            }
            Self::Delete(pick) | Self::Hash(pick) => {
                pick.pattern.is_some() || pick.key.as_deref().is_some_and(has)
            }
            Self::Extract { key, .. } | Self::Convert { key, .. } => has(key),
        }
    }

    /// Changes a list.
    pub(crate) fn run(&self, list: &mut List<'_>, headers: &Headers) {
        match self {
            Self::Set { key, when, source } => set(key, *when, source, list, headers),
            Self::Delete(pick) => delete(pick, list),
            Self::Hash(pick) => hash(pick, list),
            Self::Extract { key, pattern, targets, first } => {
                extract(key, pattern, targets, *first, list);
            }
            Self::Convert { key, to } => {
                if let Some(value) = list.get(key).and_then(|value| converted(value, *to)) {
                    list.set_value(key, &value);
                }
            }
        }
    }
}

fn set(key: &str, when: When, source: &Source, list: &mut List<'_>, headers: &Headers) {
    let is_wanted = match when {
        When::Absent => !list.has(key),
        When::Present => list.has(key),
        When::Always => true,
    };
    if !is_wanted {
        return;
    }
    match source {
        Source::Constant(_, attribute) => list.set(attribute),
        Source::Attribute(from) => list.copy(from, key),
        Source::Header(name) => {
            let all = headers.iter().filter(|(known, _)| known == name);
            let values: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
            if !values.is_empty() {
                list.set_text(key, Text::from(values.join(";").as_str()));
            }
        }
    }
}

fn delete(pick: &Pick, list: &mut List<'_>) {
    if let Some(key) = &pick.key {
        list.remove(key);
    }
    if let Some(pattern) = &pick.pattern {
        list.remove_where(|key| pattern.is_match(key.as_str()));
    }
}

/// An attribute that is picked by key and by pattern is hashed twice, as the Collector does.
fn hash(pick: &Pick, list: &mut List<'_>) {
    if let Some(key) = &pick.key {
        hash_one(key, list);
    }
    let Some(pattern) = &pick.pattern else { return };
    let mut picked: Vec<String> = Vec::new();
    for key in list.keys() {
        let key = key.as_str();
        if pattern.is_match(key) && !picked.iter().any(|known| known == key) {
            picked.push(key.to_owned());
        }
    }
    for key in picked {
        hash_one(&key, list);
    }
}

fn hash_one(key: &str, list: &mut List<'_>) {
    if let Some(hashed) = list.get(key).map(hashed) {
        list.set_text(key, hashed.as_ref().map_or(Text::default(), |digits| Text::new(digits)));
    }
}

/// The hash of a value; nothing of a value that is neither text nor a number nor a truth value.
fn hashed(value: AnyValue<'_>) -> Option<[u8; 2 * digest::SHA256_OUTPUT_LEN]> {
    match value {
        AnyValue::Str(text) => Some(sha256(text.as_bytes())),
        AnyValue::Bool(truth) => Some(sha256(&[u8::from(truth)])),
        AnyValue::Int(number) => Some(sha256(&number.to_le_bytes())),
        AnyValue::Double(number) => Some(sha256(&number.to_le_bytes())),
        AnyValue::Empty | AnyValue::Bytes(_) | AnyValue::Array(_) | AnyValue::Map(_) => None,
    }
}

/// In hexadecimal digits.
fn sha256(bytes: &[u8]) -> [u8; 2 * digest::SHA256_OUTPUT_LEN] {
    let mut digits = [0; 2 * digest::SHA256_OUTPUT_LEN];
    write_digits(digest::digest(&digest::SHA256, bytes).as_ref(), &mut digits);
    digits
}

fn write_digits(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
}

/// Bytes in hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    write_digits(bytes, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}

/// Only text is searched; a group that took no part captures the empty text.
fn extract(key: &str, pattern: &Regex, targets: &[String], first: usize, list: &mut List<'_>) {
    let Some(text) = list.get(key).and_then(AnyValue::as_str) else { return };
    let mut places = pattern.capture_locations();
    if pattern.captures_read(&mut places, text).is_none() {
        return;
    }
    // A target may be the key itself, so what was captured must not depend on the list.
    let text = text.to_owned();
    for (at, target) in targets.iter().enumerate() {
        let group = places.get(first + at).and_then(|(start, end)| text.get(start..end));
        list.set_text(target, Text::from(group.unwrap_or_default()));
    }
}

/// The value in another type; nothing if it has that type or cannot be converted.
fn converted(value: AnyValue<'_>, to: ConvertedType) -> Option<Value> {
    match to {
        ConvertedType::String if matches!(value, AnyValue::Str(_)) => None,
        ConvertedType::String => Some(Value::String(text_of(value).into_owned())),
        ConvertedType::Int => int(value).map(Value::Int),
        ConvertedType::Double => double(value).map(Value::Double),
    }
}

fn int(value: AnyValue<'_>) -> Option<i64> {
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "fractions are cut off by contract")]
        AnyValue::Double(number) => Some(number as i64),
        AnyValue::Bool(truth) => Some(i64::from(truth)),
        AnyValue::Str(text) => text.as_str().parse().ok(),
        AnyValue::Int(_)
        | AnyValue::Empty
        | AnyValue::Bytes(_)
        | AnyValue::Array(_)
        | AnyValue::Map(_) => None,
    }
}

fn double(value: AnyValue<'_>) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the nearest number is what is asked for")]
        AnyValue::Int(number) => Some(number as f64),
        AnyValue::Bool(truth) => Some(f64::from(u8::from(truth))),
        AnyValue::Str(text) => parse_double(text.as_str()),
        AnyValue::Double(_)
        | AnyValue::Empty
        | AnyValue::Bytes(_)
        | AnyValue::Array(_)
        | AnyValue::Map(_) => None,
    }
}
