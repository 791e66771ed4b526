//! One message under inspection: every value looked at, changed, and what was found kept.

use aws_lc_rs::hmac;
use bessemer_record::edit::{Change, Scalar};

use super::detect::{Detector, Hit};
use super::key_rule::{secret_word, words};
use super::policy::Policy;
use super::prefilter::{ESCAPE, KEY, RUN, WORD};
use super::secrets::is_secret_value;
use super::settings::Action;
use super::{encoded, json_text};

/// What an inspection found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Detector and action, once for each finding.
    pub(super) all: Vec<(Detector, Action)>,
}

impl Findings {
    pub(super) fn has(&self, action: Action) -> bool {
        self.all.iter().any(|(_, taken)| *taken == action)
    }
}

/// An inspection of one message.
pub(super) struct Inspection<'p> {
    pub(super) policy: &'p Policy,
    pub(super) key: Option<&'p hmac::Key>,
    /// Marks of the whole message.
    pub(super) marks: u16,
    pub(super) findings: Findings,
}

/// Encodings that are still looked through.
#[derive(Clone, Copy)]
struct Layers {
    json: bool,
    base64: bool,
}

impl Inspection<'_> {
    /// What becomes of a value.
    pub(super) fn see(&mut self, key: &str, scalar: Scalar<'_>) -> Change {
        let layers = Layers { json: true, base64: true };
        match scalar {
            Scalar::Key(text) => self.content(text, "", layers),
            Scalar::Str(text) => self.value(key, text, layers),
            Scalar::Int(number) => self.value(key, &number.to_string(), layers),
            Scalar::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.value(key, text, layers),
                Err(_) => Change::Keep,
            },
        }
    }

    fn value(&mut self, key: &str, text: &str, layers: Layers) -> Change {
        if text.is_empty() || self.policy.allowed.key(key) {
            return Change::Keep;
        }
        if let Some((detector, action)) = self.sensitive(key, text)
            && !self.policy.allowed.value(text)
        {
            return self.whole(detector, action, key, text);
        }
        self.content(text, key, layers)
    }

    /// Whether the key alone makes the value sensitive.
    fn sensitive(&self, key: &str, text: &str) -> Option<(Detector, Action)> {
        if key.is_empty() || self.marks & (KEY | WORD) == 0 || is_done(text) {
            return None;
        }
        let key = words(key);
        if let Some(rule) = self.policy.keys.iter().find(|rule| rule.fits(&key)) {
            return Some((Detector::Key, rule.action));
        }
        let word =
            secret_word(&key).filter(|_| self.policy.scanner.is_on(Detector::KeyedSecret))?;
        is_secret_value(word.as_bytes(), text.as_bytes(), true)
            .then(|| (Detector::KeyedSecret, self.policy.action(Detector::KeyedSecret)))
    }

    fn whole(&mut self, detector: Detector, action: Action, key: &str, text: &str) -> Change {
        self.findings.all.push((detector, action));
        match action {
            Action::Tag | Action::DropRecord | Action::Block => Change::Keep,
            Action::DropAttribute if !key.is_empty() => Change::Remove,
            Action::Tokenise | Action::Hash | Action::Redact | Action::DropAttribute => {
                Change::Text(self.replacement(detector, action, text))
            }
        }
    }

    fn content(&mut self, text: &str, key: &str, layers: Layers) -> Change {
        let marks = self.policy.scanner.marks(text.as_bytes());
        if marks & (self.policy.scanner.wanted() | KEY | WORD | RUN | ESCAPE) == 0 {
            return Change::Keep;
        }
        if layers.json {
            let inner = Layers { json: false, ..layers };
            let outer = self.marks;
            // Escapes can hide any mark.
            self.marks = u16::MAX;
            let rewritten = json_text::rewrite(text, &mut |found, value| {
                let key = if found.is_empty() { key } else { found };
                self.value(key, value, inner)
            });
            self.marks = outer;
            if let Some(change) = rewritten {
                return change;
            }
        }
        self.plain(text, key, layers)
    }

    /// Findings in the text itself and in base64 in it.
    fn plain(&mut self, text: &str, key: &str, layers: Layers) -> Change {
        let encoded = if layers.base64 { encoded::find(text) } else { Vec::new() };
        let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        for one in &encoded {
            let inner = Layers { base64: false, ..layers };
            match self.value("", &one.text, inner) {
                Change::Keep => {}
                Change::Text(new) => edits.push((one.range.clone(), one.encode(&new))),
                Change::Remove => return Change::Remove,
            }
        }
        for (detector, range) in self.policy.scanner.hits(text, key) {
            let covers =
                |other: &std::ops::Range<usize>| range.start < other.end && other.start < range.end;
            // Base64 of text is no secret by itself, and what was in it is gone already.
            let is_decoded =
                detector == Detector::Entropy && encoded.iter().any(|one| covers(&one.range));
            if is_decoded {
                continue;
            }
            edits.retain(|(edited, _)| !covers(edited));
            if let Some(change) = self.hit((detector, range), key, text, &mut edits) {
                return change;
            }
        }
        spliced(text, edits)
    }

    /// Adds the edit of one finding; a change of the whole value ends the search in it.
    fn hit(
        &mut self,
        (detector, range): Hit,
        key: &str,
        text: &str,
        edits: &mut Vec<(std::ops::Range<usize>, String)>,
    ) -> Option<Change> {
        let found = text.get(range.clone()).unwrap_or_default();
        if self.policy.allowed.value(found) {
            return None;
        }
        match self.whole(detector, self.policy.action(detector), key, found) {
            Change::Keep => None,
            Change::Text(new) => {
                edits.push((range, new));
                None
            }
            Change::Remove => Some(Change::Remove),
        }
    }

    fn replacement(&self, detector: Detector, action: Action, text: &str) -> String {
        let name = detector.name();
        match (action, self.key) {
            (Action::Hash, Some(key)) => {
                format!("{name}:{}", hex(&sign(key, "hash", name, text), 32))
            }
            (Action::Tokenise, Some(key)) => {
                format!("tok_{name}_{}", hex(&sign(key, "token", name, text), 12))
            }
            _ => format!("[REDACTED:{name}]"),
        }
    }
}

/// Whether an earlier pass made this text.
fn is_done(text: &str) -> bool {
    text.starts_with("[REDACTED:") && text.ends_with(']')
}

/// Use and detector are part of what is signed, so that neither can stand for another.
fn sign(key: &hmac::Key, purpose: &str, detector: &str, text: &str) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in [purpose, detector] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    context.update(text.as_bytes());
    context.sign()
}

fn hex(tag: &hmac::Tag, bytes: usize) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
    let bytes = tag.as_ref().iter().take(bytes);
    bytes.flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn spliced(text: &str, mut edits: Vec<(std::ops::Range<usize>, String)>) -> Change {
    if edits.is_empty() {
        return Change::Keep;
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, new) in edits {
        let range = text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end);
        out.push_str(text.get(copied..range.start).unwrap_or_default());
        out.push_str(&new);
        copied = range.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Change::Text(out)
}
