//! Arguments as a function sees them that looks at values where they are.

use std::cell::RefCell;

use super::{Argument, Bound, Prepared};
use crate::error::RunError;
use crate::expression::{Expression, Path};
use crate::pattern::Pattern;
use crate::program::Environment;
use crate::record::Record;
use crate::seen::Seen;
use crate::value::Value;

/// A call of a function for one record, whose arguments are evaluated when they are asked for: in
/// their order, since the first one that fails is the one that is reported.
#[derive(Debug, Clone, Copy)]
pub struct Site<'c> {
    pub(super) bound: &'c Bound,
    pub(super) record: &'c Record<'c>,
    pub(super) environment: &'c Environment,
}

impl<'c> Site<'c> {
    /// The call on a record, as it is before it is changed.
    pub(crate) fn of(edit: &Edit<'c>, record: &'c Record<'_>) -> Self {
        Self { bound: edit.bound, record, environment: edit.environment }
    }

    /// An argument, nil if it was left out; text that is made for it goes to the room.
    #[inline]
    pub(crate) fn see<'s>(
        &'s self,
        at: usize,
        room: &'s mut Vec<u8>,
    ) -> Result<Seen<'s>, RunError> {
        match self.bound.arguments.get(at) {
            Some(Argument::Value(expression)) => {
                expression.see(self.record, self.environment, room)
            }
            _ => Ok(Seen::Nil),
        }
    }

    /// A text argument; empty if the call has no such argument.
    #[inline]
    pub(crate) fn text<'s>(
        &'s self,
        at: usize,
        room: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], RunError> {
        match self.see(at, room)? {
            Seen::Text(text) => Ok(text),
            Seen::Nil if self.bound.arguments.get(at).is_none() => Ok(&[]),
            other => Err(other.mismatch("a string")),
        }
    }

    /// A literal text argument; empty if it was left out.
    pub(crate) fn word(&self, at: usize) -> &'c str {
        literal_text(self.bound, at).unwrap_or_default()
    }

    pub(crate) fn pattern(&self) -> Result<&'c Pattern, RunError> {
        pattern(self.bound)
    }

    /// Appends the text forms of the items of a list argument, `<nil>` where there is none, with
    /// text between them.
    pub(crate) fn join(
        &self,
        at: usize,
        between: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RunError> {
        let mut row = Row { between, out, is_begun: false, refused: None };
        let mut room = Vec::new();
        match self.bound.arguments.get(at) {
            Some(Argument::Value(Expression::List(items))) => {
                for item in items {
                    row.add(item.see(self.record, self.environment, &mut room)?);
                }
            }
            _ => match self.see(at, &mut room)?.into_value() {
                Value::List(items) => items.iter().for_each(|item| row.add(Seen::from(item))),
                other => return Err(other.mismatch("a list")),
            },
        }
        row.refused.map_or(Ok(()), Err)
    }
}

/// Text forms one behind the other. All items of a list are evaluated before the first is refused.
struct Row<'o> {
    between: &'o [u8],
    out: &'o mut Vec<u8>,
    is_begun: bool,
    refused: Option<RunError>,
}

impl Row<'_> {
    fn add(&mut self, item: Seen<'_>) {
        if std::mem::replace(&mut self.is_begun, true) {
            self.out.extend_from_slice(self.between);
        }
        match item.append_text(self.out) {
            Ok(true) => {}
            Ok(false) => self.out.extend_from_slice(b"<nil>"),
            Err(error) => {
                self.refused.get_or_insert(error);
            }
        }
    }
}

/// A call of an editor that may be able to change its target where it is.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'c> {
    pub(super) bound: &'c Bound,
    pub(super) environment: &'c Environment,
}

impl<'c> Edit<'c> {
    /// What the call changes.
    pub(crate) fn target(&self) -> Option<&'c Path> {
        match self.bound.arguments.first() {
            Some(Argument::Target(path)) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn environment(&self) -> &'c Environment {
        self.environment
    }

    /// A text argument, if it is literal.
    pub(crate) fn literal_text(&self, at: usize) -> Option<&'c str> {
        literal_text(self.bound, at)
    }

    /// An integer argument, if it is literal.
    pub(crate) fn literal_int(&self, at: usize) -> Option<i64> {
        match self.bound.arguments.get(at) {
            Some(Argument::Value(Expression::Literal(Value::Int(number)))) => Some(*number),
            _ => None,
        }
    }

    /// Whether an argument was left out.
    pub(crate) fn is_absent(&self, at: usize) -> bool {
        matches!(self.bound.arguments.get(at), None | Some(Argument::Absent))
    }

    pub(crate) fn pattern(&self) -> Result<&'c Pattern, RunError> {
        pattern(self.bound)
    }
}

fn literal_text(bound: &Bound, at: usize) -> Option<&str> {
    match bound.arguments.get(at) {
        Some(Argument::Value(expression)) => expression.literal_text(),
        _ => None,
    }
}

fn pattern(bound: &Bound) -> Result<&Pattern, RunError> {
    match &bound.prepared {
        Prepared::Regex(pattern) => Ok(pattern),
        _ => Err(super::arguments::unprepared()),
    }
}

/// Rooms of more bytes than this are not kept: 64 KiB.
const ROOM_BYTES_MAX: usize = 64 << 10;

thread_local! {
    static ROOMS: RefCell<Rooms> = const { RefCell::new(Rooms::EMPTY) };
}

/// Buffers for what a statement makes, kept from one to the next on each thread.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// Text that stands nowhere yet.
    pub(crate) made: Vec<u8>,
    /// An encoded value.
    pub(crate) encoded: Vec<u8>,
}

impl Rooms {
    const EMPTY: Self = Self { made: Vec::new(), encoded: Vec::new() };

    /// Lends the buffers, which hold what they held before; within another loan they are new ones.
    pub(crate) fn with<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        let mut rooms = ROOMS.replace(Self::EMPTY);
        let outcome = work(&mut rooms);
        if rooms.made.capacity().max(rooms.encoded.capacity()) <= ROOM_BYTES_MAX {
            ROOMS.set(rooms);
        }
        outcome
    }
}
