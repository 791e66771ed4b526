//! Paths with `*` for each part that looks like an id, without query and fragment.
//!
//! A part stays if it is a word: letters, dashes, underscores and dots that can be read, one digit
//! at its second place (`v1`) aside. It cannot be read without a vowel or with six consonants in a
//! row. What stands behind ten slashes is left out.

/// Slashes of a path that are kept.
const PARTS_MAX: usize = 10;
/// Words up to this long need no vowel: `db`, `css`.
const SHORT: usize = 3;
/// Consonants in a row that no word has.
const CONSONANTS: usize = 6;

/// The path or URL without what differs from call to call.
pub(super) fn clean(text: &str) -> String {
    let whole = text.split(['?', '#', '&']).next().unwrap_or_default();
    // Scheme and host are no path.
    let (start, path) = match whole.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.find('/').unwrap_or(rest.len());
            let (host, path) = rest.split_at_checked(host).unwrap_or((rest, ""));
            (format!("{scheme}://{host}"), path)
        }
        None => (String::new(), whole),
    };
    let parts = path.split('/').take(PARTS_MAX);
    let parts: Vec<&str> = parts.map(|part| if is_word(part) { part } else { "*" }).collect();
    start + &parts.join("/")
}

/// Whether nothing but asterisks is left.
pub(super) fn is_bare(clean: &str) -> bool {
    let mut parts = clean.split('/').filter(|part| !part.is_empty()).peekable();
    parts.peek().is_some() && parts.all(|part| part == "*")
}

/// Whether a part is empty or a word, or several with blanks between them.
fn is_word(part: &str) -> bool {
    part.is_empty() || part.split(' ').all(is_one_word)
}

fn is_one_word(word: &str) -> bool {
    let is_letter = |c: char| c.is_alphabetic() || "-_.".contains(c);
    let has_only_letters =
        word.chars().enumerate().all(|(at, c)| is_letter(c) || (at == 1 && c.is_ascii_digit()));
    has_only_letters && word.split(['-', '_', '.']).all(is_readable)
}

fn is_readable(word: &str) -> bool {
    if word.chars().count() <= SHORT || !word.is_ascii() {
        return true;
    }
    let is_consonant = |byte: &u8| byte.is_ascii_alphabetic() && !b"aeiouyAEIOUY".contains(byte);
    let has_vowel = word.bytes().any(|byte| !is_consonant(&byte) && byte.is_ascii_alphabetic());
    let longest = word.as_bytes().split(|byte| !is_consonant(byte)).map(<[u8]>::len).max();
    has_vowel && longest.is_none_or(|longest| longest < CONSONANTS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_that_look_like_ids_become_asterisks() {
        for (text, expected) in [
            ("", ""),
            ("/", "/"),
            ("/orders/4711/items", "/orders/*/items"),
            ("/v2/orders/0f3c2a10-77aa-4f8e-9d3b-2b6f0d8f3c11", "/v2/orders/*"),
            ("/files/report_2024.pdf", "/files/*"),
            ("/shops/berlin-mitte/opening_hours", "/shops/berlin-mitte/opening_hours"),
            ("/t/xkcdqwrtz/end", "/t/*/end"),
            ("/search?q=secret#top", "/search"),
            ("https://shop.example.com:8443/cart/99", "https://shop.example.com:8443/cart/*"),
            ("https://shop.example.com", "https://shop.example.com"),
            ("GET /orders/4711", "GET /orders/*"),
            ("//a//1//", "//a//*//"),
        ] {
            assert_eq!(clean(text), expected, "{text}");
        }
        assert_eq!(clean(&"/a".repeat(30)).matches('/').count(), PARTS_MAX - 1);
        assert!(is_bare("/*/*") && is_bare("*") && !is_bare("/a/*") && !is_bare("/"));
    }

    proptest! {
        #[test]
        fn a_clean_path_stays_as_it_is(text in "[ -~]{0,40}") {
            let once = clean(&text);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
