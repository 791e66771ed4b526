//! From paths to a checked graph, or to everything that is wrong with it.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::alloy::Alloy;
use crate::catalog::Catalog;
use crate::collector::Collector;
use crate::diagnostic::{self, Code, Diagnostic};
use crate::dialect::{Context, Dialect};
use crate::environment::Environment;
use crate::graph::{Graph, check};
use crate::integrations::Integrations;
use crate::source::{DiskSources, Location, Source};

mod texts;

use texts::Texts;

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
    vec![Box::new(Alloy::default()), Box::new(Collector), Box::new(Integrations)]
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
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.as_ref().to_owned()).collect();
    load_request(&Request { paths: &paths, settings: &[], dialect: None }, context)
}

/// What a command line asks to be loaded.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Files and directories in the order they are merged; also `file:PATH`, and `env:NAME` and
    /// `yaml:TEXT`: what the variable holds is JSON if it starts like JSON, else YAML.
    pub paths: &'a [PathBuf],
    /// Settings on top: `section.component.setting=value` each, as in Collector files.
    pub settings: &'a [String],
    /// The name of the dialect that files are in; else their endings say it.
    pub dialect: Option<&'a str>,
}

/// Loads what a command line asks for.
pub fn load_request(
    request: &Request<'_>,
    context: &Context<'_>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let dialects = dialects();
    let mut texts = Texts::new(&dialects);
    let mut count = 0;
    for path in request.paths {
        let Some(path) = texts.take_inline(path, context) else { continue };
        let files = files(&path, context, &dialects, &mut texts.findings);
        count += files.len();
        if count > FILES_MAX {
            let message = format!("more than {FILES_MAX} files");
            texts.findings.push(Diagnostic::error(Code::Limit, &Location::nowhere(), message));
            break;
        }
        for path in files {
            match context.sources.read(&path) {
                Ok(text) => {
                    let source = Source::new(path.to_string_lossy(), text);
                    match request.dialect {
                        Some(name) => texts.add_as(name, &source),
                        None => texts.add(&source),
                    }
                }
                Err(error) => texts.findings.push(unreadable(&path, &error)),
            }
        }
    }
    for setting in request.settings {
        texts.set(setting);
    }
    finish(&dialects, texts.by_dialect, context, texts.findings)
}

/// Loads one text; its name selects the dialect.
pub fn load_text(source: &Arc<Source>, context: &Context<'_>) -> Result<Loaded, Vec<Diagnostic>> {
    let dialects = dialects();
    let mut texts = Texts::new(&dialects);
    texts.add(source);
    finish(&dialects, texts.by_dialect, context, Vec::new())
}

fn finish(
    dialects: &[Box<dyn Dialect>],
    sources: Vec<Vec<Arc<Source>>>,
    context: &Context<'_>,
    mut findings: Vec<Diagnostic>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut graph = Graph::default();
    let mut incomplete = BTreeSet::new();
    for (dialect, sources) in dialects.iter().zip(sources) {
        if !sources.is_empty() {
            let read = dialect.read(&sources, context);
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
        graph.sort(context.catalog);
    }
    follow_up(&mut findings);
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

/// What names nothing or could not be expanded is not of the wrong kind as well.
fn follow_up(findings: &mut Vec<Diagnostic>) {
    let place = |finding: &Diagnostic| (finding.file().to_owned(), finding.at.range());
    let is_cause = |finding: &&Diagnostic| {
        finding.is_error() && matches!(finding.code, Code::Dangling | Code::Evaluation)
    };
    let causes: HashSet<_> = findings.iter().filter(is_cause).map(place).collect();
    findings
        .retain(|finding| finding.code != Code::WrongValue || !causes.contains(&place(finding)));
}

/// The file at a path, or those in the directory that a dialect knows.
fn files(
    path: &Path,
    context: &Context<'_>,
    dialects: &[Box<dyn Dialect>],
    findings: &mut Vec<Diagnostic>,
) -> Vec<PathBuf> {
    if !context.sources.is_directory(path) {
        return vec![path.to_owned()];
    }
    let mut found = match context.sources.list(path) {
        Ok(found) => found,
        Err(error) => {
            findings.push(unreadable(path, &error));
            return Vec::new();
        }
    };
    found.retain(|file| dialect_of(file, dialects).is_some() && !is_test_file(file));
    if found.is_empty() {
        let message = format!("{}: no configuration in this directory", path.display());
        let finding = Diagnostic::error(Code::File, &Location::nowhere(), message);
        findings.push(finding.with_help("files are found by their ending, such as .alloy"));
    }
    found
}

/// Whether a file holds tests of a configuration by its name: `NAME.test.yaml`, `.yml` or `.json`.
/// A directory is loaded without them.
pub fn is_test_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    [".test.yaml", ".test.yml", ".test.json"].iter().any(|ending| name.ends_with(ending))
}

fn dialect_of(path: &Path, dialects: &[Box<dyn Dialect>]) -> Option<usize> {
    let ending = path.extension()?.to_str()?;
    dialects.iter().position(|dialect| dialect.extensions().contains(&ending))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let message = format!("{}: {error}", path.display());
    Diagnostic::error(Code::File, &Location::nowhere(), message)
}
