//! The bodies of a batch in one buffer and in lower case, so that one scan serves all of them.

#![expect(
    clippy::cast_possible_truncation,
    reason = "bodies are part of batches, whose positions fit 32 bits"
)]

use super::Draft;

/// Stands after each body. Never part of UTF-8, so no match can reach across it.
pub(super) const SEPARATOR: u8 = 0xFF;

/// The string bodies of a draft, ASCII letters in lower case. To be reused from batch to batch.
#[derive(Debug, Default, Clone)]
pub struct Folded {
    pub(super) text: Vec<u8>,
    pub(super) ends: Vec<u32>,
}

impl Folded {
    /// All bodies, a byte that is never part of text after each.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The number of bodies: one for each item, empty where there is no string.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no body.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The body of an item.
    pub fn body(&self, index: usize) -> &[u8] {
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).map_or(0, |end| *end as usize + 1),
            None => 0,
        };
        let end = self.ends.get(index).map_or(0, |end| *end as usize);
        self.text.get(start..end).unwrap_or_default()
    }

    /// The item whose body holds this offset of the text.
    pub fn item_at(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| (*end as usize) < offset)
    }

    /// Where the body of each item ends in the text.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
}

/// Folds texts that are in no draft.
impl<'a> FromIterator<&'a [u8]> for Folded {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(texts: I) -> Self {
        let mut folded = Self::default();
        for text in texts {
            folded.text.extend_from_slice(text);
            folded.ends.push(folded.text.len() as u32);
            folded.text.push(SEPARATOR);
        }
        folded.text.make_ascii_lowercase();
        folded
    }
}

impl Draft {
    /// Copies all string bodies into one buffer in lower case. What was in the buffer is gone.
    pub fn bodies_lowercase(&self, out: &mut Folded) {
        out.text.clear();
        out.ends.clear();
        out.ends.reserve(self.len());
        for item in self.items() {
            out.text.extend_from_slice(self.body_of(item));
            out.ends.push(out.text.len() as u32);
            out.text.push(SEPARATOR);
        }
        // In one go: a loop over each short body would cost more than the letters do.
        out.text.make_ascii_lowercase();
    }
}
