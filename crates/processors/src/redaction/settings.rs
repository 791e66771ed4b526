//! Settings of `otelcol.processor.redaction`, as they are written.

use bessemer_runtime::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `otelcol.processor.redaction`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Keep attributes of every key; `allowed_keys` has no effect then.
    pub allow_all_keys: bool,
    /// Keys of the attributes that are kept; all others are removed. With an empty list nothing is
    /// kept but what is ignored.
    pub allowed_keys: Vec<String>,
    /// Keys of attributes that pass as they are, whatever their values.
    pub ignored_keys: Vec<String>,
    /// Regular expressions (RE2) for keys of attributes that pass as they are.
    pub ignored_key_patterns: Vec<String>,
    /// Regular expressions (RE2) for keys of attributes whose whole value is masked.
    pub blocked_key_patterns: Vec<String>,
    /// Regular expressions (RE2) for what is masked in the values of the attributes that are kept,
    /// wherever it stands in them.
    pub blocked_values: Vec<String>,
    /// Regular expressions (RE2) for values that pass although something in them is blocked.
    pub allowed_values: Vec<String>,
    /// Look at numbers, truth values, lists and maps too, as text. Without it only text is looked
    /// at. In the body of a log record every value is.
    pub redact_all_types: bool,
    /// What replaces a masked text: four asterisks unless given, else its hash in hexadecimal.
    pub hash_function: Option<HashFunction>,
    /// The key of `hmac-sha256` and `hmac-sha512`.
    pub hmac_key: Option<Secret>,
    /// What is told of it in attributes beside the redacted ones. Names of keys can say much:
    /// `debug` is for trying out a configuration.
    pub summary: Summary,
}

/// What replaces a masked text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HashFunction {
    /// MD5. It is broken for most purposes.
    Md5,
    /// SHA-1. It is broken for most purposes.
    Sha1,
    /// SHA3-256.
    Sha3,
    /// HMAC with SHA-256: cannot be guessed without the key.
    HmacSha256,
    /// HMAC with SHA-512: cannot be guessed without the key.
    HmacSha512,
}

/// What is told of a redaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Summary {
    /// Nothing.
    #[default]
    #[serde(alias = "")]
    Silent,
    /// How many attributes.
    Info,
    /// How many attributes, and their keys.
    Debug,
}
