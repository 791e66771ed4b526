//! What is wrong with a text, and what went wrong with a record.

use std::fmt;

/// A statement or condition that does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// Where in the text, in bytes from 0.
    pub offset: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The nearest name that would be right.
    pub nearest: Option<String>,
}

impl CompileError {
    pub(crate) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, column: 0, message: message.into(), nearest: None }
    }

    pub(crate) fn near(mut self, nearest: Option<&str>) -> Self {
        self.nearest = nearest.map(str::to_owned);
        self
    }

    /// Counts the column in the text that the error is about.
    pub(crate) fn located(mut self, source: &str) -> Self {
        let before = source.char_indices().take_while(|(at, _)| *at < self.offset);
        self.column = before.count() + 1;
        self
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "column {}: {}", self.column, self.message)?;
        match &self.nearest {
            Some(nearest) => write!(formatter, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CompileError {}

/// A statement that could not do its work on a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A value has another type than is needed.
    #[error("expected {expected} but got {found}")]
    Type {
        /// What is needed.
        expected: &'static str,
        /// What the value is.
        found: &'static str,
    },
    /// A value is of the right type and cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// A value grew beyond its bound.
    #[error("a value is larger than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// The statements took too many steps for one record.
    #[error("more than {steps_max} steps for one record")]
    TooLong {
        /// The bound.
        steps_max: u32,
    },
    /// The statements added too many metrics to one batch.
    #[error("more than {metrics_max} metrics added to one batch")]
    TooMany {
        /// The bound.
        metrics_max: usize,
    },
}

impl RunError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}
