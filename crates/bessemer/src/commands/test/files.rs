//! Files of tests: `NAME.test.yaml`, `.yml` or `.json`, found beside the configuration or named.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bessemer_config::{Code, Diagnostic, Source, Value, decode, load};

use super::case::Case;

/// Bytes of a file of tests at most.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files of tests beside a configuration at most.
const FILES_MAX: usize = 1_000;

/// The files of tests in the folders that are given, and those named for the files that are:
/// `pipeline.test.yaml` beside `pipeline.alloy`.
pub(super) fn beside(configs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for config in configs {
        let folder = if config.is_dir() { Some(config.as_path()) } else { config.parent() };
        let folder =
            folder.map(|folder| if folder == Path::new("") { Path::new(".") } else { folder });
        let Some(folder) = folder.filter(|folder| folder.is_dir()) else { continue };
        let is_own = |file: &PathBuf| {
            config.is_dir() || stem(file) == config.file_stem().and_then(|name| name.to_str())
        };
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| load::is_test_file(file) && is_own(file))
            .collect();
        files.sort();
        found.extend(files);
        if found.len() > FILES_MAX {
            bail!("more than {FILES_MAX} files of tests");
        }
    }
    found.dedup();
    Ok(found)
}

/// The name of a file of tests without its two endings.
fn stem(file: &Path) -> Option<&str> {
    Path::new(file.file_stem()?).file_stem()?.to_str()
}

/// The tests in a file: a list, in YAML or JSON.
pub(super) fn read(path: &Path) -> anyhow::Result<Result<Vec<Case>, Vec<Diagnostic>>> {
    let name = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{name} has {size} bytes, more than the limit of {FILE_BYTES_MAX}");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let source = Source::new(path.to_string_lossy(), text);
    Ok(bessemer_config::read_document(&source).and_then(|document| cases(&document)))
}

fn cases(document: &Value) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let Some(items) = document.as_array() else {
        let message = format!("a file of tests should be a list, got {}", document.kind());
        return Err(vec![Diagnostic::error(Code::WrongValue, &document.at, message)]);
    };
    let (mut cases, mut findings) = (Vec::new(), Vec::new());
    for item in items {
        match decode::<Case>(item) {
            Ok(case) if case.name.is_empty() => {
                let message = "a test in a file needs a name";
                findings.push(Diagnostic::error(Code::Missing, &item.at, message));
            }
            Ok(case) => cases.push(case),
            Err(more) => findings.extend(more),
        }
    }
    if findings.is_empty() { Ok(cases) } else { Err(findings) }
}
