//! Grok: regular expressions made of named ones.

mod patterns;

use std::collections::HashMap;

use regex::Regex;

use crate::error::RunError;
use crate::pattern;
use crate::value::Value;

/// Patterns inside patterns.
const DEPTH_MAX: u32 = 32;
/// Bytes of a pattern with all the patterns in it.
const EXPANDED_BYTES_MAX: usize = 256 << 10;

/// A compiled pattern and what becomes of its groups.
#[derive(Debug)]
pub(crate) struct Grok {
    regex: Regex,
    /// For each group: the key, and the type that its text is made; none for groups to leave out.
    groups: Vec<Option<(String, Cast)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cast {
    Text,
    Int,
    Float,
    Bool,
}

struct Expansion<'p> {
    own: HashMap<&'p str, &'p str>,
    is_named_only: bool,
    /// Keys and types by the names that the groups have in the regular expression.
    keys: Vec<(String, Cast)>,
    bytes: usize,
}

impl Grok {
    pub(crate) fn new(
        text: &str,
        is_named_only: bool,
        definitions: &[&str],
    ) -> Result<Self, String> {
        let mut own = HashMap::new();
        for definition in definitions {
            let (name, text) = definition
                .split_once('=')
                .ok_or_else(|| format!("the definition {definition:?} has no ="))?;
            if name.contains(':') {
                return Err(format!("the name {name:?} has a colon"));
            }
            own.insert(name, text);
        }
        let mut expansion = Expansion { own, is_named_only, keys: Vec::new(), bytes: 0 };
        let expanded = expansion.expand(text, 0)?;
        let regex = pattern::regex(&expanded)?;
        let groups: Vec<_> = regex.capture_names().map(|name| expansion.key(name?)).collect();
        if is_named_only && groups.iter().all(Option::is_none) {
            return Err("the pattern needs at least one named group".to_owned());
        }
        Ok(Self { regex, groups })
    }

    /// The groups of the first match as a map; an empty one if nothing matches.
    pub(crate) fn extract(&self, text: &str) -> Result<Value, RunError> {
        let mut entries = Vec::new();
        let Some(captures) = self.regex.captures(text) else { return Ok(Value::Map(entries)) };
        for (group, found) in self.groups.iter().zip(captures.iter()) {
            let (Some((key, cast)), Some(found)) = (group, found) else { continue };
            if !found.is_empty() {
                Value::put(&mut entries, key, cast.apply(found.as_str())?);
            }
        }
        Ok(Value::Map(entries))
    }
}

impl Cast {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "" | "string" => Ok(Self::Text),
            "int" | "long" => Ok(Self::Int),
            "double" | "float" => Ok(Self::Float),
            "bool" | "boolean" => Ok(Self::Bool),
            other => Err(format!("there is no type {other:?}")),
        }
    }

    fn apply(self, text: &str) -> Result<Value, RunError> {
        let wrong = || RunError::invalid(format!("{text:?} does not have the type of its group"));
        match self {
            Self::Text => Ok(Value::from(text)),
            Self::Int => text.parse().map(Value::Int).map_err(|_| wrong()),
            Self::Float => text.parse().map(Value::Float).map_err(|_| wrong()),
            Self::Bool => text.parse().map(Value::Bool).map_err(|_| wrong()),
        }
    }
}

impl Expansion<'_> {
    fn expand(&mut self, text: &str, depth: u32) -> Result<String, String> {
        if depth > DEPTH_MAX {
            return Err("patterns are nested too deeply".to_owned());
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once("%{") {
            out.push_str(before);
            let (reference, after) = reference.split_once('}').ok_or("a %{ is not closed")?;
            rest = after;
            let mut parts = reference.splitn(3, ':');
            let name = parts.next().unwrap_or_default();
            let inner = self.pattern(name)?.to_owned();
            let inner = self.expand(&inner, depth + 1)?;
            let (id, cast) = (parts.next(), Cast::named(parts.next().unwrap_or_default())?);
            match id {
                None if self.is_named_only => out.push_str(&format!("(?:{inner})")),
                id => {
                    self.keys.push((id.unwrap_or(name).to_owned(), cast));
                    out.push_str(&format!("(?P<grok{}>{inner})", self.keys.len() - 1));
                }
            }
            self.bytes += inner.len();
            if self.bytes > EXPANDED_BYTES_MAX {
                return Err("the pattern is too large".to_owned());
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn pattern(&self, name: &str) -> Result<&str, String> {
        let own = self.own.get(name).copied();
        own.or_else(|| patterns::pattern(name))
            .ok_or_else(|| format!("there is no pattern {name:?}"))
    }

    fn key(&self, group: &str) -> Option<(String, Cast)> {
        let number = group.strip_prefix("grok").and_then(|number| number.parse::<usize>().ok());
        match number.and_then(|number| self.keys.get(number)) {
            Some(found) => Some(found.clone()),
            None => Some((group.to_owned(), Cast::Text)),
        }
    }
}
