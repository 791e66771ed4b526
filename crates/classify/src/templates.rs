//! Templates of log bodies: what is left of a body when what varies is taken out.
//!
//! Mining follows Drain: masked texts of one length and one first word are compared word by word,
//! and where enough agree, the words that differ become variable too; but never a word that speaks
//! for a class, since `job failed` and `job done` are not one template. The id of a template is the
//! hash of its masked text at birth and never changes. Memory is bounded: when there are too many
//! templates, the rarest of the older ones are forgotten.

pub mod mask;
pub mod stored;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use mask::WILD;

/// Templates of one component unless the settings say otherwise.
pub const TEMPLATES_DEFAULT: usize = 10_000;
/// Templates that settings may ask for at most.
pub const TEMPLATES_MAX: usize = 100_000;
/// Words of a template at most; what follows belongs to no template.
pub const WORDS_MAX: usize = 64;
/// Templates that a body is compared with at most: the youngest of its length and first word.
const COMPARED_MAX: usize = 32;
/// Of ten words so many must agree.
const AGREE_OF_TEN: usize = 7;
/// The part of all templates that is forgotten at once.
const FORGOTTEN_SHARE: usize = 16;

/// The stable number of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub u64);

impl TemplateId {
    /// The id that a text of 16 hexadecimal digits is.
    pub fn of_text(text: &str) -> Option<Self> {
        (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl std::fmt::Display for TemplateId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// How often a template was seen; shared with who counts.
pub type Seen = Arc<AtomicU64>;

/// One template as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The id, hexadecimal.
    pub id: String,
    /// The words, variable ones as `<*>`.
    pub text: String,
    /// Records since it is known.
    pub count: u64,
}

#[derive(Debug)]
struct Template {
    id: TemplateId,
    words: Vec<Box<[u8]>>,
    seen: Seen,
    /// The count that was stored last.
    stored: u64,
    /// Number of the birth, to tell young from old.
    born: u64,
}

/// Templates of one component.
#[derive(Debug)]
pub struct Templates {
    /// How many are kept.
    room: usize,
    by_id: HashMap<TemplateId, Template>,
    groups: HashMap<(usize, u64), Vec<TemplateId>>,
    births: u64,
    /// Whose stored form is old; gone ones among them.
    changed: Vec<TemplateId>,
}

impl Templates {
    /// None yet, and room for so many, at least 16.
    pub fn new(templates_max: usize) -> Self {
        Self {
            room: templates_max.clamp(FORGOTTEN_SHARE, TEMPLATES_MAX),
            by_id: HashMap::new(),
            groups: HashMap::new(),
            births: 0,
            changed: Vec::new(),
        }
    }

    /// The template of a masked text, new if none is near; `is_telling` says of a word whether it
    /// speaks for a class.
    pub fn find(
        &mut self,
        masked: &[u8],
        is_telling: &dyn Fn(&[u8]) -> bool,
    ) -> (TemplateId, Seen) {
        let words: Vec<&[u8]> = words(masked).collect();
        let group = group_of(&words);
        let nearest = self.nearest(group, &words, is_telling);
        if let Some(template) = nearest.and_then(|id| self.by_id.get_mut(&id)) {
            if generalize(template, &words) {
                self.changed.push(template.id);
            }
            return (template.id, Arc::clone(&template.seen));
        }
        self.bear(group, &words)
    }

    /// The id that [`Templates::find`] would give, without learning anything.
    pub fn peek(&self, masked: &[u8], is_telling: &dyn Fn(&[u8]) -> bool) -> TemplateId {
        let words: Vec<&[u8]> = words(masked).collect();
        self.nearest(group_of(&words), &words, is_telling).unwrap_or_else(|| born_as(&words))
    }

    fn nearest(
        &self,
        group: (usize, u64),
        words: &[&[u8]],
        is_telling: &dyn Fn(&[u8]) -> bool,
    ) -> Option<TemplateId> {
        let mut best: Option<(usize, Reverse<TemplateId>)> = None;
        for id in self.groups.get(&group)?.iter().rev().take(COMPARED_MAX) {
            let Some(template) = self.by_id.get(id) else { continue };
            let Some(agree) = agreement(&template.words, words, is_telling) else { continue };
            // Of two that are as near the one with the lower id, so that order does not matter.
            best = best.max(Some((agree, Reverse(*id))));
        }
        let (agree, Reverse(id)) = best?;
        (agree * 10 >= words.len() * AGREE_OF_TEN).then_some(id)
    }

    fn bear(&mut self, group: (usize, u64), words: &[&[u8]]) -> (TemplateId, Seen) {
        let id = born_as(words);
        let seen = Seen::default();
        if self.by_id.len() >= self.room {
            self.forget_rarest();
        }
        let words = words.iter().map(|word| (*word).into()).collect();
        let (seen_too, born) = (Arc::clone(&seen), self.births);
        self.insert(group, Template { id, words, seen: seen_too, stored: 0, born });
        self.changed.push(id);
        (id, seen)
    }

    fn insert(&mut self, group: (usize, u64), template: Template) {
        self.births += 1;
        let id = template.id;
        if self.by_id.insert(id, template).is_none() {
            self.groups.entry(group).or_default().push(id);
        }
    }

    /// Makes room; those born last stay, since they had no time to be seen.
    fn forget_rarest(&mut self) {
        let share = self.room / FORGOTTEN_SHARE;
        let young = self.births.saturating_sub(share as u64);
        let mut old: Vec<(u64, TemplateId)> = self
            .by_id
            .values()
            .filter(|template| template.born < young)
            .map(|template| (template.seen.load(Ordering::Relaxed), template.id))
            .collect();
        old.sort_unstable();
        for (_, id) in old.into_iter().take(share.max(1)) {
            self.by_id.remove(&id);
            self.changed.push(id);
        }
        let by_id = &self.by_id;
        self.groups.retain(|_, ids| {
            ids.retain(|id| by_id.contains_key(id));
            !ids.is_empty()
        });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The words of a template, variable ones as `<*>`.
    pub fn text_of(&self, id: TemplateId) -> Option<String> {
        self.by_id.get(&id).map(Template::text)
    }

    /// The most frequent ones, at most `limit`.
    pub fn shown(&self, limit: usize) -> Vec<Shown> {
        let mut all: Vec<Shown> = self.by_id.values().map(Template::shown).collect();
        all.sort_unstable_by(|one, other| {
            other.count.cmp(&one.count).then_with(|| one.id.cmp(&other.id))
        });
        all.truncate(limit);
        all
    }
}

impl Template {
    fn text(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| String::from_utf8_lossy(word)).collect();
        words.join(" ")
    }

    fn shown(&self) -> Shown {
        let count = self.seen.load(Ordering::Relaxed);
        Shown { id: self.id.to_string(), text: self.text(), count }
    }
}

fn words(masked: &[u8]) -> impl Iterator<Item = &[u8]> {
    masked.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(WORDS_MAX)
}

/// The id of a template with these words.
fn born_as(words: &[&[u8]]) -> TemplateId {
    TemplateId(xxh3_64(&words.join(&b' ')))
}

/// Templates are only compared within one number of words and one first word, if it is no variable.
fn group_of(words: &[&[u8]]) -> (usize, u64) {
    let first = words.first().filter(|word| !is_wild(word));
    (words.len(), first.map_or(0, |word| xxh3_64(word)))
}

fn is_wild(word: &[u8]) -> bool {
    word.windows(WILD.len()).any(|part| part == WILD.as_bytes())
}

/// How many words agree; `None` where a word that tells something differs.
fn agreement(
    template: &[Box<[u8]>],
    words: &[&[u8]],
    is_telling: &dyn Fn(&[u8]) -> bool,
) -> Option<usize> {
    let mut agree = 0;
    for (known, word) in template.iter().zip(words) {
        if **known == **word {
            agree += 1;
        } else if is_telling(known) || is_telling(word) {
            return None;
        }
    }
    Some(agree)
}

/// Makes words variable that differ; says whether any was not yet.
fn generalize(template: &mut Template, words: &[&[u8]]) -> bool {
    let mut changed = false;
    for (known, word) in template.words.iter_mut().zip(words) {
        if **known != **word && **known != *WILD.as_bytes() {
            *known = WILD.as_bytes().into();
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests;
