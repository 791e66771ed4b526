//! Who wrote a model file: an Ed25519 signature behind its checksum.
//!
//! The private key is PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it; a public key
//! is its 32 bytes in hexadecimal digits.

use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// Bytes of a signature.
pub(super) const SIGNATURE_BYTES: usize = 64;
/// Bytes of a file with a key at most.
pub const KEY_BYTES_MAX: u64 = 16 << 10;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Why a key cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// No private key that signs models.
    #[error("this is not an Ed25519 private key in PEM (PKCS#8)")]
    Private,
    /// No public key that proves signatures.
    #[error("a public key is 64 hexadecimal digits, as `bessemer train --sign-key` prints them")]
    Public,
}

/// The private key of who trains models.
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads the text of a PEM file.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let inside = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
        let (inside, _) = inside.ok_or(KeyError::Private)?;
        let digits: String = inside.split_whitespace().collect();
        let der = STANDARD.decode(digits).map_err(|_| KeyError::Private)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
        pair.map(Self).map_err(|_| KeyError::Private)
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> Result<PublicKey, KeyError> {
        let bytes = self.0.public_key().as_ref().try_into().map_err(|_| KeyError::Private)?;
        Ok(PublicKey(bytes))
    }

    /// The bytes of a model file with a signature behind them.
    pub fn sign(&self, mut file: Vec<u8>) -> Vec<u8> {
        let signature = self.0.sign(&file);
        file.extend(signature.as_ref());
        file
    }
}

/// The public key of whose models are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; ED25519_PUBLIC_KEY_LEN]);

impl PublicKey {
    /// Whether it signed these bytes.
    pub(super) fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let key = aws_lc_rs::signature::UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(bytes, signature).is_ok()
    }
}

impl std::str::FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (pairs, rest) = text.trim().as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| {
            let digits = std::str::from_utf8(pair).ok()?;
            // A sign would be taken for a part of the number.
            let are_digits = pair.iter().all(u8::is_ascii_hexdigit);
            are_digits.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
        };
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let bytes = bytes.filter(|_| rest.is_empty()).ok_or(KeyError::Public)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Public)
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The text of a new private key.
    pub(crate) fn pem() -> String {
        let der = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der.as_ref()))
    }

    /// A new private key.
    pub(crate) fn key() -> SigningKey {
        SigningKey::from_pem(&pem()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::key;
    use super::*;

    #[test]
    fn a_signature_is_proved_by_its_own_key_alone_and_for_its_own_bytes() {
        let (own, other) = (key(), key());
        let signed = own.sign(b"a model".to_vec());
        let (bytes, signature) = signed.split_at(7);
        assert!(own.public().unwrap().signed(bytes, signature));
        assert!(!own.public().unwrap().signed(b"another", signature));
        assert!(!other.public().unwrap().signed(bytes, signature));
    }

    #[test]
    fn a_public_key_is_read_as_it_is_printed() {
        let key = key().public().unwrap();
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        for text in ["", "00", "+1", &"g0".repeat(32), &"00".repeat(33)] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_texts_than_a_key_are_refused() {
        for text in ["", BEGIN, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            assert!(matches!(SigningKey::from_pem(text), Err(KeyError::Private)), "{text}");
        }
    }
}
