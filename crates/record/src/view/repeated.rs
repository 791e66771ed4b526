//! Messages that repeat under one field number of their parent.

use crate::value::Text;
use crate::wire::{Reader, WireValue};
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

/// What can be read from the bytes of a message.
pub trait Message<'a>: Sized {
    /// Reads the message; never fails.
    fn read(message: &'a [u8]) -> Self;
}

impl<'a> Message<'a> for Text<'a> {
    fn read(message: &'a [u8]) -> Self {
        Text::new(message)
    }
}

/// The messages under one field number, read one by one while iterating.
pub struct Repeated<'a, M> {
    bytes: &'a [u8],
    number: u32,
    message: PhantomData<fn() -> M>,
}

impl<'a, M> Repeated<'a, M> {
    pub(crate) const fn new(bytes: &'a [u8], number: u32) -> Self {
        Self { bytes, number, message: PhantomData }
    }

    /// The part of the parent message that holds them, other fields in between included.
    pub(crate) const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of each message.
    pub fn bytes(self) -> RepeatedIter<'a, &'a [u8]> {
        Repeated::<'a, &'a [u8]>::new(self.bytes, self.number).iter()
    }

    /// The number of messages, counted by walking them.
    pub fn len(self) -> usize {
        self.bytes().count()
    }

    /// Whether there is no message.
    pub fn is_empty(self) -> bool {
        self.bytes().next().is_none()
    }
}

impl<'a, M: Message<'a>> Repeated<'a, M> {
    /// Iterates over the messages.
    pub fn iter(self) -> RepeatedIter<'a, M> {
        RepeatedIter { fields: Reader::new(self.bytes), number: self.number, message: PhantomData }
    }
}

impl<'a> Message<'a> for &'a [u8] {
    fn read(message: &'a [u8]) -> Self {
        message
    }
}

impl<M> Clone for Repeated<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Repeated<'_, M> {}

impl<M> Default for Repeated<'_, M> {
    fn default() -> Self {
        Self::new(&[], 0)
    }
}

impl<M> fmt::Debug for Repeated<'_, M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.bytes()).finish()
    }
}

impl<'a, M: Message<'a>> IntoIterator for Repeated<'a, M> {
    type Item = M;
    type IntoIter = RepeatedIter<'a, M>;

    fn into_iter(self) -> RepeatedIter<'a, M> {
        self.iter()
    }
}

/// Iterates over the messages of a [`Repeated`].
pub struct RepeatedIter<'a, M> {
    fields: Reader<'a>,
    number: u32,
    message: PhantomData<fn() -> M>,
}

impl<M> Clone for RepeatedIter<'_, M> {
    fn clone(&self) -> Self {
        Self { fields: self.fields.clone(), number: self.number, message: PhantomData }
    }
}

impl<M> fmt::Debug for RepeatedIter<'_, M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RepeatedIter").field("number", &self.number).finish()
    }
}

impl<'a, M: Message<'a>> Iterator for RepeatedIter<'a, M> {
    type Item = M;

    #[inline]
    fn next(&mut self) -> Option<M> {
        let number = self.number;
        self.fields.find_map(|field| match field {
            (found, WireValue::Bytes(bytes)) if found == number => Some(M::read(bytes)),
            _ => None,
        })
    }
}

impl<'a, M: Message<'a>> FusedIterator for RepeatedIter<'a, M> {}
