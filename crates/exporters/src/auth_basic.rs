//! `otelcol.auth.basic` (`basicauth` in Collector files): user and password (RFC 7617).

use std::sync::Arc;

use bessemer_access::callers::{self, Callers};
use bessemer_config::Settings as RawSettings;
use bessemer_net::dial::{Credentials, auth};
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, SettingsError};
use bessemer_runtime::{Secret, SecretFile, SecretText};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.auth.basic "example" {
  client_auth {
    username = "demo"
    password = "secret"
  }
}
"#;

/// Bytes of a list of users at most.
const USERS_BYTES_MAX: u64 = 1 << 20;

/// Settings of `otelcol.auth.basic`: `client_auth` for exporters that name it, `htpasswd` for
/// receivers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// `client_auth.username` and one more user of `htpasswd`; write those instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// What exporters send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// Whom receivers let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub htpasswd: Option<Users>,
}

/// What exporters send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientAuth {
    /// The user; it holds no colon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A file with the user, instead of `username`; looked at every second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_file: Option<String>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A file with the password, instead of `password`; looked at every second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
}

/// Whom receivers let in: lines of `user:password`, where the password may be a hash of `htpasswd`:
/// bcrypt, apr1, `{SHA}` or `{SSHA}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Users {
    /// A file of such lines, looked at every second; one that cannot be read leaves the users as they
    /// were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The lines themselves; they count where both name a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inline: Option<Secret>,
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let client = client(&settings, context)?;
    let users = users(&settings, context)?;
    if client.is_none() && users.is_none() {
        let remedy = "add client_auth for exporters or htpasswd for receivers";
        return Err(
            SettingsError::new("client_auth", "and htpasswd are both missing", remedy).into()
        );
    }
    if let Some(client) = client {
        context.services.offer(&context.id, Arc::new(Credentials::new(client)));
    }
    if let Some(users) = users {
        context.services.offer(&context.id, Arc::new(Callers(Arc::new(users))));
    }
    Ok(Built::Extension { listens: Vec::new() })
}

fn client(settings: &Settings, context: &Context) -> Result<Option<auth::Basic>, SettingsError> {
    let own = ClientAuth {
        username: settings.username.clone(),
        password: settings.password.clone(),
        ..ClientAuth::default()
    };
    let (client, block) = match &settings.client_auth {
        Some(client) => (client, "client_auth."),
        None if settings.username.is_some() => (&own, ""),
        None => return Ok(None),
    };
    if client.username.as_ref().is_some_and(|user| user.contains(':')) {
        let problem = "holds a colon, which would end the user";
        let path = format!("{block}username");
        return Err(SettingsError::new(&path, problem, "choose a user without one"));
    }
    let user = client.username.as_ref().map(Secret::new);
    let path = format!("{block}username");
    let user = source(user.as_ref(), client.username_file.as_deref(), &path, context)?;
    let user = user.ok_or_else(|| {
        SettingsError::new(&path, "is missing", "write username or username_file")
    })?;
    let path = format!("{block}password");
    let (text, file) = (client.password.as_ref(), client.password_file.as_deref());
    let password = source(text, file, &path, context)?;
    Ok(Some(auth::Basic::new(user, password.unwrap_or(SecretText::Given(Secret::new(""))))))
}

/// The users of the block, with the one at the top.
fn users(settings: &Settings, context: &Context) -> Result<Option<callers::Basic>, SettingsError> {
    let Some(users) = &settings.htpasswd else { return Ok(None) };
    let file = users.file.as_deref().filter(|file| !file.is_empty());
    let path = if file.is_some() { "htpasswd.file" } else { "htpasswd.inline" };
    let open = |file: &str| {
        SecretFile::open_up_to(USERS_BYTES_MAX, file, Arc::clone(&context.clock))
            .map_err(|error| unreadable("htpasswd.file", file, &error))
    };
    let file = file.map(open).transpose()?;
    let mut inline = users.inline.as_ref().map_or_else(String::new, |text| text.expose().into());
    if let (Some(user), Some(password)) = (&settings.username, &settings.password) {
        inline = format!("{inline}\n{user}:{}", password.expose());
    }
    let made = callers::Basic::new(file, Secret::new(inline)).map_err(|error| {
        let problem = format!("cannot be read: {error}");
        SettingsError::new(path, problem, "write a line of user:password for each user")
    });
    made.map(Some)
}

/// The secret of the setting `path`, or the one in the file of `path` with `_file` behind it.
pub(crate) fn source(
    text: Option<&Secret>,
    file: Option<&str>,
    path: &str,
    context: &Context,
) -> Result<Option<SecretText>, SettingsError> {
    SecretText::new(text, file, &context.clock)
        .map_err(|error| unreadable(&format!("{path}_file"), file.unwrap_or_default(), &error))
}

pub(crate) fn unreadable(path: &str, file: &str, error: &std::io::Error) -> SettingsError {
    let problem = format!("{file} cannot be read: {error}");
    SettingsError::new(path, problem, "check path and permissions")
}
