//! From settings to the settings type of a component, with errors that point into the text.
//!
//! Follows the conventions of the dialects: a number where text is wanted is written out, a numeral
//! in text is read where a number is wanted, one block where a list is wanted is a list of one,
//! and a secret decodes as text. Durations and sizes are text that their types read.

use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::diagnostic::{Code, Diagnostic};
use crate::value::{Data, Field, Number, Settings, Value};

mod compound;
mod error;

use compound::{Fields, Items, Variant};
use error::{Error, Problem};

/// Decodes the settings of one component.
pub fn decode<T: DeserializeOwned>(settings: &Settings) -> Result<T, Vec<Diagnostic>> {
    T::deserialize(Decoder { value: settings }).map_err(|error| {
        let error = error.at(&settings.at);
        vec![error.into_diagnostic()]
    })
}

/// The type name under which a [`crate::Reference`] asks for itself.
const REFERENCE: &str = "$bessemer::Reference";

#[derive(Clone, Copy)]
struct Decoder<'v> {
    value: &'v Value,
}

impl<'v> Decoder<'v> {
    fn wrong(self, expected: &str) -> Error {
        let message = if let Data::Reference(reference) = &self.value.data {
            format!("{reference} is known at run time only, here a value is needed")
        } else {
            format!("should be {expected}, got {}", self.value.kind())
        };
        Error::new(Problem::Value(message)).at(&self.value.at)
    }

    fn place<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.at(&self.value.at))
    }

    /// The text that the value is or can be written as.
    fn text(self) -> Option<String> {
        if let Data::Number(number) = &self.value.data {
            return Some(number.to_string());
        }
        self.value.text().map(str::to_owned)
    }

    fn number<V: Visitor<'v>>(self, visitor: V, expected: &str) -> Result<V::Value, Error> {
        let number = if let Data::Number(number) = &self.value.data {
            Some(*number)
        } else {
            self.value.text().and_then(crate::schema::number)
        };
        let Some(number) = number else {
            return Err(self.wrong(expected));
        };
        self.place(match number.whole() {
            Some(whole) if expected == "integer" => whole_number(whole, visitor),
            _ => visit_number(number, visitor),
        })
    }

    /// The items of a list; a block counts as a list of one.
    fn items(self) -> Option<&'v [Value]> {
        let block = self.value.is_block().then(|| std::slice::from_ref(self.value));
        self.value.as_array().or(block)
    }

    fn fields(self) -> Result<&'v [Field], Error> {
        if let Data::Object(object) = &self.value.data {
            return Ok(&object.fields);
        }
        match self.value.as_array().filter(|_| self.value.is_repeated_block()) {
            Some([_, second, ..]) => Err(Error::new(Problem::Repeated).at(&second.at)),
            Some([single]) => Decoder { value: single }.fields(),
            _ => Err(self.wrong("object")),
        }
    }
}

fn visit_number<'v, V: Visitor<'v>>(number: Number, visitor: V) -> Result<V::Value, Error> {
    match number {
        Number::Int(number) if number >= 0 => visitor.visit_u64(number.cast_unsigned()),
        Number::Int(number) => visitor.visit_i64(number),
        Number::Uint(number) => visitor.visit_u64(number),
        Number::Float(number) => visitor.visit_f64(number),
    }
}

fn whole_number<'v, V: Visitor<'v>>(number: i128, visitor: V) -> Result<V::Value, Error> {
    if let Ok(number) = u64::try_from(number) {
        visitor.visit_u64(number)
    } else if let Ok(number) = i64::try_from(number) {
        visitor.visit_i64(number)
    } else {
        Err(Error::new(Problem::Value("number out of range".to_owned())))
    }
}

macro_rules! numbers {
    ($($method:ident: $kind:literal),* $(,)?) => {
        $(
            fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
                self.number(visitor, $kind)
            }
        )*
    };
}

impl<'v> de::Deserializer<'v> for Decoder<'v> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match &self.value.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(truth) => visitor.visit_bool(*truth),
            Data::Number(number) => visit_number(*number, visitor),
            Data::String(text) => visitor.visit_str(text),
            Data::Secret(text) | Data::OptionalSecret { text, .. } => {
                visitor.visit_str(text.expose())
            }
            Data::Array(items) => visitor.visit_seq(Items::new(items)),
            Data::Object(object) => visitor.visit_map(Fields::new(&object.fields)),
            Data::Reference(reference) => visitor.visit_map(compound::reference(reference)),
        };
        self.place(result)
    }

    numbers! {
        deserialize_i8: "integer", deserialize_i16: "integer", deserialize_i32: "integer",
        deserialize_i64: "integer", deserialize_i128: "integer", deserialize_u8: "integer",
        deserialize_u16: "integer", deserialize_u32: "integer", deserialize_u64: "integer",
        deserialize_u128: "integer", deserialize_f32: "number", deserialize_f64: "number",
    }

    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        let Data::Bool(truth) = self.value.data else {
            return Err(self.wrong("bool"));
        };
        self.place(visitor.visit_bool(truth))
    }

    fn deserialize_str<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.text() {
            Some(text) => self.place(visitor.visit_string(text)),
            None => Err(self.wrong("string")),
        }
    }

    fn deserialize_string<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.data == Data::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let result = visitor.visit_newtype_struct(self);
        self.place(result)
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.items() {
            Some(items) => self.place(visitor.visit_seq(Items::new(items))),
            None => Err(self.wrong("array")),
        }
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        let fields = self.fields()?;
        self.place(visitor.visit_map(Fields::new(fields)))
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name != REFERENCE {
            return self.deserialize_map(visitor);
        }
        let Data::Reference(reference) = &self.value.data else {
            return Err(self.wrong("a reference such as kind.label.handler"));
        };
        self.place(visitor.visit_map(compound::reference(reference)))
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(text) = self.text() {
            return self.place(visitor.visit_enum(text.into_deserializer()));
        }
        match self.fields()? {
            [field] => self.place(visitor.visit_enum(Variant::new(field))),
            _ => Err(self.wrong("a name, or an object with one field")),
        }
    }

    fn deserialize_unit<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.data != Data::Null {
            return Err(self.wrong("null"));
        }
        self.place(visitor.visit_unit())
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { <V: Visitor<'v>> bytes byte_buf unit_struct identifier }
}

impl Error {
    fn into_diagnostic(self) -> Diagnostic {
        let at = self.location.unwrap_or_default();
        match self.problem {
            Problem::Value(message) => Diagnostic::error(Code::WrongValue, &at, message),
            Problem::Missing(name) => {
                Diagnostic::error(Code::Missing, &at, format!("needs \"{name}\""))
            }
            Problem::Repeated => {
                Diagnostic::error(Code::Duplicate, &at, "this block may be given only once")
            }
            Problem::Unknown { name, expected } => {
                let message = format!("no setting \"{name}\"");
                Diagnostic::error(Code::UnknownSetting, &at, message)
                    .with_nearest(&name, expected.iter().copied())
            }
            Problem::UnknownVariant { name, expected } => {
                let listed: Vec<_> = expected.iter().map(|name| format!("\"{name}\"")).collect();
                let message = format!("can not be \"{name}\"; it is one of {}", listed.join(", "));
                Diagnostic::error(Code::WrongValue, &at, message)
                    .with_nearest(&name, expected.iter().copied())
            }
        }
    }
}
