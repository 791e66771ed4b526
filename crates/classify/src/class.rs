//! The three classes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a record is worth; the order is by urgency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Routine.
    Info,
    /// Degraded or failing in part.
    Warning,
    /// Security incident, outage: someone should look now.
    Critical,
}

impl Class {
    /// All classes, from routine to urgent.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The name in attributes, metrics and routing tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The number in a record's index; zero there means "not classified".
    pub const fn code(self) -> u8 {
        match self {
            Self::Info => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }

    /// The class with this number.
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }

    /// The class with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}
