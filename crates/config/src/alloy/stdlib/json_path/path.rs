//! Paths: parsed to steps, followed through a document.

use serde_json::Value as Json;

use super::VISITS_MAX;
use super::filter::{self, Filter};

/// Steps of one path, and nesting of filters in it.
const STEPS_MAX: usize = 64;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Names(Vec<Pick>),
    Wildcard,
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
    Filter(Filter),
    /// The steps that follow apply to every value below.
    Descend,
}

#[derive(Debug, Clone)]
pub(super) enum Pick {
    Name(String),
    Index(i64),
}

/// A text that is read from the front.
pub(super) struct Cursor<'t> {
    pub(super) rest: &'t str,
    pub(super) depth: usize,
}

impl Cursor<'_> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn eat(&mut self, wanted: &str) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    pub(super) fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|next| !accepts(next)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken.to_owned()
    }

    pub(super) fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.eat(wanted) { Ok(()) } else { Err(self.unexpected(wanted)) }
    }

    pub(super) fn unexpected(&self, wanted: &str) -> String {
        match self.peek() {
            Some(found) => format!("expected {wanted:?} in the path, found {found:?}"),
            None => format!("expected {wanted:?} at the end of the path"),
        }
    }

    /// A quoted text with backslash escapes.
    pub(super) fn quoted(&mut self) -> Result<String, String> {
        let quote = self.peek().unwrap_or('"');
        let mut out = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, next)) = characters.next() {
            match next {
                '\\' => match characters.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, other)) => out.push(other),
                    None => break,
                },
                _ if next == quote => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(out);
                }
                _ => out.push(next),
            }
        }
        Err("a text in the path is not closed".to_owned())
    }

    fn integer(&mut self) -> Result<Option<i64>, String> {
        let text = self.take_while(|next| next == '-' || next.is_ascii_digit());
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| format!("{text} is no index"))
    }
}

pub(super) fn parse(path: &str) -> Result<Vec<Step>, String> {
    let mut cursor = Cursor { rest: path.trim(), depth: 0 };
    let steps = steps(&mut cursor)?;
    match cursor.peek() {
        None => Ok(steps),
        Some(next) => Err(format!("unexpected {next:?} in the path")),
    }
}

/// Steps up to something that is none.
pub(super) fn steps(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, String> {
    let mut found = Vec::new();
    if !cursor.eat("$") && !cursor.eat("@") && cursor.peek().is_some_and(is_name) {
        let name = cursor.take_while(is_name);
        found.push(Step::Names(vec![Pick::Name(name)]));
    }
    loop {
        if found.len() > STEPS_MAX {
            return Err(format!("more than {STEPS_MAX} steps in the path"));
        }
        if cursor.eat("..") {
            found.push(Step::Descend);
            if cursor.peek() != Some('[') {
                found.extend(name(cursor)?);
            }
        } else if cursor.eat(".") {
            let step = name(cursor)?.ok_or_else(|| cursor.unexpected("a name"))?;
            found.push(step);
        } else if cursor.eat("[") {
            cursor.skip_blanks();
            found.push(bracket(cursor)?);
            cursor.skip_blanks();
            cursor.expect("]")?;
        } else {
            return Ok(found);
        }
    }
}

fn is_name(next: char) -> bool {
    next.is_alphanumeric() || matches!(next, '_' | '-' | '/' | ':')
}

fn name(cursor: &mut Cursor<'_>) -> Result<Option<Step>, String> {
    if cursor.eat("*") {
        return Ok(Some(Step::Wildcard));
    }
    if matches!(cursor.peek(), Some('\'' | '"')) {
        return Ok(Some(Step::Names(vec![Pick::Name(cursor.quoted()?)])));
    }
    let name = cursor.take_while(is_name);
    Ok((!name.is_empty()).then(|| Step::Names(vec![Pick::Name(name)])))
}

fn bracket(cursor: &mut Cursor<'_>) -> Result<Step, String> {
    if cursor.eat("*") {
        return Ok(Step::Wildcard);
    }
    if cursor.eat("?") {
        cursor.skip_blanks();
        return filter::parse(cursor).map(Step::Filter);
    }
    let mut picks = Vec::new();
    loop {
        cursor.skip_blanks();
        if matches!(cursor.peek(), Some('\'' | '"')) {
            picks.push(Pick::Name(cursor.quoted()?));
        } else {
            let index = cursor.integer()?;
            cursor.skip_blanks();
            if picks.is_empty() && cursor.peek() == Some(':') {
                return slice(cursor, index);
            }
            picks.push(Pick::Index(index.ok_or_else(|| cursor.unexpected("an index or a name"))?));
        }
        cursor.skip_blanks();
        if !cursor.eat(",") {
            return Ok(Step::Names(picks));
        }
    }
}

fn slice(cursor: &mut Cursor<'_>, start: Option<i64>) -> Result<Step, String> {
    cursor.expect(":")?;
    cursor.skip_blanks();
    let end = cursor.integer()?;
    cursor.skip_blanks();
    let step = if cursor.eat(":") { cursor.integer()? } else { None };
    match step.unwrap_or(1) {
        0 => Err("a slice can not have the step 0".to_owned()),
        step => Ok(Step::Slice { start, end, step }),
    }
}

/// The values that the steps lead to; nothing if there are too many.
pub(super) fn select<'j>(steps: &[Step], from: &'j Json, root: &'j Json) -> Option<Vec<&'j Json>> {
    let mut current = vec![from];
    let mut visits = 0_usize;
    for step in steps {
        let mut next = Vec::new();
        for value in current {
            match step {
                Step::Names(picks) => next.extend(picks.iter().filter_map(|pick| at(value, pick))),
                Step::Wildcard => next.extend(children(value)),
                Step::Slice { start, end, step } => sliced(value, *start, *end, *step, &mut next),
                Step::Filter(filter) => {
                    next.extend(children(value).filter(|child| filter.accepts(child, root)));
                }
                Step::Descend => below(value, &mut next),
            }
            visits = visits.saturating_add(next.len().max(1));
            if visits > VISITS_MAX || next.len() > VISITS_MAX {
                return None;
            }
        }
        current = next;
    }
    Some(current)
}

fn at<'j>(value: &'j Json, pick: &Pick) -> Option<&'j Json> {
    match (value, pick) {
        (Json::Object(map), Pick::Name(name)) => map.get(name),
        (Json::Array(items), Pick::Index(index)) => {
            let length = i64::try_from(items.len()).ok()?;
            let index = if *index < 0 { length + index } else { *index };
            items.get(usize::try_from(index).ok()?)
        }
        _ => None,
    }
}

fn children(value: &Json) -> Box<dyn Iterator<Item = &Json> + '_> {
    match value {
        Json::Array(items) => Box::new(items.iter()),
        Json::Object(map) => Box::new(map.values()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            Box::new(std::iter::empty())
        }
    }
}

/// The value and everything below it, parents first.
fn below<'j>(value: &'j Json, out: &mut Vec<&'j Json>) {
    out.push(value);
    for child in children(value) {
        if out.len() > VISITS_MAX {
            return;
        }
        below(child, out);
    }
}

fn sliced<'j>(
    value: &'j Json,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
    out: &mut Vec<&'j Json>,
) {
    let Json::Array(items) = value else { return };
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let bound = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let (mut at, end) = if step > 0 {
        let start = bound(start.unwrap_or(0)).max(0);
        (start, end.map_or(length, bound).min(length))
    } else {
        let start = start.map_or(length - 1, bound).min(length - 1);
        (start, end.map_or(-1, |end| bound(end).max(-1)))
    };
    while (step > 0 && at < end) || (step < 0 && at > end) {
        out.extend(usize::try_from(at).ok().and_then(|at| items.get(at)));
        at = at.saturating_add(step);
    }
}
