//! What operators say of labels: the class of a template corrected, listed, and taken back.

use bessemer_runtime::BoxFuture;
use serde::{Deserialize, Serialize};

/// A class that an operator gives to a template, or to the template of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The component whose label it is; may be left out where there is one only.
    #[serde(default)]
    pub component: Option<String>,
    /// The id of the template, hexadecimal; either this or a message.
    #[serde(default)]
    pub template: Option<String>,
    /// The body of a record.
    #[serde(default)]
    pub message: Option<String>,
    /// The severity number of that record, zero for none.
    #[serde(default)]
    pub severity: u8,
    /// `critical`, `warning` or `info`.
    pub class: String,
    /// Why; it becomes the reason of the label.
    #[serde(default)]
    pub note: String,
    /// Whether records that a firm rule labels get the class too.
    #[serde(default)]
    pub over_firm_rules: bool,
}

/// A correction that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// The id of the template, hexadecimal.
    pub template: String,
    /// The message that was given, or the words of the template.
    pub text: String,
    /// `critical`, `warning` or `info`.
    pub class: String,
    /// Why.
    pub note: String,
    /// Whether records that a firm rule labels get the class too.
    pub over_firm_rules: bool,
    /// When, in seconds since the Unix epoch.
    pub at_unix_s: u64,
}

/// Why a correction does not hold, or cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedbackError {
    /// The correction itself is wrong.
    #[error("{0}")]
    Bad(String),
    /// Nothing of this name is known.
    #[error("{0}")]
    NotFound(String),
    /// It would change nothing, or not what was meant.
    #[error("{0}")]
    Conflict(String),
    /// It could not be kept.
    #[error("{0}")]
    Unavailable(String),
}

/// What takes corrections.
pub trait Feedback: Send + Sync + 'static {
    /// Keeps a correction; it holds for every record that comes after the return.
    fn correct(&self, correction: Correction) -> BoxFuture<'_, Result<Corrected, FeedbackError>>;

    /// All that hold, by template.
    fn corrected(&self) -> Vec<Corrected>;

    /// Takes back the correction of a template; returns what it was.
    fn undo<'a>(&'a self, template: &'a str) -> BoxFuture<'a, Result<Corrected, FeedbackError>>;
}
