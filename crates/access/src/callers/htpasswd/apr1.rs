//! Apache's variant of crypt(3) on MD5: a thousand rounds over password and salt.

use md5::{Digest as _, Md5};

const ROUNDS: usize = 1000;
const MAGIC: &[u8] = b"$apr1$";
/// The salt that counts, in bytes.
const SALT_MAX: usize = 8;
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Bytes of the digest in the order in which they are written, three by three.
const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
const LAST: usize = 11;

/// The hash of a password, as it stands behind the salt.
pub(super) fn hash(password: &[u8], salt: &[u8]) -> String {
    let salt = salt.get(..SALT_MAX).unwrap_or(salt);
    let mut digest = first(password, salt);
    for round in 0..ROUNDS {
        digest = again(round, &digest, password, salt);
    }
    written(&digest)
}

fn first(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut outer = Md5::new().chain_update(password).chain_update(MAGIC).chain_update(salt);
    for chunk in password.chunks(inner.len()) {
        outer.update(inner.get(..chunk.len()).unwrap_or_default());
    }
    // The bits of the length choose between a zero and the first byte.
    let mut bits = password.len();
    while bits > 0 {
        let byte = if bits & 1 == 1 { 0 } else { password.first().copied().unwrap_or(0) };
        outer.update([byte]);
        bits >>= 1;
    }
    outer.finalize().into()
}

fn again(round: usize, digest: &[u8; 16], password: &[u8], salt: &[u8]) -> [u8; 16] {
    let (start, end) =
        if round % 2 == 1 { (password, &digest[..]) } else { (&digest[..], password) };
    let mut hasher = Md5::new().chain_update(start);
    if !round.is_multiple_of(3) {
        hasher.update(salt);
    }
    if !round.is_multiple_of(7) {
        hasher.update(password);
    }
    hasher.chain_update(end).finalize().into()
}

fn written(digest: &[u8; 16]) -> String {
    let byte = |at: usize| u32::from(digest.get(at).copied().unwrap_or(0));
    let mut out = String::with_capacity(22);
    for [high, middle, low] in ORDER {
        digits(&mut out, byte(high) << 16 | byte(middle) << 8 | byte(low), 4);
    }
    digits(&mut out, byte(LAST), 2);
    out
}

fn digits(out: &mut String, mut value: u32, count: usize) {
    for _ in 0..count {
        let digit = DIGITS.get((value & 63) as usize).copied().unwrap_or(b'.');
        out.push(char::from(digit));
        value >>= 6;
    }
}
