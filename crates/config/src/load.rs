//! From paths to a checked graph, or to everything that is wrong with it.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::alloy::Alloy;
use crate::catalog::Catalog;
use crate::diagnostic::{self, Code, Diagnostic};
use crate::dialect::{Context, Dialect};
use crate::environment::Environment;
use crate::graph::{Graph, check};
use crate::source::{DiskSources, Location, Source};

/// Files that one configuration may consist of.
const FILES_MAX: usize = 1000;

/// A configuration without errors.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The components, their settings in the form that [`crate::decode()`] expects.
    pub graph: Graph,
    /// What is most likely not as its author meant.
    pub warnings: Vec<Diagnostic>,
}

/// The dialects that are known.
pub fn dialects() -> Vec<Box<dyn Dialect>> {
    vec![Box::new(Alloy::default())]
}

/// Loads files and directories of the disk as one configuration.
///
/// A directory stands for all files in it that a dialect knows. The dialect of a file follows from
/// its name; one that no dialect knows is read as Alloy syntax.
pub fn load<P: AsRef<Path>>(
    paths: &[P],
    environment: &dyn Environment,
    catalog: &dyn Catalog,
) -> Result<Loaded, Vec<Diagnostic>> {
    load_in(paths, &Context { sources: &DiskSources, environment, catalog })
}

/// Loads files and directories as one configuration, from wherever the context reads them.
pub fn load_in<P: AsRef<Path>>(
    paths: &[P],
    context: &Context<'_>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let dialects = dialects();
    let mut findings = Vec::new();
    let files = files(paths, context, &dialects, &mut findings);
    let mut sources: Vec<Vec<Arc<Source>>> = dialects.iter().map(|_| Vec::new()).collect();
    for path in files {
        match context.sources.read(&path) {
            Ok(text) => {
                let source = Source::new(path.to_string_lossy(), text);
                let index = dialect_of(&path, &dialects).unwrap_or(0);
                sources.get_mut(index).into_iter().for_each(|list| list.push(Arc::clone(&source)));
            }
            Err(error) => findings.push(unreadable(&path, &error)),
        }
    }
    finish(&dialects, &sources, context, findings)
}

/// Loads one text; its name selects the dialect.
pub fn load_text(source: &Arc<Source>, context: &Context<'_>) -> Result<Loaded, Vec<Diagnostic>> {
    let dialects = dialects();
    let mut sources: Vec<Vec<Arc<Source>>> = dialects.iter().map(|_| Vec::new()).collect();
    let index = dialect_of(Path::new(source.name()), &dialects).unwrap_or(0);
    sources.get_mut(index).into_iter().for_each(|list| list.push(Arc::clone(source)));
    finish(&dialects, &sources, context, Vec::new())
}

fn finish(
    dialects: &[Box<dyn Dialect>],
    sources: &[Vec<Arc<Source>>],
    context: &Context<'_>,
    mut findings: Vec<Diagnostic>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut graph = Graph::default();
    let mut incomplete = BTreeSet::new();
    for (dialect, sources) in dialects.iter().zip(sources) {
        if !sources.is_empty() {
            let read = dialect.read(sources, context);
            graph.merge(read.graph);
            findings.extend(read.diagnostics);
            incomplete.extend(read.incomplete);
        }
    }
    let is_unread = |finding: &Diagnostic| {
        finding.is_error() && matches!(finding.code, Code::Syntax | Code::Limit | Code::File)
    };
    if findings.iter().any(is_unread) {
        // What follows from a text that was not understood is not worth a word.
        findings.retain(is_unread);
    } else {
        findings.extend(check::check(&mut graph, context.catalog, &incomplete));
    }
    let mut seen = HashSet::new();
    findings.retain(|finding| {
        let (file, range) = (finding.file().to_owned(), finding.at.range());
        !finding.at.is_somewhere() || seen.insert((file, range, finding.code))
    });
    diagnostic::sort(&mut findings);
    if findings.iter().any(Diagnostic::is_error) {
        // Until the errors are repaired nobody knows what is wired.
        findings.retain(|finding| finding.code != Code::Unwired);
        return Err(findings);
    }
    Ok(Loaded { graph, warnings: findings })
}

fn files<P: AsRef<Path>>(
    paths: &[P],
    context: &Context<'_>,
    dialects: &[Box<dyn Dialect>],
    findings: &mut Vec<Diagnostic>,
) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        if !context.sources.is_directory(path) {
            files.push(path.to_owned());
            continue;
        }
        let mut found = match context.sources.list(path) {
            Ok(found) => found,
            Err(error) => {
                findings.push(unreadable(path, &error));
                continue;
            }
        };
        found.retain(|file| dialect_of(file, dialects).is_some());
        if found.is_empty() {
            let message = format!("{}: no configuration in this directory", path.display());
            let finding = Diagnostic::error(Code::File, &Location::nowhere(), message);
            findings.push(finding.with_help("files are found by their ending, such as .alloy"));
        }
        files.extend(found);
    }
    if files.len() > FILES_MAX {
        let message = format!("{} files, more than the limit of {FILES_MAX}", files.len());
        findings.push(Diagnostic::error(Code::Limit, &Location::nowhere(), message));
        files.clear();
    }
    files
}

fn dialect_of(path: &Path, dialects: &[Box<dyn Dialect>]) -> Option<usize> {
    let ending = path.extension()?.to_str()?;
    dialects.iter().position(|dialect| dialect.extensions().contains(&ending))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let message = format!("{}: {error}", path.display());
    Diagnostic::error(Code::File, &Location::nowhere(), message)
}
