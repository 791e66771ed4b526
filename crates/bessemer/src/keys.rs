//! Which keys the journal is sealed with, by the arguments. Keys themselves are in no argument.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bessemer_access::keys::{KeyFiles, KeyText};
use bessemer_config::{Code, Diagnostic, Environment, Location};
use bessemer_journal::{KeyError, KeySource};

use crate::arguments::Keys;

/// The source that the arguments name, if they name one.
pub(crate) fn source(
    keys: &Keys,
    environment: &dyn Environment,
) -> anyhow::Result<Option<Arc<dyn KeySource>>> {
    if let Some(path) = &keys.key_file {
        let files = KeyFiles::open(path)
            .with_context(|| format!("--journal.key-file {}", path.display()))?;
        return Ok(Some(Arc::new(files)));
    }
    let Some(name) = &keys.key_variable else { return Ok(None) };
    let value = environment.variable(name);
    let value = value.with_context(|| format!("--journal.key-env: {name} is not set"))?;
    let text = KeyText::parse(&value).with_context(|| format!("--journal.key-env {name}"))?;
    Ok(Some(Arc::new(text)))
}

/// What keeps the keys that the arguments name from being used, or should worry whoever did.
pub(crate) fn check(keys: &Keys, environment: &dyn Environment) -> Vec<Diagnostic> {
    let file = keys.key_file.as_deref().map(check_file);
    let variable = keys.key_variable.as_deref().map(|name| check_variable(name, environment));
    file.unwrap_or_default().into_iter().chain(variable.flatten()).collect()
}

fn check_file(path: &Path) -> Vec<Diagnostic> {
    let named = format!("--journal.key-file {}", path.display());
    let files = match KeyFiles::open(path) {
        Ok(files) => files,
        Err(error @ KeyError::Unknown(_)) => {
            return vec![finding(Code::Missing, format!("{named}: {error}"), MAKE_FILE)];
        }
        Err(error @ KeyError::Unavailable { .. }) => {
            return vec![finding(Code::WrongValue, format!("{named}: {error}"), MAKE_FILE)];
        }
    };
    let exposed = files.exposed().into_iter().map(|file| {
        let message = format!("the key file {} can be read by others", file.display());
        let help = format!("chmod 600 {}", file.display());
        Diagnostic::warning(Code::Exposed, &Location::nowhere(), message).with_help(help)
    });
    exposed.collect()
}

fn check_variable(name: &str, environment: &dyn Environment) -> Option<Diagnostic> {
    let named = format!("--journal.key-env {name}");
    let Some(value) = environment.variable(name) else {
        return Some(finding(Code::Missing, format!("{named}: it is not set"), MAKE_VARIABLE));
    };
    let error = KeyText::parse(&value).err()?;
    Some(finding(Code::WrongValue, format!("{named}: {error}"), MAKE_VARIABLE))
}

const MAKE_FILE: &str = "write one with `umask 077; openssl rand -base64 32 > FILE`";
const MAKE_VARIABLE: &str = "set it to what `openssl rand -base64 32` prints";

fn finding(code: Code, message: String, help: &str) -> Diagnostic {
    Diagnostic::error(code, &Location::nowhere(), message).with_help(help)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use bessemer_config::FixedEnvironment;
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn check(arguments: &[&str], environment: &FixedEnvironment) -> Result<bool, String> {
        let all = ["bessemer", "run", "x.alloy"].iter().chain(arguments);
        let Command::Run(run) = Arguments::parse_from(all).command else { panic!("not run") };
        let found = source(&run.process.keys, environment);
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

    /// Promise: what keeps `run` from using a key is said before, with its remedy and without it.
    #[test]
    fn validate_says_when_a_key_is_missing_malformed_or_readable_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.key");
        let environment =
            FixedEnvironment::default().with("KEY", "ab".repeat(32)).with("BAD", "hunter2");
        let of_file = || Keys { key_file: Some(path.clone()), key_variable: None };
        let of_variable = |name: &str| Keys { key_file: None, key_variable: Some(name.into()) };
        let codes = |keys: &Keys| {
            let found = super::check(keys, &environment);
            assert!(found.iter().all(|finding| finding.help.is_some()), "{found:?}");
            assert!(!format!("{found:?}").contains("hunter2"));
            found.iter().map(|finding| (finding.is_error(), finding.code)).collect::<Vec<_>>()
        };
        assert_eq!(codes(&Keys::default()), []);
        assert_eq!(codes(&of_variable("KEY")), []);
        assert_eq!(codes(&of_variable("NONE")), [(true, Code::Missing)]);
        assert_eq!(codes(&of_variable("BAD")), [(true, Code::WrongValue)]);
        assert_eq!(codes(&of_file()), [(true, Code::Missing)]);
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        write("hunter2", 0o600);
        assert_eq!(codes(&of_file()), [(true, Code::WrongValue)]);
        write(&"ab".repeat(32), 0o640);
        assert_eq!(codes(&of_file()), [(false, Code::Exposed)]);
        write(&"ab".repeat(32), 0o600);
        assert_eq!(codes(&of_file()), []);
    }
}
