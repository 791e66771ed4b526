//! The rule on components: a file in a component crate is a component, and a component has its row.

use super::{Finding, Tree};

const CRATES: [&str; 3] = ["receivers", "processors", "exporters"];

/// `mod x;` and `x::...` in `CATALOG` for every `src/x.rs`.
pub(super) fn rows(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in CRATES {
        let folder = format!("crates/{name}/src");
        let library = format!("{folder}/lib.rs");
        let text = tree.text(&library).unwrap_or_default();
        for component in tree.names_in(&folder).filter_map(|file| file.strip_suffix(".rs")) {
            if is_none(name, component) {
                continue;
            }
            let path = format!("{folder}/{component}.rs");
            if !declares(text, component) {
                findings.push(Finding::file(&path, format!("{library} lacks `mod {component};`")));
            }
            if !has_row(text, component) {
                let problem = format!("no row in CATALOG of {library} names `{component}::`");
                findings.push(Finding::file(&path, problem));
            }
        }
    }
    findings
}

/// What is planned is no component yet, and what exporters over HTTP share is none.
fn is_none(name: &str, file: &str) -> bool {
    matches!((name, file), (_, "lib" | "planned") | ("exporters", "http"))
}

fn declares(library: &str, component: &str) -> bool {
    let declaration = format!("mod {component};");
    library.lines().any(|line| {
        line.strip_suffix(declaration.as_str())
            .is_some_and(|rest| matches!(rest, "" | "pub " | "pub(crate) "))
    })
}

fn has_row(library: &str, component: &str) -> bool {
    let path = format!("{component}::");
    catalogue(library).lines().any(|line| {
        line.match_indices(&path).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    })
}

/// The text of the list: from the name `CATALOG` of its declaration to the end of the statement.
fn catalogue(library: &str) -> &str {
    ["const CATALOG", "static CATALOG"]
        .iter()
        .find_map(|declaration| library.split_once(declaration))
        .and_then(|(_, rest)| rest.split_once("];").map(|(list, _)| list))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "//! Exporters.\n\nmod debug;\nmod file;\n\n\
        pub const CATALOG: &[Row] = &[\n    file::ROW,\n    row(debug::NAME),\n];\n";

    fn check(library: &str, files: &[&str], expected: usize) {
        let mut tree = vec![("crates/exporters/src/lib.rs", library)];
        tree.extend(files.iter().map(|path| (*path, "//! A component.\n")));
        let findings = rows(&Tree::of(&tree));
        assert_eq!(findings.len(), expected, "{findings:?}");
    }

    #[test]
    fn declared_files_with_rows_pass_and_their_submodules_need_none() {
        check(
            LIBRARY,
            &[
                "crates/exporters/src/debug.rs",
                "crates/exporters/src/file.rs",
                "crates/exporters/src/file/rotation.rs",
            ],
            0,
        );
    }

    #[test]
    fn a_file_that_is_not_declared_and_has_no_row_is_found_twice() {
        check(LIBRARY, &["crates/exporters/src/kafka.rs"], 2);
    }

    #[test]
    fn a_declared_file_without_row_is_found() {
        let library = LIBRARY.replace("    file::ROW,\n", "    profile::ROW,\n");
        check(&library, &["crates/exporters/src/file.rs"], 1);
    }

    #[test]
    fn a_mention_outside_the_list_is_no_row() {
        let library =
            format!("{}fn f() {{ file::ROW }}\n", LIBRARY.replace("    file::ROW,\n", ""));
        check(&library, &["crates/exporters/src/file.rs"], 1);
    }
}
