//! The detectors and the one place that runs them over a text.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use regex::Regex;

use super::prefilter::{AT, COLONS, COUNTRY, DIGITS, DOTTED, NAME, Prefilter, RUN, SCHEME, WORD};
use super::secrets::{self, Shapes};
use super::{email, numbers};

/// A finding: by whom and where.
pub(super) type Hit = (Detector, Range<usize>);

/// What looks for one kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Detector {
    Email,
    Phone,
    Iban,
    Card,
    Ssn,
    Ipv4,
    Ipv6,
    Name,
    Token,
    Jwt,
    PrivateKey,
    ConnectionString,
    Authorization,
    KeyedSecret,
    Entropy,
    Key,
}

/// Every detector, in the order of reports.
pub(super) const ALL: [Detector; 16] = [
    Detector::Email,
    Detector::Phone,
    Detector::Iban,
    Detector::Card,
    Detector::Ssn,
    Detector::Ipv4,
    Detector::Ipv6,
    Detector::Name,
    Detector::Token,
    Detector::Jwt,
    Detector::PrivateKey,
    Detector::ConnectionString,
    Detector::Authorization,
    Detector::KeyedSecret,
    Detector::Entropy,
    Detector::Key,
];

impl Detector {
    /// The name in settings, packs, metrics and replacements.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Ssn => "ssn",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Name => "name",
            Self::Token => "token",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private_key",
            Self::ConnectionString => "connection_string",
            Self::Authorization => "authorization",
            Self::KeyedSecret => "keyed_secret",
            Self::Entropy => "entropy",
            Self::Key => "key",
        }
    }

    /// The detector of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|detector| detector.name() == name)
    }

    /// Its place in [`ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Any of these marks must be set for it to find something.
    fn marks(self) -> u16 {
        match self {
            Self::Email => AT,
            Self::Phone | Self::Card | Self::Ssn => DIGITS,
            Self::Iban => COUNTRY,
            Self::Ipv4 => DOTTED,
            Self::Ipv6 => COLONS,
            Self::Name => NAME,
            Self::Token | Self::Authorization | Self::KeyedSecret | Self::PrivateKey => WORD,
            Self::Jwt | Self::Entropy => RUN,
            Self::ConnectionString => SCHEME,
            Self::Key => 0,
        }
    }
}

/// The detectors that are on, compiled.
#[derive(Debug)]
pub(super) struct Scanner {
    prefilter: Prefilter,
    shapes: Shapes,
    names: Option<AhoCorasick>,
    is_on: [bool; ALL.len()],
    wanted: u16,
}

impl Scanner {
    /// Compiles; `words` are further words of the prefilter.
    pub(super) fn new(
        is_on: [bool; ALL.len()],
        names: &[String],
        words: &[(String, u16)],
    ) -> Result<Self, String> {
        let shapes = Shapes::new()?;
        let mut all: Vec<(&str, u16)> = secrets::WORDS.iter().map(|word| (*word, WORD)).collect();
        all.extend(shapes.words().iter().map(|word| (word.as_str(), WORD)));
        all.extend(names.iter().map(|name| (name.as_str(), NAME)));
        all.extend(words.iter().map(|(word, mark)| (word.as_str(), *mark)));
        let prefilter = Prefilter::new(&all).ok_or("too many words for one matcher")?;
        let matcher = AhoCorasick::builder().ascii_case_insensitive(true).build(names);
        let names = (!names.is_empty()).then(|| matcher.ok()).flatten();
        let on = ALL.into_iter().filter(|one| is_on.get(one.index()) == Some(&true));
        let wanted = on.fold(0, |marks, one| marks | one.marks());
        Ok(Self { prefilter, shapes, names, is_on, wanted })
    }

    /// The marks of bytes, those that no detector wants included.
    pub(super) fn marks(&self, bytes: &[u8]) -> u16 {
        self.prefilter.marks(bytes)
    }

    /// The marks that a detector wants.
    pub(super) fn wanted(&self) -> u16 {
        self.wanted
    }

    /// Whether a detector is on.
    pub(super) fn is_on(&self, detector: Detector) -> bool {
        self.is_on.get(detector.index()) == Some(&true)
    }

    /// Findings in a text, in order and without overlap.
    pub(super) fn hits(&self, text: &str, key: &str) -> Vec<Hit> {
        let bytes = text.as_bytes();
        let marks = self.marks(bytes);
        let mut hits = Vec::new();
        if marks & self.wanted == 0 {
            return hits;
        }
        let due = |detector: Detector| self.is_on(detector) && marks & detector.marks() != 0;
        if due(Detector::Email) {
            email::find(bytes, &mut hits);
        }
        if marks & (DIGITS | DOTTED) != 0 {
            numbers::find(bytes, key, &mut hits);
        }
        if due(Detector::Iban) {
            numbers::ibans(bytes, &mut hits);
        }
        if due(Detector::Ipv6) {
            numbers::ipv6(bytes, &mut hits);
        }
        self.secrets(bytes, &due, &mut hits);
        if due(Detector::Name) {
            self.names(bytes, &mut hits);
        }
        hits.retain(|(detector, _)| self.is_on(*detector));
        without_overlap(hits)
    }

    fn secrets(&self, text: &[u8], due: &dyn Fn(Detector) -> bool, hits: &mut Vec<Hit>) {
        if due(Detector::Token) {
            self.shapes.tokens(text, hits);
        }
        if due(Detector::Jwt) {
            self.shapes.jwts(text, hits);
        }
        if due(Detector::PrivateKey) {
            secrets::private_keys(text, hits);
        }
        if due(Detector::ConnectionString) {
            secrets::connection_strings(text, hits);
        }
        if due(Detector::Authorization) {
            self.shapes.authorizations(text, hits);
        }
        if due(Detector::KeyedSecret) {
            self.shapes.keyed(text, hits);
        }
        if due(Detector::Entropy) {
            secrets::random(text, hits);
        }
    }

    fn names(&self, text: &[u8], hits: &mut Vec<Hit>) {
        let Some(names) = &self.names else { return };
        let is_letter = |at: Option<usize>| {
            at.and_then(|at| text.get(at))
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
        };
        for found in names.find_iter(text) {
            if !is_letter(found.start().checked_sub(1)) && !is_letter(Some(found.end())) {
                hits.push((Detector::Name, found.range()));
            }
        }
    }
}

/// Keeps of findings that overlap the one that starts first, and joins nothing.
fn without_overlap(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|(_, range)| (range.start, std::cmp::Reverse(range.end)));
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for (detector, range) in hits {
        match kept.last_mut() {
            Some((_, last)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => kept.push((detector, range)),
        }
    }
    kept
}

/// What is never reported.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    pub(super) values: Vec<String>,
    pub(super) patterns: Vec<Regex>,
    pub(super) keys: Vec<Regex>,
}

impl Allowed {
    pub(super) fn value(&self, text: &str) -> bool {
        self.values.iter().any(|value| value.eq_ignore_ascii_case(text))
            || self.patterns.iter().any(|pattern| pattern.is_match(text))
    }

    pub(super) fn key(&self, key: &str) -> bool {
        !key.is_empty() && self.keys.iter().any(|pattern| pattern.is_match(key))
    }
}
