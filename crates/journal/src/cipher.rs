//! AES-256-GCM under keys that are used for one segment, one footer or one run of cursor slots.
//!
//! No key is used as it comes: HKDF-SHA256 makes a secret of it and a salt that is drawn when a
//! file, a footer or a run begins, and of that secret one subkey per purpose. So a nonce needs to
//! be unique below its salt only, where a byte offset or a counter is. Decision 11 argues it.

use std::io;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::keys::{KEY_BYTES, Key, SALT_BYTES};

/// Bytes of an authentication tag.
pub(crate) const TAG_BYTES: usize = 16;
/// Bytes of the code that authenticates a block header by itself.
pub(crate) const MAC_BYTES: usize = 8;

/// What all subkeys below one salt are made of.
pub(crate) struct Secret(Prk);

/// Seals and opens with one subkey.
pub(crate) struct Cipher {
    key: LessSafeKey,
    /// Names the subkey to the tests that watch for a nonce that is used twice.
    #[cfg(test)]
    subkey: [u8; KEY_BYTES],
}

/// Authenticates what stays in the clear.
pub(crate) struct Mac(hmac::Key);

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl Secret {
    pub(crate) fn new(key: &Key, salt: &[u8; SALT_BYTES]) -> Self {
        Self(Salt::new(HKDF_SHA256, salt).extract(key.bytes()))
    }

    /// The subkey of a purpose, and of what else must not be mistaken.
    fn subkey(&self, purpose: &str, bound: &[u8]) -> io::Result<Zeroizing<[u8; KEY_BYTES]>> {
        let mut subkey = Zeroizing::new([0; KEY_BYTES]);
        let info = [b"bessemer journal ", purpose.as_bytes(), b"\0", bound];
        let expanded = self.0.expand(&info, Bytes32);
        expanded.and_then(|okm| okm.fill(&mut *subkey)).map_err(|_| failed())?;
        Ok(subkey)
    }

    pub(crate) fn cipher(&self, purpose: &str, bound: &[u8]) -> io::Result<Cipher> {
        let subkey = self.subkey(purpose, bound)?;
        let key = UnboundKey::new(&AES_256_GCM, &*subkey).map_err(|_| failed())?;
        Ok(Cipher {
            key: LessSafeKey::new(key),
            #[cfg(test)]
            subkey: *subkey,
        })
    }

    pub(crate) fn mac(&self, purpose: &str, bound: &[u8]) -> io::Result<Mac> {
        let subkey = self.subkey(purpose, bound)?;
        Ok(Mac(hmac::Key::new(hmac::HMAC_SHA256, &*subkey)))
    }

    /// A key to make secrets of, for what needs salts of its own.
    pub(crate) fn key(&self, purpose: &str, bound: &[u8]) -> io::Result<Key> {
        Ok(Key::new(*self.subkey(purpose, bound)?))
    }
}

impl Cipher {
    /// Seals `bytes` where they are. `number` may be used once below the cipher's salt.
    pub(crate) fn seal(
        &self,
        number: u64,
        bound: &[u8],
        bytes: &mut [u8],
    ) -> io::Result<[u8; TAG_BYTES]> {
        #[cfg(test)]
        nonces::note(self.subkey, number);
        let sealed = self.key.seal_in_place_separate_tag(nonce(number), Aad::from(bound), bytes);
        let tag = sealed.map_err(|_| failed())?;
        tag.as_ref().try_into().map_err(|_| failed())
    }

    /// What was sealed, or `None` when it, its place or its tag are not what they were.
    pub(crate) fn open(
        &self,
        number: u64,
        bound: &[u8],
        sealed: &[u8],
        tag: &[u8; TAG_BYTES],
    ) -> Option<Vec<u8>> {
        let mut plain = vec![0; sealed.len()];
        let bound = Aad::from(bound);
        self.key.open_separate_gather(nonce(number), bound, sealed, tag, &mut plain).ok()?;
        Some(plain)
    }
}

impl Mac {
    /// The first bytes of the code over `parts`.
    pub(crate) fn code<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        let mut code = [0; N];
        code.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        code
    }

    /// Whether `code` is the one over `parts`; takes as long either way.
    pub(crate) fn verify<const N: usize>(&self, parts: &[&[u8]], code: &[u8; N]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.code::<N>(parts), code).is_ok()
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let places = bytes.iter_mut().skip(NONCE_LEN - size_of::<u64>());
    places.zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    Nonce::assume_unique_for_key(bytes)
}

fn failed() -> io::Error {
    io::Error::other("the cryptographic library refused")
}

#[cfg(test)]
mod nonces;

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(key: u8, salt: u8, bound: &[u8]) -> Cipher {
        Secret::new(&Key::new([key; 32]), &[salt; 16]).cipher("test", bound).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_only_under_all_that_it_was_bound_to() {
        let mut bytes = *b"a secret of some length";
        let tag = cipher(1, 2, b"x").seal(3, b"y", &mut bytes).unwrap();
        assert_ne!(&bytes, b"a secret of some length");
        let open = |cipher: Cipher, number, bound: &[u8]| cipher.open(number, bound, &bytes, &tag);
        assert_eq!(open(cipher(1, 2, b"x"), 3, b"y").unwrap(), b"a secret of some length");
        assert_eq!(open(cipher(9, 2, b"x"), 3, b"y"), None);
        assert_eq!(open(cipher(1, 9, b"x"), 3, b"y"), None);
        assert_eq!(open(cipher(1, 2, b"z"), 3, b"y"), None);
        assert_eq!(open(cipher(1, 2, b"x"), 4, b"y"), None);
        assert_eq!(open(cipher(1, 2, b"x"), 3, b"z"), None);
    }

    #[test]
    fn no_flipped_bit_is_opened() {
        let mut bytes = *b"sealed";
        let cipher = cipher(1, 2, b"");
        let tag = cipher.seal(0, b"", &mut bytes).unwrap();
        for bit in 0..(bytes.len() + TAG_BYTES) * 8 {
            let (mut bytes, mut tag) = (bytes, tag);
            let byte = bytes.iter_mut().chain(&mut tag).nth(bit / 8).unwrap();
            *byte ^= 1 << (bit % 8);
            assert_eq!(cipher.open(0, b"", &bytes, &tag), None, "bit {bit}");
        }
    }
}
