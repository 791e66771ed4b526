//! Rules on manifests: who may use whom. A crate uses only crates of layers below its own, and crates
//! of one layer never see each other. Dev-dependencies are free: they are not in the binary.

use super::{Finding, Tree};

/// From the bottom up. A new crate needs a decision record and a place here.
const LAYERS: [&[&str]; 7] = [
    &["runtime"],
    &["record"],
    &["config", "net", "journal", "ottl"],
    &["clients"],
    &["pipeline", "access"],
    &["receivers", "processors", "classify", "exporters", "control"],
    &["bessemer"],
];

/// What the layers alone would let through: crate, dependency, reason.
const FORBIDDEN: [(&str, &str, &str); 9] = [
    ("record", "bessemer-runtime", "records need no clock and no tasks"),
    ("ottl", "bessemer-runtime", "a statement needs no clock and no tasks"),
    ("journal", "bessemer-record", "the journal knows only bytes"),
    ("record", "tokio", "records know no async"),
    ("record", "futures-util", "records know no async"),
    ("record", "hyper", "records know no I/O"),
    ("record", "rustix", "records know no I/O"),
    ("ottl", "tokio", "statements know no async"),
    ("ottl", "futures-util", "statements know no async"),
];

/// Dependencies point down.
pub(super) fn directions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in tree.names_in("crates") {
        let path = format!("crates/{folder}/Cargo.toml");
        let Some(manifest) = tree.text(&path) else { continue };
        let Some(own) = layer(folder) else {
            findings.push(Finding::file(&path, "this crate has no layer"));
            continue;
        };
        for (line, dependency) in dependencies(manifest) {
            let problem = problem(folder, own, dependency);
            findings.extend(problem.map(|problem| Finding::line(&path, line, problem)));
        }
    }
    findings
}

/// Every member says `[lints] workspace = true`.
pub(super) fn lints(tree: &Tree) -> Vec<Finding> {
    tree.with_extension("toml")
        .filter(|(path, text)| path.ends_with("/Cargo.toml") && text.contains("version.workspace"))
        .filter(|(_, text)| !text.contains("[lints]\nworkspace = true\n"))
        .map(|(path, _)| Finding::file(path, "add `[lints]` with `workspace = true`"))
        .collect()
}

fn layer(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|crates| crates.contains(&folder))
}

fn problem(folder: &str, own: usize, dependency: &str) -> Option<String> {
    let forbidden = FORBIDDEN.iter().find(|row| row.0 == folder && row.1 == dependency);
    if let Some((_, _, reason)) = forbidden {
        return Some(format!("{folder} may not use {dependency}: {reason}"));
    }
    let target = dependency.strip_prefix("bessemer-")?;
    match layer(target) {
        Some(below) if below < own => None,
        Some(_) => Some(format!("{folder} may not use {target}: it is not in a lower layer")),
        None => Some(format!("{target} has no layer")),
    }
}

/// Line and package name of each dependency that is built into the crate.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = is_dependencies(section);
            if let Some((table, name)) = section.rsplit_once('.')
                && is_dependencies(table)
            {
                inside = true;
                found.push((index + 1, name.trim_matches('"')));
            }
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default().trim_matches('"');
            if !name.is_empty() {
                found.push((index + 1, name));
            }
            found.extend(renamed(line).map(|package| (index + 1, package)));
        }
    }
    found
}

fn is_dependencies(section: &str) -> bool {
    let table = section.rsplit('.').next().unwrap_or(section);
    matches!(table, "dependencies" | "build-dependencies")
}

fn renamed(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("package")?;
    rest.trim_start().strip_prefix('=')?.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(folder: &str, dependencies: &str, expected: &[&str]) {
        let path = format!("crates/{folder}/Cargo.toml");
        let manifest = format!("[package]\nname = \"x\"\n\n{dependencies}");
        let findings = directions(&Tree::of(&[(&path, &manifest)]));
        let problems: Vec<_> = findings.iter().map(|finding| finding.problem.as_str()).collect();
        assert_eq!(problems, expected, "{folder}: {dependencies}");
    }

    #[test]
    fn a_lower_crate_may_be_used() {
        check("exporters", "[dependencies]\nbessemer-pipeline.workspace = true\n", &[]);
        check("config", "[dependencies]\nbessemer-runtime = { path = \"../runtime\" }\n", &[]);
    }

    #[test]
    fn an_upward_or_sideways_dependency_is_found() {
        check(
            "net",
            "[dependencies]\nbessemer-pipeline.workspace = true\n",
            &["net may not use pipeline: it is not in a lower layer"],
        );
        check(
            "exporters",
            "[dependencies]\nbytes = \"1\"\nbessemer-receivers.workspace = true\n",
            &["exporters may not use receivers: it is not in a lower layer"],
        );
    }

    #[test]
    fn every_way_to_write_a_dependency_is_seen() {
        let expected = ["net may not use config: it is not in a lower layer"];
        for text in [
            "[dependencies.bessemer-config]\nworkspace = true\n",
            "[build-dependencies]\nbessemer-config.workspace = true\n",
            "[target.'cfg(unix)'.dependencies]\n\"bessemer-config\" = { workspace = true }\n",
            "[dependencies]\nsettings = { package = \"bessemer-config\", path = \"../config\" }\n",
            "[dependencies.settings]\npackage = \"bessemer-config\"\n",
        ] {
            check("net", text, &expected);
        }
    }

    #[test]
    fn tests_may_use_what_they_like() {
        check("net", "[dev-dependencies]\nbessemer-pipeline.workspace = true\n", &[]);
    }

    #[test]
    fn records_know_no_async_and_the_journal_knows_no_record() {
        check(
            "record",
            "[dependencies]\ntokio.workspace = true\n",
            &["record may not use tokio: records know no async"],
        );
        check(
            "record",
            "[dependencies]\nbessemer-runtime.workspace = true\n",
            &["record may not use bessemer-runtime: records need no clock and no tasks"],
        );
        check(
            "journal",
            "[dependencies]\nbessemer-record.workspace = true\n",
            &["journal may not use bessemer-record: the journal knows only bytes"],
        );
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        check("extras", "[dependencies]\n", &["this crate has no layer"]);
        check(
            "control",
            "[dependencies]\nbessemer-extras.workspace = true\n",
            &["extras has no layer"],
        );
    }

    #[test]
    fn a_member_without_the_workspace_lints_is_found() {
        let member = "[package]\nversion.workspace = true\n\n";
        let good = format!("{member}[lints]\nworkspace = true\n");
        assert_eq!(lints(&Tree::of(&[("bench/Cargo.toml", &good)])), []);
        assert_eq!(lints(&Tree::of(&[("bench/Cargo.toml", member)])).len(), 1);
    }
}
