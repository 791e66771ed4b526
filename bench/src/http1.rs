//! One side of an HTTP/1.1 connection over a blocking socket: heads, bodies, nothing copied twice.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

/// A head longer than this is no head that we would send or expect.
const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 256 << 20;

/// How long the body after a head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(usize),
    Chunked,
}

/// What matters of a request's or response's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// `POST /v1/logs HTTP/1.1` or `HTTP/1.1 200 OK`
    pub(crate) start: String,
    pub(crate) length: Length,
    pub(crate) is_gzip: bool,
    pub(crate) closes: bool,
    pub(crate) retry_after_s: Option<u64>,
}

impl Head {
    /// The second word of the start line: a request's path, a response's status.
    pub(crate) fn second(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("head is not UTF-8"))?;
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let mut head = Self {
            start,
            length: Length::Known(0),
            is_gzip: false,
            closes: false,
            retry_after_s: None,
        };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            head.note(name, value.trim())?;
        }
        Ok(head)
    }

    fn note(&mut self, name: &str, value: &str) -> io::Result<()> {
        let is = |known| name.eq_ignore_ascii_case(known);
        if is("content-length") {
            let length = value.parse().map_err(|_| malformed("content-length"))?;
            if length > BODY_BYTES_MAX {
                return Err(malformed("body too large"));
            }
            self.length = Length::Known(length);
        } else if is("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            self.length = Length::Chunked;
        } else if is("content-encoding") {
            self.is_gzip = value.eq_ignore_ascii_case("gzip");
        } else if is("connection") {
            self.closes = value.eq_ignore_ascii_case("close");
        } else if is("retry-after") {
            self.retry_after_s = value.parse().ok();
        }
        Ok(())
    }
}

/// A socket and what was read from it ahead of its use.
pub(crate) struct Connection<'a> {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    body: Vec<u8>,
    /// Asked when the socket's timeout passed; `true` ends the wait.
    gives_up: &'a dyn Fn() -> bool,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(stream: TcpStream, capacity: usize, gives_up: &'a dyn Fn() -> bool) -> Self {
        Self { stream, buffer: vec![0; capacity], start: 0, end: 0, body: Vec::new(), gives_up }
    }

    /// The next head, or none when the other side ended the connection before it.
    pub(crate) fn head(&mut self) -> io::Result<Option<Head>> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let found = unread.get(searched..).and_then(|rest| position(rest, b"\r\n\r\n"));
            if let Some(found) = found {
                let length = searched + found;
                let head = Head::parse(unread.get(..length).unwrap_or_default())?;
                self.start += length + 4;
                return Ok(Some(head));
            }
            if unread.len() > HEAD_BYTES_MAX {
                return Err(malformed("head too large"));
            }
            searched = unread.len().saturating_sub(3);
            if !self.fill(1)? {
                return if self.start == self.end { Ok(None) } else { Err(cut()) };
            }
        }
    }

    /// The body of `head`; valid until the next call.
    pub(crate) fn body(&mut self, head: &Head) -> io::Result<&[u8]> {
        match head.length {
            Length::Known(length) => {
                self.need(length)?;
                let from = self.start;
                self.start += length;
                Ok(self.buffer.get(from..from + length).unwrap_or_default())
            }
            Length::Chunked => {
                self.chunks()?;
                Ok(&self.body)
            }
        }
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(cut()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) => self.wait_again(error)?,
            }
        }
        Ok(())
    }

    fn chunks(&mut self) -> io::Result<()> {
        self.body.clear();
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
            if self.body.len() + size > BODY_BYTES_MAX {
                return Err(malformed("body too large"));
            }
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(());
            }
            self.need(size + 2)?;
            let chunk = self.buffer.get(self.start..self.start + size).unwrap_or_default();
            self.body.extend_from_slice(chunk);
            self.start += size + 2;
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(length) = position(unread, b"\r\n") {
                let line = unread.get(..length).unwrap_or_default();
                let line = String::from_utf8_lossy(line).into_owned();
                self.start += length + 2;
                return Ok(line);
            }
            if unread.len() > HEAD_BYTES_MAX || !self.fill(1)? {
                return Err(cut());
            }
        }
    }

    /// Reads until `length` unread bytes are in the buffer.
    fn need(&mut self, length: usize) -> io::Result<()> {
        while self.end - self.start < length {
            if !self.fill(length)? {
                return Err(cut());
            }
        }
        Ok(())
    }

    /// Reads once, after making room for `length` unread bytes; `false` at the end of the stream.
    fn fill(&mut self, length: usize) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.start + length > self.buffer.len() || self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.buffer.len() < length.max(self.end + 1) {
                self.buffer.resize(length.max(self.end + 1).next_power_of_two(), 0);
            }
        }
        loop {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.stream.read(room) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) => self.wait_again(error)?,
            }
        }
    }

    fn wait_again(&self, error: io::Error) -> io::Result<()> {
        let passed = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        if error.kind() == ErrorKind::Interrupted || (passed && !(self.gives_up)()) {
            return Ok(());
        }
        Err(error)
    }
}

fn position(within: &[u8], pattern: &[u8]) -> Option<usize> {
    within.windows(pattern.len()).position(|window| window == pattern)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("malformed HTTP: {what}"))
}

fn cut() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "connection ended within a message")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn received(sent: &'static [u8], capacity: usize) -> Vec<(Head, Vec<u8>)> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let writer = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            for part in sent.chunks(7) {
                stream.write_all(part).unwrap();
            }
        });
        let never = || false;
        let stream = listener.accept().unwrap().0;
        let mut connection = Connection::new(stream, capacity, &never);
        let mut found = Vec::new();
        while let Some(head) = connection.head().unwrap() {
            let body = connection.body(&head).unwrap().to_vec();
            found.push((head, body));
        }
        writer.join().unwrap();
        found
    }

    #[test]
    fn messages_are_found_however_the_bytes_arrive_and_however_small_the_buffer_is() {
        let sent = b"POST /v1/logs HTTP/1.1\r\nContent-Length: 5\r\n\
            Content-Encoding: gzip\r\n\r\nhello\
            POST /v1/traces HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n\
            HTTP/1.1 429 Too Many\r\nRetry-After: 2\r\nConnection: close\r\n\r\n";
        for capacity in [1, 16, 4096] {
            let found = received(sent, capacity);
            assert_eq!(found.len(), 3);
            assert_eq!(found[0].0.second(), "/v1/logs");
            assert!(found[0].0.is_gzip && !found[1].0.is_gzip);
            assert_eq!(found[0].1, b"hello");
            assert_eq!(found[1].1, b"abcdefg");
            assert_eq!((found[2].0.second(), found[2].0.retry_after_s), ("429", Some(2)));
            assert!(found[2].0.closes);
        }
    }
}
