//! Flow values: `[a, b]`, `{a: 1}` and quoted text.

use serde_json::{Map, Value as Json};

use super::scalar;
use super::{DEPTH_MAX, Line};

/// Parses a flow value that fills the text; nothing if it goes on on the next line.
pub(super) fn parse(text: &str, line: Line<'_>) -> Result<Option<Json>, String> {
    let mut reader = Reader { rest: text, line, depth: 0 };
    let Some(value) = reader.value()? else { return Ok(None) };
    let rest = scalar::without_comment(reader.rest.trim());
    if rest.is_empty() {
        Ok(Some(value))
    } else {
        Err(line.fail(&format!("{rest:?} can not follow a closed value")))
    }
}

struct Reader<'t> {
    rest: &'t str,
    line: Line<'t>,
    depth: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Option<Json>, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.line.fail(&format!("nested deeper than {DEPTH_MAX}")));
        }
        self.rest = self.rest.trim_start();
        let value = match self.rest.chars().next() {
            None => Ok(None),
            Some('[') => self.sequence(),
            Some('{') => self.mapping(),
            Some('&' | '*' | '!') => Err(self.line.fail("anchors and tags are not supported")),
            Some(quote @ ('"' | '\'')) => {
                Ok(scalar::quoted(self.rest, quote).map(|(text, length)| {
                    self.rest = self.rest.get(length..).unwrap_or_default();
                    Json::String(text)
                }))
            }
            Some(_) => {
                let text = self.until(&[',', ']', '}']);
                Ok(Some(scalar::plain(text.trim())))
            }
        };
        self.depth -= 1;
        value
    }

    fn until(&mut self, ends: &[char]) -> String {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        text.to_owned()
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_start();
        let Some(rest) = self.rest.strip_prefix(wanted) else { return false };
        self.rest = rest;
        true
    }

    fn sequence(&mut self) -> Result<Option<Json>, String> {
        self.eat('[');
        let mut items = Vec::new();
        while !self.eat(']') {
            let Some(item) = self.value()? else { return Ok(None) };
            items.push(item);
            if !self.separated(']')? {
                return Ok(None);
            }
        }
        Ok(Some(Json::Array(items)))
    }

    fn mapping(&mut self) -> Result<Option<Json>, String> {
        self.eat('{');
        let mut map = Map::new();
        while !self.eat('}') {
            self.rest = self.rest.trim_start();
            let key = match self.rest.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    let Some((key, length)) = scalar::quoted(self.rest, quote) else {
                        return Ok(None);
                    };
                    self.rest = self.rest.get(length..).unwrap_or_default();
                    key
                }
                Some(_) => self.until(&[':', ',', '}']).trim().to_owned(),
                None => return Ok(None),
            };
            let value = if self.eat(':') {
                let Some(value) = self.value()? else { return Ok(None) };
                value
            } else {
                Json::Null
            };
            map.insert(key, value);
            if !self.separated('}')? {
                return Ok(None);
            }
        }
        Ok(Some(Json::Object(map)))
    }

    /// Consumes a comma, or sees the end; false if the text ends first.
    fn separated(&mut self, end: char) -> Result<bool, String> {
        if self.eat(',') {
            return Ok(true);
        }
        match self.rest.chars().next() {
            None => Ok(false),
            Some(next) if next == end => Ok(true),
            Some(next) => Err(self.line.fail(&format!("expected ',' or {end:?}, found {next:?}"))),
        }
    }
}
