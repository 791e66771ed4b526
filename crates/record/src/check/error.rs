//! Why a batch was refused, and where.

use std::fmt;

/// A batch that is not a well-formed OTLP request or is beyond the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckError {
    /// The byte of the batch at which it went wrong.
    pub offset: usize,
    /// What went wrong.
    pub kind: CheckErrorKind,
    /// The names of the fields around that byte, outermost first; empty at the top.
    pub path: Box<str>,
}

/// What is wrong with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckErrorKind {
    /// A field is longer than the message around it.
    #[error("a field ends after its message")]
    Truncated,
    /// A number of variable length has more than ten bytes or 64 bits.
    #[error("invalid varint")]
    BadVarint,
    /// A field has the number zero or a wire type that does not exist.
    #[error("invalid tag")]
    BadTag,
    /// A field is encoded in a way that does not fit its type.
    #[error("wrong wire type")]
    WrongWireType,
    /// A group is not closed, closed twice or nested too deep.
    #[error("invalid group")]
    BadGroup,
    /// Text is not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// Values are nested too deep.
    #[error("values nested deeper than {max}")]
    TooDeep {
        /// The limit.
        max: u32,
    },
    /// One log record, span or metric is too large.
    #[error("record of {size} bytes, at most {max} are accepted")]
    RecordTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The batch is too large.
    #[error("batch of {size} bytes, at most {max} are accepted")]
    BatchTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
}

impl CheckError {
    /// Whether the batch was refused for a size, not for its encoding.
    pub fn is_too_large(&self) -> bool {
        match self.kind {
            CheckErrorKind::RecordTooLarge { .. } | CheckErrorKind::BatchTooLarge { .. } => true,
            CheckErrorKind::Truncated
            | CheckErrorKind::BadVarint
            | CheckErrorKind::BadTag
            | CheckErrorKind::WrongWireType
            | CheckErrorKind::BadGroup
            | CheckErrorKind::Utf8
            | CheckErrorKind::TooDeep { .. } => false,
        }
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at byte {}", self.kind, self.offset)?;
        if self.path.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.path) }
    }
}

impl std::error::Error for CheckError {}
