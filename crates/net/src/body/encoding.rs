//! Content encodings by name, and the two one-shot functions over them.
//!
//! `inflate` is for bodies that are small or already paid for (an answer, a file); requests go
//! through [`crate::body::read`], which yields between steps and charges the budget.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::inflate::{Inflater, Progress};

pub use super::inflate::InflateError;

/// How the bytes of a body or gRPC message are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As they are.
    #[default]
    #[serde(alias = "none", alias = "")]
    Identity,
    /// RFC 1952; several members in a row are one body.
    Gzip,
    /// RFC 8878 with a window of at most 8 MiB, as RFC 9659 demands of HTTP.
    Zstd,
    /// The zlib format of RFC 1950, which HTTP calls `deflate`.
    #[serde(alias = "zlib")]
    Deflate,
}

/// The encodings this crate reads, as `accept-encoding` and `grpc-accept-encoding` list them.
pub const ACCEPTED: &str = "gzip, zstd, deflate";

/// Written by hand because the names that other programs write are allowed too.
impl JsonSchema for Encoding {
    fn schema_name() -> Cow<'static, str> {
        "encoding".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "enum": ["none", "identity", "", "gzip", "zstd", "deflate", "zlib"],
        })
    }
}

impl Encoding {
    /// The encoding of one header token, in any case; `None` when it is not one of ours.
    pub fn parse(token: &str) -> Option<Self> {
        let token = token.trim();
        let known = [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("zstd", Self::Zstd),
            ("deflate", Self::Deflate),
            ("zlib", Self::Deflate),
            ("identity", Self::Identity),
            ("", Self::Identity),
        ];
        known.iter().find(|(name, _)| token.eq_ignore_ascii_case(name)).map(|(_, found)| *found)
    }

    /// The token for `content-encoding` and `grpc-encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        }
    }

    /// Whether the bytes are as they are.
    pub fn is_identity(self) -> bool {
        self == Self::Identity
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why bytes could not be compressed.
#[derive(Debug, thiserror::Error)]
#[error("{encoding} could not compress {size} bytes")]
pub struct CompressError {
    encoding: Encoding,
    size: usize,
    source: std::io::Error,
}

/// Inflates all of `encoded` at once, at most `limit` bytes of it.
pub fn inflate(encoding: Encoding, encoded: &Bytes, limit: usize) -> Result<Bytes, InflateError> {
    if encoding.is_identity() {
        let size = encoded.len();
        return if size > limit {
            Err(InflateError::TooLarge { limit })
        } else {
            Ok(encoded.clone())
        };
    }
    let mut inflater = Inflater::new(encoding, encoded, limit);
    loop {
        match inflater.step(encoded)? {
            Progress::More => {}
            Progress::Done => return Ok(inflater.finish()),
        }
    }
}

/// Compresses all of `plain` at the fastest level that is worth its network bytes.
pub fn compress(encoding: Encoding, plain: &[u8]) -> Result<Bytes, CompressError> {
    let compressed = match encoding {
        Encoding::Identity => Ok(Bytes::copy_from_slice(plain)),
        Encoding::Gzip => gzip(plain),
        Encoding::Deflate => zlib(plain),
        Encoding::Zstd => zstandard(plain),
    };
    compressed.map_err(|source| CompressError { encoding, size: plain.len(), source })
}

/// A first guess at the compressed size, so that telemetry (5:1 and better) grows at most once.
fn room(plain: &[u8]) -> Vec<u8> {
    Vec::with_capacity(plain.len() / 6 + 128)
}

fn gzip(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(room(plain), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish().map(Bytes::from)
}

fn zlib(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = ZlibEncoder::new(room(plain), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish().map(Bytes::from)
}

fn zstandard(plain: &[u8]) -> std::io::Result<Bytes> {
    thread_local! {
        /// Building a context costs more than compressing a small batch.
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> =
            const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let mut compressor = match kept.take() {
            Some(compressor) => compressor,
            None => zstd::bulk::Compressor::new(1)?,
        };
        let compressed = compressor.compress(plain)?;
        *kept = Some(compressor);
        Ok(Bytes::from(compressed))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Encoding; 4] =
        [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate];

    #[test]
    fn what_is_compressed_inflates_to_itself() {
        let plain: Vec<u8> = (0..700_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for encoding in ALL {
            for size in [0, 1, 100, 65_536, plain.len()] {
                let plain = &plain[..size];
                let compressed = compress(encoding, plain).unwrap();
                let inflated = inflate(encoding, &compressed, size).unwrap();
                assert_eq!(inflated, plain, "{encoding} {size}");
            }
        }
    }

    #[test]
    fn one_byte_over_the_limit_is_too_large() {
        let plain = vec![7_u8; 100_000];
        for encoding in ALL {
            let compressed = compress(encoding, &plain).unwrap();
            assert!(inflate(encoding, &compressed, plain.len()).is_ok());
            let refused = inflate(encoding, &compressed, plain.len() - 1).unwrap_err();
            assert!(matches!(refused, InflateError::TooLarge { limit: 99_999 }), "{encoding}");
        }
    }

    #[test]
    fn tokens_are_read_in_any_case_and_unknown_ones_refused() {
        assert_eq!(Encoding::parse("GZip"), Some(Encoding::Gzip));
        assert_eq!(Encoding::parse(" zstd "), Some(Encoding::Zstd));
        assert_eq!(Encoding::parse(""), Some(Encoding::Identity));
        assert_eq!(Encoding::parse("br"), None);
        assert_eq!(Encoding::parse("gzip, gzip"), None);
    }
}
