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
    /// Makes URLs alike that differ in ids, query or fragment only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_sanitizer: Option<Urls>,
    /// Takes the values out of statements to databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_sanitizer: Option<Databases>,
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

/// Makes URLs and paths alike: a part that has digits or cannot be read becomes `*`, query and
/// fragment go, and what stands behind ten parts. Bodies of log records that are one URL are made
/// alike too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Urls {
    /// Whether it is done at all.
    pub enabled: bool,
    /// Keys of the attributes that hold URLs.
    pub attributes: Vec<String>,
    /// Names of client and server spans with a slash, or with attributes of HTTP, are made alike too,
    /// unless nothing but asterisks would be left.
    pub sanitize_span_name: bool,
}

impl Default for Urls {
    fn default() -> Self {
        Self { enabled: false, attributes: Vec::new(), sanitize_span_name: true }
    }
}

/// Takes the values out of statements to databases. An attribute is a statement if it is named below
/// and `db.system.name` or `db.system` beside it names a database of that kind. Bodies of log records
/// with such an attribute are statements too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Databases {
    /// SQL: literals become `?`, comments go, and digits of names become `?` (`mysql`, `postgresql`,
    /// `mariadb`, `sqlite`, `other_sql`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<Sanitizer>,
    /// Redis: the arguments of commands become `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<Sanitizer>,
    /// Valkey: the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valkey: Option<Sanitizer>,
    /// Memcached: only the line of the command stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memcached: Option<Sanitizer>,
    /// `MongoDB`: the values of JSON become `"?"`, and what is no JSON becomes `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mongo: Option<Sanitizer>,
    /// `OpenSearch`: the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opensearch: Option<Sanitizer>,
    /// Elasticsearch: the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub es: Option<Sanitizer>,
    /// Where no attribute names the database, every kind that names the attribute is tried in turn.
    pub allow_fallback_without_system: bool,
    /// Names of client, server and internal spans of such a database are statements too.
    pub sanitize_span_name: bool,
}

impl Default for Databases {
    fn default() -> Self {
        Self {
            sql: None,
            redis: None,
            valkey: None,
            memcached: None,
            mongo: None,
            opensearch: None,
            es: None,
            allow_fallback_without_system: false,
            sanitize_span_name: true,
        }
    }
}

/// Statements to one kind of database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sanitizer {
    /// Whether it is done at all.
    pub enabled: bool,
    /// Keys of the attributes that hold statements.
    pub attributes: Vec<String>,
}
