//! Sources of the journal's keys: a file, a directory of files, text such as a variable holds, or
//! Vault.
//!
//! A key is 32 bytes, written raw, as 64 hexadecimal digits, or as base64. Where there are several,
//! the last one in the order of their ids is current, so that ids which begin with a date rotate by
//! being added.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bessemer_journal::{CurrentKey, KEY_BYTES, KEY_ID_BYTES_MAX, Key, KeyError, KeySource};
use bytes::Bytes;
use zeroize::Zeroizing;

mod file;
mod vault;

pub use file::KeyFiles;
pub use vault::{VaultAccess, VaultKey, VaultToken, VaultTransit, VaultUrlError};

/// The id of a key that has no name.
const UNNAMED: &str = "default";
/// Keys that one text may hold.
const KEYS_MAX: usize = 64;

/// Why a key could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Nothing is there.
    #[error("no key; write 32 bytes as base64 or as 64 hexadecimal digits")]
    Empty,
    /// It is not a key.
    #[error("key {id:?} is not 32 bytes as base64 or as 64 hexadecimal digits")]
    NotAKey {
        /// Which one.
        id: String,
    },
    /// Its id does not fit.
    #[error("key id {id:?} must have 1 to {KEY_ID_BYTES_MAX} bytes and be there once")]
    Id {
        /// The id.
        id: String,
    },
    /// More than are taken.
    #[error("more than {KEYS_MAX} keys")]
    TooMany,
}

/// Keys that were given as text once, for as long as the process runs.
#[derive(Debug)]
pub struct KeyText {
    keys: BTreeMap<String, Key>,
}

impl KeyText {
    /// Reads `key`, or `id=key` for several, apart by commas or line breaks.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let mut keys = BTreeMap::new();
        for part in text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
            let (id, key) = named(part);
            let key = key_of(key.as_bytes());
            let key = key.ok_or_else(|| KeyTextError::NotAKey { id: id.into() })?;
            if !is_id(id) || keys.insert(id.to_owned(), key).is_some() {
                return Err(KeyTextError::Id { id: id.into() });
            }
            if keys.len() > KEYS_MAX {
                return Err(KeyTextError::TooMany);
            }
        }
        if keys.is_empty() { Err(KeyTextError::Empty) } else { Ok(Self { keys }) }
    }
}

impl KeySource for KeyText {
    fn current(&self) -> Result<CurrentKey, KeyError> {
        let last = self.keys.last_key_value();
        let (id, key) = last.ok_or_else(|| KeyError::Unknown(UNNAMED.into()))?;
        Ok(CurrentKey { id: id.clone(), key: key.clone(), wrapped: Bytes::new() })
    }

    fn find(&self, id: &str, _: &[u8]) -> Result<Key, KeyError> {
        self.keys.get(id).cloned().ok_or_else(|| KeyError::Unknown(id.into()))
    }
}

// Base64 ends in `=` itself, so a name is told by what follows its first one.
fn named(part: &str) -> (&str, &str) {
    match part.split_once('=') {
        Some((id, key)) if !key.is_empty() && key != "=" => (id.trim(), key.trim()),
        _ => (UNNAMED, part),
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= KEY_ID_BYTES_MAX
}

/// The key in `bytes`: raw, or as text with blanks around it.
fn key_of(bytes: &[u8]) -> Option<Key> {
    if bytes.len() == KEY_BYTES {
        return Key::from_slice(bytes);
    }
    let text = bytes.trim_ascii();
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    if text.len() == 2 * KEY_BYTES {
        for (byte, digits) in key.iter_mut().zip(text.chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        return Key::from_slice(&*key);
    }
    let decoded = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
    Key::from_slice(&Zeroizing::new(decoded.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn a_key_is_read_raw_as_hex_and_as_base64() {
        let hex = "ab".repeat(32);
        let bare = ZEROS.trim_end_matches('=');
        for good in [&[7; 32][..], hex.as_bytes(), b" \n", ZEROS.as_bytes(), bare.as_bytes()] {
            assert_eq!(key_of(good).is_some(), good.len() > 2, "{good:?}");
        }
        for bad in ["", "ab", &"ab".repeat(31), &"zz".repeat(32), "AAAA"] {
            assert!(key_of(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(key_of(format!("{hex}\n").as_bytes()).is_some());
    }

    #[test]
    fn of_several_keys_the_last_by_id_is_current_and_all_are_found() {
        let text = format!("2026-02={ZEROS}, 2026-11={}\n2025={ZEROS}", "01".repeat(32));
        let keys = KeyText::parse(&text).unwrap();
        assert_eq!(keys.current().unwrap().id, "2026-11");
        assert!(keys.find("2025", &[]).is_ok() && keys.find("2026-02", &[]).is_ok());
        assert_eq!(keys.find("x", &[]).unwrap_err(), KeyError::Unknown("x".into()));
        let one = KeyText::parse(ZEROS).unwrap();
        assert_eq!(one.current().unwrap().id, "default");
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_id_and_without_showing_it() {
        let check = |text: &str, message: &str| {
            let error = KeyText::parse(text).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains("hunter2"), "{error}");
        };
        check(" ,\n", "no key");
        check("hunter2", "\"default\"");
        check("old=hunter2", "\"old\"");
        check(&format!("a={ZEROS},a={ZEROS}"), "be there once");
        check(&format!("{}={ZEROS}", "a".repeat(65)), "1 to 64 bytes");
    }
}
