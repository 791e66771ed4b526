//! How a request becomes bytes of a file, and where the last whole one ends.
//!
//! OTLP JSON without compression is a line each. Everything else is binary, so each message has its
//! length before it: four bytes, the highest first.

use std::fs::File as SystemFile;
use std::io::{self, Read, Seek, SeekFrom};

use bessemer_net::body::{Encoding, compress};
use bessemer_record::{Checked, json};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of one message; also how far back the end of the last whole line is looked for.
const MESSAGE_BYTES_MAX: u64 = 256 << 20;
const CHUNK: u64 = 64 << 10;
const LENGTH_BYTES: u64 = 4;

/// How requests are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// OTLP JSON, one request per line unless it is compressed.
    #[default]
    Json,
    /// Binary protobuf.
    Proto,
}

/// How each request is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compression {
    /// Not at all.
    #[default]
    #[serde(alias = "")]
    None,
    /// A frame of Zstandard each.
    Zstd,
}

/// What a file is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Framing {
    pub(super) format: Format,
    pub(super) compression: Compression,
}

impl Framing {
    fn is_lines(self) -> bool {
        (self.format, self.compression) == (Format::Json, Compression::None)
    }

    /// The bytes of a request, or why there can be none.
    pub(super) fn message(self, batch: &Checked) -> Result<Bytes, String> {
        let plain = match self.format {
            Format::Json => Bytes::from(json::to_otlp_json(batch)),
            Format::Proto => batch.bytes().clone(),
        };
        if self.is_lines() {
            let mut line = Vec::from(plain);
            line.push(b'\n');
            return Ok(line.into());
        }
        let message = match self.compression {
            Compression::None => plain,
            Compression::Zstd => {
                compress(Encoding::Zstd, &plain).map_err(|error| error.to_string())?
            }
        };
        let length = u32::try_from(message.len()).ok();
        let length = length.filter(|length| u64::from(*length) <= MESSAGE_BYTES_MAX);
        let length = length.ok_or_else(|| format!("{} bytes are too many", message.len()))?;
        Ok([&length.to_be_bytes()[..], &message].concat().into())
    }

    /// Where the last whole message of a file of `length` bytes ends.
    pub(super) fn end_of_last(self, file: &mut SystemFile, length: u64) -> io::Result<u64> {
        if self.is_lines() {
            end_of_last_line(file, length)
        } else {
            end_of_last_sized(file, length)
        }
    }
}

fn end_of_last_line(file: &mut SystemFile, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut chunk = Vec::new();
    while end > 0 && length - end <= MESSAGE_BYTES_MAX {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    // No line end within reach: not a file of ours, so nothing of it is cut.
    Ok(if end == 0 { 0 } else { length })
}

fn end_of_last_sized(file: &mut SystemFile, length: u64) -> io::Result<u64> {
    let mut end = 0;
    while length - end >= LENGTH_BYTES {
        file.seek(SeekFrom::Start(end))?;
        let mut size = [0; 4];
        file.read_exact(&mut size)?;
        let size = u64::from(u32::from_be_bytes(size));
        if size > MESSAGE_BYTES_MAX {
            let problem = "it holds something of another form; set it aside or choose another path";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        if length - end - LENGTH_BYTES < size {
            break;
        }
        end += LENGTH_BYTES + size;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use bessemer_net::body::inflate;
    use bessemer_record::Signal;

    use super::*;

    /// `ResourceLogs { scope_logs: [{ log_records: [{ body: "x" }] }] }`
    const LOG: &[u8] = &[10, 9, 18, 7, 18, 5, 42, 3, 10, 1, b'x'];

    fn message(format: Format, compression: Compression) -> Bytes {
        let batch = Checked::trusted(Signal::Logs, Bytes::from_static(LOG), 1);
        Framing { format, compression }.message(&batch).unwrap()
    }

    #[test]
    fn json_is_a_line_and_all_else_has_its_length_in_front() {
        let line = message(Format::Json, Compression::None);
        let text = line.strip_suffix(b"\n").unwrap();
        assert!(text.starts_with(b"{\"resourceLogs\""));
        let proto = message(Format::Proto, Compression::None);
        assert_eq!(proto, [&[0, 0, 0, 11][..], LOG].concat());
        for (format, plain) in [(Format::Json, text), (Format::Proto, LOG)] {
            let message = message(format, Compression::Zstd);
            let (size, frame) = message.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_be_bytes(*size) as usize, frame.len());
            assert!(frame.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]), "the magic of Zstandard");
            let frame = Bytes::copy_from_slice(frame);
            assert_eq!(inflate(Encoding::Zstd, &frame, 1 << 20).unwrap(), plain);
        }
    }
}
