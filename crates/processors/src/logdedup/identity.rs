//! What makes two log records equal: attributes and maps count without their order.
//!
//! Identities are 128 bits of two keyed hashes that differ in every process: nobody outside can
//! choose records that collide, and by chance none will.

use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};

use bessemer_record::value::{AnyValue, Map};
use bessemer_record::view::{LogRecordView, ResourceView, ScopeView};

use super::path::{Path, Root};

/// Values nested deeper than this count as equal; the limit of the check is below.
const DEPTH_MAX: u32 = 256;

/// Stands for the content of a record, or for whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Identity([u64; 2]);

/// Makes identities.
#[derive(Debug, Default)]
pub(super) struct Identities {
    states: [RandomState; 2],
}

/// Paths of a list that lead on from where a value stands, by their place in the list.
#[derive(Clone, Copy)]
struct Below<'p> {
    paths: &'p [Path],
    live: u64,
    depth: usize,
}

impl<'p> Below<'p> {
    fn root(paths: &'p [Path], root: Root) -> Self {
        let live = Self { paths, live: 0, depth: 0 };
        paths.iter().zip(0_u32..).filter(|(path, _)| path.root == root).fold(live, Self::with)
    }

    fn with(self, (_, bit): (&Path, u32)) -> Self {
        Self { live: self.live | 1_u64.checked_shl(bit).unwrap_or(0), ..self }
    }

    /// The paths inside the entry of a key; nothing if one of them ends there.
    fn enter(self, key: &[u8]) -> Option<Self> {
        if self.live == 0 {
            return Some(self);
        }
        let mut inner = Self { live: 0, depth: self.depth + 1, ..self };
        for (path, bit) in self.paths.iter().zip(0_u32..) {
            let is_live = self.live.checked_shr(bit).unwrap_or(0) & 1 == 1;
            if is_live && path.names.get(self.depth).is_some_and(|name| name.as_bytes() == key) {
                if path.names.len() == inner.depth {
                    return None;
                }
                inner = inner.with((path, bit));
            }
        }
        Some(inner)
    }
}

impl Identities {
    fn each(&self, mut hash: impl FnMut(&mut DefaultHasher)) -> Identity {
        Identity(self.states.each_ref().map(|state| {
            let mut out = state.build_hasher();
            hash(&mut out);
            out.finish()
        }))
    }

    /// A group by owner, resource and scope.
    pub(super) fn of_group(
        &self,
        owner: usize,
        resource: &ResourceView<'_>,
        scope: &ScopeView<'_>,
    ) -> Identity {
        let none = Below { paths: &[], live: 0, depth: 0 };
        let resource = self.map(resource.attributes(), none, 0);
        let attributes = self.map(scope.attributes(), none, 0);
        let (name, version) = (scope.name(), scope.version());
        self.each(|out| {
            (owner, resource, attributes).hash(out);
            (name.as_bytes(), version.as_bytes()).hash(out);
        })
    }

    /// A record of a group by its body, severity and attributes, but for some fields.
    pub(super) fn of_record(
        &self,
        group: usize,
        record: &LogRecordView<'_>,
        without: &[Path],
    ) -> Identity {
        let attributes = Below::root(without, Root::Attributes);
        let attributes = self.map(record.attributes(), attributes, 0);
        let body = self.value(record.body(), Below::root(without, Root::Body), 0);
        let (number, text) = (record.severity_number(), record.severity_text());
        self.each(|out| (group, attributes, body, number, text.as_bytes()).hash(out))
    }

    /// A record of a group by some fields only; nothing if it has none of them.
    pub(super) fn of_fields(
        &self,
        group: usize,
        record: &LogRecordView<'_>,
        only: &[Path],
    ) -> Option<Identity> {
        let none = Below { paths: &[], live: 0, depth: 0 };
        let mut all = self.each(|out| group.hash(out));
        let mut is_any = false;
        for (index, path) in only.iter().enumerate() {
            let Some(value) = path.of(record) else { continue };
            let value = self.value(value, none, 0);
            all = self.each(|out| (all, index, value).hash(out));
            is_any = true;
        }
        is_any.then_some(all)
    }

    /// The sum over the entries: it hangs on no order, and no one can aim at it without the keys.
    fn map(&self, map: Map<'_>, below: Below<'_>, depth: u32) -> Identity {
        let mut sum = Identity::default();
        for (key, value) in map {
            let Some(inner) = below.enter(key.as_bytes()) else { continue };
            let value = self.value(value, inner, depth + 1);
            let entry = self.each(|out| (key.as_bytes(), value).hash(out));
            for (sum, entry) in sum.0.iter_mut().zip(entry.0) {
                *sum = sum.wrapping_add(entry);
            }
        }
        sum
    }

    fn value(&self, value: AnyValue<'_>, below: Below<'_>, depth: u32) -> Identity {
        if depth >= DEPTH_MAX {
            return Identity::default();
        }
        match value {
            AnyValue::Empty => self.each(|out| 0_u8.hash(out)),
            AnyValue::Str(text) => self.each(|out| (1_u8, text.as_bytes()).hash(out)),
            AnyValue::Bool(truth) => self.each(|out| (2_u8, truth).hash(out)),
            AnyValue::Int(number) => self.each(|out| (3_u8, number).hash(out)),
            AnyValue::Double(number) => self.each(|out| (4_u8, number.to_bits()).hash(out)),
            AnyValue::Bytes(bytes) => self.each(|out| (5_u8, bytes).hash(out)),
            AnyValue::Array(values) => {
                let none = Below { live: 0, ..below };
                let mut all = self.each(|out| 6_u8.hash(out));
                for value in values {
                    let value = self.value(value, none, depth + 1);
                    all = self.each(|out| (all, value).hash(out));
                }
                all
            }
            AnyValue::Map(map) => {
                let sum = self.map(map, below, depth);
                self.each(|out| (7_u8, sum).hash(out))
            }
        }
    }
}
