//! What stands in place of a text that must not be seen.

use aws_lc_rs::{digest, hmac};
use bessemer_pipeline::SettingsError;
use bessemer_runtime::Secret;
use md5::Digest as _;

use super::settings::{HashFunction, Settings};
use crate::attributes::action::hexadecimal;

/// How a text is replaced.
#[derive(Debug)]
pub(super) enum Mask {
    Stars,
    Md5,
    Hash(&'static digest::Algorithm),
    Keyed(Box<hmac::Key>),
}

impl Mask {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let keyed = |algorithm| {
            let key = settings.hmac_key.as_ref().map(Secret::expose).unwrap_or_default();
            if key.is_empty() {
                let remedy = "write a key of at least 32 random bytes";
                return Err(SettingsError::new("hmac_key", "is not set", remedy));
            }
            Ok(Self::Keyed(Box::new(hmac::Key::new(algorithm, key.as_bytes()))))
        };
        match settings.hash_function {
            None => Ok(Self::Stars),
            Some(HashFunction::Md5) => Ok(Self::Md5),
            Some(HashFunction::Sha1) => Ok(Self::Hash(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            Some(HashFunction::Sha3) => Ok(Self::Hash(&digest::SHA3_256)),
            Some(HashFunction::HmacSha256) => keyed(hmac::HMAC_SHA256),
            Some(HashFunction::HmacSha512) => keyed(hmac::HMAC_SHA512),
        }
    }

    /// What replaces a text.
    pub(super) fn of(&self, text: &str) -> String {
        match self {
            Self::Stars => "****".to_owned(),
            Self::Md5 => hexadecimal(md5::Md5::digest(text).as_slice()),
            Self::Hash(algorithm) => {
                hexadecimal(digest::digest(algorithm, text.as_bytes()).as_ref())
            }
            Self::Keyed(key) => hexadecimal(hmac::sign(key, text.as_bytes()).as_ref()),
        }
    }
}
