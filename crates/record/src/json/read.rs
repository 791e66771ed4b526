//! JSON to protobuf: one walk over the text that writes each field as it is read.
//!
//! What a later duplicate of a key replaces is taken out at the end of its object, in one walk however
//! many duplicates there are.

use super::error::{JsonError, JsonErrorKind};
use super::schema::{self, Field, Kind, Label, Message, Role, SLOTS};
use super::token::{RawString, Source};
use crate::edit::nested;
use crate::value::DEPTH_MAX;
use crate::wire::{Reader, put_tag};
use crate::{Checked, Limits, Signal};
use bytes::Bytes;
use std::borrow::Cow;

mod leaf;

/// Reads an export request in OTLP JSON.
pub fn from_otlp_json(signal: Signal, text: &[u8], limits: &Limits) -> Result<Checked, JsonError> {
    let mut decoder = Decoder {
        source: Source::new(text)?,
        // Names and digits make JSON at least twice as long as protobuf.
        out: Vec::with_capacity(text.len() / 2),
        limits: Limits { depth_max: limits.depth_max.min(DEPTH_MAX), ..*limits },
        records: 0,
    };
    if decoder.source.peek() != Some(b'{') {
        return wrong_type(decoder.source.offset(), "the request", "an object");
    }
    decoder.message(schema::request(signal), 0)?;
    decoder.source.end()?;
    decoder.check_batch(decoder.source.offset())?;
    Ok(Checked::trusted(signal, Bytes::from(decoder.out), decoder.records))
}

struct Decoder<'a> {
    source: Source<'a>,
    out: Vec<u8>,
    limits: Limits,
    records: u32,
}

impl Decoder<'_> {
    /// Takes an object and appends the fields of its message. `depth` counts the values around it.
    fn message(&mut self, schema: &'static Message, depth: u32) -> Result<(), JsonError> {
        let offset = self.source.offset();
        let start = self.out.len();
        let depth = depth + u32::from(schema.role == Role::Value);
        if depth > self.limits.depth_max {
            let kind = JsonErrorKind::TooDeep { max: self.limits.depth_max };
            return Err(JsonError { offset, kind });
        }
        let mut written = Written::default();
        self.source.expect(b'{', "'{'")?;
        let mut has_more = !self.source.take(b'}');
        while has_more {
            let key = self.source.key()?;
            let field =
                if key.is_escaped { schema.named(&resolved(key)) } else { schema.named(key.raw) };
            match field {
                Some(field) => self.member(field, depth, &mut written)?,
                None => self.source.skip_value()?,
            }
            has_more = self.source.more(b'}')?;
        }
        if written.has_duplicates {
            self.drop_replaced(schema, start, &written);
        }
        self.count(schema.role, offset, self.out.len() - start)
    }

    /// Applies the limits to a message that was just read, and counts it.
    fn count(&mut self, role: Role, offset: usize, size: usize) -> Result<(), JsonError> {
        let max = self.limits.record_bytes_max;
        let is_record = matches!(role, Role::Record | Role::CountedRecord);
        if is_record && size > max {
            return Err(JsonError { offset, kind: JsonErrorKind::RecordTooLarge { size, max } });
        }
        if matches!(role, Role::Counted | Role::CountedRecord) {
            self.records = self.records.saturating_add(1);
        }
        self.check_batch(offset)
    }

    fn check_batch(&self, offset: usize) -> Result<(), JsonError> {
        let (size, max) = (self.out.len(), self.limits.batch_bytes_max);
        if size > max {
            return Err(JsonError { offset, kind: JsonErrorKind::BatchTooLarge { size, max } });
        }
        Ok(())
    }

    /// Takes the value of a known key.
    fn member(
        &mut self,
        field: &'static Field,
        depth: u32,
        written: &mut Written,
    ) -> Result<(), JsonError> {
        if self.source.peek() == Some(b'n') {
            // A member of a `oneof` that is null is not set, and so does not replace another one.
            if field.label != Label::Oneof {
                written.starts(field, self.out.len());
            }
            return self.source.literal("null");
        }
        written.starts(field, self.out.len());
        if field.label == Label::Repeated {
            self.list(field, depth)
        } else {
            self.single(field, depth)
        }
    }

    fn list(&mut self, field: &'static Field, depth: u32) -> Result<(), JsonError> {
        let offset = self.source.offset();
        if !self.source.take(b'[') {
            return wrong_type(offset, field.name, "an array");
        }
        if self.source.take(b']') {
            return Ok(());
        }
        let packed = field.is_packed().then(|| nested::open(field.number, &mut self.out));
        loop {
            if packed.is_some() {
                self.number(field)?;
                self.check_batch(offset)?;
            } else {
                self.single(field, depth)?;
            }
            if !self.source.more(b']')? {
                break;
            }
        }
        if let Some(start) = packed {
            nested::close(start, &mut self.out);
        }
        Ok(())
    }

    /// Takes one value and appends it with its tag.
    fn single(&mut self, field: &'static Field, depth: u32) -> Result<(), JsonError> {
        let start = self.out.len();
        match field.kind {
            Kind::Text | Kind::Hex | Kind::Base64 => self.string(field)?,
            Kind::Message(schema) => {
                let offset = self.source.offset();
                if self.source.peek() != Some(b'{') {
                    return wrong_type(offset, field.name, "an object");
                }
                let content = nested::open(field.number, &mut self.out);
                self.message(schema, depth)?;
                nested::close(content, &mut self.out);
            }
            Kind::Bool
            | Kind::Int32
            | Kind::Uint32
            | Kind::Sint32
            | Kind::Enum
            | Kind::Int64
            | Kind::Uint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed64
            | Kind::Double => {
                put_tag(&mut self.out, field.number, field.kind.wire_type());
                let content = self.out.len();
                self.number(field)?;
                let is_zero = self.out.iter().skip(content).all(|&byte| byte == 0);
                if is_zero && field.label == Label::Single {
                    self.out.truncate(start);
                }
            }
        }
        Ok(())
    }

    /// Takes out the fields that a later duplicate of their key has replaced.
    fn drop_replaced(&mut self, schema: &Message, start: usize, written: &Written) {
        let content = self.out.split_off(start);
        let mut from = 0;
        let mut fields = Reader::new(&content);
        while let Some((number, _)) = fields.next() {
            let to = fields.offset();
            let slot = schema.field(number).map_or(0, |field| field.slot);
            if written.starts.get(slot).is_some_and(|&kept| start + from >= kept) {
                self.out.extend_from_slice(content.get(from..to).unwrap_or_default());
            }
            from = to;
        }
    }
}

fn wrong_type<T>(
    offset: usize,
    field: &'static str,
    expected: &'static str,
) -> Result<T, JsonError> {
    Err(JsonError { offset, kind: JsonErrorKind::WrongType { field, expected } })
}

/// Where the fields of a message start in the output.
#[derive(Default)]
struct Written {
    starts: [usize; SLOTS],
    seen: u32,
    has_duplicates: bool,
}

impl Written {
    fn starts(&mut self, field: &Field, at: usize) {
        self.has_duplicates |= self.seen >> field.slot & 1 == 1;
        self.seen |= 1 << field.slot;
        if let Some(start) = self.starts.get_mut(field.slot) {
            *start = at;
        }
    }
}

/// A string with its escapes resolved.
fn resolved(string: RawString<'_>) -> Cow<'_, [u8]> {
    if !string.is_escaped {
        return Cow::Borrowed(string.raw);
    }
    let mut decoded = Vec::with_capacity(string.raw.len());
    string.decode(&mut decoded);
    Cow::Owned(decoded)
}
