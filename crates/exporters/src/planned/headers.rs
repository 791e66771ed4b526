//! Settings of headers that a client takes from what came in.

use bessemer_runtime::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

/// Headers of every request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Headers {
    /// The headers.
    #[serde(alias = "headers")]
    #[schemars(extend("x-aliases" = ["headers"]))]
    header: Vec<Header>,
    /// What proves who sends, beside them.
    additional_auth: Option<String>,
}

/// One header.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// Its name.
    key: String,
    /// What happens to one that is there.
    action: Option<Action>,
    /// Its value.
    value: Option<Secret>,
    /// The metadata that its value is taken from.
    from_context: Option<String>,
    /// What an authenticator knows of the caller that its value is taken from.
    from_attribute: Option<String>,
    /// The value where there is none to take.
    default_value: Option<Secret>,
}

/// What happens to a header that is there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// It is kept.
    Insert,
    /// It gets another value.
    Update,
    /// There is one afterwards.
    Upsert,
    /// It is taken out.
    Delete,
}
