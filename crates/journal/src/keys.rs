//! Where the keys of sealed logs come from: a trait, so that the journal knows no file and no vault.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use zeroize::Zeroizing;

/// Bytes of a key: those of AES-256.
pub const KEY_BYTES: usize = 32;
/// Most bytes of a key's id.
pub const KEY_ID_BYTES_MAX: usize = 64;
/// Most bytes of a key as its source has wrapped it.
pub const WRAPPED_KEY_BYTES_MAX: usize = 1024;
/// Bytes of what makes the subkeys of a segment differ from all others.
pub(crate) const SALT_BYTES: usize = 16;

/// A key, wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// The key that is used from now on.
#[derive(Debug, Clone)]
pub struct CurrentKey {
    /// By which it is asked for again; at most 64 bytes, written to disk in the clear.
    pub id: String,
    /// The key.
    pub key: Key,
    /// The key as only its source can unwrap it; empty where the id alone finds it. At most 1 KiB,
    /// written to disk in the clear.
    pub wrapped: Bytes,
}

/// Why a key was not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The source works, and has no such key. What it sealed is left alone until it does.
    #[error("no source has key {0:?}")]
    Unknown(String),
    /// The source cannot be asked now; opening a journal is then refused.
    #[error("key source {source_name}: {reason}")]
    Unavailable {
        /// Which source.
        source_name: String,
        /// Why not.
        reason: String,
    },
}

/// Gives keys. Called from the journal's threads and while one is opened; may block for seconds.
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// The key for the next segment. A new one here is how keys are rotated.
    fn current(&self) -> Result<CurrentKey, KeyError>;

    /// The key of an id, or the one that was wrapped.
    fn find(&self, id: &str, wrapped: &[u8]) -> Result<Key, KeyError>;

    /// Fills `salt` so that it never has the same bytes twice. By default from the operating
    /// system's generator; a simulation may replay a sequence instead.
    fn fill_salt(&self, salt: &mut [u8]) -> Result<(), KeyError> {
        aws_lc_rs::rand::fill(salt).map_err(|_| KeyError::Unavailable {
            source_name: "random numbers".into(),
            reason: "the system gave none".into(),
        })
    }
}

impl Key {
    /// Takes the bytes of a key.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key of `bytes`, if they are as many as a key has.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        (bytes.len() == KEY_BYTES).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// A source of keys, and which of them new segments are sealed with.
#[derive(Debug)]
pub(crate) struct Keyring {
    source: Arc<dyn KeySource>,
    latest: Mutex<Option<Arc<CurrentKey>>>,
}

impl Keyring {
    pub(crate) fn new(source: Arc<dyn KeySource>) -> Self {
        Self { source, latest: Mutex::default() }
    }

    /// Asks for the key of a new segment.
    pub(crate) fn next(&self) -> io::Result<Arc<CurrentKey>> {
        let current = self.source.current().map_err(io::Error::other)?;
        let too_long = current.id.len() > KEY_ID_BYTES_MAX
            || current.wrapped.len() > WRAPPED_KEY_BYTES_MAX
            || current.id.is_empty();
        if too_long {
            return Err(io::Error::other("key source gave an id or wrapped key of a wrong length"));
        }
        let current = Arc::new(current);
        let before = self.latest.lock().replace(Arc::clone(&current));
        if before.is_some_and(|before| before.id != current.id) {
            tracing::info!(key = current.id, "journal key rotated");
        }
        Ok(current)
    }

    /// The key of the newest segment, or a first one.
    pub(crate) fn latest(&self) -> io::Result<Arc<CurrentKey>> {
        let latest = self.latest.lock().clone();
        latest.map_or_else(|| self.next(), Ok)
    }

    pub(crate) fn find(&self, id: &str, wrapped: &[u8]) -> Result<Key, KeyError> {
        self.source.find(id, wrapped)
    }

    pub(crate) fn salt(&self) -> io::Result<[u8; SALT_BYTES]> {
        let mut salt = [0; SALT_BYTES];
        self.source.fill_salt(&mut salt).map_err(io::Error::other)?;
        Ok(salt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_32_bytes_and_does_not_show_them() {
        assert!(Key::from_slice(&[7; 31]).is_none() && Key::from_slice(&[7; 33]).is_none());
        assert_eq!(format!("{:?}", Key::from_slice(&[7; 32]).unwrap()), "***");
    }

    /// A source whose names and wrapped keys are as long as told.
    #[derive(Debug)]
    struct Long(usize, usize);

    impl KeySource for Long {
        fn current(&self) -> Result<CurrentKey, KeyError> {
            let (id, wrapped) = ("k".repeat(self.0), vec![0; self.1].into());
            Ok(CurrentKey { id, key: Key::new([1; KEY_BYTES]), wrapped })
        }

        fn find(&self, id: &str, _: &[u8]) -> Result<Key, KeyError> {
            Err(KeyError::Unknown(id.into()))
        }
    }

    #[test]
    fn names_and_wrapped_keys_are_taken_up_to_their_limits() {
        for (id, wrapped, is_taken) in [
            (1, 0, true),
            (0, 0, false),
            (KEY_ID_BYTES_MAX, WRAPPED_KEY_BYTES_MAX, true),
            (KEY_ID_BYTES_MAX + 1, 0, false),
            (1, WRAPPED_KEY_BYTES_MAX + 1, false),
        ] {
            let keyring = Keyring::new(Arc::new(Long(id, wrapped)));
            assert_eq!(keyring.next().is_ok(), is_taken, "{id} and {wrapped} bytes");
        }
    }

    #[test]
    fn no_two_salts_are_alike() {
        let keyring = Keyring::new(Arc::new(Long(1, 0)));
        let salts: std::collections::BTreeSet<_> =
            (0..50).map(|_| keyring.salt().unwrap()).collect();
        assert_eq!(salts.len(), 50);
    }
}
