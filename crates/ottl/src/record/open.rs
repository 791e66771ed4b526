//! The record itself, taken apart: looked at and changed where it is.

use std::borrow::Cow;

use bessemer_record::edit::{Field, Opened, Twins};
use bessemer_record::value::AnyValue;

use super::{OWN, Record};
use crate::context::Context;
use crate::expression::Path;
use crate::paths::Shape;

impl<'a> Record<'a> {
    /// What a context names, if it is the record itself and taken apart.
    #[inline]
    pub(super) fn opened(&self, of: Context) -> Option<&Opened<'a>> {
        if of == self.context { self.opened.as_ref() } else { None }
    }

    /// The same, taken apart if it was not; none of a resource or a scope, which are not opened.
    pub(crate) fn open(&mut self, of: Context) -> Option<&mut Opened<'a>> {
        if of != self.context {
            return None;
        }
        if self.opened.is_none() {
            let list = self.list()?;
            let Cow::Borrowed(message) = self.parts.get(OWN)?.bytes else { return None };
            self.opened = Some(Opened::new(message, list));
        }
        self.opened.as_mut()
    }

    /// Takes the record itself apart before it is looked at often.
    pub(crate) fn open_own(&mut self) {
        self.open(self.context);
    }

    /// The number of the field that holds the attributes of the record itself.
    fn list(&self) -> Option<u32> {
        match self.context {
            Context::Resource | Context::Scope => None,
            Context::Log => Some(6),
            Context::Span => Some(9),
            Context::SpanEvent => Some(3),
            Context::Metric => Some(12),
            Context::DataPoint => [7, 9, 1, 7].get(self.point).copied(),
        }
    }

    /// The record itself, to change the field of a path where it is; none if it is not in there, or
    /// not directly. To be asked for after [`Record::locate`].
    pub(super) fn opened_at(&mut self, path: &Path, inside: u32) -> Option<&mut Opened<'a>> {
        if inside == 0 { self.open(path.context) } else { None }
    }

    /// The field at a place.
    #[inline]
    pub(super) fn field(&self, path: &Path, inside: u32, number: u32) -> Option<Field<'_>> {
        match self.opened(path.context) {
            Some(opened) if inside == 0 => opened.field(number),
            _ => bessemer_record::edit::field(self.holder(path, inside), number),
        }
    }

    /// The first attribute with a key in the list at a place.
    #[inline]
    pub(super) fn attribute_at(
        &self,
        path: &Path,
        (inside, number): (u32, u32),
        key: &[u8],
    ) -> Option<AnyValue<'_>> {
        match self.opened(path.context) {
            Some(opened) if inside == 0 && opened.list() == number => {
                opened.attribute(key).map(AnyValue::new)
            }
            _ => super::read::find(self.holder(path, inside), number, key),
        }
    }

    /// Whether a path is the attributes of the record itself, which can be changed where they are.
    fn is_own_list(&self, path: &Path) -> bool {
        path.context == self.context
            && path.entry.shape == Shape::Attributes
            && self.locate(path).is_some_and(|(inside, _)| inside == 0)
            && self.list().is_some()
    }

    /// The key of the one attribute of the record itself that a path is.
    pub(crate) fn own_key<'p>(&self, path: &'p Path) -> Option<&'p [u8]> {
        let key = path.only_key()?;
        self.is_own_list(path).then_some(key.as_bytes())
    }

    /// Sets an attribute of the record itself to an encoded `AnyValue`.
    pub(crate) fn set_own(&mut self, key: &[u8], value: &[u8]) {
        self.change_own(|opened| opened.set_value(key, Twins::Kept, value));
    }

    /// The attributes of the record itself, to be changed by key, if a path is all of them.
    pub(crate) fn own_list(&mut self, path: &Path) -> Option<OwnList<'_, 'a>> {
        let is_whole = path.keys.is_empty() && self.is_own_list(path);
        is_whole.then_some(OwnList { record: self })
    }

    fn change_own(&mut self, change: impl FnOnce(&mut Opened<'a>) -> bool) {
        if let Some(opened) = self.open(self.context) {
            let is_changed = change(opened);
            self.edits += u32::from(is_changed);
        }
    }
}

/// The attributes of the record itself.
pub(crate) struct OwnList<'r, 'a> {
    record: &'r mut Record<'a>,
}

impl OwnList<'_, '_> {
    /// Removes the attributes with a key.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.record.change_own(|opened| opened.remove(key));
    }

    /// Removes the attributes whose keys are not kept.
    pub(crate) fn retain(&mut self, is_kept: &dyn Fn(&str) -> bool) {
        let is_kept = |key: &[u8], _: &[u8]| std::str::from_utf8(key).is_ok_and(is_kept);
        self.record.change_own(|opened| opened.retain(is_kept));
    }

    /// Cuts texts to at most this many bytes, at the border of a character.
    pub(crate) fn truncate(&mut self, len_max: usize) {
        self.record.change_own(|opened| opened.truncate(len_max));
    }
}
