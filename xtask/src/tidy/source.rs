//! Rules on single Rust files.

use super::{Finding, Tree};

const LINES_MAX: usize = 600;
// Written in two parts, so that these rules do not find themselves.
const ALLOW: [&str; 2] = [concat!("#[", "allow("), concat!("#![", "allow(")];
const CONDITIONAL: &str = concat!("cfg", "_attr(");
const MARK: &str = concat!("TO", "DO");

/// `//!` is the first line: what the file is for.
pub(super) fn headers(tree: &Tree) -> Vec<Finding> {
    tree.with_extension("rs")
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| Finding::file(path, "the first line is not `//! ` and a sentence"))
        .collect()
}

/// Production code of a file stays within the limit; its tests are not counted.
pub(super) fn sizes(tree: &Tree) -> Vec<Finding> {
    tree.with_extension("rs")
        .filter(|(path, _)| !is_test(path))
        .filter_map(|(path, text)| {
            let lines = production_lines(text);
            (lines > LINES_MAX).then(|| {
                Finding::file(path, format!("{lines} lines before the tests, limit {LINES_MAX}"))
            })
        })
        .collect()
}

/// `name.rs` beside `name/`.
pub(super) fn module_files(tree: &Tree) -> Vec<Finding> {
    tree.with_extension("rs")
        .filter(|(path, _)| path.ends_with("/mod.rs"))
        .map(|(path, _)| Finding::file(path, "name the file for its module: `x.rs` beside `x/`"))
        .collect()
}

/// Other characters are written as escapes.
pub(super) fn ascii(tree: &Tree) -> Vec<Finding> {
    lines(tree, |line| {
        let odd = line.chars().find(|c| !c.is_ascii())?;
        Some(format!("not ASCII: write `{}`", odd.escape_unicode()))
    })
}

/// A suppression says why, and goes when it is no longer needed.
pub(super) fn suppressions(tree: &Tree) -> Vec<Finding> {
    lines(tree, |line| {
        let conditional = line.contains(CONDITIONAL) && line.contains(" allow(");
        (conditional || ALLOW.iter().any(|form| line.contains(form)))
            .then(|| "write `#[expect(lint, reason = \"...\")]`".to_owned())
    })
}

/// Work left is tracked, or it is not left.
pub(super) fn todos(tree: &Tree) -> Vec<Finding> {
    lines(tree, |line| {
        line.match_indices(MARK)
            .any(|(at, _)| is_word_at(line, at) && !names_issue(line.get(at + MARK.len()..)))
            .then(|| format!("write `{MARK}(#12)` with the number of its issue"))
    })
}

fn lines(tree: &Tree, problem: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        for (index, line) in text.lines().enumerate() {
            findings.extend(problem(line).map(|found| Finding::line(path, index + 1, found)));
        }
    }
    findings
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Lines before an inline test module; `#[cfg(test)]` on anything else hides nothing below it.
fn production_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .position(|pair| {
            matches!(pair, ["#[cfg(test)]", next] if next.starts_with("mod ") && next.ends_with('{'))
        })
        .unwrap_or(lines.len())
}

fn is_word_at(line: &str, at: usize) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    let after = line.get(at + MARK.len()..).and_then(|text| text.chars().next());
    !before.is_some_and(is_part) && !after.is_some_and(is_part)
}

fn names_issue(rest: Option<&str>) -> bool {
    rest.and_then(|text| text.strip_prefix("(#")?.split_once(')'))
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Tree) -> Vec<Finding>, text: &str, expected: usize) {
        let findings = rule(&Tree::of(&[("crates/record/src/view.rs", text)]));
        assert_eq!(findings.len(), expected, "{text:?}: {findings:?}");
    }

    #[test]
    fn a_file_without_header_is_found() {
        check(headers, "//! Views.\nfn a() {}\n", 0);
        check(headers, "fn a() {}\n", 1);
        check(headers, "\n//! Views.\n", 1);
        check(headers, "//!\n", 1);
        check(headers, "", 1);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_are_not_counted() {
        let line = "fn a() {}\n";
        check(sizes, &line.repeat(600), 0);
        check(sizes, &line.repeat(601), 1);
        let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", line, line.repeat(900));
        check(sizes, &tests, 0);
    }

    #[test]
    fn a_test_attribute_at_the_top_hides_no_lines() {
        let text = format!("#[cfg(test)]\nuse std::fmt;\n{}", "fn a() {}\n".repeat(600));
        check(sizes, &text, 1);
    }

    #[test]
    fn test_files_may_be_long() {
        let text = "fn a() {}\n".repeat(601);
        let tree = Tree::of(&[
            ("crates/record/tests/round_trip.rs", &text),
            ("crates/record/src/view/tests.rs", &text),
            ("tests/stories/crash.rs", &text),
        ]);
        assert_eq!(sizes(&tree), []);
    }

    #[test]
    fn a_mod_rs_is_found() {
        assert_eq!(module_files(&Tree::of(&[("crates/net/src/tls/mod.rs", "")])).len(), 1);
        assert_eq!(module_files(&Tree::of(&[("crates/net/src/tls.rs", "")])), []);
    }

    #[test]
    fn a_letter_beyond_ascii_is_found_with_its_escape() {
        check(ascii, "//! Views.\nconst MU: &str = \"\\u{b5}s\";\n", 0);
        let findings = ascii(&Tree::of(&[("xtask/src/main.rs", "//! A.\n// 5 \u{b5}s\n")]));
        assert_eq!(findings, [Finding::line("xtask/src/main.rs", 2, "not ASCII: write `\\u{b5}`")]);
    }

    #[test]
    fn an_allowed_lint_is_found_in_every_form() {
        check(suppressions, "#[expect(unused, reason = \"generated\")]\n", 0);
        check(suppressions, "fn allow(x: u8) {}\nlet y = #[cfg(a)] allow(1);\n", 0);
        for form in ALLOW {
            check(suppressions, &format!("    {form}unused)]\n"), 1);
        }
        check(suppressions, &format!("#[{CONDITIONAL}test, allow(unused))]\n"), 1);
    }

    #[test]
    fn a_todo_without_issue_is_found() {
        for (text, expected) in
            [("(#12): later", 0), ("", 1), (": later", 1), ("(#)", 1), ("(a)", 1)]
        {
            check(todos, &format!("// {MARK}{text}\n"), expected);
        }
        check(todos, &format!("const {MARK}_LIST: u8 = 1;\n"), 0);
        check(todos, &format!("// {MARK}(#1) and {MARK}\n"), 1);
    }
}
