//! What travels beside a batch and is stored with it: who sent it, through which receiver, when.
//!
//! The stored form is a version byte, the signal, the time and length-prefixed texts; all
//! lengths are little-endian `u16`, so meta is at most a few KiB by construction.

use bessemer_record::Signal;

/// Bytes of listed headers that are kept with a batch at most.
pub const HEADER_BYTES_MAX: usize = 4 << 10;
const VERSION: u8 = 1;

/// Provenance of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// The tenant that the receiver derived, empty for none.
    pub tenant: String,
    /// Who was authenticated, empty for nobody.
    pub principal: String,
    /// Id of the receiver component.
    pub receiver: String,
    /// Listed request headers, names in lower case, at most [`HEADER_BYTES_MAX`] in total.
    pub headers: Vec<(String, String)>,
    /// When the batch arrived, nanoseconds since the Unix epoch.
    pub received_at: u64,
}

impl Meta {
    /// The first value of header `name`, which must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Keeps headers, in order, while they fit in [`HEADER_BYTES_MAX`].
    pub fn set_headers(&mut self, headers: impl IntoIterator<Item = (String, String)>) {
        let mut left = HEADER_BYTES_MAX;
        self.headers = headers
            .into_iter()
            .take_while(|(name, value)| {
                let size = name.len() + value.len();
                let fits = size <= left;
                left = left.saturating_sub(size);
                fits
            })
            .collect();
    }

    /// The stored form, together with the signal of the batch.
    pub fn encode(&self, signal: Signal) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(VERSION);
        bytes.push(signal_code(signal));
        bytes.extend_from_slice(&self.received_at.to_le_bytes());
        for text in [&self.tenant, &self.principal, &self.receiver] {
            put_text(&mut bytes, text);
        }
        for (name, value) in &self.headers {
            put_text(&mut bytes, name);
            put_text(&mut bytes, value);
        }
        bytes
    }

    /// Reads the stored form back; `None` when it is not one of ours.
    pub fn decode(bytes: &[u8]) -> Option<(Signal, Self)> {
        let (&version, rest) = bytes.split_first()?;
        let (&signal, rest) = rest.split_first()?;
        if version != VERSION {
            return None;
        }
        let (time, mut rest) = rest.split_at_checked(8)?;
        let mut meta =
            Self { received_at: u64::from_le_bytes(time.try_into().ok()?), ..Self::default() };
        meta.tenant = take_text(&mut rest)?;
        meta.principal = take_text(&mut rest)?;
        meta.receiver = take_text(&mut rest)?;
        while !rest.is_empty() {
            let name = take_text(&mut rest)?;
            meta.headers.push((name, take_text(&mut rest)?));
        }
        Some((signal_of(signal)?, meta))
    }
}

const fn signal_code(signal: Signal) -> u8 {
    match signal {
        Signal::Logs => 1,
        Signal::Metrics => 2,
        Signal::Traces => 3,
    }
}

const fn signal_of(code: u8) -> Option<Signal> {
    match code {
        1 => Some(Signal::Logs),
        2 => Some(Signal::Metrics),
        3 => Some(Signal::Traces),
        _ => None,
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    // Every text here is bounded well below by its maker; a longer one is cut at a char boundary.
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    bytes.extend_from_slice(&u16::try_from(end).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes().get(..end).unwrap_or_default());
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let (length, tail) = rest.split_at_checked(2)?;
    let length = usize::from(u16::from_le_bytes(length.try_into().ok()?));
    let (text, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stored_meta_reads_back_equal(
            tenant in ".{0,20}", principal in ".{0,20}", receiver in ".{0,20}",
            headers in proptest::collection::vec((".{0,9}", ".{0,30}"), 0..5), received_at: u64,
        ) {
            let meta = Meta { tenant, principal, receiver, headers, received_at };
            for signal in [Signal::Logs, Signal::Metrics, Signal::Traces] {
                let stored = meta.encode(signal);
                prop_assert_eq!(Meta::decode(&stored), Some((signal, meta.clone())));
                for cut in 0..stored.len().min(10) {
                    prop_assert_eq!(Meta::decode(&stored[..cut]), None);
                }
            }
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            drop(Meta::decode(&bytes));
        }
    }

    #[test]
    fn headers_beyond_the_limit_are_left_out() {
        let mut meta = Meta::default();
        meta.set_headers([("a".into(), "x".repeat(4000)), ("b".into(), "y".repeat(200))]);
        assert_eq!(meta.headers.len(), 1);
        assert!(meta.header("a").is_some() && meta.header("b").is_none());
    }
}
