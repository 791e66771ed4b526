//! The buffer of a body while it grows.
//!
//! Large ones are pages of their own: they go back to the system when the last handle is dropped,
//! where an allocator would keep them for a body that may not come. What is never written costs
//! nothing, so room for the worst case can be taken at once.

use bytes::Bytes;
use memmap2::MmapMut;

/// Buffers from here on are pages of their own: an allocator would ask the system as well, and
/// taking and returning a page costs little beside what is done with its bytes.
const PAGES_MIN: usize = 512 << 10;

/// Bytes with room for more.
#[derive(Debug)]
pub(super) enum Room {
    /// Of the allocator.
    Heap(Vec<u8>),
    /// Of the system.
    Pages {
        /// All there is room for.
        pages: MmapMut,
        /// What is filled.
        len: usize,
    },
}

/// Filled pages.
struct Filled {
    pages: MmapMut,
    len: usize,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        self.pages.get(..self.len).unwrap_or_default()
    }
}

impl Room {
    /// Without room.
    pub(super) const fn new() -> Self {
        Self::Heap(Vec::new())
    }

    /// Room for exactly so many bytes.
    pub(super) fn of(capacity: usize) -> Self {
        // Where the system refuses pages, the allocator says what there is to say.
        if capacity >= PAGES_MIN
            && let Ok(pages) = MmapMut::map_anon(capacity)
        {
            return Self::Pages { pages, len: 0 };
        }
        let mut bytes = Vec::new();
        bytes.reserve_exact(capacity);
        Self::Heap(bytes)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Heap(bytes) => bytes.len(),
            Self::Pages { len, .. } => *len,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Heap(bytes) => bytes.capacity(),
            Self::Pages { pages, .. } => pages.len(),
        }
    }

    pub(super) fn filled(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Pages { pages, len } => pages.get(..*len).unwrap_or_default(),
        }
    }

    /// Room for `capacity` bytes in all; what is filled moves there.
    pub(super) fn grow(&mut self, capacity: usize) {
        if capacity <= self.capacity() {
            return;
        }
        match self {
            Self::Heap(bytes) if capacity < PAGES_MIN => {
                bytes.reserve_exact(capacity - bytes.len());
            }
            Self::Heap(_) | Self::Pages { .. } => {
                let mut larger = Self::of(capacity);
                larger.extend(self.filled());
                *self = larger;
            }
        }
    }

    /// Appends; grows when there is no room.
    pub(super) fn extend(&mut self, more: &[u8]) {
        let end = self.len() + more.len();
        if end > self.capacity() {
            self.grow(end);
        }
        match self {
            Self::Heap(bytes) => bytes.extend_from_slice(more),
            Self::Pages { pages, len } => {
                if let Some(free) = pages.get_mut(*len..end) {
                    free.copy_from_slice(more);
                    *len = end;
                }
            }
        }
    }

    /// The bytes from `from` to `end`, to be written over; what was not filled before is zeros or
    /// what was there once. `end` is within the capacity.
    pub(super) fn window(&mut self, from: usize, end: usize) -> &mut [u8] {
        match self {
            Self::Heap(bytes) => {
                bytes.resize(end.max(from), 0);
                bytes.get_mut(from..).unwrap_or_default()
            }
            Self::Pages { pages, len } => {
                *len = end.max(from).min(pages.len());
                pages.get_mut(from..*len).unwrap_or_default()
            }
        }
    }

    /// Forgets what is behind `len` bytes.
    pub(super) fn truncate(&mut self, to: usize) {
        match self {
            Self::Heap(bytes) => bytes.truncate(to),
            Self::Pages { len, .. } => *len = to.min(*len),
        }
    }

    /// The filled bytes. Much room that was not needed is given back.
    pub(super) fn freeze(self) -> Bytes {
        match self {
            Self::Heap(mut bytes) => {
                if bytes.len() < bytes.capacity() / 2 {
                    bytes.shrink_to_fit();
                }
                Bytes::from(bytes)
            }
            Self::Pages { pages, len } => Bytes::from_owner(Filled { pages, len }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_room_holds_what_a_vector_would(
            first in 0..(PAGES_MIN * 2),
            parts in proptest::collection::vec((any::<u8>(), 0..PAGES_MIN), 0..5),
            cut in any::<proptest::sample::Index>(),
        ) {
            let (mut room, mut plain) = (Room::of(first), Vec::new());
            for (byte, count) in parts {
                room.extend(&vec![byte; count]);
                plain.extend(vec![byte; count]);
                prop_assert_eq!(room.len(), plain.len());
                prop_assert!(room.capacity() >= plain.len());
            }
            let cut = cut.index(plain.len() + 1);
            room.truncate(cut);
            plain.truncate(cut);
            prop_assert!(room.filled() == plain);
            prop_assert!(room.freeze() == plain);
        }
    }

    #[test]
    fn a_window_is_written_in_place() {
        for capacity in [100, PAGES_MIN] {
            let mut room = Room::of(capacity);
            room.window(0, 5).copy_from_slice(b"hello");
            room.window(5, 9).copy_from_slice(b" you");
            assert_eq!(room.freeze(), &b"hello you"[..]);
        }
    }
}
