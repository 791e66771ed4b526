//! The rules of the repository that a machine can see. Each is a function from the tree to findings,
//! so that its own tests show it a tree that breaks it; `tests/tidy.rs` holds the real tree to all.

mod catalogue;
mod layers;
mod pages;
mod source;
mod tree;
mod trust;

use std::fmt;

pub use tree::Tree;

/// A rule: its name is the promise, and the name of its test.
pub struct Rule {
    /// What holds when there are no findings.
    pub name: &'static str,
    /// Finds every place that breaks the rule.
    pub check: fn(&Tree) -> Vec<Finding>,
}

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file or folder, from the root of the repository.
    pub path: String,
    /// Counted from one; none where the whole file is meant.
    pub line: Option<usize>,
    /// What is wrong, and what to do instead.
    pub problem: String,
}

impl Finding {
    fn file(path: &str, problem: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, problem: problem.into() }
    }

    fn line(path: &str, line: usize, problem: impl Into<String>) -> Self {
        Self { path: path.into(), line: Some(line), problem: problem.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.path, self.problem),
            None => write!(formatter, "{}: {}", self.path, self.problem),
        }
    }
}

/// All rules, in the order in which they are reported.
pub const RULES: &[Rule] = &[
    Rule { name: "every_source_file_opens_with_its_purpose", check: source::headers },
    Rule { name: "no_source_file_exceeds_600_lines", check: source::sizes },
    Rule { name: "modules_are_files_and_never_mod_rs", check: source::module_files },
    Rule { name: "sources_are_ascii", check: source::ascii },
    Rule { name: "lints_are_expected_and_never_allowed", check: source::suppressions },
    Rule { name: "every_todo_names_its_issue", check: source::todos },
    Rule { name: "crates_depend_downward_only", check: layers::directions },
    Rule { name: "every_crate_takes_the_workspace_lints", check: layers::lints },
    Rule { name: "every_component_file_has_its_catalogue_row", check: catalogue::rows },
    Rule { name: "architecture_names_every_crate", check: pages::crates_named },
    Rule { name: "architecture_names_only_paths_that_exist", check: pages::paths_named },
    Rule { name: "links_between_pages_resolve", check: pages::links },
    Rule { name: "change_fragments_are_one_sentence", check: pages::fragments },
    Rule { name: "every_trust_case_names_tests_that_exist", check: trust::cases },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_breaks_no_rule() {
        for rule in RULES {
            assert_eq!((rule.check)(&Tree::of(&[])), [], "{}", rule.name);
        }
    }

    #[test]
    fn rule_names_are_unique() {
        let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
    }
}
