//! The tree under construction: open collections, anchors, and the limits on what they may hold.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{DEPTH_MAX, VALUE_BYTES_MAX, VALUES_MAX};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Location, Source};
use crate::value::{Data, Field, Form, Object, Value};

/// Merges the fields of other maps into this one.
const MERGE_KEY: &str = "<<";

pub(super) struct Builder<'s> {
    source: &'s Arc<Source>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    values: usize,
    bytes: usize,
    /// A limit was reached: nothing more is taken.
    pub(super) is_full: bool,
    pub(super) findings: Vec<Diagnostic>,
    pub(super) root: Option<Value>,
}

/// What an alias stands for, and what it costs.
struct Anchored {
    value: Value,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    bytes: usize,
    depth: usize,
}

/// A collection that is not closed yet.
struct Open {
    at: Location,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    Map { fields: Vec<Field>, names: HashSet<String>, key: Option<Key>, merged: Vec<Value> },
}

struct Key {
    name: String,
    at: Location,
    is_merge: bool,
    /// Given before: its value is dropped.
    is_repeated: bool,
}

impl<'s> Builder<'s> {
    pub(super) fn new(source: &'s Arc<Source>) -> Self {
        Self {
            source,
            open: Vec::new(),
            anchors: HashMap::new(),
            values: 0,
            bytes: 0,
            is_full: false,
            findings: Vec::new(),
            root: None,
        }
    }

    pub(super) fn report(&mut self, code: Code, at: &Location, message: &str) {
        self.findings.push(Diagnostic::error(code, at, message));
    }

    /// A scalar; `text` is what it is as a key.
    pub(super) fn scalar(&mut self, value: Value, text: &str, anchor: usize, is_plain: bool) {
        self.take(Size { values: 1, bytes: text.len(), depth: 0 }, &value.at);
        self.remember(anchor, &value);
        if self.wants_key() {
            let is_merge = is_plain && text == MERGE_KEY;
            return self.key(text, &value.at, is_merge);
        }
        self.push(value);
    }

    pub(super) fn open_list(&mut self, at: Location, anchor: usize) {
        self.open(Content::List(Vec::new()), at, anchor);
    }

    pub(super) fn open_map(&mut self, at: Location, anchor: usize) {
        let content = Content::Map {
            fields: Vec::new(),
            names: HashSet::new(),
            key: None,
            merged: Vec::new(),
        };
        self.open(content, at, anchor);
    }

    fn open(&mut self, content: Content, at: Location, anchor: usize) {
        self.take(Size { values: 1, ..Size::default() }, &at);
        if self.wants_key() {
            self.report(Code::Syntax, &at, "a key must be a scalar");
            self.key("", &at, false);
        }
        // A block collection has no mark of its own: its place is the key before it.
        let at = if at.range().is_empty() { self.key_at().unwrap_or(at) } else { at };
        self.open.push(Open { at, anchor, content });
        if self.open.len() > DEPTH_MAX {
            self.full(&format!("nested deeper than {DEPTH_MAX}"));
        }
    }

    pub(super) fn close(&mut self) {
        let Some(Open { at, anchor, content }) = self.open.pop() else { return };
        let data = match content {
            Content::List(items) => Data::Array(items),
            Content::Map { mut fields, mut names, merged, .. } => {
                let others = merged.iter().flat_map(maps_of);
                let others: Vec<Field> = others.flat_map(|object| object.fields.clone()).collect();
                fields.extend(others.into_iter().filter(|field| names.insert(field.name.clone())));
                Data::Object(Object { fields, form: Form::Literal })
            }
        };
        let value = Value::new(data, at);
        self.remember(anchor, &value);
        self.push(value);
    }

    pub(super) fn alias(&mut self, anchor: usize, at: &Location) {
        let Some(anchored) = self.anchors.get(&anchor) else {
            // An alias inside of what it names.
            return self.report(Code::Syntax, at, "an alias can not stand in what it names");
        };
        let (size, value) = (anchored.size, anchored.value.clone());
        self.take(size, at);
        if self.open.len() + size.depth > DEPTH_MAX {
            self.full(&format!("nested deeper than {DEPTH_MAX}"));
        }
        if self.is_full {
            return;
        }
        if self.wants_key() {
            return match value.text() {
                Some(text) => self.key(text, at, false),
                None => self.report(Code::Syntax, at, "a key must be text"),
            };
        }
        self.push(value);
    }

    fn remember(&mut self, anchor: usize, value: &Value) {
        if anchor == 0 {
            return;
        }
        // The copy is paid for like any other value: anchors around anchors copy each other.
        let size = size_of(value);
        self.take(size, &value.at);
        if !self.is_full {
            self.anchors.insert(anchor, Anchored { value: value.clone(), size });
        }
    }

    fn take(&mut self, size: Size, at: &Location) {
        self.values = self.values.saturating_add(size.values);
        self.bytes = self.bytes.saturating_add(size.bytes);
        if self.values > VALUES_MAX || self.bytes > VALUE_BYTES_MAX {
            let message = format!(
                "more than {VALUES_MAX} values or {} MiB of text, aliases included",
                VALUE_BYTES_MAX >> 20
            );
            self.is_full = true;
            self.report(Code::Limit, at, &message);
        }
    }

    fn full(&mut self, message: &str) {
        let at = self.open.last().map(|open| open.at.clone()).unwrap_or_default();
        let at = if at.is_somewhere() { at } else { Location::new(self.source, 0..0) };
        self.is_full = true;
        self.report(Code::Limit, &at, message);
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    fn key_at(&self) -> Option<Location> {
        match &self.open.last()?.content {
            Content::Map { key: Some(key), .. } => Some(key.at.clone()),
            Content::Map { .. } | Content::List(_) => None,
        }
    }

    fn key(&mut self, name: &str, at: &Location, is_merge: bool) {
        let Some(Open { content: Content::Map { key, names, .. }, .. }) = self.open.last_mut()
        else {
            return;
        };
        let is_new = is_merge || names.insert(name.to_owned());
        let is_repeated = !is_new;
        *key = Some(Key { name: name.to_owned(), at: at.clone(), is_merge, is_repeated });
        if !is_new {
            self.report(Code::Duplicate, at, &format!("\"{name}\" is given twice"));
        }
    }

    fn push(&mut self, mut value: Value) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(value),
            Some(Content::List(items)) => items.push(value),
            Some(Content::Map { fields, key, merged, .. }) => {
                let Some(Key { name, at, is_merge, is_repeated }) = key.take() else { return };
                if value.at.range().is_empty() {
                    value.at = at.clone();
                }
                if is_merge {
                    merged.push(value);
                } else if !is_repeated {
                    fields.push(Field { name, name_at: at, value });
                }
            }
        }
    }
}

/// The maps that a merge key names.
fn maps_of(value: &Value) -> Vec<&Object> {
    let items = value.as_array().unwrap_or(std::slice::from_ref(value));
    items.iter().filter_map(Value::as_object).collect()
}

fn size_of(value: &Value) -> Size {
    let children: Vec<&Value> = match &value.data {
        Data::Array(items) => items.iter().collect(),
        Data::Object(object) => object.fields.iter().map(|field| &field.value).collect(),
        Data::Null
        | Data::Bool(_)
        | Data::Number(_)
        | Data::String(_)
        | Data::Secret(_)
        | Data::OptionalSecret { .. }
        | Data::Reference(_) => {
            let bytes = value.text().map_or(0, str::len);
            return Size { values: 1, bytes, depth: 0 };
        }
    };
    let mut size = Size { values: 1, ..Size::default() };
    for inner in children.into_iter().map(size_of) {
        size.values = size.values.saturating_add(inner.values);
        size.bytes = size.bytes.saturating_add(inner.bytes);
        size.depth = size.depth.max(inner.depth);
    }
    Size { depth: size.depth + 1, ..size }
}
