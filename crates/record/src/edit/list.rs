//! A list of attributes while it is changed by key. Entries stay bytes, so that what is not touched
//! is copied as it is.

use super::opened::{Opened, Twins};
use super::{Attribute, EditList, Target, each_list};
use crate::value::{AnyValue, Text, Value, encode_any_value};
use crate::wire::put_len_delimited;

/// The attributes of one message.
#[derive(Debug)]
pub struct List<'m> {
    opened: Opened<'m>,
}

impl List<'_> {
    /// The value of the first attribute with this key.
    #[inline]
    pub fn get(&self, key: &str) -> Option<AnyValue<'_>> {
        self.opened.attribute(key.as_bytes()).map(AnyValue::new)
    }

    /// Whether there is an attribute with this key.
    #[inline]
    pub fn has(&self, key: &str) -> bool {
        self.opened.attribute(key.as_bytes()).is_some()
    }

    /// The attributes in the order of the message, new ones last; a key may stand twice.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'_>, AnyValue<'_>)> {
        self.opened.attributes().map(|(key, value)| (Text::new(key), AnyValue::new(value)))
    }

    /// The keys in the order of the message, those of new attributes last.
    pub fn keys(&self) -> impl Iterator<Item = Text<'_>> {
        self.opened.attributes().map(|(key, _)| Text::new(key))
    }

    /// Sets an attribute, whether its key is present or not.
    pub fn set(&mut self, attribute: &Attribute) {
        self.opened.set_encoded(attribute, Twins::Removed);
    }

    /// Sets an attribute to a text.
    pub fn set_text(&mut self, key: &str, text: Text<'_>) {
        let encode = |out: &mut Vec<u8>| put_len_delimited(out, 1, text.as_bytes());
        self.opened.set(key.as_bytes(), Twins::Removed, encode);
    }

    /// Sets an attribute to a value.
    pub fn set_value(&mut self, key: &str, value: &Value) {
        let encode = |out: &mut Vec<u8>| encode_any_value(value, out);
        self.opened.set(key.as_bytes(), Twins::Removed, encode);
    }

    /// Sets an attribute to the value of another one, if there is that one.
    pub fn copy(&mut self, from: &str, to: &str) {
        self.opened.copy(from.as_bytes(), to.as_bytes(), Twins::Removed);
    }

    /// Removes an attribute.
    pub fn remove(&mut self, key: &str) {
        self.opened.remove(key.as_bytes());
    }

    /// Removes the attributes whose key a predicate picks.
    pub fn remove_where(&mut self, mut is_picked: impl FnMut(Text<'_>) -> bool) {
        self.opened.retain(|key, _| !is_picked(Text::new(key)));
    }
}

/// Lets a function change each list of attributes.
pub fn rewrite(
    target: Target,
    message: &[u8],
    mut change: impl FnMut(&mut List<'_>),
    out: &mut Vec<u8>,
) -> bool {
    let edit: &mut EditList<'_> = &mut |holder, number, out| {
        let mut list = List { opened: Opened::new(holder, number) };
        change(&mut list);
        let patch = list.opened.into_patch();
        patch.write(holder, out);
        patch.is_changed()
    };
    each_list(target, message, out, edit)
}
