//! The bytes of a file in pages that clones share until one of them writes.
//!
//! A page that was never written reads as zero and takes nothing, so that a reserved segment and a
//! thousand clones of a disk cost what was written to them.

use std::sync::Arc;

pub(super) const PAGE: usize = 4096;

/// Bytes with a length.
#[derive(Clone, Default)]
pub(super) struct Pages {
    pages: Vec<Option<Arc<[u8; PAGE]>>>,
    len: usize,
}

impl Pages {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut pages = Self::default();
        pages.write(0, bytes);
        pages
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Cuts or extends with zeros.
    pub(super) fn resize(&mut self, len: usize) {
        if len < self.len {
            self.zero_from(len);
        }
        self.pages.resize(len.div_ceil(PAGE), None);
        self.len = len;
    }

    // What lies behind a cut must read as zero when the file grows again.
    fn zero_from(&mut self, len: usize) {
        if let Some(Some(page)) = self.pages.get_mut(len / PAGE) {
            Arc::make_mut(page).get_mut(len % PAGE..).unwrap_or_default().fill(0);
        }
    }

    /// Writes at `offset`, extending as need be.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        if self.len < offset + bytes.len() {
            self.resize(offset + bytes.len());
        }
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (here, next) = rest.split_at(rest.len().min(PAGE - at % PAGE));
            if let Some(page) = self.pages.get_mut(at / PAGE) {
                let page = Arc::make_mut(page.get_or_insert_with(|| Arc::new([0; PAGE])));
                let place = page.get_mut(at % PAGE..at % PAGE + here.len()).unwrap_or_default();
                place.copy_from_slice(here);
            }
            at += here.len();
            rest = next;
        }
    }

    /// Reads what there is at `offset`; says how much.
    pub(super) fn read(&self, offset: usize, buffer: &mut [u8]) -> usize {
        let wanted = buffer.len().min(self.len.saturating_sub(offset));
        let (mut at, mut rest) = (offset, buffer.get_mut(..wanted).unwrap_or_default());
        while !rest.is_empty() {
            let count = rest.len().min(PAGE - at % PAGE);
            let (here, next) = rest.split_at_mut(count);
            match self.pages.get(at / PAGE) {
                Some(Some(page)) => {
                    here.copy_from_slice(
                        page.get(at % PAGE..at % PAGE + count).unwrap_or_default(),
                    );
                }
                _ => here.fill(0),
            }
            at += count;
            rest = next;
        }
        wanted
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        self.read(0, &mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compare(steps: Vec<(usize, usize, u8)>) {
        let (mut pages, mut vector) = (Pages::default(), Vec::new());
        for (offset, len, byte) in steps {
            let shared = pages.clone();
            let before = shared.to_vec();
            if byte < 60 {
                pages.resize(offset);
                vector.resize(offset, 0);
            } else {
                pages.write(offset, &vec![byte; len]);
                vector.resize(vector.len().max(offset + len), 0);
                vector[offset..offset + len].fill(byte);
            }
            assert_eq!(shared.to_vec(), before, "a clone changed");
            assert_eq!(pages.to_vec(), vector);
        }
    }

    proptest! {
        #[test]
        fn pages_hold_what_a_vector_would(
            steps in proptest::collection::vec(
                (0..20_000_usize, 0..9_000_usize, any::<u8>()), 1..20,
            ),
        ) {
            compare(steps);
        }
    }
}
