//! What is wrong with a configuration, where, and how to repair it.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::nearest::nearest;
use crate::source::Location;

mod explain;
mod render;

pub use explain::{Explanation, Found};
pub use render::render;

/// Whether a configuration with this finding can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It can not.
    Error,
    /// It can, but most likely not as its author meant.
    Warning,
}

/// What kind of finding it is; each has a page in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The text does not follow the grammar.
    Syntax,
    /// An expression has no value: wrong operand types, unknown identifier, failed function.
    Evaluation,
    /// A limit on depth, size or count was reached.
    Limit,
    /// A file could not be read.
    File,
    /// A component of that name does not exist.
    UnknownComponent,
    /// A component has no setting of that name.
    UnknownSetting,
    /// A setting has a value of another type or out of range.
    WrongValue,
    /// A required setting or label is missing.
    Missing,
    /// Something was given twice that may be given once.
    Duplicate,
    /// A reference names nothing.
    Dangling,
    /// Components feed each other in a circle, or modules contain themselves.
    Cycle,
    /// An output and an input do not fit: the target takes no records or not this signal.
    Wiring,
    /// A module could not be imported or instantiated.
    Module,
    /// Something stands where it has no meaning.
    Misplaced,
    /// A component is known and comes with a later version.
    Later,
    /// A destination cannot be reached, or would not take records.
    Unreachable,
    /// A component takes part in no pipeline.
    Unwired,
    /// Something is accepted and has no effect.
    Ignored,
    /// Something wrong was repaired by inference.
    Repaired,
    /// A secret can be read by those who have no business with it.
    Exposed,
}

impl Code {
    /// Every code, in the order of their numbers.
    pub const ALL: [Self; 20] = [
        Self::Syntax,
        Self::Evaluation,
        Self::Limit,
        Self::File,
        Self::UnknownComponent,
        Self::UnknownSetting,
        Self::WrongValue,
        Self::Missing,
        Self::Duplicate,
        Self::Dangling,
        Self::Cycle,
        Self::Wiring,
        Self::Module,
        Self::Misplaced,
        Self::Later,
        Self::Unreachable,
        Self::Unwired,
        Self::Ignored,
        Self::Repaired,
        Self::Exposed,
    ];

    /// The code as it is printed and looked up.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "BSM-0101",
            Self::Evaluation => "BSM-0102",
            Self::Limit => "BSM-0103",
            Self::File => "BSM-0104",
            Self::UnknownComponent => "BSM-0105",
            Self::UnknownSetting => "BSM-0106",
            Self::WrongValue => "BSM-0107",
            Self::Missing => "BSM-0108",
            Self::Duplicate => "BSM-0109",
            Self::Dangling => "BSM-0110",
            Self::Cycle => "BSM-0111",
            Self::Wiring => "BSM-0112",
            Self::Module => "BSM-0113",
            Self::Misplaced => "BSM-0114",
            Self::Later => "BSM-0115",
            Self::Unreachable => "BSM-0116",
            Self::Unwired => "BSM-0151",
            Self::Ignored => "BSM-0152",
            Self::Repaired => "BSM-0153",
            Self::Exposed => "BSM-0154",
        }
    }
}

/// One finding in a configuration.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Whether the configuration can run with it.
    pub severity: Severity,
    /// The kind of finding.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The offending bytes.
    pub at: Location,
    /// How to repair it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding with which the configuration can not run.
    pub fn error(code: Code, at: &Location, message: impl Into<String>) -> Self {
        let severity = Severity::Error;
        Self { severity, code, message: message.into(), at: at.clone(), help: None }
    }

    /// A finding with which the configuration can run.
    pub fn warning(code: Code, at: &Location, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message) }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same finding with the candidate nearest to `wanted` as advice, if one is near.
    #[must_use]
    pub fn with_nearest<'a>(
        self,
        wanted: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(wanted, candidates) {
            Some(found) => {
                let help = format!("did you mean \"{found}\"?");
                self.with_help(help)
            }
            None => self,
        }
    }

    /// Whether the configuration can not run with it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The file of the offending bytes.
    pub fn file(&self) -> &str {
        self.at.file()
    }

    /// The line of the first offending byte, from 1.
    pub fn line(&self) -> usize {
        self.at.line()
    }

    /// The column of the first offending byte, from 1, in bytes.
    pub fn column(&self) -> usize {
        self.at.column()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_somewhere() {
            write!(formatter, "{}: ", self.at)?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(formatter, "{severity} {}: {}", self.code.as_str(), self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (line, column) = self.at.position();
        let severity = if self.is_error() { "error" } else { "warning" };
        let mut row = serializer.serialize_struct("Diagnostic", 7)?;
        row.serialize_field("severity", severity)?;
        row.serialize_field("code", self.code.as_str())?;
        row.serialize_field("message", &self.message)?;
        row.serialize_field("file", self.file())?;
        row.serialize_field("line", &line)?;
        row.serialize_field("column", &column)?;
        row.serialize_field("help", &self.help)?;
        row.end()
    }
}

/// Sorts by file and place, so that people can repair from top to bottom.
pub(crate) fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| a.at.order().cmp(&b.at.order()));
}
