//! The leaves: strings, ids, bytes, numbers and truth values, each checked against its field's type.

use super::{Decoder, resolved, wrong_type};
use crate::edit::nested;
use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::schema::{Field, Kind, Label};
use crate::json::token::Source;
use crate::wire::{put_len_delimited, put_varint};
use base64::Engine;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Proto3 JSON accepts both alphabets, with or without padding.
const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);
const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);

const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

const INTEGER: &str = "an integer without fraction and exponent, as number or string";

impl Decoder<'_> {
    /// Takes a string and appends the field that it stands for.
    pub(super) fn string(&mut self, field: &'static Field) -> Result<(), JsonError> {
        let offset = self.source.offset();
        if self.source.peek() != Some(b'"') {
            return wrong_type(offset, field.name, "a string");
        }
        let string = self.source.string()?;
        if string.raw.is_empty() && field.label == Label::Single {
            return Ok(());
        }
        if matches!(field.kind, Kind::Hex) {
            return self.hex(field, offset, &resolved(string));
        }
        if matches!(field.kind, Kind::Base64) {
            return self.base64(field, offset, &resolved(string));
        }
        if string.is_escaped {
            let content = nested::open(field.number, &mut self.out);
            string.decode(&mut self.out);
            nested::close(content, &mut self.out);
        } else {
            put_len_delimited(&mut self.out, field.number, string.raw);
        }
        Ok(())
    }

    fn hex(&mut self, field: &'static Field, offset: usize, text: &[u8]) -> Result<(), JsonError> {
        const EXPECTED: &str = "a string of hexadecimal digits, two for each byte";
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (pairs, rest) = text.as_chunks::<2>();
        let content = nested::open(field.number, &mut self.out);
        for &[high, low] in pairs {
            let (Some(high), Some(low)) = (digit(high), digit(low)) else {
                return wrong_type(offset, field.name, EXPECTED);
            };
            #[expect(clippy::cast_possible_truncation, reason = "both are below 16")]
            self.out.push((high << 4 | low) as u8);
        }
        if !rest.is_empty() {
            return wrong_type(offset, field.name, EXPECTED);
        }
        nested::close(content, &mut self.out);
        Ok(())
    }

    fn base64(
        &mut self,
        field: &'static Field,
        offset: usize,
        text: &[u8],
    ) -> Result<(), JsonError> {
        let is_url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let engine = if is_url_safe { URL_SAFE } else { STANDARD };
        let content = nested::open(field.number, &mut self.out);
        if engine.decode_vec(text, &mut self.out).is_err() {
            return wrong_type(offset, field.name, "a string in base64");
        }
        nested::close(content, &mut self.out);
        Ok(())
    }

    /// Takes a number or truth value and appends it without a tag.
    pub(super) fn number(&mut self, field: &'static Field) -> Result<(), JsonError> {
        if matches!(field.kind, Kind::Bool) {
            let truth = self.truth(field)?;
            self.out.push(u8::from(truth));
            return Ok(());
        }
        if matches!(field.kind, Kind::Double) {
            let number = self.double(field)?;
            self.out.extend_from_slice(&number.to_le_bytes());
            return Ok(());
        }
        let offset = self.source.offset();
        if matches!(field.kind, Kind::Enum) && self.source.peek() == Some(b'"') {
            let kind = JsonErrorKind::EnumName { field: field.name };
            return Err(JsonError { offset, kind });
        }
        let integer = self.integer(field)?;
        let kind = JsonErrorKind::OutOfRange { field: field.name };
        self.put_integer(field.kind, integer).ok_or(JsonError { offset, kind })
    }

    /// Appends an integer in the encoding of its field, if it is within the range of the field.
    fn put_integer(&mut self, kind: Kind, integer: i128) -> Option<()> {
        let out = &mut self.out;
        match kind {
            Kind::Int32 | Kind::Enum => {
                let number = i64::from(i32::try_from(integer).ok()?);
                put_varint(out, number.cast_unsigned());
            }
            Kind::Sint32 => {
                let number = i32::try_from(integer).ok()?;
                put_varint(out, u64::from((number << 1 ^ number >> 31).cast_unsigned()));
            }
            Kind::Uint32 => put_varint(out, u64::from(u32::try_from(integer).ok()?)),
            Kind::Int64 => put_varint(out, i64::try_from(integer).ok()?.cast_unsigned()),
            Kind::Uint64 => put_varint(out, u64::try_from(integer).ok()?),
            Kind::Fixed32 => out.extend_from_slice(&u32::try_from(integer).ok()?.to_le_bytes()),
            Kind::Fixed64 => out.extend_from_slice(&u64::try_from(integer).ok()?.to_le_bytes()),
            Kind::Sfixed64 => out.extend_from_slice(&i64::try_from(integer).ok()?.to_le_bytes()),
            Kind::Text
            | Kind::Hex
            | Kind::Base64
            | Kind::Bool
            | Kind::Double
            | Kind::Message(_) => return None,
        }
        Some(())
    }

    fn truth(&mut self, field: &'static Field) -> Result<bool, JsonError> {
        let truth = match self.source.peek() {
            Some(b't') => true,
            Some(b'f') => false,
            _ => return wrong_type(self.source.offset(), field.name, "true or false"),
        };
        self.source.literal(if truth { "true" } else { "false" })?;
        Ok(truth)
    }

    fn integer(&mut self, field: &'static Field) -> Result<i128, JsonError> {
        let offset = self.source.offset();
        let text = match self.source.peek() {
            Some(b'"') => resolved(self.source.string()?),
            Some(b'-' | b'0'..=b'9') => self.source.number()?.into(),
            _ => return wrong_type(offset, field.name, INTEGER),
        };
        let digits = text.strip_prefix(b"-").unwrap_or(&text);
        let is_integer = match digits {
            [] | [b'0', _, ..] => false,
            _ => digits.iter().all(u8::is_ascii_digit),
        };
        if !is_integer {
            return wrong_type(offset, field.name, INTEGER);
        }
        // 20 digits hold every 64-bit number and fit into 128 bits.
        if digits.len() > 20 {
            let kind = JsonErrorKind::OutOfRange { field: field.name };
            return Err(JsonError { offset, kind });
        }
        let (most, last) = digits.split_at(digits.len().min(19));
        let most = most.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        let magnitude = last
            .iter()
            .fold(i128::from(most), |number, digit| number * 10 + i128::from(digit - b'0'));
        Ok(if digits.len() < text.len() { -magnitude } else { magnitude })
    }

    fn double(&mut self, field: &'static Field) -> Result<f64, JsonError> {
        const EXPECTED: &str = "a number, or one of \"NaN\", \"Infinity\", \"-Infinity\"";
        let offset = self.source.offset();
        let text = match self.source.peek() {
            Some(b'"') => {
                let string = resolved(self.source.string()?);
                match &*string {
                    b"NaN" => return Ok(f64::NAN),
                    b"Infinity" => return Ok(f64::INFINITY),
                    b"-Infinity" => return Ok(f64::NEG_INFINITY),
                    text if !is_number(text) => {
                        return wrong_type(offset, field.name, EXPECTED);
                    }
                    _ => string,
                }
            }
            Some(b'-' | b'0'..=b'9') => self.source.number()?.into(),
            _ => return wrong_type(offset, field.name, EXPECTED),
        };
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<f64>().ok());
        match number {
            Some(number) if number.is_finite() => Ok(number),
            _ => {
                let kind = JsonErrorKind::OutOfRange { field: field.name };
                Err(JsonError { offset, kind })
            }
        }
    }
}

/// Whether a string is a JSON number and nothing else.
fn is_number(text: &[u8]) -> bool {
    // A number starts with these bytes only, so no space can stand in front.
    matches!(text.first(), Some(b'-' | b'0'..=b'9'))
        && text.last().is_some_and(u8::is_ascii_digit)
        && Source::new(text).is_ok_and(|mut source| source.number().is_ok() && source.end().is_ok())
}
