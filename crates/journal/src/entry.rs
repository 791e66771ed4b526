//! What is appended and what is read back: bytes with a count of items, routes and a lane.

use bytes::{Buf, BufMut, Bytes};

/// The number of a sink in the list that the journal was opened with; also its route bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SinkIndex(pub u8);

/// The set of sinks an entry goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Routes(pub [u64; 4]);

/// Urgent entries are read by a cursor of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Served first.
    Urgent = 0,
    /// Everything else.
    Normal = 1,
}

/// An entry to append.
#[derive(Debug, Clone)]
pub struct Append {
    /// Who reads it.
    pub routes: Routes,
    /// In which order it stands.
    pub lane: Lane,
    /// How many record numbers it takes; at least one.
    pub items: u32,
    /// What the caller must know of the payload; at most 64 KiB.
    pub meta: Bytes,
    /// The content; at most 72 MiB.
    pub payload: Bytes,
}

/// An entry read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The number of its first record; it covers `sequence .. sequence + items`.
    pub sequence: u64,
    /// The identity of the journal, constant over its life.
    pub incarnation: u64,
    /// How many records it holds.
    pub items: u32,
    /// The lane it was appended to.
    pub lane: Lane,
    /// As appended.
    pub meta: Bytes,
    /// As appended.
    pub payload: Bytes,
    /// When it was appended.
    pub appended_at_unix_nanos: u64,
    /// Parts of it that this sink settled earlier, by record number; nearly always empty.
    pub settled: Vec<std::ops::Range<u64>>,
}

/// An entry without the facts that differ by sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub sequence: u64,
    pub items: u32,
    pub routes: Routes,
    pub lane: Lane,
    pub meta: Bytes,
    pub payload: Bytes,
    pub appended_unix_nanos: u64,
}

impl Routes {
    /// The routes to `sinks`.
    pub fn to(sinks: impl IntoIterator<Item = SinkIndex>) -> Self {
        let mut routes = Self::default();
        for sink in sinks {
            routes.insert(sink);
        }
        routes
    }

    /// Adds a sink.
    pub fn insert(&mut self, sink: SinkIndex) {
        if let Some(word) = self.0.get_mut(usize::from(sink.0 / 64)) {
            *word |= 1 << (sink.0 % 64);
        }
    }

    /// Whether a sink is in the set.
    pub fn contains(&self, sink: SinkIndex) -> bool {
        self.0.get(usize::from(sink.0 / 64)).is_some_and(|word| word >> (sink.0 % 64) & 1 == 1)
    }

    /// Whether nobody is in the set.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// What is in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = *self;
        for (word, more) in union.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        union
    }

    /// The sinks in the set, by number.
    pub fn iter(&self) -> impl Iterator<Item = SinkIndex> + use<> {
        self.bits().map(SinkIndex)
    }

    /// How many sinks are in the set.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(crate) fn bits(self) -> impl Iterator<Item = u8> {
        (0..=3_u8).zip(self.0).flat_map(|(word, mut rest)| {
            std::iter::from_fn(move || {
                let bit = u8::try_from(rest.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                rest &= rest - 1;
                Some(word * 64 + bit)
            })
        })
    }
}

impl Lane {
    /// Both, in the order they are served.
    pub const ALL: [Self; 2] = [Self::Urgent, Self::Normal];

    pub(crate) fn mask(self) -> u8 {
        1 << self as u8
    }
}

impl Entry {
    /// The number after its last record.
    pub(crate) fn end(&self) -> u64 {
        self.sequence + u64::from(self.items)
    }

    /// Bytes of meta and payload.
    pub(crate) fn bytes(&self) -> u64 {
        (self.meta.len() + self.payload.len()) as u64
    }
}

/// The head of an entry in a block: all that is known of it but meta and payload themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Numbers left out between the entry before and this one.
    pub gap: u64,
    pub items: u32,
    pub routes: Routes,
    pub lane: Lane,
    pub meta_len: usize,
    pub payload_len: usize,
}

impl Head {
    /// Most bytes a head takes.
    pub(crate) const BYTES_MAX: usize = 10 + 1 + 5 + 1 + 32 + 5 + 5;

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mask = (0..4).zip(self.routes.0).fold(
            0,
            |mask, (n, word)| {
                if word == 0 { mask } else { mask | 1 << n }
            },
        );
        put_varint(out, self.gap);
        // Lane and route words share a byte: bit 4 for normal, bits 0-3 for the words that follow.
        out.put_u8(mask | (self.lane as u8) << 4);
        put_varint(out, u64::from(self.items));
        for word in self.routes.0.into_iter().filter(|word| *word != 0) {
            out.put_u64_le(word);
        }
        put_varint(out, self.meta_len as u64);
        put_varint(out, self.payload_len as u64);
    }

    pub(crate) fn decode(bytes: &mut impl Buf) -> Option<Self> {
        let gap = take_varint(bytes)?;
        let mask = bytes.try_get_u8().ok()?;
        let lane = if mask & 0x10 == 0 { Lane::Urgent } else { Lane::Normal };
        let items = u32::try_from(take_varint(bytes)?).ok().filter(|items| *items > 0)?;
        let mut routes = Routes::default();
        for (n, word) in routes.0.iter_mut().enumerate() {
            if mask >> n & 1 == 1 {
                *word = bytes.try_get_u64_le().ok()?;
            }
        }
        let meta_len = usize::try_from(take_varint(bytes)?).ok()?;
        let payload_len = usize::try_from(take_varint(bytes)?).ok()?;
        Some(Self { gap, items, routes, lane, meta_len, payload_len })
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
}

pub(crate) fn take_varint(bytes: &mut impl Buf) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_head_reads_back_equal(
            gap: u64, items in 1..=u32::MAX, words: [u64; 4], urgent: bool,
            meta_len: u16, payload_len: u32,
        ) {
            let head = Head {
                gap,
                items,
                routes: Routes(words),
                lane: if urgent { Lane::Urgent } else { Lane::Normal },
                meta_len: usize::from(meta_len),
                payload_len: payload_len as usize,
            };
            let mut bytes = Vec::new();
            head.encode(&mut bytes);
            prop_assert!(bytes.len() <= Head::BYTES_MAX);
            prop_assert_eq!(Head::decode(&mut bytes.as_slice()), Some(head));
            for cut in 0..bytes.len() {
                prop_assert_eq!(Head::decode(&mut &bytes[..cut]), None);
            }
        }
    }

    #[test]
    fn routes_hold_what_was_inserted() {
        let sinks = [SinkIndex(0), SinkIndex(63), SinkIndex(64), SinkIndex(255)];
        let routes = Routes::to(sinks);
        assert_eq!(routes.bits().collect::<Vec<_>>(), [0, 63, 64, 255]);
        assert!(!routes.contains(SinkIndex(1)) && !routes.is_empty());
        assert_eq!(Routes::to([SinkIndex(1)]).union(&routes).bits().count(), 5);
        assert_eq!(routes.iter().collect::<Vec<_>>(), sinks);
        assert_eq!([routes.count(), Routes::default().count()], [4, 0]);
        assert!(Routes::default().is_empty());
    }
}
