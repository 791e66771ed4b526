//! The exact check: knows every way a message can be encoded, and says what is wrong where.
//!
//! Goes by the tables of [`crate::schema`], with its own stack, so that nesting costs no call
//! depth.

use super::error::{CheckError, CheckErrorKind};
use super::text;
use crate::limits::Limits;
use crate::schema::{self, Bound, Field, Kind, Message};
use crate::signal::Signal;
use crate::wire::{
    FIXED32, FIXED64, GROUP_DEPTH_MAX, GROUP_END, GROUP_START, LEN, VARINT, read_varint,
};

/// Field names shown of a path; deep values would make endless ones.
const PATH_NAMES_MAX: usize = 12;

/// Says why a request is refused; `None` if it is well formed.
pub(super) fn explain(signal: Signal, bytes: &[u8], limits: &Limits) -> Option<CheckError> {
    let mut exact = Exact::new(bytes, limits);
    exact.open(schema::request(signal), "", 0, bytes.len()).and_then(|()| exact.run()).err()
}

/// Whether `bytes[start..end]` is a well-formed message of this type.
pub(super) fn accepts(
    bytes: &[u8],
    (start, end): (usize, usize),
    message: &'static Message,
    limits: &Limits,
) -> bool {
    let mut exact = Exact::new(bytes, limits);
    exact.open(message, "", start, end).and_then(|()| exact.run()).is_ok()
}

/// The end of the well-formed field of `message` that starts at `start`.
pub(super) fn field_end(
    bytes: &[u8],
    (start, end): (usize, usize),
    message: &'static Message,
    limits: &Limits,
) -> Option<usize> {
    let mut exact = Exact::new(bytes, limits);
    exact.open(message, "", start, end).ok()?;
    let floor = exact.frames.len();
    exact.field().ok()?;
    while exact.frames.len() > floor {
        exact.step().ok()?;
    }
    Some(exact.position)
}

/// The number and wire type of the field at `start`, and where its value begins.
pub(super) fn tag(bytes: &[u8], start: usize) -> Option<(u32, u8, usize)> {
    let (tag, len) = read_varint(bytes.get(start..)?)?;
    let tag = u32::try_from(tag).ok()?;
    Some((tag >> 3, (tag & 7) as u8, start + len))
}

struct Frame {
    message: &'static Message,
    name: &'static str,
    end: usize,
    depth: u32,
}

struct Exact<'a> {
    bytes: &'a [u8],
    limits: &'a Limits,
    position: usize,
    frames: Vec<Frame>,
}

impl<'a> Exact<'a> {
    fn new(bytes: &'a [u8], limits: &'a Limits) -> Self {
        Self { bytes, limits, position: 0, frames: Vec::new() }
    }

    fn run(&mut self) -> Result<(), CheckError> {
        while !self.frames.is_empty() {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), CheckError> {
        if self.position == self.end() {
            self.frames.pop();
            return Ok(());
        }
        self.field()
    }

    fn end(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.end)
    }

    fn open(
        &mut self,
        message: &'static Message,
        name: &'static str,
        start: usize,
        end: usize,
    ) -> Result<(), CheckError> {
        let mut depth = self.frames.last().map_or(0, |frame| frame.depth);
        match message.bound {
            Bound::Free => {}
            Bound::Record => {
                let (size, max) = (end - start, self.limits.record_bytes_max);
                if size > max {
                    let kind = CheckErrorKind::RecordTooLarge { size, max };
                    return Err(self.error_in(name, start, kind));
                }
            }
            Bound::Depth => {
                depth += 1;
                let max = self.limits.depth_max;
                if depth > max {
                    return Err(self.error_in(name, start, CheckErrorKind::TooDeep { max }));
                }
            }
        }
        self.position = start;
        self.frames.push(Frame { message, name, end, depth });
        Ok(())
    }

    fn field(&mut self) -> Result<(), CheckError> {
        let start = self.position;
        let (number, wire_type) = self.tag()?;
        let field = self.frames.last().and_then(|frame| frame.message.field(number));
        match field {
            Some(field) => self.known(field, wire_type, start),
            None if wire_type == GROUP_START => self.group(number, start),
            None => self.skip(wire_type, start),
        }
    }

    fn known(&mut self, field: &Field, wire_type: u8, start: usize) -> Result<(), CheckError> {
        let unpacked = match field.kind {
            Kind::Varints => Some(VARINT),
            Kind::Fixed64s => Some(FIXED64),
            Kind::Varint
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Text
            | Kind::Bytes
            | Kind::Attribute
            | Kind::KeyValue
            | Kind::AnyValue
            | Kind::Point(_)
            | Kind::Message(_) => None,
        };
        if wire_type != field.kind.wire_type() {
            if unpacked == Some(wire_type) {
                return self.skip(wire_type, start);
            }
            return Err(self.error_in(field.name, start, CheckErrorKind::WrongWireType));
        }
        if wire_type != LEN {
            return self.skip(wire_type, start);
        }
        let end = self.len_end(start)?;
        match field.kind.message() {
            Some(message) => return self.open(message, field.name, self.position, end),
            None => self.content(field, end)?,
        }
        self.position = end;
        Ok(())
    }

    fn content(&mut self, field: &Field, end: usize) -> Result<(), CheckError> {
        let start = self.position;
        match field.kind {
            Kind::Text => {
                let bytes = self.bytes.get(start..end).unwrap_or_default();
                match text::invalid_utf8(bytes) {
                    Some(at) => Err(self.error_in(field.name, start + at, CheckErrorKind::Utf8)),
                    None => Ok(()),
                }
            }
            Kind::Fixed64s if !(end - start).is_multiple_of(8) => {
                Err(self.error_in(field.name, start, CheckErrorKind::Truncated))
            }
            Kind::Varints => {
                while self.position < end {
                    self.varint()?;
                }
                if self.position == end {
                    Ok(())
                } else {
                    Err(self.error_in(field.name, start, CheckErrorKind::Truncated))
                }
            }
            Kind::Varint
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Fixed64s
            | Kind::Bytes
            | Kind::Attribute
            | Kind::KeyValue
            | Kind::AnyValue
            | Kind::Point(_)
            | Kind::Message(_) => Ok(()),
        }
    }

    fn skip(&mut self, wire_type: u8, start: usize) -> Result<(), CheckError> {
        let len = match wire_type {
            VARINT => {
                self.varint()?;
                0
            }
            FIXED64 => 8,
            LEN => {
                self.position = self.len_end(start)?;
                0
            }
            FIXED32 => 4,
            GROUP_START | GROUP_END => return Err(self.error(start, CheckErrorKind::BadGroup)),
            _ => return Err(self.error(start, CheckErrorKind::BadTag)),
        };
        self.position += len;
        // A varint, too, may have run into what follows the message.
        if self.position > self.end() {
            return Err(self.error(start, CheckErrorKind::Truncated));
        }
        Ok(())
    }

    fn group(&mut self, number: u32, start: usize) -> Result<(), CheckError> {
        let mut open = vec![number];
        while let Some(&current) = open.last() {
            let at = self.position;
            if at >= self.end() {
                return Err(self.error(start, CheckErrorKind::BadGroup));
            }
            let (inner, wire_type) = self.tag()?;
            match wire_type {
                GROUP_START if open.len() < GROUP_DEPTH_MAX as usize => open.push(inner),
                GROUP_END if inner == current => drop(open.pop()),
                _ => self.skip(wire_type, at)?,
            }
        }
        Ok(())
    }

    fn tag(&mut self) -> Result<(u32, u8), CheckError> {
        let start = self.position;
        let tag = self.varint()?;
        let Ok(tag) = u32::try_from(tag) else {
            return Err(self.error(start, CheckErrorKind::BadTag));
        };
        if tag >> 3 == 0 || tag & 7 > 5 {
            return Err(self.error(start, CheckErrorKind::BadTag));
        }
        Ok((tag >> 3, (tag & 7) as u8))
    }

    fn len_end(&mut self, start: usize) -> Result<usize, CheckError> {
        let len = self.varint()?;
        let end = usize::try_from(len).ok().and_then(|len| self.position.checked_add(len));
        match end {
            Some(end) if end <= self.end() => Ok(end),
            _ => Err(self.error(start, CheckErrorKind::Truncated)),
        }
    }

    fn varint(&mut self) -> Result<u64, CheckError> {
        let start = self.position;
        let bytes = self.bytes.get(start..self.end()).unwrap_or_default();
        if let Some((value, len)) = read_varint(bytes) {
            self.position += len;
            return Ok(value);
        }
        let kind = if bytes.len() < 10 && bytes.iter().all(|byte| *byte >= 0x80) {
            CheckErrorKind::Truncated
        } else {
            CheckErrorKind::BadVarint
        };
        Err(self.error(start, kind))
    }

    fn error(&self, offset: usize, kind: CheckErrorKind) -> CheckError {
        self.error_in("", offset, kind)
    }

    #[cold]
    fn error_in(&self, name: &'static str, offset: usize, kind: CheckErrorKind) -> CheckError {
        let names = self.frames.iter().map(|frame| frame.name).chain([name]);
        let mut names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
        if names.len() > PATH_NAMES_MAX {
            names.truncate(PATH_NAMES_MAX);
            names.push("..");
        }
        CheckError { offset, kind, path: names.join(".").into_boxed_str() }
    }
}
