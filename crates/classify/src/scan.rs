//! Finds which of many words stand in which of many bodies, in one scan of all bodies.
//!
//! The bodies arrive folded to lower case and joined by a byte that no UTF-8 text has, so no
//! match can cross two of them. Up to 64 words are scanned with a packed (Teddy) matcher, more
//! with an automaton. That scan does not report overlapping words; it only finds bodies that
//! hold any word, which are few, and those alone are searched for every word.

use aho_corasick::packed::{Config, MatchKind as PackedKind, Searcher};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bessemer_pipeline::SettingsError;
use bessemer_record::draft::Folded;

/// Above this the packed matcher does not work.
const PACKED_WORDS_MAX: usize = 64;

/// A set of words, and for each the rules that it belongs to.
#[derive(Debug)]
pub(crate) struct Scan {
    fast: Fast,
    exact: AhoCorasick,
}

#[derive(Debug)]
enum Fast {
    Packed(Box<Searcher>),
    Automaton(AhoCorasick),
}

impl Scan {
    /// Prepares for `words`, which are folded here; `None` when there are none.
    pub(crate) fn new(words: &[String]) -> Result<Option<Self>, SettingsError> {
        if words.is_empty() {
            return Ok(None);
        }
        let folded: Vec<Vec<u8>> =
            words.iter().map(|word| word.to_ascii_lowercase().into()).collect();
        let error = |error: aho_corasick::BuildError| {
            SettingsError::new("rule.words", error.to_string(), "use fewer or shorter words")
        };
        let exact =
            AhoCorasick::builder().match_kind(MatchKind::Standard).build(&folded).map_err(error)?;
        let packed = (folded.len() <= PACKED_WORDS_MAX)
            .then(|| {
                let mut config = Config::new();
                config.match_kind(PackedKind::LeftmostFirst);
                config.builder().extend(&folded).build()
            })
            .flatten();
        let fast = match packed {
            Some(searcher) => Fast::Packed(Box::new(searcher)),
            None => Fast::Automaton(
                AhoCorasick::builder()
                    .kind(Some(AhoCorasickKind::DFA))
                    .match_kind(MatchKind::LeftmostFirst)
                    .build(&folded)
                    .or_else(|_| AhoCorasick::new(&folded))
                    .map_err(error)?,
            ),
        };
        Ok(Some(Self { fast, exact }))
    }

    /// Calls `found(item, body)` for every body that holds a word, in order.
    pub(crate) fn bodies(&self, folded: &Folded, mut found: impl FnMut(usize, &[u8])) {
        let mut at = 0;
        let mut item = 0;
        while let Some(start) = self.first(folded.text(), at) {
            while folded.ends().get(item).is_some_and(|end| *end as usize <= start) {
                item += 1;
            }
            found(item, folded.body(item));
            at = folded.ends().get(item).map_or(usize::MAX, |end| *end as usize);
            item += 1;
        }
    }

    fn first(&self, text: &[u8], at: usize) -> Option<usize> {
        if at >= text.len() {
            return None;
        }
        match &self.fast {
            Fast::Packed(searcher) => searcher
                .find_in(text, aho_corasick::Span { start: at, end: text.len() })
                .map(|found| found.start()),
            Fast::Automaton(automaton) => automaton
                .find(aho_corasick::Input::new(text).range(at..))
                .map(|found| found.start()),
        }
    }

    /// Calls `found(word)` for every word in one folded body, overlapping ones too, with
    /// repetitions.
    pub(crate) fn words(&self, body: &[u8], mut found: impl FnMut(usize)) {
        for word in self.exact.find_overlapping_iter(body) {
            found(word.pattern().as_usize());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(bodies: &[String]) -> Folded {
        bodies.iter().map(String::as_bytes).collect()
    }

    fn by_hand(words: &[String], bodies: &[String]) -> Vec<(usize, Vec<usize>)> {
        let holds = |body: &str, word: &String| {
            body.to_ascii_lowercase().contains(&word.to_ascii_lowercase())
        };
        let mut found = Vec::new();
        for (item, body) in bodies.iter().enumerate() {
            let inside: Vec<usize> =
                (0..words.len()).filter(|index| holds(body, &words[*index])).collect();
            if !inside.is_empty() {
                found.push((item, inside));
            }
        }
        found
    }

    proptest! {
        #[test]
        fn one_scan_finds_what_a_search_for_each_word_finds(
            words in proptest::collection::vec("[abAB]{1,3}", 1..80),
            bodies in proptest::collection::vec("[abAB .]{0,12}", 0..20),
        ) {
            let scan = Scan::new(&words).unwrap().unwrap();
            let mut found = Vec::new();
            scan.bodies(&folded(&bodies), |item, body| {
                let mut inside = Vec::new();
                scan.words(body, |word| inside.push(word));
                inside.sort_unstable();
                inside.dedup();
                found.push((item, inside));
            });
            prop_assert_eq!(found, by_hand(&words, &bodies));
        }
    }
}
