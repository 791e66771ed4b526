//! HTTP/2 by hand: frames as bytes, in any order, over plain TCP.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// `GOAWAY` with this code.
    GoAway(u32),
    /// Closed without a word.
    Closed,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// A length in HPACK with a prefix of seven bits.
fn put_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

fn put_text(block: &mut Vec<u8>, text: &str) {
    put_length(block, text.len());
    block.extend_from_slice(text.as_bytes());
}

/// A header that no table keeps.
pub fn put_header(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    put_text(block, name);
    put_text(block, value);
}

/// A header that goes into the table of the other side, at its front.
pub fn put_kept_header(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0x40);
    put_text(block, name);
    put_text(block, value);
}

/// The front of the table.
pub const NEWEST: u8 = 0x80 | 0x3e;

/// The headers of a `POST`, without any table.
pub fn post(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    put_header(&mut block, ":path", path);
    put_header(&mut block, ":authority", "bessemer");
    put_header(&mut block, "content-type", "application/grpc");
    put_header(&mut block, "te", "trailers");
    block
}

/// The writing half of a connection.
pub struct Writer(TcpStream);

/// The reading half.
pub struct Reader {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// Connects, sends the preface and settings, and acknowledges nothing.
pub fn open(address: SocketAddr, settings: &[u8]) -> (Writer, Reader) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut writer = Writer(stream.try_clone().unwrap());
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    writer.send(&[preface, &frame(SETTINGS, 0, 0, settings)[..]].concat()).unwrap();
    (writer, Reader { stream, bytes: Vec::new() })
}

impl Writer {
    /// Writes; fails once the other side closed.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.0.shutdown(Shutdown::Write));
    }
}

impl Reader {
    /// The next frame before `deadline`; `Err(None)` at the deadline, else how it ended.
    pub fn next(&mut self, deadline: Instant) -> Result<Frame, Option<Ending>> {
        loop {
            if let Some(frame) = self.take() {
                if frame.kind == GOAWAY {
                    let code = frame.payload[4..8].try_into().unwrap();
                    return Err(Some(Ending::GoAway(u32::from_be_bytes(code))));
                }
                return Ok(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(None);
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut chunk = vec![0; 64 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Some(Ending::Closed)),
                Ok(count) => self.bytes.extend_from_slice(&chunk[..count]),
                Err(error) => {
                    use std::io::ErrorKind::{TimedOut, WouldBlock};
                    let is_late = matches!(error.kind(), TimedOut | WouldBlock);
                    return Err((!is_late).then_some(Ending::Closed));
                }
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let head: [u8; 9] = *self.bytes.first_chunk()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let payload = self.bytes.get(9..9 + length)?.to_vec();
        self.bytes.drain(..9 + length);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & (u32::MAX >> 1);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Reads until the connection ends; `None` when it is open after `limit`.
    pub fn ending(&mut self, limit: Duration) -> Option<Ending> {
        let deadline = Instant::now() + limit;
        loop {
            match self.next(deadline) {
                Ok(_) => {}
                Err(ending) => return ending,
            }
        }
    }
}
