//! Writing a message whose length is known only when it is complete.

use crate::wire::{LEN, put_tag, varint_len};

/// Appends the start of a field with a length; returns where its content starts.
///
/// One byte is kept free for the length. Most messages need no more; of the others the content moves
/// up, which costs less than to measure it before.
pub(crate) fn open(number: u32, out: &mut Vec<u8>) -> usize {
    put_tag(out, number, LEN);
    out.push(0);
    out.len()
}

/// Puts the length in front of the content, which is complete now.
pub(crate) fn close(content: usize, out: &mut Vec<u8>) {
    let len = out.len() - content;
    let more = varint_len(len as u64) - 1;
    if more > 0 {
        out.resize(out.len() + more, 0);
        out.copy_within(content..content + len, content + more);
    }
    let Some(prefix) = out.get_mut(content - 1..content + more) else { return };
    let mut rest = len;
    for byte in prefix.iter_mut() {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits are taken")]
        let bits = (rest & 0x7F) as u8;
        *byte = bits | 0x80;
        rest >>= 7;
    }
    if let Some(last) = prefix.last_mut() {
        *last &= 0x7F;
    }
}

/// The bytes of a field with a tag of one byte and a content of this length.
pub(crate) fn len(content: usize) -> usize {
    1 + varint_len(content as u64) + content
}
