//! Why JSON text was refused, and where.

/// Why JSON text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct JsonError {
    /// The byte of the text where the trouble starts.
    pub offset: usize,
    /// What the trouble is.
    pub kind: JsonErrorKind,
}

impl JsonError {
    /// Whether the text was refused for its size rather than for what it says.
    pub fn is_too_large(&self) -> bool {
        matches!(
            self.kind,
            JsonErrorKind::RecordTooLarge { .. } | JsonErrorKind::BatchTooLarge { .. }
        )
    }
}

/// What is wrong with JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// The text is not JSON.
    #[error("invalid JSON: expected {expected}")]
    Syntax {
        /// What could have stood there.
        expected: &'static str,
    },
    /// An escape names half of a character.
    #[error("escape of a lone surrogate")]
    LoneSurrogate,
    /// Arrays and objects nest deeper than any telemetry does.
    #[error("JSON nested deeper than {max}")]
    NestedTooDeep {
        /// The limit.
        max: u32,
    },
    /// A value nests deeper than the limit of the receiver.
    #[error("value nested deeper than {max}")]
    TooDeep {
        /// The limit.
        max: u32,
    },
    /// A field holds JSON of another type.
    #[error("{field} must be {expected}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// An enumeration is given by name, which OTLP forbids.
    #[error("{field} must be the integer of the enumeration, OTLP allows no names")]
    EnumName {
        /// The field.
        field: &'static str,
    },
    /// A number is outside the range of its field.
    #[error("{field} is out of range")]
    OutOfRange {
        /// The field.
        field: &'static str,
    },
    /// A record is larger than the limit.
    #[error("record of {size} bytes is larger than {max}")]
    RecordTooLarge {
        /// Its size in protobuf.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// The batch is larger than the limit.
    #[error("batch of {size} bytes is larger than {max}")]
    BatchTooLarge {
        /// Its size, or what of it was read before it became too large.
        size: usize,
        /// The limit.
        max: usize,
    },
}
