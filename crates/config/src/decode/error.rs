//! What can go wrong while decoding, and where.

use std::fmt;

use serde::de;

use crate::source::Location;

#[derive(Debug)]
pub(super) struct Error {
    pub(super) problem: Problem,
    pub(super) location: Option<Location>,
}

#[derive(Debug)]
pub(super) enum Problem {
    Value(String),
    Missing(&'static str),
    Repeated,
    Unknown { name: String, expected: &'static [&'static str] },
    UnknownVariant { name: String, expected: &'static [&'static str] },
}

impl Error {
    pub(super) fn new(problem: Problem) -> Self {
        Self { problem, location: None }
    }

    /// The place, unless a closer one is known.
    pub(super) fn at(mut self, location: &Location) -> Self {
        self.location.get_or_insert_with(|| location.clone());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Value(message) => formatter.write_str(message),
            Problem::Missing(name) => write!(formatter, "needs \"{name}\""),
            Problem::Repeated => formatter.write_str("this block may be given only once"),
            Problem::Unknown { name, .. } => write!(formatter, "no setting \"{name}\""),
            Problem::UnknownVariant { name, .. } => write!(formatter, "can not be \"{name}\""),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Value(message.to_string()))
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("should be {expected}, got {}", kind(&unexpected)))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        // Text may be a secret; numbers help.
        if let de::Unexpected::Str(_) = unexpected {
            return Self::invalid_type(unexpected, expected);
        }
        Self::custom(format_args!("should be {expected}, got {unexpected}"))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Problem::Missing(name))
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::Unknown { name: name.to_owned(), expected })
    }

    fn unknown_variant(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownVariant { name: name.to_owned(), expected })
    }
}

/// The kind of a value without the value, which may be a secret.
fn kind(unexpected: &de::Unexpected<'_>) -> &'static str {
    match unexpected {
        de::Unexpected::Bool(_) => "bool",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) | de::Unexpected::Float(_) => {
            "number"
        }
        de::Unexpected::Char(_) | de::Unexpected::Str(_) => "string",
        de::Unexpected::Seq => "array",
        de::Unexpected::Map => "object",
        de::Unexpected::Unit | de::Unexpected::Option => "null",
        de::Unexpected::Bytes(_)
        | de::Unexpected::NewtypeStruct
        | de::Unexpected::Enum
        | de::Unexpected::UnitVariant
        | de::Unexpected::NewtypeVariant
        | de::Unexpected::TupleVariant
        | de::Unexpected::StructVariant
        | de::Unexpected::Other(_) => "a value of another kind",
    }
}
