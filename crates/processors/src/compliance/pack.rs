//! Policy packs: which detectors and keys count, and what is done, as data.

use std::collections::BTreeMap;
use std::io::Read as _;

use bessemer_pipeline::SettingsError;
use serde::Deserialize;

use super::settings::Action;

/// Bytes of a pack's file at most.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The packs of the binary.
const BUILT_IN: [&str; 4] = [
    include_str!("packs/gdpr.json"),
    include_str!("packs/hipaa.json"),
    include_str!("packs/pci_dss.json"),
    include_str!("packs/secrets.json"),
];

/// A pack.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pack {
    /// What settings and reports call it.
    pub(super) name: String,
    /// The rule book behind it.
    pub(super) title: String,
    /// Action by detector.
    #[serde(default)]
    pub(super) detectors: BTreeMap<String, Action>,
    /// Action by key.
    #[serde(default)]
    pub(super) keys: BTreeMap<String, Action>,
}

/// The packs with these names, then those of these files.
pub(super) fn load(names: &[String], files: &[String]) -> Result<Vec<Pack>, SettingsError> {
    let mut packs = Vec::new();
    let mut known = Vec::new();
    for text in BUILT_IN {
        known.push(parse(text, "packs")?);
    }
    for name in names {
        let Some(pack) = known.iter().find(|pack| &pack.name == name) else {
            let all: Vec<&str> = known.iter().map(|pack| pack.name.as_str()).collect();
            let problem = format!("has no pack {name:?}");
            return Err(SettingsError::new("packs", problem, format!("one of {}", all.join(", "))));
        };
        packs.push(pack.clone());
    }
    for path in files {
        packs.push(parse(&text_of(path)?, "pack_files")?);
    }
    Ok(packs)
}

fn parse(text: &str, path: &str) -> Result<Pack, SettingsError> {
    serde_json::from_str(text).map_err(|error| {
        SettingsError::new(path, format!("holds no pack: {error}"), "see the guide for the form")
    })
}

fn text_of(path: &str) -> Result<String, SettingsError> {
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let problem = match read {
        Ok(_) if text.len() as u64 <= FILE_BYTES_MAX => return Ok(text),
        Ok(_) => format!("{path} has more than {FILE_BYTES_MAX} bytes"),
        Err(error) => format!("{path} cannot be read: {error}"),
    };
    Err(SettingsError::new("pack_files", problem, "name a readable file with a pack"))
}
