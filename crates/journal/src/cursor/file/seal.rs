//! Slots of a sealed cursor file: each is sealed whole and says by which key.
//!
//! A slot is overwritten again and again, by one process after another, and what a crash leaves of
//! its generations is not to be trusted for a nonce. So each process draws a salt when it first
//! writes, again when the key changes, and counts what it seals below it.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};

use crate::cipher::{Cipher, Secret, TAG_BYTES};
use crate::format::{VERSION, bytes_at};
use crate::keys::{CurrentKey, KeyError, Keyring, SALT_BYTES};
use crate::log::Env;

const SEALED_MAGIC: u32 = 0x4C41_4553;
const PURPOSE: &str = "cursor slots";
/// Checksum and length, before what they are of.
const FRAME_BYTES: usize = 8;

/// Seals the slots of one process under one key.
pub(super) struct SlotSeal {
    key: Arc<CurrentKey>,
    salt: [u8; SALT_BYTES],
    cipher: Cipher,
    next: u64,
}

/// Opens slots, each by the key it names.
pub(super) struct SlotOpener<'a> {
    keys: Option<&'a Keyring>,
    /// The last run came across, which nearly always is the next one's too.
    run: Option<([u8; SALT_BYTES], Cipher)>,
}

/// What the bytes of a slot are.
pub(super) enum Opened {
    /// Not sealed, or opened: the slot as it is decoded.
    Slot(Bytes),
    /// Of a version that only newer builds know.
    Newer(u8),
    /// The key that is needed to tell, and why it does not.
    Locked(String),
    /// Not what was written.
    Damaged,
}

impl SlotSeal {
    pub(super) fn begin(env: &Env, key: Arc<CurrentKey>) -> io::Result<Self> {
        let salt = env.salt()?;
        let cipher = Secret::new(&key.key, &salt).cipher(PURPOSE, b"")?;
        Ok(Self { key, salt, cipher, next: 0 })
    }

    pub(super) fn is_by(&self, key: &CurrentKey) -> bool {
        self.key.id == key.id && self.key.wrapped == key.wrapped
    }

    /// Seals a slot for the place it is written to.
    pub(super) fn seal(&mut self, offset: u64, slot: Vec<u8>) -> io::Result<Vec<u8>> {
        let number = self.next;
        self.next += 1;
        let mut body = Vec::with_capacity(slot.len() + 256);
        body.put_u32_le(SEALED_MAGIC);
        body.put_slice(&[VERSION, 0, 0, 0]);
        body.put_u8(u8::try_from(self.key.id.len()).unwrap_or(u8::MAX));
        body.put_slice(self.key.id.as_bytes());
        body.put_u16_le(u16::try_from(self.key.wrapped.len()).unwrap_or(u16::MAX));
        body.put_slice(&self.key.wrapped);
        body.put_slice(&self.salt);
        body.put_u64_le(number);
        let mut slot = slot;
        let tag = self.cipher.seal(number, &bound(&body, offset), &mut slot)?;
        body.put_slice(&slot);
        body.put_slice(&tag);
        let mut out = Vec::with_capacity(FRAME_BYTES + body.len());
        out.put_u32_le(crc32c::crc32c(&body));
        out.put_u32_le(u32::try_from(body.len()).unwrap_or(u32::MAX));
        out.put_slice(&body);
        Ok(out)
    }
}

impl<'a> SlotOpener<'a> {
    pub(super) fn new(keys: Option<&'a Keyring>) -> Self {
        Self { keys, run: None }
    }

    /// Says what the bytes found at `offset` are. An error when the keys cannot be asked.
    pub(super) fn open(&mut self, offset: u64, bytes: &[u8]) -> io::Result<Opened> {
        let Some(body) = framed(bytes) else { return Ok(Opened::Damaged) };
        let magic = bytes_at(body, 0).map(u32::from_le_bytes);
        let version = body.get(4).copied().unwrap_or_default();
        if version > VERSION {
            return Ok(Opened::Newer(version));
        }
        if magic != Some(SEALED_MAGIC) {
            return Ok(Opened::Slot(Bytes::copy_from_slice(bytes)));
        }
        let Some(sealed) = Sealed::parse(body) else { return Ok(Opened::Damaged) };
        if let Err(reason) = self.enter(&sealed)? {
            return Ok(Opened::Locked(reason));
        }
        let cipher = self.run.as_ref().map(|(_, cipher)| cipher);
        let bound = bound(sealed.clear, offset);
        let opened = cipher
            .and_then(|cipher| cipher.open(sealed.number, &bound, sealed.ciphertext, &sealed.tag));
        // The checksum holds, so it is another key of this name, or somebody's doing.
        let wrong = || Opened::Locked(format!("key {:?} as given does not fit", sealed.key_id));
        Ok(opened.map_or_else(wrong, |slot| Opened::Slot(slot.into())))
    }

    fn enter(&mut self, sealed: &Sealed<'_>) -> io::Result<Result<(), String>> {
        if self.run.as_ref().is_some_and(|(salt, _)| *salt == sealed.salt) {
            return Ok(Ok(()));
        }
        let id = sealed.key_id;
        let Some(keys) = self.keys else {
            return Ok(Err(format!("it is sealed with key {id:?}, and no keys are configured")));
        };
        let key = match keys.find(id, sealed.wrapped) {
            Ok(key) => key,
            Err(KeyError::Unknown(_)) => {
                return Ok(Err(format!("it is sealed with key {id:?}, which no source has")));
            }
            Err(error @ KeyError::Unavailable { .. }) => return Err(io::Error::other(error)),
        };
        let cipher = Secret::new(&key, &sealed.salt).cipher(PURPOSE, b"")?;
        self.run = Some((sealed.salt, cipher));
        Ok(Ok(()))
    }
}

struct Sealed<'a> {
    key_id: &'a str,
    wrapped: &'a [u8],
    salt: [u8; SALT_BYTES],
    number: u64,
    /// All before the ciphertext.
    clear: &'a [u8],
    ciphertext: &'a [u8],
    tag: [u8; TAG_BYTES],
}

impl<'a> Sealed<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let mut rest = body.get(8..)?;
        let len = usize::from(rest.try_get_u8().ok()?);
        let (key_id, after) = rest.split_at_checked(len)?;
        rest = after;
        let len = usize::from(rest.try_get_u16_le().ok()?);
        let (wrapped, after) = rest.split_at_checked(len)?;
        let (salt, mut rest) = after.split_first_chunk()?;
        let number = rest.try_get_u64_le().ok()?;
        let clear = body.get(..body.len() - rest.len())?;
        let (ciphertext, tag) = rest.split_last_chunk()?;
        let key_id = std::str::from_utf8(key_id).ok()?;
        Some(Self { key_id, wrapped, salt: *salt, number, clear, ciphertext, tag: *tag })
    }
}

// A slot that is copied to another place, of this or another area, does not open there.
fn bound(clear: &[u8], offset: u64) -> Vec<u8> {
    [clear, &offset.to_le_bytes()].concat()
}

fn framed(bytes: &[u8]) -> Option<&[u8]> {
    let crc = u32::from_le_bytes(bytes_at(bytes, 0)?);
    let len = u32::from_le_bytes(bytes_at(bytes, 4)?) as usize;
    let body = bytes.get(FRAME_BYTES..len.checked_add(FRAME_BYTES)?)?;
    (crc32c::crc32c(body) == crc && len > FRAME_BYTES).then_some(body)
}
