//! Looking at the value of a path without a copy.

use bessemer_record::edit::Field;
use bessemer_record::value::AnyValue;

use super::Record;
use crate::error::RunError;
use crate::expression::Path;
use crate::paths::Shape;
use crate::program::Environment;
use crate::seen::Seen;

impl Record<'_> {
    /// The value of a path as [`Record::get`] reads it, in place where it stands somewhere.
    #[inline]
    pub(crate) fn see<'r>(
        &'r self,
        path: &'r Path,
        environment: &Environment,
        room: &'r mut Vec<u8>,
    ) -> Result<Seen<'r>, RunError> {
        if let Some(seen) = self.seen(path) {
            self.step()?;
            return Ok(seen);
        }
        Ok(Seen::made(self.get(path, environment)?, room))
    }

    /// The text of a path, without a copy, where it is text in the record.
    pub(crate) fn text(&self, path: &Path) -> Option<&[u8]> {
        match self.seen(path)? {
            Seen::Text(text) => Some(text),
            _ => None,
        }
    }

    #[inline]
    fn seen(&self, path: &Path) -> Option<Seen<'_>> {
        let shape = path.entry.shape;
        if let Some(key) = path.only_key().filter(|_| shape == Shape::Attributes) {
            let Some(place) = self.locate(path) else { return Some(Seen::Nil) };
            let found = self.attribute_at(path, place, key.as_bytes());
            return Some(found.map_or(Seen::Nil, Seen::from));
        }
        if !path.keys.is_empty() || !is_plain(shape) {
            return None;
        }
        let Some((inside, number)) = self.locate(path) else { return Some(Seen::Nil) };
        let found = self.field(path, inside, number);
        match shape {
            Shape::Text => Some(Seen::Text(found.and_then(Field::bytes).unwrap_or_default())),
            Shape::Any => Some(Seen::from(any(found))),
            Shape::AnyText => match any(found) {
                AnyValue::Str(text) => Some(Seen::Text(text.as_bytes())),
                _ => None,
            },
            Shape::Double | Shape::ValueDouble => Some(Seen::Float(f64::from_bits(bits(found)))),
            Shape::Bool => Some(Seen::Bool(bits(found) != 0)),
            _ => Some(Seen::Int(bits(found).cast_signed())),
        }
    }
}

fn is_plain(shape: Shape) -> bool {
    matches!(
        shape,
        Shape::Text
            | Shape::Any
            | Shape::AnyText
            | Shape::Double
            | Shape::ValueDouble
            | Shape::Bool
            | Shape::Nanos
            | Shape::Unsigned(_)
            | Shape::Signed32
            | Shape::Fixed32
            | Shape::Count
            | Shape::ValueInt
    )
}

fn any(found: Option<Field<'_>>) -> AnyValue<'_> {
    AnyValue::new(found.and_then(Field::bytes).unwrap_or_default())
}

fn bits(found: Option<Field<'_>>) -> u64 {
    match found {
        Some(Field::Varint(bits) | Field::Fixed64(bits)) => bits,
        Some(Field::Fixed32(bits)) => u64::from(bits),
        Some(Field::Bytes(_)) | None => 0,
    }
}
