//! Which keys the journal is sealed with, by the arguments. Keys themselves are in no argument.

use std::sync::Arc;

use anyhow::Context as _;
use bessemer_access::keys::{KeyFiles, KeyText};
use bessemer_config::Environment;
use bessemer_journal::KeySource;

use crate::arguments::Process;

/// The source that the arguments name, if they name one.
pub(crate) fn source(
    process: &Process,
    environment: &dyn Environment,
) -> anyhow::Result<Option<Arc<dyn KeySource>>> {
    if let Some(path) = &process.key_file {
        let files = KeyFiles::open(path)
            .with_context(|| format!("--journal.key-file {}", path.display()))?;
        return Ok(Some(Arc::new(files)));
    }
    let Some(name) = &process.key_variable else { return Ok(None) };
    let value = environment.variable(name);
    let value = value.with_context(|| format!("--journal.key-env: {name} is not set"))?;
    let text = KeyText::parse(&value).with_context(|| format!("--journal.key-env {name}"))?;
    Ok(Some(Arc::new(text)))
}

#[cfg(test)]
mod tests {
    use bessemer_config::FixedEnvironment;
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn check(arguments: &[&str], environment: &FixedEnvironment) -> Result<bool, String> {
        let all = ["bessemer", "run", "x.alloy"].iter().chain(arguments);
        let Command::Run(run) = Arguments::parse_from(all).command else { panic!("not run") };
        let found = source(&run.process, environment);
        found.map(|keys| keys.is_some()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_journal_is_sealed_when_a_key_is_named_and_a_missing_one_is_refused_by_name() {
        let key = "ab".repeat(32);
        let environment = FixedEnvironment::default().with("KEY", &key).with("BAD", "hunter2");
        assert_eq!(check(&[], &environment), Ok(false));
        assert_eq!(check(&["--journal.key-env", "KEY"], &environment), Ok(true));
        let refused = |arguments: &[&str]| check(arguments, &environment).unwrap_err();
        assert!(refused(&["--journal.key-env", "NONE"]).contains("NONE is not set"));
        let bad = refused(&["--journal.key-env", "BAD"]);
        assert!(bad.contains("32 bytes") && !bad.contains("hunter2"), "{bad}");
        assert!(refused(&["--journal.key-file", "/nowhere/key"]).contains("/nowhere/key"));
    }
}
