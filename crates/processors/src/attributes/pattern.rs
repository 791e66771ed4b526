//! Regular expressions in RE2 syntax, as the Collector reads them, on an engine that is linear too.
//!
//! The syntaxes differ in little: in RE2 `\d`, `\s`, `\w` and `\b` mean ASCII, a brace that
//! repeats nothing is itself, `\Q...\E` quotes, any escaped punctuation is itself, and a class
//! knows neither set operations nor nested classes.
//! See <https://github.com/google/re2/wiki/Syntax>.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// Memory of one compiled expression at most.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// Compiles an expression; the error is one line.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&translated(pattern))
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| reason(&error))
}

/// Compiles expressions that are looked for at once.
pub(crate) fn compile_set(patterns: &[String]) -> Result<RegexSet, String> {
    RegexSetBuilder::new(patterns.iter().map(|pattern| translated(pattern)))
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| reason(&error))
}

/// The last line of the error: the others show the translated expression.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// The expression in the syntax of the engine.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\\' => escape(&mut rest, &mut out),
            '[' => class(&mut rest, &mut out),
            '{' if !is_repetition(rest.clone()) => out.push_str("\\{"),
            _ => out.push(next),
        }
    }
    out
}

/// Whether what follows a brace makes it a repetition: `{2}`, `{2,}`, `{2,4}`.
fn is_repetition(rest: Peekable<Chars<'_>>) -> bool {
    let text: String = rest.take_while(|next| *next != '}').take(16).collect();
    let (least, most) = text.split_once(',').unwrap_or((&text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    match rest.next() {
        Some('b') => out.push_str("(?-u:\\b)"),
        Some('B') => out.push_str("(?-u:\\B)"),
        Some('Q') => quoted(rest, out),
        Some(next @ ('p' | 'P' | 'x')) if rest.peek() == Some(&'{') => {
            out.extend(['\\', next]);
            copy_to('}', rest, out);
        }
        Some(next) => escaped(next, out),
        None => out.push('\\'),
    }
}

/// Writes what `\Q` quotes, up to `\E` or the end.
fn quoted(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(next) = rest.next() {
        if next == '\\' && rest.next_if_eq(&'E').is_some() {
            return;
        }
        out.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
    }
}

/// Writes an escape that means the same inside a class.
fn escaped(next: char, out: &mut String) {
    match next {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        _ if next.is_ascii_punctuation() || next == ' ' => {
            out.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
        }
        _ => out.extend(['\\', next]),
    }
}

/// Writes a class up to its closing bracket.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    out.extend(rest.next_if_eq(&'^'));
    if rest.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    let mut is_after_hyphen = out.ends_with(['[', '^']);
    while let Some(next) = rest.next() {
        match next {
            ']' => {
                out.push(']');
                return;
            }
            '\\' => {
                if let Some(next) = rest.next() {
                    escaped(next, out);
                }
            }
            '[' if rest.peek() == Some(&':') => {
                out.push('[');
                copy_to(']', rest, out);
            }
            '[' | '&' | '~' => out.extend(['\\', next]),
            // Two in a row would take one set from the other.
            '-' if is_after_hyphen => {
                out.push_str("\\-");
                is_after_hyphen = false;
                continue;
            }
            _ => out.push(next),
        }
        is_after_hyphen = next == '-';
    }
}

/// Copies up to and with a character.
fn copy_to(last: char, rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    for next in rest.by_ref() {
        out.push(next);
        if next == last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let regex = compile(pattern).unwrap();
        for text in matching {
            assert!(regex.is_match(text), "{pattern} in {text}: {regex}");
        }
        for text in others {
            assert!(!regex.is_match(text), "{pattern} in {text}: {regex}");
        }
    }

    #[test]
    fn expressions_mean_what_they_mean_in_re2() {
        check("^a.*", &["apply"], &["bapply", ""]);
        check(r"^\d+$", &["123"], &["\u{663}", "12 "]);
        check(r"^\D\W\S$", &["x-y"], &["1-y", "xay"]);
        check(r"^\w$", &["_"], &["\u{e9}"]);
        check(r"\bcat\b", &["a cat", "\u{e9}cat\u{e9}"], &["cats"]);
        check(r"^\Ba\B", &[], &["a"]);
        check(r"^a\Qb.c\Ed$", &["ab.cd"], &["abxcd"]);
        check(r"\/api\/v1\/_\_\<\>\%", &["/api/v1/__<>%"], &[]);
        check(r#"^{"a":{}}$"#, &[r#"{"a":{}}"#], &[]);
        check("^a{2}b{1,}c{1,2}x{,2}$", &["aabccx{,2}"], &["abcx{,2}"]);
        check("^[[a]$", &["[", "a"], &["]"]);
        check("^[]a]$", &["]", "a"], &["["]);
        check("^[^]a]$", &["b"], &["]", "a"]);
        check(r"^[\d\-.&&~~]$", &["7", "-", ".", "&", "~"], &["x"]);
        check("^[-a]$", &["-", "a"], &["b"]);
        check("^[+--]$", &["+", ",", "-"], &["."]);
        check("^[--/]$", &["-", ".", "/"], &["a", "+"]);
        check("^[[:alpha:]_]$", &["x", "_"], &["1", ":"]);
        check(r"^[\p{Greek}\d]{2}$", &["\u{3b1}1"], &["a1"]);
        check("(?i)^HELLO$", &["hello"], &[]);
        check(r"^\p{Greek}\x{e9}$", &["\u{3b1}\u{e9}"], &["a\u{e9}"]);
    }

    #[test]
    fn errors_are_one_line_that_names_the_mistake() {
        assert_eq!(compile("a(b").unwrap_err(), "unclosed group");
        assert!(compile(r"(a)\1").unwrap_err().contains("backreferences"));
        assert!(compile("a{1000}{1000}{1000}").unwrap_err().contains("size limit"));
        assert!(compile_set(&["a".into(), "[".into()]).unwrap_err().contains("class"));
    }
}
