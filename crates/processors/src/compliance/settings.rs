//! Settings of `bessemer.processor.compliance`, as they are written.

use bessemer_config::value::PipelineName;
use bessemer_runtime::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `bessemer.processor.compliance`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Policy packs: `gdpr`, `pci_dss`, `hipaa`, `secrets`. A pack says which detectors are on, what
    /// is done with what they find, and which keys are sensitive. Where several say different
    /// things, the stricter action counts. With neither packs nor `detector` blocks, every detector
    /// is on with `action`.
    pub packs: Vec<String>,
    /// Files with packs of your own, in the form of the built-in ones: JSON with `name`, `title`,
    /// `detectors` (from a detector's name to its action) and `keys` (from a key to its action). At
    /// most 1 MiB each, read at start.
    pub pack_files: Vec<String>,
    /// What is done where neither a pack nor a `detector` block says it.
    pub action: Action,
    /// Key of `hash` and `tokenise`, at least 16 bytes. Equal values become equal hashes and tokens
    /// as long as it stays the same.
    pub key: Option<Secret>,
    /// One detector's own settings, which go before those of packs.
    pub detector: Vec<DetectorSettings>,
    /// One sensitive key's own settings, which go before those of packs.
    pub key_rule: Vec<KeyRuleSettings>,
    /// Names of persons, looked for as whole words in any case. At most 10,000.
    pub names: Vec<String>,
    /// What is never reported.
    pub allow: AllowSettings,
    /// Attribute that lists what was found in a record; `tag` sets it, and every other action does
    /// where this is written.
    pub tag_attribute: Option<String>,
    /// Where records go that nothing blocks. Written together with `blocked_pipelines`; without
    /// both, `block` refuses the batch and its sender gets an error that sending again cannot heal.
    pub pipelines: Vec<PipelineName>,
    /// Where blocked records go, unchanged.
    pub blocked_pipelines: Vec<PipelineName>,
}

/// What is done with what was found, from the mildest to the strictest.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// The record says in an attribute what it holds; the value stays.
    Tag,
    /// The value becomes a short token, the same for equal values.
    Tokenise,
    /// The value becomes its HMAC-SHA256 in hexadecimal digits.
    Hash,
    /// The value becomes `[REDACTED:detector]`.
    #[default]
    Redact,
    /// The attribute or entry of a map is removed; in a body or name the value is redacted.
    DropAttribute,
    /// The record is removed and counted as filtered.
    DropRecord,
    /// The record goes to `blocked_pipelines`, or the batch is refused.
    Block,
}

impl Action {
    /// The name in settings and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Tokenise => "tokenise",
            Self::Hash => "hash",
            Self::Redact => "redact",
            Self::DropAttribute => "drop_attribute",
            Self::DropRecord => "drop_record",
            Self::Block => "block",
        }
    }
}

/// Settings of one detector.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetectorSettings {
    /// `email`, `phone`, `iban`, `card`, `ssn`, `ipv4`, `ipv6`, `name`, `token`, `jwt`,
    /// `private_key`, `connection_string`, `authorization`, `keyed_secret` or `entropy`.
    pub name: String,
    /// Whether it is on.
    #[serde(default = "on")]
    pub enabled: bool,
    /// What is done with what it finds.
    pub action: Option<Action>,
}

fn on() -> bool {
    true
}

/// A key whose values are sensitive, whatever they look like.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRuleSettings {
    /// The key or the last words of it: `first_name` also stands for `user.firstName`.
    pub key: String,
    /// What is done with its values.
    pub action: Option<Action>,
}

/// What is never reported.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AllowSettings {
    /// Findings that are equal to one of these, in any case.
    pub values: Vec<String>,
    /// Findings that one of these regular expressions matches.
    pub patterns: Vec<String>,
    /// Attributes whose key one of these regular expressions matches are not looked into.
    pub keys: Vec<String>,
}
