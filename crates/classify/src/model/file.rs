//! A model as a file: versioned, with its report, a checksum over everything, and a signature if it
//! was written with a key.
//!
//! Layout, little endian: magic `BSMMODEL`; version u32; length of the report u32; report as JSON;
//! number of features u32; temperature and three biases f32; for each feature its key u32, value
//! f32 and three weights f32, by ascending key; XXH3 u64 of all bytes before it; in a signed file
//! 64 bytes of Ed25519 over all bytes before them. The checksum finds damage, the signature proves who
//! wrote the file.

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::sign::{PublicKey, SIGNATURE_BYTES};
use super::table::Table;
use super::{FEATURES_MAX, Model, Part, Report};

/// Bytes of a model file at most.
pub const FILE_BYTES_MAX: usize = 4 << 20;

const MAGIC: &[u8; 8] = b"BSMMODEL";
/// Counts changes of the layout and of what a key stands for.
const VERSION: u32 = 2;

/// Temperature and biases.
const HEADER_BYTES: u32 = 16;
/// Key, value and weights.
const FEATURE_BYTES: u32 = 20;

/// Why a model file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// Other bytes than a model's.
    #[error("this is not a model file")]
    Foreign,
    /// A version this binary does not read.
    #[error("model file version {0} is not known; this binary reads {VERSION}: train it again")]
    Version(u32),
    /// Fewer bytes than it says, or more.
    #[error("the model file is cut or too long")]
    Length,
    /// The checksum differs.
    #[error("the model file is damaged: its checksum differs")]
    Checksum,
    /// Numbers that no training writes.
    #[error("the model file holds values that are out of order or not finite")]
    Values,
    /// Signed by nobody, where a key is demanded.
    #[error("the model file is not signed, and a public key is demanded")]
    Unsigned,
    /// Signed by somebody else.
    #[error("the signature of the model file is not that of the demanded public key")]
    Signature,
    /// The report cannot be read.
    #[error("the report of the model cannot be read")]
    Report(#[from] serde_json::Error),
}

/// The bytes of a model.
pub fn encode(model: &Model) -> Result<Vec<u8>, FileError> {
    let report = serde_json::to_vec(&model.report)?;
    let length = |count: usize| u32::try_from(count).map_err(|_| FileError::Length);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(length(report.len())?.to_le_bytes());
    bytes.extend(report);
    bytes.extend(length(model.parts.len())?.to_le_bytes());
    let header = std::iter::once(model.temperature).chain(model.bias);
    bytes.extend(header.flat_map(f32::to_le_bytes));
    for (key, part) in model.table.keys().iter().zip(&model.parts) {
        bytes.extend(key.to_le_bytes());
        bytes.extend(std::iter::once(part.value).chain(part.weights).flat_map(f32::to_le_bytes));
    }
    let sum = xxh3_64(&bytes);
    bytes.extend(sum.to_le_bytes());
    Ok(bytes)
}

/// Reads a model; damage of any kind is an error, and so is a file that `demanded` did not sign.
pub fn decode(bytes: &[u8], demanded: Option<&PublicKey>) -> Result<Model, FileError> {
    if bytes.get(..MAGIC.len()) != Some(MAGIC) {
        return Err(FileError::Foreign);
    }
    if bytes.len() > FILE_BYTES_MAX {
        return Err(FileError::Length);
    }
    let mut reader = Reader { rest: bytes.get(MAGIC.len()..).unwrap_or_default() };
    let version = reader.number()?;
    if version != VERSION {
        return Err(FileError::Version(version));
    }
    let report = reader.number()?;
    let report = reader.take(report)?;
    let count = reader.number()?;
    if count as usize > FEATURES_MAX {
        return Err(FileError::Length);
    }
    let numbers = reader.take(HEADER_BYTES + count * FEATURE_BYTES)?;
    let signature = reader.signature(bytes)?;
    if let Some(key) = demanded {
        let signature = signature.ok_or(FileError::Unsigned)?;
        let signed = bytes.get(..bytes.len() - signature.len()).unwrap_or_default();
        if !key.signed(signed, signature) {
            return Err(FileError::Signature);
        }
    }
    model_of(serde_json::from_slice(report)?, count as usize, &mut Reader { rest: numbers })
}

fn model_of(report: Report, count: usize, reader: &mut Reader<'_>) -> Result<Model, FileError> {
    let temperature = reader.float()?;
    let bias = [reader.float()?, reader.float()?, reader.float()?];
    let (mut keys, mut parts) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        keys.push(reader.number()?);
        let value = reader.float()?;
        parts.push(Part { value, weights: [reader.float()?, reader.float()?, reader.float()?] });
    }
    let in_order = keys.is_sorted_by(|one, other| one < other);
    if !in_order || temperature <= 0.0 {
        return Err(FileError::Values);
    }
    Ok(Model { report, table: Table::new(keys), parts, bias, temperature })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: u32) -> Result<&'a [u8], FileError> {
        let (taken, rest) = self.rest.split_at_checked(length as usize).ok_or(FileError::Length)?;
        self.rest = rest;
        Ok(taken)
    }

    /// What stands behind the checksum, which is compared with all of the file before it.
    fn signature(&mut self, file: &'a [u8]) -> Result<Option<&'a [u8]>, FileError> {
        let content = file.get(..file.len() - self.rest.len()).unwrap_or_default();
        let sum = self.take(8)?;
        if sum != xxh3_64(content).to_le_bytes() {
            return Err(FileError::Checksum);
        }
        match self.rest.len() {
            0 => Ok(None),
            SIGNATURE_BYTES => Ok(Some(self.rest)),
            _ => Err(FileError::Length),
        }
    }

    fn word(&mut self) -> Result<[u8; 4], FileError> {
        self.take(4)?.try_into().map_err(|_| FileError::Length)
    }

    fn number(&mut self) -> Result<u32, FileError> {
        Ok(u32::from_le_bytes(self.word()?))
    }

    fn float(&mut self) -> Result<f32, FileError> {
        let value = f32::from_le_bytes(self.word()?);
        if value.is_finite() { Ok(value) } else { Err(FileError::Values) }
    }
}
