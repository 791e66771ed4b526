//! Expressions that are a row of characters and classes, matched without an automaton.
//!
//! A match of such an expression is where each byte is one of its place, so there is one way to match
//! at most from where it starts, and the first start is the match that an automaton finds.

use memchr::memmem::Finder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Places of a row at most; a longer one is left to the automaton.
const PLACES_MAX: usize = 128;
/// Bytes of a landmark at least: a single one is in nearly everything.
const LANDMARK_BYTES_MIN: usize = 2;

/// The bytes that may stand at a place.
#[derive(Debug, Clone)]
struct Set([bool; 256]);

/// A row of places, the last of which may be taken any number of times.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    places: Vec<Set>,
    /// What a match goes on with while it is there.
    tail: Option<Set>,
    /// Text that stands at a place of every match.
    landmark: Option<(usize, Finder<'static>)>,
}

impl Set {
    fn of(bytes: impl IntoIterator<Item = u8>) -> Self {
        let mut set = [false; 256];
        for byte in bytes {
            if let Some(place) = set.get_mut(usize::from(byte)) {
                *place = true;
            }
        }
        Self(set)
    }

    #[inline]
    fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or_default()
    }
}

impl Sequence {
    /// The row that an expression is, if it is one.
    pub(super) fn new(hir: &Hir) -> Option<Self> {
        let mut row = Self { places: Vec::new(), tail: None, landmark: None };
        let mut literals = Vec::new();
        row.add(hir, &mut literals)?;
        if row.places.is_empty() {
            return None;
        }
        let longest = literals.into_iter().max_by_key(|(_, text)| text.len());
        row.landmark = longest
            .filter(|(_, text)| text.len() >= LANDMARK_BYTES_MIN)
            .map(|(at, text)| (at, Finder::new(&text).into_owned()));
        Some(row)
    }

    fn add(&mut self, hir: &Hir, literals: &mut Vec<(usize, Vec<u8>)>) -> Option<()> {
        if self.tail.is_some() {
            return None;
        }
        match hir.kind() {
            HirKind::Literal(literal) => {
                literals.push((self.places.len(), literal.0.to_vec()));
                self.places.extend(literal.0.iter().map(|byte| Set::of([*byte])));
            }
            HirKind::Class(_) => self.places.push(set(hir)?),
            HirKind::Capture(capture) => self.add(&capture.sub, literals)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.add(part, literals))?,
            HirKind::Repetition(repetition) => {
                let set = set(&repetition.sub)?;
                let count = usize::try_from(repetition.min).ok()?.min(PLACES_MAX + 1);
                self.places.extend(std::iter::repeat_n(set.clone(), count));
                match repetition.max {
                    Some(max) if max == repetition.min => {}
                    None if repetition.greedy && count > 0 => self.tail = Some(set),
                    _ => return None,
                }
            }
            HirKind::Empty | HirKind::Look(_) | HirKind::Alternation(_) => return None,
        }
        (self.places.len() <= PLACES_MAX).then_some(())
    }

    /// Where the first match is that does not start before a place.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let mut start = from;
        loop {
            start = self.candidate(text, start)?;
            let end = start + self.places.len();
            let here = text.get(start..end)?;
            if here.iter().zip(&self.places).all(|(byte, set)| set.has(*byte)) {
                return Some((start, end + self.more(text.get(end..).unwrap_or_default())));
            }
            start += 1;
        }
    }

    fn candidate(&self, text: &[u8], from: usize) -> Option<usize> {
        if let Some((at, finder)) = &self.landmark {
            return Some(from + finder.find(text.get(from + at..)?)?);
        }
        let first = self.places.first()?;
        Some(from + text.get(from..)?.iter().position(|byte| first.has(*byte))?)
    }

    /// How many bytes a match takes beyond its places.
    fn more(&self, rest: &[u8]) -> usize {
        let Some(tail) = &self.tail else { return 0 };
        rest.iter().take_while(|byte| tail.has(**byte)).count()
    }
}

/// The bytes of a class of ASCII characters or of a single one.
fn set(hir: &Hir) -> Option<Set> {
    match hir.kind() {
        HirKind::Literal(literal) => match *literal.0 {
            [byte] => Some(Set::of([byte])),
            _ => None,
        },
        HirKind::Capture(capture) => set(&capture.sub),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges().iter();
            let ranges = ranges.map(|range| Some((ascii(range.start())?, ascii(range.end())?)));
            let ranges = ranges.collect::<Option<Vec<_>>>()?;
            Some(Set::of(ranges.into_iter().flat_map(|(start, end)| start..=end)))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let ranges = class.ranges();
            let is_ascii = ranges.iter().all(|range| range.end().is_ascii());
            let bytes = ranges.iter().flat_map(|range| range.start()..=range.end());
            is_ascii.then(|| Set::of(bytes))
        }
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Concat(_)
        | HirKind::Alternation(_) => None,
    }
}

fn ascii(char: char) -> Option<u8> {
    u8::try_from(char).ok().filter(u8::is_ascii)
}
