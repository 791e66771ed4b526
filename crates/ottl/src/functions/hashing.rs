//! Hashes, checksums and random ids.

use aws_lc_rs::digest;

use super::{Call, Function, Kind, Site, need};
use crate::error::RunError;
use crate::text::{hex, put_hex};
use crate::value::Value;

const TEXT: &[super::Parameter] = &[need("target", Kind::Text)];

pub(super) const LIST: &[Function] = &[
    Function::converter("FNV", TEXT, fnv),
    Function::converter("MD5", TEXT, md5),
    Function::converter("Murmur3Hash", TEXT, murmur3),
    Function::converter("Murmur3Hash128", TEXT, murmur3_128),
    Function::writer("SHA1", TEXT, |site, out| {
        digested(site, &digest::SHA1_FOR_LEGACY_USE_ONLY, out)
    }),
    Function::writer("SHA256", TEXT, |site, out| digested(site, &digest::SHA256, out)),
    Function::writer("SHA512", TEXT, |site, out| digested(site, &digest::SHA512, out)),
    Function::converter("CRC32", TEXT, crc32),
    Function::converter("XXH3", TEXT, xxh3),
    Function::converter("XXH128", TEXT, xxh128),
    Function::converter("UUID", &[], uuid),
    Function::converter("UUIDv7", &[], uuid_v7),
];

type Made = Result<Value, RunError>;

fn digested(
    site: &Site<'_>,
    algorithm: &'static digest::Algorithm,
    out: &mut Vec<u8>,
) -> Result<(), RunError> {
    let mut room = Vec::new();
    let digest = digest::digest(algorithm, site.text(0, &mut room)?);
    put_hex(digest.as_ref(), out);
    Ok(())
}

fn md5(call: &Call<'_>) -> Made {
    use md5::Digest as _;
    Ok(Value::String(hex(&md5::Md5::digest(call.text(0).as_bytes()))))
}

fn fnv(call: &Call<'_>) -> Made {
    let hash = call.text(0).bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Ok(Value::Int(hash.cast_signed()))
}

fn crc32(call: &Call<'_>) -> Made {
    Ok(Value::Int(i64::from(crc32fast::hash(call.text(0).as_bytes()))))
}

fn xxh3(call: &Call<'_>) -> Made {
    let hash = xxhash_rust::xxh3::xxh3_64(call.text(0).as_bytes());
    Ok(Value::String(hex(&hash.to_be_bytes())))
}

fn xxh128(call: &Call<'_>) -> Made {
    let hash = xxhash_rust::xxh3::xxh3_128(call.text(0).as_bytes());
    Ok(Value::String(hex(&hash.to_be_bytes())))
}

fn random() -> Result<[u8; 16], RunError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| RunError::invalid("no randomness"))?;
    Ok(bytes)
}

fn formatted(mut bytes: [u8; 16], version: u8) -> Value {
    bytes[6] = (bytes[6] & 0x0F) | (version << 4);
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    let mut digits = hex(&bytes);
    for at in [20, 16, 12, 8] {
        digits.insert(at, '-');
    }
    Value::String(digits)
}

fn uuid(_: &Call<'_>) -> Made {
    Ok(formatted(random()?, 4))
}

fn uuid_v7(call: &Call<'_>) -> Made {
    let mut bytes = random()?;
    let millis = (call.now().unix_nano / 1_000_000).to_be_bytes();
    bytes[..6].copy_from_slice(&millis[10..]);
    Ok(formatted(bytes, 7))
}

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// <https://en.wikipedia.org/wiki/MurmurHash#Algorithm>
fn murmur3(call: &Call<'_>) -> Made {
    let bytes = call.text(0).as_bytes();
    let scrambled =
        |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0_u32, |hash, block| {
        let hash = hash ^ scrambled(u32::from_le_bytes(*block));
        hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let rest = tail.iter().rev().fold(0_u32, |rest, byte| rest << 8 | u32::from(*byte));
    hash ^= scrambled(rest);
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^= hash >> 16;
    Ok(Value::String(hex(&hash.to_le_bytes())))
}

fn murmur3_128(call: &Call<'_>) -> Made {
    let bytes = call.text(0).as_bytes();
    let first = |block: u64| block.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let second = |block: u64| block.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let read = |bytes: &[u8]| {
        bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (mut one, mut two) = (0_u64, 0_u64);
    let (blocks, tail) = bytes.as_chunks::<16>();
    for block in blocks {
        let (low, high) = block.split_at(8);
        one = (one ^ first(read(low))).rotate_left(27).wrapping_add(two);
        one = one.wrapping_mul(5).wrapping_add(0x52dc_e729);
        two = (two ^ second(read(high))).rotate_left(31).wrapping_add(one);
        two = two.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let (low, high) = tail.split_at(tail.len().min(8));
    one ^= first(read(low)) ^ bytes.len() as u64;
    two ^= second(read(high)) ^ bytes.len() as u64;
    one = one.wrapping_add(two);
    two = two.wrapping_add(one);
    (one, two) = (mixed(one), mixed(two));
    one = one.wrapping_add(two);
    two = two.wrapping_add(one);
    let digits = [one.to_le_bytes(), two.to_le_bytes()].concat();
    Ok(Value::String(hex(&digits)))
}

fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}
