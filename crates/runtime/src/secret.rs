//! Text that must not reach a log, an error or a page.

mod file;

use std::io;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::Clock;

pub use file::SecretFile;

/// A secret setting; prints as `***` and serialises as `***`.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// A secret that stands in the settings, or in a file that they name.
#[derive(Debug)]
pub enum SecretText {
    /// Written in the settings.
    Given(Secret),
    /// In a file that is read again when it changes.
    File(SecretFile),
}

impl SecretText {
    /// The file if there is one, else the text; `None` without either.
    pub fn new(
        text: Option<&Secret>,
        file: Option<&str>,
        clock: &Arc<dyn Clock>,
    ) -> io::Result<Option<Self>> {
        match (file.filter(|file| !file.is_empty()), text) {
            (Some(file), _) => SecretFile::open(file, Arc::clone(clock)).map(Self::File).map(Some),
            (None, text) => Ok(text.cloned().map(Self::Given)),
        }
    }

    /// The secret as it is now.
    pub fn current(&self) -> Secret {
        match self {
            Self::Given(secret) => secret.clone(),
            Self::File(file) => file.current(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_json_shows_the_text() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(secret.expose(), "hunter2");
    }
}
