//! Makes HTTP/1.1 heads that two readers may understand differently unreadable.
//!
//! The parser behind it takes a bare line feed for the end of a line and believes the chunks of a
//! request that also announces a length, as RFC 9112 (2.2 and 6.1) allows. Both are shapes in which
//! one request is smuggled inside another, so the byte that completes one is overwritten with NUL,
//! which the parser answers with 400 and a close. The guard changes no other byte and decides
//! nothing else: where it loses its place it only stops guarding.

use memchr::memchr;

/// Ends any head.
pub(super) const END: &[u8] = b"\r\n\r\n";

/// As much of a line as is kept while its end has not arrived.
const LINE_BYTES_MAX: usize = 1024;

/// Follows the bytes of a connection from head to head.
#[derive(Debug, Default)]
pub(super) struct HeadGuard {
    place: Place,
    head: Head,
    /// The beginning of a line whose end has not arrived.
    begun: Vec<u8>,
    /// The last byte that came of it.
    last: Option<u8>,
    /// Whether more of it came than is kept.
    is_cut: bool,
}

#[derive(Debug, Clone, Copy, Default)]
enum Place {
    /// Between requests, in a request line or in a field line.
    #[default]
    Head,
    /// In a body or a chunk, of which so many bytes are to come.
    Data {
        left: u64,
        then: After,
    },
    ChunkSize,
    Trailers,
    /// Behind something that the parser refuses.
    Lost,
    /// Behind an ambiguous head.
    Void,
}

#[derive(Debug, Clone, Copy)]
enum After {
    Head,
    ChunkSize,
}

/// What a head said so far of the body behind it.
#[derive(Debug, Default)]
struct Head {
    has_begun: bool,
    length: Option<u64>,
    coding: Option<Coding>,
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    Chunked,
    Other,
}

/// A line that must not reach the parser as it is.
struct Ambiguous;

impl HeadGuard {
    /// Looks at the next bytes of the connection; says whether they make a head void. The parser
    /// then needs [`END`] behind them, or it would wait for the end of the head.
    pub(super) fn check(&mut self, bytes: &mut [u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Lost => break,
                Place::Void => return false,
                Place::Data { left, then } => self.skip(rest, left, then),
                Place::Head | Place::ChunkSize | Place::Trailers => self.take_line(rest),
            };
        }
        matches!(self.place, Place::Void)
    }

    fn skip<'a>(&mut self, bytes: &'a mut [u8], left: u64, then: After) -> &'a mut [u8] {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - count as u64;
        self.place = match then {
            _ if left > 0 => Place::Data { left, then },
            After::Head => Place::Head,
            After::ChunkSize => Place::ChunkSize,
        };
        bytes.get_mut(count..).unwrap_or_default()
    }

    fn take_line<'a>(&mut self, bytes: &'a mut [u8]) -> &'a mut [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            self.keep(bytes);
            return &mut [];
        };
        let (line, rest) = bytes.split_at_mut(end + 1);
        if self.end_line(line.get(..end).unwrap_or_default()).is_err() {
            if let Some(feed) = line.last_mut() {
                *feed = 0;
            }
            self.place = Place::Void;
            return &mut [];
        }
        rest
    }

    fn keep(&mut self, more: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.begun.len());
        self.is_cut |= more.len() > room;
        self.begun.extend_from_slice(more.get(..room).unwrap_or(more));
        self.last = more.last().copied().or(self.last);
    }

    /// Takes the end of a line, without its line feed.
    fn end_line(&mut self, end: &[u8]) -> Result<(), Ambiguous> {
        let last = if end.is_empty() { self.last } else { end.last().copied() };
        // In chunks the parser itself refuses a bare line feed, and in trailers it is no end.
        if last != Some(b'\r') && matches!(self.place, Place::Head) {
            return Err(Ambiguous);
        }
        if self.begun.is_empty() {
            return self.line(end);
        }
        self.keep(end);
        let line = std::mem::take(&mut self.begun);
        let result = self.line(&line);
        (self.is_cut, self.last) = (false, None);
        result
    }

    /// A whole line with its carriage return, or the beginning of one that is cut.
    fn line(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.place {
            Place::Head if line.is_empty() => self.end_head(),
            Place::Head => return self.head.line(line, self.is_cut),
            Place::ChunkSize => self.place = chunk(line),
            Place::Trailers if line.is_empty() => self.place = Place::Head,
            Place::Trailers | Place::Data { .. } | Place::Lost | Place::Void => {}
        }
        Ok(())
    }

    fn end_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.place = match (head.coding, head.length) {
            (Some(Coding::Chunked), _) => Place::ChunkSize,
            (Some(Coding::Other), _) => Place::Lost,
            (None, Some(left)) if left > 0 => Place::Data { left, then: After::Head },
            (None, _) => Place::Head,
        };
    }
}

impl Head {
    fn line(&mut self, line: &[u8], is_cut: bool) -> Result<(), Ambiguous> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let Some(colon) = memchr(b':', line) else { return Ok(()) };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            // One that is no number is refused by the parser.
            self.length = Some(decimal(value).unwrap_or(0));
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
            self.coding = Some(if is_chunked { Coding::Chunked } else { Coding::Other });
        } else {
            return Ok(());
        }
        let is_ambiguous = is_cut || (self.length.is_some() && self.coding.is_some());
        if is_ambiguous { Err(Ambiguous) } else { Ok(()) }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Where a chunk's size line leads.
fn chunk(line: &[u8]) -> Place {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let digits = line.get(..end).and_then(|digits| std::str::from_utf8(digits).ok());
    match digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        Some(0) => Place::Trailers,
        // With the line end behind the chunk.
        Some(size) => Place::Data { left: size.saturating_add(2), then: After::ChunkSize },
        None => Place::Lost,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a body may hold: heads, line feeds, everything.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let hostile =
            &b"\n\nPOST / HTTP/1.1\ncontent-length: 3\ntransfer-encoding: chunked\n\n"[..];
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100),
            Just(hostile.to_vec()),
            Just(Vec::new()),
        ]
    }

    fn with_length() -> impl Strategy<Value = Vec<u8>> {
        (content(), 0..LINE_BYTES_MAX * 2).prop_map(|(body, filler)| {
            let filler = "x".repeat(filler);
            let length = body.len();
            let head = format!("PUT /{filler} HTTP/1.1\r\nx: {filler}\r\nContent-Length: {length}");
            [head.as_bytes(), b"\r\n\r\n", &body].concat()
        })
    }

    fn chunked() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(content(), 0..4).prop_map(|chunks| {
            let mut request =
                b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\nhost: a\r\n\r\n".to_vec();
            for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                request.extend(format!("{:X};name=value\r\n", chunk.len()).bytes());
                request.extend_from_slice(chunk);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"0\r\ntrailer: content-length: 5\r\n\r\n");
            request
        })
    }

    fn request() -> impl Strategy<Value = Vec<u8>> {
        let bare = Just(b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec());
        prop_oneof![with_length(), chunked(), bare]
    }

    /// Some requests, one after the other.
    fn requests() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(request(), 0..4).prop_map(|requests| requests.concat())
    }

    /// What the parser gets when the bytes come in pieces of these sizes.
    fn guarded(bytes: &[u8], sizes: &[usize]) -> Vec<u8> {
        let (mut guard, mut bytes) = (HeadGuard::default(), bytes.to_vec());
        let (mut rest, mut sizes) = (bytes.as_mut_slice(), sizes.iter().cycle());
        while !rest.is_empty() {
            let size = sizes.next().map_or(rest.len(), |size| rest.len().min(*size));
            let (piece, behind) = rest.split_at_mut(size);
            let _is_void = guard.check(piece);
            rest = behind;
        }
        bytes
    }

    fn sizes() -> impl Strategy<Value = Vec<usize>> {
        proptest::collection::vec(1..200_usize, 0..5)
    }

    /// Heads, cut before the line feed that completes the ambiguity.
    const AMBIGUOUS: &[(&str, &str)] = &[
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\ntransfer-encoding: x\r\nx: y\r\ncontent-length: 3\r", "\n\r\n"),
        ("GET / HTTP/1.1", "\n\r\n"),
        ("GET / HTTP/1.1\r\nx: y", "\n\r\n"),
        ("GET / HTTP/1.1\r\nx: y\r\n", "\nrest"),
        ("", "\nGET / HTTP/1.1\r\n\r\n"),
    ];

    proptest! {
        #[test]
        fn requests_that_mean_one_thing_are_not_touched(bytes in requests(), sizes in sizes()) {
            prop_assert!(guarded(&bytes, &sizes) == bytes);
        }

        #[test]
        fn the_byte_that_makes_a_head_ambiguous_is_void_wherever_it_comes(
            before in requests(),
            (head, rest) in proptest::sample::select(AMBIGUOUS),
            after in requests(),
            sizes in sizes(),
        ) {
            let mut bytes = [&before, head.as_bytes(), rest.as_bytes(), &after].concat();
            let found = guarded(&bytes, &sizes);
            bytes[before.len() + head.len()] = 0;
            prop_assert!(found == bytes, "{}", String::from_utf8_lossy(&found));
        }

        #[test]
        fn any_bytes_are_followed_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            sizes in sizes(),
        ) {
            let found = guarded(&bytes, &sizes);
            prop_assert!(found.iter().zip(&bytes).filter(|(is, was)| is != was).count() <= 1);
        }
    }

    #[test]
    fn a_framing_field_that_is_too_long_to_be_looked_at_is_void() {
        let head = format!("GET / HTTP/1.1\r\ncontent-length: {}5\r\n\r\n", "0".repeat(2000));
        assert!(guarded(head.as_bytes(), &[10]).contains(&0));
    }
}
