//! A document as a search index takes it: no name twice, and none that is a value and an object at once.
//!
//! Members are collected with dotted names, in any order. When the document is written, of a name that
//! stands twice the last value counts; a value whose name is also the beginning of longer names moves
//! to `name.value`, unless that is there. Nothing is written of what is empty: null, and lists and
//! objects without members.

use std::ops::Range;

use bessemer_record::json::{write_any_value, write_integer, write_text};
use bessemer_record::value::{AnyValue, Map, Text};

use crate::http::time::{Fraction, write_rfc3339};

/// Maps nested deeper are left as one value.
const DEPTH_MAX: u32 = 64;
/// Where a value moves whose name is also that of an object.
const VALUE: &[u8] = b".value";

/// Members in the order they were added.
#[derive(Debug, Default)]
pub(super) struct Document {
    names: Vec<u8>,
    values: Vec<u8>,
    members: Vec<Member>,
    path: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Member {
    name: Range<usize>,
    value: Range<usize>,
}

/// How names with dots are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dots {
    /// As objects in each other.
    Nested,
    /// As they are.
    Kept,
}

impl Document {
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.values.clear();
        self.members.clear();
    }

    /// Adds a member whose value is what `write` appends.
    pub(super) fn put(&mut self, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let (from, start) = (self.names.len(), self.values.len());
        self.names.extend_from_slice(name);
        write(&mut self.values);
        self.members.push(Member { name: from..self.names.len(), value: start..self.values.len() });
    }

    /// Adds text unless it is empty.
    pub(super) fn text(&mut self, name: &str, text: &[u8]) {
        if !text.is_empty() {
            self.put(name.as_bytes(), |out| write_text(text, out));
        }
    }

    /// Adds an id unless it is empty.
    pub(super) fn id(&mut self, name: &str, id: &[u8]) {
        if !id.is_empty() {
            self.put(name.as_bytes(), |out| bessemer_record::json::write_hex(id, out));
        }
    }

    /// Adds a number.
    pub(super) fn integer(&mut self, name: &str, number: i64) {
        self.put(name.as_bytes(), |out| write_integer(number, out));
    }

    /// Adds a time.
    pub(super) fn time(&mut self, name: &str, nanos: u64) {
        self.put(name.as_bytes(), |out| write_rfc3339(nanos, Fraction::Full, out));
    }

    /// Adds all attributes, their names behind `prefix` and a dot if there is one.
    pub(super) fn attributes(&mut self, prefix: &str, map: Map<'_>) {
        for (name, value) in map {
            self.attribute(prefix, name, value);
        }
    }

    /// Adds an attribute; a map becomes a member for each of its leaves.
    pub(super) fn attribute(&mut self, prefix: &str, name: Text<'_>, value: AnyValue<'_>) {
        let mut path = std::mem::take(&mut self.path);
        path.clear();
        path.extend_from_slice(prefix.as_bytes());
        if !prefix.is_empty() && !name.is_empty() {
            path.push(b'.');
        }
        path.extend_from_slice(name.as_bytes());
        self.nested(&mut path, value, 0);
        self.path = path;
    }

    fn nested(&mut self, path: &mut Vec<u8>, value: AnyValue<'_>, depth: u32) {
        if is_empty(value) {
            return;
        }
        let AnyValue::Map(map) = value else {
            return self.put(path, |out| write_value(value, out));
        };
        if depth >= DEPTH_MAX {
            return self.put(path, |out| write_value(value, out));
        }
        let length = path.len();
        for (name, value) in map {
            path.push(b'.');
            path.extend_from_slice(name.as_bytes());
            self.nested(path, value, depth + 1);
            path.truncate(length);
        }
    }

    /// Appends the document.
    pub(super) fn write(&self, dots: Dots, out: &mut Vec<u8>) {
        let members = self.settled();
        out.push(b'{');
        match dots {
            Dots::Kept => write_flat(&members, out),
            Dots::Nested => write_nested(&members, out),
        }
        out.push(b'}');
    }

    /// The members by name, each name once and no name in the way of another.
    fn settled(&self) -> Vec<(Name<'_>, &[u8])> {
        let mut members = self.sorted();
        let fates: Vec<Fate> =
            members.iter().map(|(name, _)| Fate::of(name.text, &members)).collect();
        if fates.iter().all(|fate| *fate == Fate::Stays) {
            return members;
        }
        for ((name, _), fate) in members.iter_mut().zip(&fates) {
            name.is_moved = *fate == Fate::Moves;
        }
        let mut fates = fates.into_iter();
        members.retain(|_| fates.next() != Some(Fate::Yields));
        members.sort_by(|(left, _), (right, _)| left.bytes().cmp(right.bytes()));
        members
    }

    fn sorted(&self) -> Vec<(Name<'_>, &[u8])> {
        let member = |member: &Member| {
            let text = self.names.get(member.name.clone()).unwrap_or_default();
            let value = self.values.get(member.value.clone()).unwrap_or_default();
            (Name { text, is_moved: false }, value)
        };
        let mut members: Vec<(Name<'_>, &[u8])> = self.members.iter().map(member).collect();
        // Stable, so that of equal names the last one added stands last.
        members.sort_by(|(left, _), (right, _)| left.text.cmp(right.text));
        members.reverse();
        members.dedup_by(|(later, _), (kept, _)| later.text == kept.text);
        members.reverse();
        members
    }
}

/// What becomes of a member beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// Its name is that of an object: it moves into it.
    Moves,
    /// There it would stand in the way of another.
    Yields,
}

impl Fate {
    /// Of the member with this name; `members` are sorted.
    fn of(name: &[u8], members: &[(Name<'_>, &[u8])]) -> Self {
        if !is_object(name, members) {
            return Self::Stays;
        }
        let moved = [name, VALUE].concat();
        let is_taken = members.binary_search_by(|(other, _)| other.text.cmp(&moved)).is_ok();
        if is_taken || is_object(&moved, members) { Self::Yields } else { Self::Moves }
    }
}

/// Whether other names begin with this one and a dot.
fn is_object(name: &[u8], members: &[(Name<'_>, &[u8])]) -> bool {
    let next = members.partition_point(|(other, _)| other.is_before_parts_of(name));
    members.get(next).is_some_and(|(other, _)| other.is_part_of(name))
}

/// A name with dots, perhaps moved out of the way.
#[derive(Debug, Clone, Copy)]
struct Name<'a> {
    text: &'a [u8],
    is_moved: bool,
}

impl<'a> Name<'a> {
    fn bytes(self) -> impl Iterator<Item = &'a u8> {
        let rest: &[u8] = if self.is_moved { VALUE } else { &[] };
        self.text.iter().chain(rest)
    }

    fn is_part_of(self, name: &[u8]) -> bool {
        self.text.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'.'))
    }

    /// Whether it sorts before `name` with a dot behind it.
    fn is_before_parts_of(self, name: &[u8]) -> bool {
        self.text.iter().lt(name.iter().chain(b"."))
    }

    fn segments(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let moved = self.is_moved.then_some(&b"value"[..]);
        self.text.split(|byte| *byte == b'.').chain(moved)
    }
}

fn write_flat(members: &[(Name<'_>, &[u8])], out: &mut Vec<u8>) {
    let mut text = Vec::new();
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text.clear();
        text.extend(name.bytes());
        write_text(&text, out);
        out.push(b':');
        out.extend_from_slice(value);
    }
}

fn write_nested(members: &[(Name<'_>, &[u8])], out: &mut Vec<u8>) {
    let mut open: Vec<&[u8]> = Vec::new();
    for (name, value) in members {
        let count = name.segments().count();
        let parents = name.segments().take(count.saturating_sub(1));
        let shared = open.iter().zip(parents.clone()).take_while(|(a, b)| **a == *b).count();
        out.extend(std::iter::repeat_n(b'}', open.len() - shared));
        open.truncate(shared);
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        for parent in parents.skip(shared) {
            write_text(parent, out);
            out.extend_from_slice(b":{");
            open.push(parent);
        }
        write_text(name.segments().last().unwrap_or_default(), out);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.extend(std::iter::repeat_n(b'}', open.len()));
}

/// Whether a value is none at all for an index.
fn is_empty(value: AnyValue<'_>) -> bool {
    match value {
        AnyValue::Empty => true,
        AnyValue::Array(values) => values.is_empty(),
        AnyValue::Map(map) => map.is_empty(),
        AnyValue::Str(_)
        | AnyValue::Bool(_)
        | AnyValue::Int(_)
        | AnyValue::Double(_)
        | AnyValue::Bytes(_) => false,
    }
}

/// Appends a value; what JSON has no number for is null, as text in a number's place is refused.
pub(super) fn write_value(value: AnyValue<'_>, out: &mut Vec<u8>) {
    if value.as_double().is_some_and(|number| !number.is_finite()) {
        return out.extend_from_slice(b"null");
    }
    write_any_value(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(names: &[(&str, i64)], dots: Dots) -> String {
        let mut document = Document::default();
        for (name, number) in names {
            document.integer(name, *number);
        }
        let mut out = Vec::new();
        document.write(dots, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_become_objects_and_the_last_of_equal_names_counts() {
        let names = [("a.b.c", 1), ("z", 2), ("a.d", 3), ("a.b.e", 4), ("z", 5)];
        assert_eq!(written(&names, Dots::Nested), r#"{"a":{"b":{"c":1,"e":4},"d":3},"z":5}"#);
        assert_eq!(written(&names, Dots::Kept), r#"{"a.b.c":1,"a.b.e":4,"a.d":3,"z":5}"#);
    }

    #[test]
    fn a_value_in_the_way_of_an_object_moves_into_it() {
        let names = [("foo", 1), ("foo-bar", 2), ("foo.bar", 3)];
        assert_eq!(written(&names, Dots::Nested), r#"{"foo-bar":2,"foo":{"bar":3,"value":1}}"#);
        let taken = [("foo", 1), ("foo.bar", 2), ("foo.value", 3)];
        assert_eq!(written(&taken, Dots::Nested), r#"{"foo":{"bar":2,"value":3}}"#);
    }
}
