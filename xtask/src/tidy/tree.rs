//! The files of the repository as the rules see them: all paths, and the text of those they read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// What git would not track, so that a build or a run leaves no findings behind.
const SKIPPED: [&str; 9] = [
    ".git",
    ".testbed",
    ".venv",
    "bench/out",
    "data",
    "fuzz/artifacts",
    "fuzz/corpus",
    "fuzz/target",
    "target",
];
const READ: [&str; 3] = ["rs", "md", "toml"];

/// A set of files, read once.
#[derive(Debug, Default)]
pub struct Tree {
    paths: BTreeSet<String>,
    texts: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the repository at `root`.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.add_folder(root, "")?;
        Ok(tree)
    }

    /// A tree of the given paths and texts.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add(path, Some((*text).to_owned()));
        }
        tree
    }

    /// Whether a file or folder is there.
    pub fn has(&self, path: &str) -> bool {
        self.paths.contains(path.trim_end_matches('/'))
    }

    /// The text of a Rust, Markdown or TOML file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Path and text of every file whose name ends in `.extension`.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .filter(move |(path, _)| {
                Path::new(path).extension().is_some_and(|found| found == extension)
            })
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Names of the files and folders directly in `folder`.
    pub fn names_in(&self, folder: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{folder}/");
        self.paths.iter().filter_map(move |path| {
            path.strip_prefix(prefix.as_str()).filter(|name| !name.contains('/'))
        })
    }

    fn add(&mut self, path: &str, text: Option<String>) {
        for (at, _) in path.match_indices('/') {
            self.paths.extend(path.get(..at).map(str::to_owned));
        }
        self.paths.insert(path.to_owned());
        if let Some(text) = text {
            self.texts.insert(path.to_owned(), text);
        }
    }

    fn add_folder(&mut self, root: &Path, folder: &str) -> io::Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if SKIPPED.contains(&path.as_str()) || name == "node_modules" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                self.add_folder(root, &path)?;
            } else {
                let text = match Path::new(&name).extension().and_then(|found| found.to_str()) {
                    Some(extension) if READ.contains(&extension) => {
                        Some(String::from_utf8_lossy(&fs::read(entry.path())?).into_owned())
                    }
                    _ => None,
                };
                self.add(&path, text);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_a_file_exist_too() {
        let tree = Tree::of(&[("crates/record/src/lib.rs", "")]);
        assert!(tree.has("crates/record/") && tree.has("crates/record/src/lib.rs"));
        assert!(!tree.has("crates/rec"));
        assert_eq!(tree.names_in("crates").collect::<Vec<_>>(), ["record"]);
    }
}
