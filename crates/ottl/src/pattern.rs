//! Regular expressions and globs as the language's users write them, compiled to linear-time ones.
//!
//! The syntax is RE2's. It differs from the `regex` crate's in small things that are rewritten here:
//! classes like `\d` are ASCII, brackets and set operators in a class stand for themselves, and a
//! brace that opens no repetition is a brace.

mod sequence;

use std::borrow::Cow;

use regex::{NoExpand, Regex, RegexBuilder};

use crate::functions::{Literals, Prepared};
use crate::limits::REGEX_BYTES_MAX;
use crate::value::Value;
use sequence::Sequence;

/// A compiled expression, which may have a faster form.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    sequence: Option<Box<Sequence>>,
}

impl Pattern {
    fn new(source: &str) -> Result<Self, String> {
        let regex = regex(source)?;
        let parsed = regex_syntax::parse(&translate(source)).ok();
        let sequence = parsed.and_then(|hir| Sequence::new(&hir));
        Ok(Self { regex, sequence: sequence.map(Box::new) })
    }

    /// An expression that is matched as it was compiled.
    pub(crate) fn plain(regex: Regex) -> Self {
        Self { regex, sequence: None }
    }

    pub(crate) fn regex(&self) -> &Regex {
        &self.regex
    }

    /// Whether it matches somewhere in a text.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        match &self.sequence {
            Some(sequence) => sequence.find(text, 0).is_some(),
            None => self.regex.is_match(&String::from_utf8_lossy(text)),
        }
    }

    /// Writes a text to `out` with something else in place of each match; returns whether there is
    /// any, else nothing is written.
    pub(crate) fn replace_all(&self, text: &[u8], new: &str, out: &mut Vec<u8>) -> bool {
        out.clear();
        let Some(sequence) = &self.sequence else {
            let text = String::from_utf8_lossy(text);
            let Cow::Owned(replaced) = self.regex.replace_all(&text, NoExpand(new)) else {
                return false;
            };
            *out = replaced.into_bytes();
            return true;
        };
        let mut copied = 0;
        while let Some((start, end)) = sequence.find(text, copied) {
            out.extend_from_slice(text.get(copied..start).unwrap_or_default());
            out.extend_from_slice(new.as_bytes());
            copied = end;
        }
        out.extend_from_slice(text.get(copied..).filter(|_| copied > 0).unwrap_or_default());
        copied > 0
    }
}

/// Compiles a regular expression.
pub(crate) fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(&translate(pattern)).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|error| {
        let message = error.to_string();
        let last = message.lines().last().unwrap_or_default();
        format!("the regular expression is wrong: {}", last.trim_start_matches("error: "))
    })
}

pub(crate) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut is_class = false;
    let mut is_class_start = false;
    while let Some(char) = rest.chars().next() {
        let is_first = std::mem::take(&mut is_class_start);
        let len = match char {
            '\\' => escape(rest, is_class, &mut out),
            '[' if !is_class => {
                is_class = true;
                is_class_start = true;
                let head = if rest.starts_with("[^") { "[^" } else { "[" };
                out.push_str(head);
                head.len()
            }
            '[' if rest.starts_with("[:") => {
                let len = rest.find(":]").map_or(1, |end| end + 2);
                out.push_str(rest.get(..len).unwrap_or_default());
                len
            }
            ']' if is_class && is_first => quoted(']', &mut out),
            ']' => {
                is_class = false;
                out.push(']');
                1
            }
            '[' | '&' | '~' if is_class => quoted(char, &mut out),
            '-' if is_class && (is_first || rest.starts_with("-]") || rest.starts_with("--")) => {
                quoted('-', &mut out)
            }
            '{' if !is_class && !is_repetition(rest) => quoted('{', &mut out),
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = rest.get(len..).unwrap_or_default();
    }
    out
}

fn quoted(char: char, out: &mut String) -> usize {
    out.push('\\');
    out.push(char);
    1
}

fn escape(rest: &str, is_class: bool, out: &mut String) -> usize {
    let Some(escaped) = rest.chars().nth(1) else {
        out.push('\\');
        return 1;
    };
    if escaped == 'Q' {
        let quoted = rest.get(2..).unwrap_or_default();
        let end = quoted.find("\\E");
        out.push_str(&regex::escape(quoted.get(..end.unwrap_or(quoted.len())).unwrap_or_default()));
        return end.map_or(rest.len(), |end| end + 4);
    }
    let ascii = match (escaped, is_class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', false) => "[\\t\\n\\f\\r ]",
        ('s', true) => "\\t\\n\\f\\r ",
        ('S', _) => "[^\\t\\n\\f\\r ]",
        ('b', false) => "(?-u:\\b)",
        ('B', false) => "(?-u:\\B)",
        _ => "",
    };
    if !ascii.is_empty() {
        out.push_str(ascii);
        return 2;
    }
    if !matches!(escaped, '<' | '>' | '/') {
        out.push('\\');
    }
    out.push(escaped);
    1 + escaped.len_utf8()
}

fn is_repetition(rest: &str) -> bool {
    let Some(end) = rest.find('}') else { return false };
    let counts = rest.get(1..end).unwrap_or_default();
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (least, most) = counts.split_once(',').unwrap_or((counts, ""));
    !least.is_empty() && is_number(least) && is_number(most)
}

/// Compiles a glob that a whole text must match: `*`, `?`, `[a-z]`, `[!a]`, `{one,two}`, `\`.
pub(crate) fn glob(pattern: &str) -> Result<Regex, String> {
    let mut out = String::from("(?s)^");
    let mut chars = pattern.chars().peekable();
    let mut alternatives = 0_u32;
    while let Some(char) = chars.next() {
        match char {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '\\' => out.push_str(&regex::escape(&chars.next().unwrap_or('\\').to_string())),
            '[' => {
                let inner: String = chars.by_ref().take_while(|char| *char != ']').collect();
                let negated = inner.strip_prefix(['!', '^']);
                let escaped = regex::escape(negated.unwrap_or(&inner)).replace("\\-", "-");
                out.push_str(if negated.is_some() { "[^" } else { "[" });
                out.push_str(&escaped);
                out.push(']');
            }
            '{' => {
                alternatives += 1;
                out.push_str("(?:");
            }
            '}' if alternatives > 0 => {
                alternatives -= 1;
                out.push(')');
            }
            ',' if alternatives > 0 => out.push('|'),
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out.push('$');
    let built = RegexBuilder::new(&out).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|_| format!("the glob {pattern:?} is wrong"))
}

/// A literal text among the arguments; empty if there is none.
pub(crate) fn literal<'l>(literals: &Literals<'l>, at: usize) -> &'l str {
    match literals.get(at) {
        Some(Some(Value::String(text))) => text,
        _ => "",
    }
}

/// Compiles the regular expression that a literal is.
pub(crate) fn prepared(literals: &Literals<'_>, at: usize) -> Result<Prepared, String> {
    Pattern::new(literal(literals, at)).map(Prepared::Regex)
}

#[cfg(test)]
mod tests;
