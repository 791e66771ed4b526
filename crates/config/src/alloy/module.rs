//! Modules: what `declare` defines, and where `import.file` and `import.string` find it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::evaluate::{Evaluator, Scope};
use super::expand::Engine;
use super::lower;
use super::tree::{Block, Statement};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Location, Source};
use crate::value::Value;

/// How deep modules may import each other.
const IMPORT_DEPTH_MAX: usize = 16;
/// Files that one directory may bring.
const FILES_MAX: usize = 1000;

/// Definitions that are visible together.
#[derive(Default)]
pub(super) struct Module {
    declares: RefCell<BTreeMap<String, Rc<Declare>>>,
    imports: RefCell<BTreeMap<String, Rc<Module>>>,
    parent: Option<Rc<Module>>,
}

/// The definition of a custom component.
pub(super) struct Declare {
    pub(super) block: Rc<Block>,
    pub(super) source: Arc<Source>,
}

impl Module {
    /// A module that sees what another one defines.
    pub(super) fn inside(parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { parent: Some(Rc::clone(parent)), ..Self::default() })
    }

    /// The definition of `name` or `namespace.name`, and the module that it sees.
    pub(super) fn find(self: &Rc<Self>, name: &str) -> Option<(Rc<Declare>, Rc<Self>)> {
        if let Some((space, inner)) = name.split_once('.') {
            let imported = self.imports.borrow().get(space).cloned();
            let found = imported.and_then(|module| {
                let declare = module.declares.borrow().get(inner).cloned()?;
                Some((declare, Rc::clone(&module)))
            });
            if found.is_some() {
                return found;
            }
        } else if let Some(declare) = self.declares.borrow().get(name) {
            return Some((Rc::clone(declare), Rc::clone(self)));
        }
        self.parent.as_ref()?.find(name)
    }

    /// The names of all definitions that can be written here.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.declares.borrow().keys().cloned().collect();
        for (space, module) in &*self.imports.borrow() {
            names.extend(module.declares.borrow().keys().map(|name| format!("{space}.{name}")));
        }
        if let Some(parent) = &self.parent {
            names.extend(parent.names());
        }
        names
    }

    /// Takes a statement that defines something; false if it does not.
    pub(super) fn take(
        self: &Rc<Self>,
        engine: &Engine<'_>,
        block: &Rc<Block>,
        source: &Arc<Source>,
    ) -> bool {
        if block.name == "declare" {
            self.declare(engine, block, source);
            return true;
        }
        let Some(origin) = block.name.strip_prefix("import.") else {
            return false;
        };
        self.import(engine, origin, block, source);
        true
    }

    fn declare(&self, engine: &Engine<'_>, block: &Rc<Block>, source: &Arc<Source>) {
        let at = Location::new(source, block.head().range());
        if block.label().is_empty() {
            let message = "declare needs a label: the name of the custom component";
            return engine.report(Diagnostic::error(Code::Missing, &at, message));
        }
        let declare = Declare { block: Rc::clone(block), source: Arc::clone(source) };
        let name = block.label().to_owned();
        if self.declares.borrow_mut().insert(name.clone(), Rc::new(declare)).is_some() {
            let message = format!("custom component \"{name}\" is declared twice");
            engine.report(Diagnostic::error(Code::Duplicate, &at, message));
        }
    }

    fn import(&self, engine: &Engine<'_>, origin: &str, block: &Rc<Block>, source: &Arc<Source>) {
        let at = Location::new(source, block.head().range());
        if block.label().is_empty() {
            let message = format!("import.{origin} needs a label: the namespace of what it brings");
            return engine.report(Diagnostic::error(Code::Missing, &at, message));
        }
        let evaluator =
            Evaluator { scope: &FileScope, source, environment: engine.context.environment };
        let (settings, _) = lower::body(engine, &evaluator, &block.body, None);
        let field = match origin {
            "file" => "filename",
            "string" => "content",
            _ => {
                let message = format!("import.{origin} is not supported");
                let finding = Diagnostic::error(Code::Module, &at, message)
                    .with_help("fetch the module beforehand and use import.file");
                return engine.report(finding);
            }
        };
        let Some(value) = settings.get(field) else {
            let message = format!("import.{origin} needs \"{field}\"");
            return engine.report(Diagnostic::error(Code::Missing, &at, message));
        };
        let Some(text) = value.text() else {
            let message = format!("\"{field}\" should be string, got {}", value.kind());
            return engine.report(Diagnostic::error(Code::WrongValue, &value.at, message));
        };
        let sources = if origin == "file" {
            files(engine, text, source, &value.at)
        } else {
            let name = format!("{} (import.string \"{}\")", source.name(), block.label());
            vec![Source::new(name, text)]
        };
        if let Some(module) = load(engine, &sources, &value.at) {
            let known = self.imports.borrow_mut().insert(block.label().to_owned(), module);
            if known.is_some() {
                let message = format!("namespace \"{}\" is imported twice", block.label());
                engine.report(Diagnostic::error(Code::Duplicate, &at, message));
            }
        }
    }
}

/// The texts that a path names: a file, or all `*.alloy` in a directory.
fn files(engine: &Engine<'_>, path: &str, from: &Source, at: &Location) -> Vec<Arc<Source>> {
    let sources = engine.context.sources;
    let mut path = PathBuf::from(path);
    if path.is_relative() && !sources.exists(&path) {
        path = directory(from).join(path);
    }
    let fail = |path: &Path, error: std::io::Error| {
        let message = format!("{}: {error}", path.display());
        engine.report(Diagnostic::error(Code::File, at, message));
    };
    let mut paths = vec![path.clone()];
    if sources.is_directory(&path) {
        paths = match sources.list(&path) {
            Ok(paths) => paths,
            Err(error) => {
                fail(&path, error);
                return Vec::new();
            }
        };
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "alloy"));
        if paths.len() > FILES_MAX {
            let message = format!("{} holds more than {FILES_MAX} files", path.display());
            engine.report(Diagnostic::error(Code::Limit, at, message));
            return Vec::new();
        }
    }
    let read = |path: PathBuf| match sources.read(&path) {
        Ok(text) => Some(Source::new(path.to_string_lossy(), text)),
        Err(error) => {
            fail(&path, error);
            None
        }
    };
    paths.into_iter().filter_map(read).collect()
}

/// The directory of a text: what relative paths in it are relative to.
pub(super) fn directory(source: &Source) -> PathBuf {
    let parent = Path::new(source.name()).parent().unwrap_or(Path::new(""));
    if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }
}

/// Texts as one module, unless they import themselves.
fn load(engine: &Engine<'_>, sources: &[Arc<Source>], at: &Location) -> Option<Rc<Module>> {
    let names: Vec<String> = sources.iter().map(|source| source.name().to_owned()).collect();
    let is_open = names.iter().any(|name| engine.imports.borrow().contains(name));
    if is_open || engine.imports.borrow().len() >= IMPORT_DEPTH_MAX {
        let message = if is_open {
            format!("module {} imports itself", names.join(", "))
        } else {
            format!("modules import each other deeper than {IMPORT_DEPTH_MAX}")
        };
        engine.report(Diagnostic::error(Code::Cycle, at, message));
        return None;
    }
    let count = names.len();
    engine.imports.borrow_mut().extend(names);
    let module = Rc::new(Module::default());
    for source in sources {
        for statement in engine.parse(source).body {
            let at = Location::new(source, statement.at().range());
            let taken = match &statement {
                Statement::Block(block) => module.take(engine, block, source),
                Statement::Attribute(_) => false,
            };
            if !taken {
                let message = "a module may hold declare and import blocks only";
                engine.report(Diagnostic::error(Code::Misplaced, &at, message));
            }
        }
    }
    let rest = engine.imports.borrow().len().saturating_sub(count);
    engine.imports.borrow_mut().truncate(rest);
    Some(module)
}

/// What an expression sees that no component can be referenced from: `module_path` and the library.
pub(super) struct FileScope;

impl Scope for FileScope {
    fn variable(&self, name: &str, source: &Source) -> Option<Value> {
        (name == "module_path").then(|| {
            let path = directory(source).to_string_lossy().into_owned();
            Value::string(path, Location::nowhere())
        })
    }

    fn component(&self, _: &[&str], _: &Location) -> Option<(usize, super::evaluate::Evaluated)> {
        None
    }

    fn unknown(&self, path: &[&str], at: &Location) -> Diagnostic {
        let name = path.first().copied().unwrap_or_default();
        let message = format!("identifier {name:?} does not exist");
        Diagnostic::error(Code::Evaluation, at, message)
            .with_nearest(name, super::stdlib::first_names())
    }
}
