//! What a configuration may know of the machine and process it is loaded in.

use std::collections::BTreeMap;

/// Environment variables and facts about the host.
pub trait Environment {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// The name of this host.
    fn hostname(&self) -> String;
}

/// The environment of this process; the only place that reads it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    #[expect(clippy::disallowed_methods, reason = "config is the one that reads the environment")]
    fn variable(&self, name: &str) -> Option<String> {
        // A name with '=' or NUL can not be set; asking the system for one would panic.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        std::env::var(name).ok()
    }

    fn hostname(&self) -> String {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname");
        let name = kernel.ok().map(|name| name.trim().to_owned());
        name.or_else(|| self.variable("HOSTNAME")).unwrap_or_default()
    }
}

/// An environment made of what it is given, for tests and simulations.
#[derive(Debug, Clone, Default)]
pub struct FixedEnvironment {
    variables: BTreeMap<String, String>,
}

impl FixedEnvironment {
    /// Adds or replaces a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

impl Environment for FixedEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn hostname(&self) -> String {
        "localhost".to_owned()
    }
}
