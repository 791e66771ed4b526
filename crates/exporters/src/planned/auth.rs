//! Settings of authenticators.

use std::collections::BTreeMap;

use bessemer_net::tls::settings::Tls;
use bessemer_runtime::{Secret, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// User and password, as `basicauth` has them under `client_auth` or at the top.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct Basic {
    /// The user.
    username: Option<String>,
    /// The password.
    password: Option<Secret>,
    /// Credentials that a client sends.
    client_auth: Option<User>,
    /// Credentials that a server takes.
    htpasswd: Option<Htpasswd>,
}

/// A user.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    /// The name.
    username: String,
    /// The password.
    password: Secret,
}

/// Users in the form of `htpasswd`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Htpasswd {
    /// A file of them.
    file: Option<String>,
    /// The lines themselves.
    inline: Option<Secret>,
}

/// A token in a header.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bearer {
    /// What stands before the token.
    scheme: Option<String>,
    /// The header.
    header: Option<String>,
    /// The token.
    token: Option<Secret>,
    /// Tokens that a server takes.
    tokens: Option<Vec<Secret>>,
    /// The file that holds the token.
    filename: Option<String>,
}

/// Tokens from an OAuth server by client credentials.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuth2 {
    /// The client.
    client_id: Option<String>,
    /// The file that holds the client.
    client_id_file: Option<String>,
    /// Its secret.
    client_secret: Option<Secret>,
    /// The file that holds the secret.
    client_secret_file: Option<String>,
    /// Where tokens are had.
    token_url: String,
    /// What tokens are for.
    scopes: Option<Vec<String>>,
    /// Further parameters of the request.
    endpoint_params: Option<BTreeMap<String, serde_json::Value>>,
    /// Time before it expires at which a token is renewed.
    expiry_buffer: Option<Span>,
    /// How the server is trusted.
    tls: Option<Tls>,
    /// The time one request has.
    timeout: Option<Span>,
}
