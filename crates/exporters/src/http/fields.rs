//! A flat set of JSON members, for services that know no nested attributes: maps become names with
//! dots, and of a name that stands twice the last value counts.
//!
//! What a resource says is the same for thousands of records, so it is written once, and each record
//! adds its own. Names are compared by a hash first; only where two are equal is the set sorted.

use std::ops::Range;

use bessemer_record::json::{write_any_value, write_text};
use bessemer_record::value::{AnyValue, Text};

use super::json::write_embedded;

/// With more members than this, equal names are found by sorting.
const PAIRWISE_MAX: usize = 48;
/// Maps nested deeper are written as text of JSON.
const DEPTH_MAX: u32 = 64;

/// How a value that is no map becomes a member.
pub(crate) type WriteValue = fn(AnyValue<'_>, &mut Vec<u8>);

/// Members in the order they were added.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fields {
    bytes: Vec<u8>,
    members: Vec<Member>,
    hashes: Vec<u64>,
    path: Vec<u8>,
}

/// Where a member stands: `"name":value`.
#[derive(Debug, Clone)]
struct Member {
    name: Range<usize>,
    end: usize,
}

impl Fields {
    /// Forgets all members.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.members.clear();
        self.hashes.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The number of members.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Forgets all members but the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.members.truncate(len);
        self.hashes.truncate(len);
        self.bytes.truncate(self.members.last().map_or(0, |member| member.end));
    }

    /// Adds a member whose value is what `write` appends.
    pub(crate) fn put(&mut self, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        if !self.members.is_empty() {
            self.bytes.push(b',');
        }
        let start = self.bytes.len();
        write_text(name, &mut self.bytes);
        let name = start..self.bytes.len();
        self.bytes.push(b':');
        write(&mut self.bytes);
        self.hashes.push(hash(self.bytes.get(name.clone()).unwrap_or_default()));
        self.members.push(Member { name, end: self.bytes.len() });
    }

    /// Adds an attribute; a map becomes a member for each of its leaves.
    pub(crate) fn put_flat(&mut self, name: Text<'_>, value: AnyValue<'_>, write: WriteValue) {
        if !matches!(value, AnyValue::Map(_)) {
            return self.put(name.as_bytes(), |out| write(value, out));
        }
        let mut path = std::mem::take(&mut self.path);
        path.clear();
        path.extend_from_slice(name.as_bytes());
        self.put_nested(&mut path, value, write, 0);
        self.path = path;
    }

    fn put_nested(
        &mut self,
        path: &mut Vec<u8>,
        value: AnyValue<'_>,
        write: WriteValue,
        depth: u32,
    ) {
        let AnyValue::Map(map) = value else {
            return self.put(path, |out| write(value, out));
        };
        if depth >= DEPTH_MAX {
            return self.put(path, |out| write_embedded(value, out));
        }
        let length = path.len();
        for (name, value) in map {
            path.push(b'.');
            path.extend_from_slice(name.as_bytes());
            self.put_nested(path, value, write, depth + 1);
            path.truncate(length);
        }
    }

    /// Appends the object of these members behind those of `base`, which they override.
    pub(crate) fn write_over(&self, base: &Self, out: &mut Vec<u8>) {
        out.push(b'{');
        if has_twins(base, self) {
            write_last(base, self, out);
        } else {
            out.extend_from_slice(&base.bytes);
            if !base.is_empty() && !self.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(&self.bytes);
        }
        out.push(b'}');
    }

    /// Whether a member has the name of one of the others.
    pub(crate) fn shares_name(&self, other: &Self) -> bool {
        let is_named = |name: &[u8]| self.members.iter().any(|member| self.name(member) == name);
        other.members.iter().any(|member| is_named(other.name(member)))
    }

    /// Adds the members of another set.
    pub(crate) fn append(&mut self, other: &Self) {
        if !self.is_empty() && !other.is_empty() {
            self.bytes.push(b',');
        }
        let by = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.hashes.extend_from_slice(&other.hashes);
        self.members.extend(other.members.iter().map(|member| Member {
            name: member.name.start + by..member.name.end + by,
            end: member.end + by,
        }));
    }

    /// Appends the members without braces, as they are.
    pub(crate) fn write_members(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
    }

    /// Bytes of all members.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn name(&self, member: &Member) -> &[u8] {
        self.bytes.get(member.name.clone()).unwrap_or_default()
    }

    fn text(&self, member: &Member) -> &[u8] {
        self.bytes.get(member.name.start..member.end).unwrap_or_default()
    }
}

/// Whether two members may have one name.
fn has_twins(base: &Fields, own: &Fields) -> bool {
    if base.members.len() + own.members.len() > PAIRWISE_MAX {
        return true;
    }
    let is_twin = |(index, hash): (usize, &u64)| {
        base.hashes.contains(hash)
            || own.hashes.get(..index).is_some_and(|earlier| earlier.contains(hash))
    };
    let within_base = |(index, hash): (usize, &u64)| {
        base.hashes.get(..index).is_some_and(|earlier| earlier.contains(hash))
    };
    own.hashes.iter().enumerate().any(is_twin) || base.hashes.iter().enumerate().any(within_base)
}

/// Appends the members of both, of each name the last one, in the order in which those stand.
fn write_last(base: &Fields, own: &Fields, out: &mut Vec<u8>) {
    let all: Vec<(&Fields, &Member)> = [base, own]
        .into_iter()
        .flat_map(|fields| fields.members.iter().map(move |member| (fields, member)))
        .collect();
    let name = |index: usize| all.get(index).map_or(&[][..], |(fields, at)| fields.name(at));
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|left, right| name(*left).cmp(name(*right)).then(left.cmp(right)));
    let mut last: Vec<usize> = order
        .iter()
        .zip(order.iter().skip(1).map(Some).chain([None]))
        .filter(|(this, next)| next.is_none_or(|next| name(**this) != name(*next)))
        .map(|(this, _)| *this)
        .collect();
    last.sort_unstable();
    for (place, (fields, member)) in last.iter().filter_map(|index| all.get(*index)).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(fields.text(member));
    }
}

/// Length, beginning and end tell most names apart.
fn hash(name: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |part: Option<&[u8; 8]>| part.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let ends = if name.len() < 8 {
        name.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    } else {
        word(name.first_chunk()) ^ word(name.last_chunk()).wrapping_mul(ODD).rotate_left(23)
    };
    (ends ^ name.len() as u64).wrapping_mul(ODD)
}

/// Appends a value as JSON; lists that hold lists or maps as text of JSON, for services that take
/// lists of plain values only.
pub(crate) fn write_plain_lists(value: AnyValue<'_>, out: &mut Vec<u8>) {
    let is_nested = |value: AnyValue<'_>| matches!(value, AnyValue::Array(_) | AnyValue::Map(_));
    if let AnyValue::Array(values) = value
        && values.iter().any(is_nested)
    {
        return write_embedded(value, out);
    }
    write_any_value(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_record::Value;
    use bessemer_record::value::encode_any_value;
    use proptest::prelude::*;
    use serde_json::Value as Json;

    fn put(fields: &mut Fields, name: &str, value: &Value) {
        let mut encoded = Vec::new();
        encode_any_value(value, &mut encoded);
        fields.put_flat(Text::from(name), AnyValue::new(&encoded), write_plain_lists);
    }

    fn written(base: &Fields, own: &Fields) -> String {
        let mut out = Vec::new();
        own.write_over(base, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn maps_become_names_with_dots_and_nested_lists_become_text() {
        let mut fields = Fields::default();
        let inner = Value::Map(vec![("b".into(), Value::Int(1)), ("c".into(), Value::Null)]);
        put(&mut fields, "m", &Value::Map(vec![("a".into(), inner.clone())]));
        put(&mut fields, "flat", &Value::Array(vec![Value::Int(1), Value::Bool(true)]));
        put(&mut fields, "deep", &Value::Array(vec![inner]));
        assert_eq!(
            written(&Fields::default(), &fields),
            r#"{"m.a.b":1,"m.a.c":null,"flat":[1,true],"deep":"[{\"b\":1,\"c\":null}]"}"#
        );
    }

    #[test]
    fn a_record_overrides_its_resource() {
        let (mut base, mut own) = (Fields::default(), Fields::default());
        put(&mut base, "a", &Value::Int(1));
        put(&mut base, "b", &Value::Int(2));
        put(&mut own, "a", &Value::Int(3));
        assert_eq!(written(&base, &own), r#"{"b":2,"a":3}"#);
    }

    proptest! {
        #[test]
        fn of_each_name_the_last_value_counts(
            base in proptest::collection::vec(("[a-d\"]{0,3}|longer\\.name[a-b]", any::<i64>()), 0..40),
            own in proptest::collection::vec(("[a-d\"]{0,3}|longer\\.name[a-b]", any::<i64>()), 0..40),
        ) {
            let mut both = (Fields::default(), Fields::default());
            for (name, number) in &base {
                put(&mut both.0, name, &Value::Int(*number));
            }
            for (name, number) in &own {
                put(&mut both.1, name, &Value::Int(*number));
            }
            let text = written(&both.0, &both.1);
            let found: Json = serde_json::from_str(&text).unwrap();
            let expected: serde_json::Map<String, Json> = base
                .iter()
                .chain(&own)
                .map(|(name, number)| (name.clone(), Json::from(*number)))
                .collect();
            prop_assert_eq!(text.matches(':').count(), expected.len());
            prop_assert_eq!(found, Json::Object(expected));
        }
    }
}
