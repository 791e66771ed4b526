//! Which keys the journal is sealed with, by the arguments. Keys themselves are in no argument.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bessemer_access::keys::{KeyFiles, KeyText, VaultAccess, VaultKey, VaultToken, VaultTransit};
use bessemer_config::{Code, Diagnostic, Environment, Location};
use bessemer_journal::{KeyError, KeySource};
use bessemer_runtime::Secret;

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
    if let Some(url) = &keys.vault_key {
        let named = || format!("--journal.key-vault {url}");
        let key = VaultKey::parse(url).with_context(named)?;
        let access = vault_access(keys, environment).context(NO_TOKEN).with_context(named)?;
        let vault = VaultTransit::open(key, access).with_context(named)?;
        return Ok(Some(Arc::new(vault)));
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
    let vault = keys.vault_key.as_deref().map(|url| check_vault(url, keys, environment));
    let files = file.unwrap_or_default().into_iter().chain(vault.unwrap_or_default());
    files.chain(variable.flatten()).collect()
}

/// None where nothing holds a token.
fn vault_access(keys: &Keys, environment: &dyn Environment) -> Option<VaultAccess> {
    let variable = |name| environment.variable(name).filter(|value| !value.is_empty());
    let file = keys.vault_token_file.clone().map(VaultToken::File);
    let token = file.or_else(|| variable("VAULT_TOKEN").map(Secret::new).map(VaultToken::Text))?;
    let namespace = variable("VAULT_NAMESPACE");
    Some(VaultAccess { token, namespace, ca_file: keys.vault_ca_file.clone() })
}

// Vault itself is not asked: that it is there is no property of the configuration.
fn check_vault(url: &str, keys: &Keys, environment: &dyn Environment) -> Vec<Diagnostic> {
    let named = format!("--journal.key-vault {url}");
    let key = match VaultKey::parse(url) {
        Ok(key) => key,
        Err(error) => return vec![finding(Code::WrongValue, error.to_string(), NAME_VAULT)],
    };
    let mut found = Vec::new();
    if vault_access(keys, environment).is_none() {
        found.push(finding(Code::Missing, format!("{named}: {NO_TOKEN}"), GIVE_TOKEN));
    }
    let token_file = keys.vault_token_file.as_ref().filter(|path| !path.is_file());
    found.extend(token_file.map(|path| {
        let message =
            format!("--journal.vault-token-file {}: there is no such file", path.display());
        finding(Code::Missing, message, GIVE_TOKEN)
    }));
    if key.is_plain_text() {
        let message = format!("{named}: data keys cross the network in the clear");
        let warning = Diagnostic::warning(Code::Exposed, &Location::nowhere(), message);
        found.push(warning.with_help("let Vault speak TLS and write https"));
    }
    found
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
const NO_TOKEN: &str = "there is no token for Vault";
const GIVE_TOKEN: &str = "set VAULT_TOKEN or give --journal.vault-token-file";
const NAME_VAULT: &str =
    "a mount of the transit engine and a key in it, as https://HOST:PORT/MOUNT/NAME";
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
        let of_file = || Keys { key_file: Some(path.clone()), ..Keys::default() };
        let of_variable = |name: &str| Keys { key_variable: Some(name.into()), ..Keys::default() };
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

    /// Promise: without asking Vault it is said what of the arguments cannot work.
    #[test]
    fn validate_says_when_a_transit_key_its_token_or_its_transport_is_wrong() {
        let with_token = FixedEnvironment::default().with("VAULT_TOKEN", "hunter2");
        let codes = |url: &str, file: Option<&str>, environment: &FixedEnvironment| {
            let (vault_key, vault_token_file) = (Some(url.into()), file.map(Into::into));
            let keys = Keys { vault_key, vault_token_file, ..Keys::default() };
            let found = super::check(&keys, environment);
            assert!(!format!("{found:?}").contains("hunter2"));
            found.iter().map(|finding| (finding.is_error(), finding.code)).collect::<Vec<_>>()
        };
        let (good, none) = ("https://vault:8200/transit/bessemer", FixedEnvironment::default());
        assert_eq!(codes(good, None, &with_token), []);
        assert_eq!(codes("https://vault:8200", None, &with_token), [(true, Code::WrongValue)]);
        assert_eq!(codes(good, None, &none), [(true, Code::Missing)]);
        assert_eq!(codes(good, Some("/nowhere/token"), &none), [(true, Code::Missing)]);
        let plain = "http://vault:8200/transit/bessemer";
        assert_eq!(codes(plain, None, &with_token), [(false, Code::Exposed)]);
        let error = source(&Keys { vault_key: Some(good.into()), ..Keys::default() }, &none);
        assert!(format!("{:#}", error.unwrap_err()).contains("no token for Vault"));
    }
}
