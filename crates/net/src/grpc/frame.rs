//! The five bytes before every gRPC message: a flag, then the length.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of the prefix.
pub const PREFIX_BYTES: usize = 5;

/// What the prefix says of the message behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The message is encoded as `grpc-encoding` says.
    pub compressed: bool,
    /// Bytes of the message as it travels.
    pub length: u32,
}

/// Why bytes are not one framed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The flag is neither 0 nor 1.
    #[error("the compressed flag of the message is {0}, it must be 0 or 1")]
    Flag(u8),
    /// The body ends before the message does.
    #[error("the body ends after {found} of {expected} bytes")]
    Truncated {
        /// Bytes present, prefix included.
        found: usize,
        /// Bytes announced, prefix included.
        expected: usize,
    },
    /// The flag says compressed and `grpc-encoding` does not say how.
    #[error("the message is compressed and grpc-encoding does not say how")]
    Unnamed,
    /// A unary call carries one message.
    #[error("{0} bytes follow the message of a unary call")]
    Trailing(usize),
}

impl Header {
    /// Reads the prefix at the start of `bytes`; `None` while fewer than five are there.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let Some(prefix) = bytes.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let [flag, length @ ..] = *prefix;
        if flag > 1 {
            return Err(FrameError::Flag(flag));
        }
        Ok(Some(Self { compressed: flag == 1, length: u32::from_be_bytes(length) }))
    }

    /// The prefix as it travels.
    pub fn to_bytes(self) -> [u8; PREFIX_BYTES] {
        let [a, b, c, d] = self.length.to_be_bytes();
        [u8::from(self.compressed), a, b, c, d]
    }

    /// Prefix and message together; saturates on narrow machines.
    pub fn framed_bytes(self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX).saturating_add(PREFIX_BYTES)
    }
}

/// The prefix for a message of `length` bytes; `None` from 4 GiB on, which no prefix can say.
pub fn prefix(length: usize, compressed: bool) -> Option<[u8; PREFIX_BYTES]> {
    let length = u32::try_from(length).ok()?;
    Some(Header { compressed, length }.to_bytes())
}

/// One framed message in one buffer; copies, so meant for small messages.
pub fn frame(message: &[u8], compressed: bool) -> Option<Bytes> {
    let prefix = prefix(message.len(), compressed)?;
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_slice(&prefix);
    framed.put_slice(message);
    Some(framed.freeze())
}

/// Takes the only message out of the body of a unary call, without copying it.
pub fn unary(mut body: Bytes) -> Result<(Header, Bytes), FrameError> {
    let found = body.len();
    let Some(header) = Header::parse(&body)? else {
        return Err(FrameError::Truncated { found, expected: PREFIX_BYTES });
    };
    let expected = header.framed_bytes();
    if found < expected {
        return Err(FrameError::Truncated { found, expected });
    }
    if found > expected {
        return Err(FrameError::Trailing(found - expected));
    }
    Ok((header, body.split_off(PREFIX_BYTES)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_message_comes_out_as_it_went_in() {
        for message in [&b""[..], b"x", &[9; 7000]] {
            let framed = frame(message, true).unwrap();
            let (header, taken) = unary(framed).unwrap();
            assert_eq!(taken, message);
            assert!(header.compressed);
        }
    }

    #[test]
    fn short_long_and_odd_bodies_are_refused() {
        let framed = frame(b"abc", false).unwrap();
        for cut in 0..framed.len() {
            let refused = unary(framed.slice(..cut)).unwrap_err();
            assert!(matches!(refused, FrameError::Truncated { .. }), "{cut}");
        }
        let mut longer = framed.to_vec();
        longer.push(0);
        assert_eq!(unary(longer.into()).unwrap_err(), FrameError::Trailing(1));
        assert_eq!(unary(Bytes::from_static(&[2, 0, 0, 0, 0])).unwrap_err(), FrameError::Flag(2));
    }
}
