//! Rows matched by comparing bytes against the automaton.

use proptest::prelude::*;

use super::*;

/// Rows of characters and classes, and what is none.
fn pattern() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "a", "b", "ab", "in ", "[0-9]", "[a-c]", "\\d", "\\w", ".", "[^a]", "\u{e9}", "(?:ab)",
        "(b)", "^", "$", "\\b", "(?i:a)", "(?:a|b)", "{", "k",
    ]);
    let times = prop::sample::select(vec!["", "", "", "+", "{2}", "{2,}", "*", "?", "+?", "{1}"]);
    let part = (atom, times).prop_map(|(atom, times)| {
        let is_one = atom.chars().count() == 1 || atom.starts_with(['[', '(', '\\']);
        let is_anchor = matches!(atom, "^" | "$" | "\\b" | "{");
        if is_one && !is_anchor { format!("{atom}{times}") } else { atom.to_owned() }
    });
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Promise: the faster form matches and replaces exactly what the regular expression does.
    #[test]
    fn a_row_is_matched_as_by_the_automaton(
        pattern in pattern(),
        text in "[abcin0-9\u{e9} .kK\u{212A}{]{0,24}",
    ) {
        let Ok(compiled) = Pattern::new(&pattern) else { return Ok(()) };
        let regex = compiled.regex();
        prop_assert_eq!(compiled.is_match(text.as_bytes()), regex.is_match(&text), "{}", pattern);
        let mut out = Vec::new();
        let is_replaced = compiled.replace_all(text.as_bytes(), "<$1>", &mut out);
        let expected = regex.replace_all(&text, NoExpand("<$1>"));
        prop_assert_eq!(is_replaced, matches!(expected, Cow::Owned(_)), "{}", pattern);
        if is_replaced {
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected.into_owned(), "{}", pattern);
        }
    }
}

#[test]
fn what_is_no_row_is_left_to_the_automaton() {
    for pattern in ["[0-9]+", "in [5-9][0-9]{2} ms", "(a)b+", "\\d{4}-\\d{2}", "\u{e9}"] {
        assert!(Pattern::new(pattern).unwrap().sequence.is_some(), "{pattern}");
    }
    for pattern in ["", "^a", "a|bc", "a*", "a+b", "[^a]", ".", "(?i)k", "a+?", "(ab){2}"] {
        assert!(Pattern::new(pattern).unwrap().sequence.is_none(), "{pattern}");
    }
}
