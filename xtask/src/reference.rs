//! docs/reference/, written from the binary itself: what it says of its components and commands is the
//! only source, so the pages cannot say anything else. `tests/reference.rs` compares byte for byte.

mod commands;
mod component;
pub mod errors;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use bessemer_config::Code;

use component::Component;

/// Where the pages are; nothing else is kept there.
pub const FOLDER: &str = "docs/reference";

const NOTE: &str =
    "<!-- Written by `cargo xtask docs` from the binary: edit the doc comments. -->\n\n";

/// Text of each file by its path in the folder.
pub type Pages = BTreeMap<String, String>;

/// Asks `binary` for its components and its help, and renders all pages.
pub fn render(binary: &Path) -> Result<Pages> {
    let listing = output(binary, &["components", "-o", "json", "--schemas"])?;
    let mut components: Vec<Component> =
        serde_json::from_str(&listing).context("the list of components")?;
    components.sort_by(|a, b| a.name.cmp(&b.name));
    let mut pages = Pages::new();
    for row in &components {
        pages.insert(format!("components/{}.md", row.name), format!("{NOTE}{}", row.page()));
    }
    for code in Code::ALL {
        pages.insert(errors::path(code), format!("{NOTE}{}", errors::page(code)));
    }
    pages.insert("errors/index.md".into(), format!("{NOTE}{}", errors::index()));
    pages.insert("index.md".into(), format!("{NOTE}{}", component::index(&components)));
    pages.insert("schema.json".into(), component::schema(&components)?);
    let help = |arguments: &[&str]| output(binary, arguments);
    pages.insert("cli.md".into(), format!("{NOTE}{}", commands::page(&help)?));
    Ok(pages)
}

/// Writes the pages under `root` and removes what no longer belongs there.
pub fn write(root: &Path, pages: &Pages) -> Result<()> {
    let folder = root.join(FOLDER);
    for (name, text) in pages {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        fs::write(path, text)?;
    }
    for name in files(&folder)?.into_iter().filter(|name| !pages.contains_key(name)) {
        fs::remove_file(folder.join(name))?;
    }
    Ok(())
}

/// What differs between the pages and the files under `root`, one sentence each.
pub fn differences(root: &Path, pages: &Pages) -> Result<Vec<String>> {
    let folder = root.join(FOLDER);
    let found = files(&folder)?;
    let mut differences = Vec::new();
    for (name, text) in pages {
        match found.contains(name).then(|| fs::read_to_string(folder.join(name))).transpose()? {
            None => differences.push(format!("{FOLDER}/{name} is missing")),
            Some(current) if current != *text => {
                let same = current.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
                differences.push(format!("{FOLDER}/{name}:{} is out of date", same + 1));
            }
            Some(_) => {}
        }
    }
    let extra = found.iter().filter(|name| !pages.contains_key(*name));
    differences.extend(extra.map(|name| format!("{FOLDER}/{name} belongs to nothing")));
    Ok(differences)
}

/// Runs the binary without a terminal, so that width and colors are the same everywhere.
fn output(binary: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(binary)
        .args(arguments)
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("bessemer {} ended with {}: {error}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn files(folder: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            let below = files(&entry.path())?;
            found.extend(below.into_iter().map(|file| format!("{name}/{file}")));
        } else {
            found.insert(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_missing_and_a_stale_file_differ_until_written() {
        let root = tempfile::tempdir().unwrap();
        let pages = Pages::from([
            ("index.md".to_owned(), "one\ntwo\n".to_owned()),
            ("components/a.md".to_owned(), "a\n".to_owned()),
        ]);
        let folder = root.path().join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.md"), "one\n2\n").unwrap();
        fs::write(folder.join("old.md"), "").unwrap();
        assert_eq!(
            differences(root.path(), &pages).unwrap(),
            [
                "docs/reference/components/a.md is missing",
                "docs/reference/index.md:2 is out of date",
                "docs/reference/old.md belongs to nothing",
            ]
        );
        write(root.path(), &pages).unwrap();
        assert_eq!(differences(root.path(), &pages).unwrap(), Vec::<String>::new());
    }
}
