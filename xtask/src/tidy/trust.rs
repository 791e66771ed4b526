//! Rules on the page that says which test proves which case of what the product survives.

use super::{Finding, Tree};

const PAGE: &str = "docs/internals/trust-cases.md";
/// The groups of cases and how many each has.
const GROUPS: [(char, usize); 2] = [('A', 22), ('B', 12)];

/// A case without its row, a row whose test is not there, a row that has neither a test nor says
/// that the case is open.
pub(super) fn cases(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PAGE) else { return Vec::new() };
    let mut findings = Vec::new();
    let mut known = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(id), Some(proof)) = (cells.next(), cells.nth(1)) else { continue };
        if !is_case(id) {
            continue;
        }
        known.push(id);
        let tests: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() && !proof.starts_with("open: ") {
            findings.push(Finding::line(PAGE, index + 1, format!("{id} names no test")));
        }
        for test in tests.iter().filter(|test| !exists(tree, test)) {
            findings.push(Finding::line(PAGE, index + 1, format!("there is no test {test}")));
        }
    }
    let all =
        GROUPS.iter().flat_map(|(group, count)| (1..=*count).map(move |n| format!("{group}{n}")));
    let missing = all.filter(|id| !known.contains(&id.as_str()));
    findings.extend(missing.map(|id| Finding::file(PAGE, format!("{id} has no row"))));
    findings
}

fn is_case(id: &str) -> bool {
    let mut letters = id.chars();
    letters.next().is_some_and(|group| group.is_ascii_uppercase())
        && !letters.as_str().is_empty()
        && letters.all(|digit| digit.is_ascii_digit())
}

/// Whether `path.rs::name` is a function of that file.
fn exists(tree: &Tree, test: &str) -> bool {
    let Some((path, name)) = test.split_once("::") else { return false };
    tree.text(path).is_some_and(|text| text.contains(&format!("fn {name}(")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &str) -> Vec<Finding> {
        let all = GROUPS.iter().flat_map(|(group, count)| (1..=*count).map(move |n| (*group, n)));
        let missing = all.filter(|(group, n)| !rows.contains(&format!("| {group}{n} |")));
        let rest: Vec<String> =
            missing.map(|(group, n)| format!("| {group}{n} | x | open: later |\n")).collect();
        let page = format!("{rows}{}", rest.concat());
        cases(&Tree::of(&[(PAGE, &page), ("tests/kill.rs", "fn it_lives() {}")]))
    }

    #[test]
    fn a_test_that_does_not_exist_is_found_with_its_line() {
        assert_eq!(check("| A1 | kill | `tests/kill.rs::it_lives` |\n"), []);
        assert_eq!(
            check("| A1 | kill | `tests/kill.rs::it_dies` |\n"),
            [Finding::line(PAGE, 1, "there is no test tests/kill.rs::it_dies")]
        );
        assert_eq!(check("| A1 | kill | `tests/gone.rs::it_lives` |\n").len(), 1);
    }

    #[test]
    fn a_case_without_test_says_that_it_is_open() {
        assert_eq!(check("| B2 | status | soon |\n").len(), 1);
        assert_eq!(check("| B2 | status | open: soon |\n"), []);
    }

    #[test]
    fn a_missing_case_is_found() {
        let tree = Tree::of(&[(PAGE, "| A1 | kill | open: later |\n")]);
        assert_eq!(cases(&tree).len(), 33);
    }
}
