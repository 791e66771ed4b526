//! SQL without its literals: texts, numbers, truth values and comments.
//!
//! A small scanner that knows where a literal ends in the dialects that are common; it does not know
//! what a statement means. A literal that does not end reaches to the end of the text, and so does one
//! with a quote behind a backslash, of which dialects disagree whether it ends there. Digits of names
//! go too, since tables are made by the day.

/// The statement with `?` for each literal.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = token(first, rest, &mut out);
    }
    out
}

/// Writes what stands for the first token; gives what is left.
fn token<'t>(first: char, rest: &'t str, out: &mut String) -> &'t str {
    if let Some(comment) = rest.strip_prefix("--") {
        return behind(comment, "\n").map_or("", |(_, rest)| rest);
    }
    if let Some(comment) = rest.strip_prefix("/*") {
        return behind(comment, "*/").map_or("", |(_, rest)| rest);
    }
    match first {
        '\'' => hidden(quoted(rest, '\''), out),
        '"' if is_value_next(out) => hidden(quoted(rest, '"'), out),
        '"' | '`' | '[' => name(first, rest, out),
        '$' => dollar(rest, out),
        '0'..='9' => hidden(number(rest), out),
        '.' if rest.chars().nth(1).is_some_and(|next| next.is_ascii_digit()) => {
            hidden(number(rest), out)
        }
        c if c.is_alphabetic() || c == '_' => word(rest, out),
        c => {
            out.push(c);
            rest.get(c.len_utf8()..).unwrap_or_default()
        }
    }
}

fn hidden<'t>(rest: &'t str, out: &mut String) -> &'t str {
    out.push('?');
    rest
}

fn behind<'t>(text: &'t str, end: &str) -> Option<(&'t str, &'t str)> {
    text.split_once(end)
}

/// Whether what is written so far asks for a value: there, double quotes hold a text in some
/// dialects.
fn is_value_next(out: &str) -> bool {
    let before = out.trim_end();
    let word = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    before.ends_with(|c: char| "=<>(,+-*/|!".contains(c)) || word.eq_ignore_ascii_case("like")
}

/// What stands behind a quoted text, which a doubled quote does not end.
fn quoted(text: &str, quote: char) -> &str {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        let is_doubled = letters.peek().is_some_and(|(_, next)| *next == quote);
        if letter == '\\' && is_doubled {
            return "";
        }
        if letter != quote {
            continue;
        }
        if !is_doubled {
            return text.get(at + quote.len_utf8()..).unwrap_or_default();
        }
        letters.next();
    }
    ""
}

/// The same where a backslash takes the meaning from what follows it.
fn escaped(text: &str) -> &str {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '\'' => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}

/// A name in quotes or brackets stays, unless it has no end. `[` also begins what no name is.
fn name<'t>(open: char, text: &'t str, out: &mut String) -> &'t str {
    let close = if open == '[' { ']' } else { open };
    let inner = text.get(open.len_utf8()..).unwrap_or_default();
    let Some((inside, rest)) = inner.split_once(close) else { return hidden("", out) };
    let is_name = inside.chars().all(|c| c.is_alphanumeric() || " _-.$".contains(c))
        && !inside.starts_with(|c: char| c.is_ascii_digit());
    if is_name {
        out.push(open);
        out.push_str(&without_digits(inside));
        out.push(close);
        return rest;
    }
    if open == '[' {
        out.push('[');
        return inner;
    }
    hidden(rest, out)
}

/// `$1` stays, `$tag$ text $tag$` is a text.
fn dollar<'t>(text: &'t str, out: &mut String) -> &'t str {
    let inner = text.get(1..).unwrap_or_default();
    let tag = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (tag, rest) = inner.split_at_checked(tag).unwrap_or((inner, ""));
    if let Some(rest) = rest.strip_prefix('$') {
        let end = format!("${tag}$");
        return hidden(behind(rest, &end).map_or("", |(_, rest)| rest), out);
    }
    out.push('$');
    out.push_str(tag);
    rest
}

/// What stands behind a number in any notation.
fn number(text: &str) -> &str {
    let mut last = ' ';
    let end = text.find(|c: char| {
        let is_sign = "+-".contains(c) && "eE".contains(last);
        let is_part = c.is_alphanumeric() || c == '.' || c == '_' || is_sign;
        last = c;
        !is_part
    });
    end.and_then(|end| text.get(end..)).unwrap_or_default()
}

/// A word: a prefix of a text literal, a truth value, or a name.
fn word<'t>(text: &'t str, out: &mut String) -> &'t str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let lower = word.to_ascii_lowercase();
    match lower.as_str() {
        "e" if rest.starts_with('\'') => return hidden(escaped(rest), out),
        "n" | "b" | "x" | "u" | "_utf8" if rest.starts_with('\'') => {
            return hidden(quoted(rest, '\''), out);
        }
        "true" | "false" => return hidden(rest, out),
        _ => {}
    }
    out.push_str(&without_digits(word));
    rest
}

/// The name with one sign in the place of each run of digits.
fn without_digits(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in name.chars() {
        if !letter.is_ascii_digit() {
            out.push(letter);
        } else if !out.ends_with('?') {
            out.push('?');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_of_every_kind_become_question_marks() {
        for (text, expected) in [
            (
                "SELECT * FROM users WHERE id = 42 AND name = 'O''Brien'",
                "SELECT * FROM users WHERE id = ? AND name = ?",
            ),
            (
                r"INSERT INTO t VALUES (-1.5e-3, .5, 0xff, E'a\'b', TRUE, NULL)",
                "INSERT INTO t VALUES (-?, ?, ?, ?, ?, NULL)",
            ),
            (
                "SELECT a -- hunter2\nFROM b /* hunter2 */ WHERE c IN (1,2)",
                "SELECT a FROM b  WHERE c IN (?,?)",
            ),
            ("SELECT $1, $$hunter2$$, $x$hunter2$x$", "SELECT $1, ?, ?"),
            (
                r#"SELECT "my col", `other`, [third] FROM events_20260301"#,
                r#"SELECT "my col", `other`, [third] FROM events_?"#,
            ),
            (r#"UPDATE t SET a = "hunter2!""#, "UPDATE t SET a = ?"),
            (
                r#"SELECT a FROM t WHERE a = "hunter" OR b LIKE "hunter%""#,
                "SELECT a FROM t WHERE a = ? OR b LIKE ?",
            ),
            (r"SELECT 'C:\' AND x = 'hunter'", "SELECT ?"),
            ("SELECT arr[1]", "SELECT arr[?]"),
            ("SELECT 'hunter2", "SELECT ?"),
            ("SELECT N'hunter2', x'00ff'", "SELECT ?, ?"),
        ] {
            assert_eq!(clean(text), expected, "{text}");
        }
    }

    proptest! {
        /// Whatever stands around it, a text literal does not come through.
        #[test]
        fn a_secret_in_a_literal_never_comes_through(before in "[a-z (,=]{0,20}", after in "[ -~]{0,20}") {
            let clean = clean(&format!("SELECT {before} 'hunterzwei' {after}"));
            prop_assert!(!clean.contains("hunterzwei"), "{clean}");
        }

        #[test]
        fn any_text_is_cleaned_without_panic(text in "\\PC{0,60}") {
            let once = clean(&text);
            prop_assert!(!once.chars().any(|c| c.is_ascii_digit()) || text.contains('$'), "{once}");
        }
    }
}
