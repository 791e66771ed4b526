//! Texts one of which is in everything that a regular expression matches.

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind};

use crate::pattern;

/// Texts of one expression at most.
const LITERALS_MAX: usize = 64;
/// Bytes of a text at least: shorter ones are in nearly everything.
const LITERAL_BYTES_MIN: usize = 3;

/// The texts; none if the expression does not give them away.
pub(super) fn required(source: &str) -> Option<Vec<Vec<u8>>> {
    let hir = regex_syntax::parse(&pattern::translate(source)).ok()?;
    inside(&hir).or_else(|| prefixes(&hir))
}

fn inside(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => usable(vec![literal.0.to_vec()]),
        HirKind::Capture(capture) => inside(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => inside(&repetition.sub),
        HirKind::Concat(parts) => {
            let found = parts.iter().filter_map(inside);
            found.max_by_key(|texts| texts.iter().map(Vec::len).min().unwrap_or_default())
        }
        HirKind::Alternation(parts) => {
            let all = parts.iter().map(inside).collect::<Option<Vec<_>>>()?;
            usable(all.into_iter().flatten().collect())
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// How a match can begin, which also covers words in any letter case.
fn prefixes(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut extractor = Extractor::new();
    extractor.limit_class(4).limit_total(LITERALS_MAX);
    let found = extractor.extract(hir);
    let texts = found.literals()?.iter().map(|literal| literal.as_bytes().to_vec());
    usable(texts.collect())
}

fn usable(texts: Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    let is_long = texts.iter().all(|text| text.len() >= LITERAL_BYTES_MIN);
    (is_long && !texts.is_empty() && texts.len() <= LITERALS_MAX).then_some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_every_match_is_found() {
        for (pattern, expected) in [
            ("health check", &["health check"][..]),
            ("^health", &["health"]),
            (".*timeout.*", &["timeout"]),
            ("(?P<a>alpha|beta) \\d+", &["alpha", "beta"]),
            ("(abc)+x?", &["abc"]),
            ("a{2}bcd", &["bcd"]),
        ] {
            let found = required(pattern).unwrap();
            let texts: Vec<_> = expected.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(found, texts, "{pattern}");
        }
        let found = required("(?i)err").unwrap();
        assert_eq!(found.len(), 8);
        assert!(found.contains(&b"eRr".to_vec()));
    }

    #[test]
    fn expressions_that_match_texts_without_one_have_none() {
        for pattern in ["", ".*", "\\d+", "abc|\\d", "(abc)?", "ab", "[a-z]{3}"] {
            assert_eq!(required(pattern), None, "{pattern}");
        }
    }
}
