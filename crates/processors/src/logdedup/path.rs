//! Fields of a log record by name: `attributes.src.ip`, `body.timestamp`.

use bessemer_pipeline::SettingsError;
use bessemer_record::Value;
use bessemer_record::edit::{self, Attribute, Target};
use bessemer_record::value::AnyValue;
use bessemer_record::view::LogRecordView;

/// Fields of one list at most: each is a bit of a set.
pub(super) const PATHS_MAX: usize = 64;

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Attributes,
    Body,
}

/// A field inside the attributes or a structured body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) root: Root,
    /// At least one.
    pub(super) names: Vec<String>,
}

impl Path {
    fn parse(setting: &str, text: &str) -> Result<Self, SettingsError> {
        let wrong = |problem: &str| {
            let remedy = "write attributes.NAME or body.NAME";
            SettingsError::new(setting, format!("{text:?} {problem}"), remedy)
        };
        let mut names = split(text);
        let root = match names.first().map(String::as_str) {
            Some("attributes") => Root::Attributes,
            Some("body") => Root::Body,
            _ => return Err(wrong("starts with neither attributes nor body")),
        };
        names.remove(0);
        match names.as_slice() {
            [] => Err(wrong("names no field")),
            _ if names.iter().any(String::is_empty) => Err(wrong("has an empty name")),
            _ => Ok(Self { root, names }),
        }
    }

    /// The value in a record.
    pub(super) fn of<'a>(&self, record: &LogRecordView<'a>) -> Option<AnyValue<'a>> {
        let (first, rest) = self.names.split_first()?;
        let start = match (self.root, record.body()) {
            (Root::Attributes, _) => record.attributes().get(first),
            (Root::Body, AnyValue::Map(body)) => body.get(first),
            (Root::Body, _) => None,
        };
        rest.iter().try_fold(start?, |value, name| {
            let AnyValue::Map(map) = value else { return None };
            map.get(name)
        })
    }

    /// The record without the field; nothing if it has none.
    pub(super) fn removed(&self, record: &[u8]) -> Option<Vec<u8>> {
        let view = LogRecordView::new(record);
        self.of(&view)?;
        let mut out = Vec::with_capacity(record.len());
        match (self.root, self.names.split_first()?) {
            (Root::Attributes, (key, [])) => {
                edit::delete(Target::Log, record, key, &mut out);
            }
            (Root::Attributes, (key, rest)) => {
                let mut value = view.attributes().get(key)?.to_value();
                remove(&mut value, rest);
                edit::update(Target::Log, record, &Attribute::new(key, &value), &mut out);
            }
            (Root::Body, _) => {
                let mut body = view.body().to_value();
                remove(&mut body, &self.names);
                edit::set_body(record, &body, &mut out);
            }
        }
        Some(out)
    }
}

/// Reads the fields of one setting.
pub(super) fn parse_all(setting: &str, texts: &[String]) -> Result<Vec<Path>, SettingsError> {
    if texts.len() > PATHS_MAX {
        let problem = format!("has {} fields, at most {PATHS_MAX} fit", texts.len());
        return Err(SettingsError::new(setting, problem, "name fewer"));
    }
    let mut paths: Vec<Path> = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let setting = format!("{setting}[{index}]");
        let path = Path::parse(&setting, text)?;
        if paths.contains(&path) {
            let problem = format!("is {text:?} once more");
            return Err(SettingsError::new(&setting, problem, "remove it"));
        }
        paths.push(path);
    }
    Ok(paths)
}

/// The names between dots; a dot behind a backslash is part of a name.
fn split(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let escaped = char == '\\' && chars.peek() == Some(&'.');
        match (char, names.last_mut()) {
            ('.', _) => names.push(String::new()),
            (_, Some(name)) => name.push(if escaped { chars.next().unwrap_or(char) } else { char }),
            (_, None) => {}
        }
    }
    names
}

/// Takes a field out of nested maps.
fn remove(value: &mut Value, names: &[String]) {
    let (Value::Map(entries), Some((name, rest))) = (value, names.split_first()) else { return };
    if rest.is_empty() {
        entries.retain(|(key, _)| key != name);
    } else if let Some((_, inner)) = entries.iter_mut().find(|(key, _)| key == name) {
        remove(inner, rest);
    }
}
