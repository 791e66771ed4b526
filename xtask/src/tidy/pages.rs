//! Rules on the pages people read: ARCHITECTURE.md, links, fragments.

use std::path::Path;

use super::{Finding, Tree};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
/// A word in back quotes that begins with one of these is a path of ours.
const FOLDERS: [&str; 10] =
    [".ci", "bench", "changes", "crates", "docs", "examples", "fuzz", "testbed", "tests", "xtask"];

/// A folder of `crates/` without a word in the code map.
pub(super) fn crates_named(tree: &Tree) -> Vec<Finding> {
    let text = tree.text(ARCHITECTURE).unwrap_or_default();
    tree.names_in("crates")
        .filter(|folder| tree.has(&format!("crates/{folder}/Cargo.toml")))
        .filter(|folder| {
            let [bare, slash] = [format!("`crates/{folder}`"), format!("`crates/{folder}/")];
            !text.contains(&bare) && !text.contains(&slash)
        })
        .map(|folder| Finding::file(ARCHITECTURE, format!("`crates/{folder}` is not named")))
        .collect()
}

/// A path in back quotes that begins like one of ours and leads nowhere.
pub(super) fn paths_named(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in prose(tree.text(ARCHITECTURE).unwrap_or_default()) {
        for word in text.split('`').skip(1).step_by(2).filter(|word| is_path(word)) {
            if !tree.has(word) {
                findings.push(Finding::line(ARCHITECTURE, line, format!("{word} does not exist")));
            }
        }
    }
    findings
}

/// A relative link to a file or folder that is not there.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("md") {
        for (line, text) in prose(text) {
            for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = target.split('#').next().unwrap_or_default();
                if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                if !tree.has(&resolve(path, target)) {
                    findings.push(Finding::line(path, line, format!("{target} does not exist")));
                }
            }
        }
    }
    findings
}

/// A fragment that is not one line with one sentence.
pub(super) fn fragments(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in tree.names_in("changes").filter(|name| *name != "README.md") {
        let path = format!("changes/{name}");
        let Some(text) = tree.text(&path) else {
            findings.push(Finding::file(&path, "a fragment is a Markdown file"));
            continue;
        };
        let text = text.trim();
        let is_one = text.ends_with('.') && !text.contains('\n') && !text.contains(". ");
        if !is_one {
            findings.push(Finding::file(&path, "write one sentence on one line, with a full stop"));
        }
    }
    findings
}

/// Numbered lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        (!fenced && !is_fence).then_some((index + 1, line))
    })
}

fn is_path(word: &str) -> bool {
    let Some((first, _)) = word.split_once('/') else { return false };
    FOLDERS.contains(&first) && !word.contains(['*', ' ', '<', '{', '|'])
}

/// `target` as seen from the folder of `page`, without `.` and `..`.
fn resolve(page: &str, target: &str) -> String {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut parts: Vec<&str> = folder.iter().filter_map(|part| part.to_str()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn architecture(rule: fn(&Tree) -> Vec<Finding>, text: &str) -> Vec<Finding> {
        rule(&Tree::of(&[
            (ARCHITECTURE, text),
            ("crates/net/Cargo.toml", ""),
            ("crates/net/src/tls.rs", ""),
        ]))
    }

    #[test]
    fn a_crate_that_the_code_map_omits_is_found() {
        assert_eq!(architecture(crates_named, "`crates/net` listens.").len(), 0);
        assert_eq!(architecture(crates_named, "`crates/net/src/tls.rs`").len(), 0);
        assert_eq!(architecture(crates_named, "`crates/network` listens.").len(), 1);
        assert_eq!(architecture(crates_named, "").len(), 1);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_found_with_its_line() {
        assert_eq!(architecture(paths_named, "`crates/net/src/tls.rs`, `a/b`, `crates/*/x`"), []);
        assert_eq!(
            architecture(paths_named, "One.\nSee `crates/net/` and `crates/net/src/gone.rs`."),
            [Finding::line(ARCHITECTURE, 2, "crates/net/src/gone.rs does not exist")]
        );
        assert_eq!(architecture(paths_named, "`fuzz/` holds targets").len(), 1);
        assert_eq!(architecture(paths_named, "```\n`crates/gone/`\n```\n"), []);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let check = |text: &str, expected: usize| {
            let tree = Tree::of(&[("docs/decisions/0001-a.md", text), ("docs/start.md", "")]);
            assert_eq!(links(&tree).len(), expected, "{text}");
        };
        check("[start](../start.md#run) [web](https://example.com/x) [here](#x)", 0);
        check("[gone](start.md)", 1);
        check("[a](../start.md) and [b](../gone.md)", 1);
        check("```\n[gone](start.md)\n```", 0);
    }

    #[test]
    fn a_fragment_of_two_sentences_is_found() {
        let check = |text: &str, expected: usize| {
            let tree = Tree::of(&[("changes/3.md", text), ("changes/README.md", "Long. Text.\n")]);
            assert_eq!(fragments(&tree).len(), expected, "{text:?}");
        };
        check("OTLP is received over HTTP/1.1 and HTTP/2.\n", 0);
        check("OTLP is received. It is stored.\n", 1);
        check("OTLP is received.\nIt is stored.\n", 1);
        check("No full stop\n", 1);
        check("", 1);
    }
}
