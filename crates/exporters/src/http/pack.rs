//! Puts items into as few bodies as the limits of a service allow, in order and without a copy or an
//! allocation for each of them.
//!
//! An item is written at the end of one growing buffer. Where it turns out not to fit, it alone moves
//! to the buffer of the next body, and the full one is closed. What is exactly at a limit fits.

use std::ops::Range;

use bytes::Bytes;

use super::items::Items;

/// What stands around and between the items of a body.
#[derive(Debug, Clone, Copy)]
pub struct Framing {
    /// Before the first item.
    pub open: &'static str,
    /// Between two items.
    pub between: &'static str,
    /// After the last item.
    pub close: &'static str,
}

impl Framing {
    /// One item after another.
    pub const CONCATENATED: Self = Self { open: "", between: "", close: "" };
    /// A line for each item.
    pub const LINES: Self = Self { open: "", between: "\n", close: "\n" };
}

/// What a service takes in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body before compression, framing included.
    pub bytes: usize,
    /// Items in a body.
    pub items: u32,
    /// Bytes of an item.
    pub item_bytes: usize,
    /// Bytes of a body with a single item, framing included: not less than `bytes`.
    pub alone_bytes: usize,
    /// Nanoseconds from the earliest item of a body to the latest.
    pub span: u64,
}

impl Limits {
    /// A limit of bytes and no other.
    pub const fn of_bytes(bytes: usize) -> Self {
        Self { bytes, items: u32::MAX, item_bytes: bytes, alone_bytes: bytes, span: u64::MAX }
    }
}

/// A finished body and what is in it.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The body before compression.
    pub body: Bytes,
    /// Its items.
    pub items: Items,
}

/// An item that no body can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes, the destination takes at most {limit}")]
pub struct TooLarge {
    /// What it has.
    pub bytes: usize,
    /// What it may have.
    pub limit: usize,
}

/// Fills bodies with items.
#[derive(Debug)]
pub struct Packer {
    framing: Framing,
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the last finished item ends.
    end: usize,
    /// Where the item that is being written begins.
    start: usize,
    items: Items,
    times: Option<(u64, u64)>,
    packed: Vec<Packed>,
}

impl Packer {
    /// A packer whose first buffer has room for about `bytes`.
    pub fn new(framing: Framing, limits: Limits, bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes.min(limits.bytes));
        buffer.extend_from_slice(framing.open.as_bytes());
        let end = buffer.len();
        let items = Items::default();
        Self { framing, limits, buffer, end, start: end, items, times: None, packed: Vec::new() }
    }

    /// Where to append the next item.
    pub fn begin(&mut self) -> &mut Vec<u8> {
        self.buffer.truncate(self.end);
        if !self.items.is_empty() {
            self.buffer.extend_from_slice(self.framing.between.as_bytes());
        }
        self.start = self.buffer.len();
        &mut self.buffer
    }

    /// Bytes of the item so far.
    pub fn written(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Takes what was appended since [`Self::begin`] as one item made of these records.
    pub fn end(&mut self, records: Range<u32>) -> Result<(), TooLarge> {
        self.end_at(records, None)
    }

    /// The same for an item with a time in nanoseconds.
    pub fn end_at(&mut self, records: Range<u32>, time: Option<u64>) -> Result<(), TooLarge> {
        self.fits_alone()?;
        if !self.fits(time) {
            self.turn();
        }
        if let Some(time) = time {
            let (earliest, latest) = self.times.unwrap_or((time, time));
            self.times = Some((earliest.min(time), latest.max(time)));
        }
        self.items.push(records);
        self.end = self.buffer.len();
        Ok(())
    }

    /// Puts further records into the item that was taken last.
    pub fn join(&mut self, records: Range<u32>) {
        self.items.join(records);
    }

    /// The bodies.
    pub fn finish(mut self) -> Vec<Packed> {
        self.close();
        self.packed
    }

    fn fits_alone(&self) -> Result<(), TooLarge> {
        let around = self.framing.open.len() + self.framing.close.len();
        let limit = self.limits.item_bytes.min(self.limits.alone_bytes.saturating_sub(around));
        let bytes = self.written();
        if bytes > limit { Err(TooLarge { bytes, limit }) } else { Ok(()) }
    }

    fn fits(&self, time: Option<u64>) -> bool {
        let span = match (self.times, time) {
            (Some((earliest, latest)), Some(time)) => latest.max(time) - earliest.min(time),
            _ => 0,
        };
        self.items.is_empty()
            || self.buffer.len() + self.framing.close.len() <= self.limits.bytes
                && self.items.len() < self.limits.items
                && span <= self.limits.span
    }

    /// Closes the body without the item that is being written, which begins the next one.
    fn turn(&mut self) {
        let item = self.buffer.get(self.start..).unwrap_or_default();
        let mut next = Vec::with_capacity(self.buffer.capacity());
        next.extend_from_slice(self.framing.open.as_bytes());
        let start = next.len();
        next.extend_from_slice(item);
        self.close();
        self.buffer = next;
        self.start = start;
    }

    fn close(&mut self) {
        self.times = None;
        if self.items.is_empty() {
            return;
        }
        self.buffer.truncate(self.end);
        self.buffer.extend_from_slice(self.framing.close.as_bytes());
        let body = Bytes::from(std::mem::take(&mut self.buffer));
        self.packed.push(Packed { body, items: std::mem::take(&mut self.items) });
        self.end = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ARRAY: Framing = Framing { open: "[", between: ",", close: "]" };

    fn pack(framing: Framing, limits: Limits, items: &[(&[u8], u64)]) -> (Vec<Packed>, Vec<u32>) {
        let mut packer = Packer::new(framing, limits, 0);
        let mut refused = Vec::new();
        for (record, (item, time)) in (0..).zip(items) {
            packer.begin().extend_from_slice(item);
            if packer.end_at(record..record + 1, Some(*time)).is_err() {
                refused.push(record);
            }
        }
        (packer.finish(), refused)
    }

    fn bodies(limits: Limits, items: &[&[u8]]) -> Vec<String> {
        let items: Vec<(&[u8], u64)> = items.iter().map(|item| (*item, 0)).collect();
        let (packed, refused) = pack(ARRAY, limits, &items);
        assert!(refused.is_empty(), "{refused:?}");
        packed.iter().map(|packed| String::from_utf8(packed.body.to_vec()).unwrap()).collect()
    }

    #[test]
    fn exactly_at_the_limit_of_bytes_fits_and_one_byte_over_begins_the_next() {
        let limits = Limits::of_bytes("[aaa,bbb]".len());
        assert_eq!(bodies(limits, &[b"aaa", b"bbb"]), ["[aaa,bbb]"]);
        assert_eq!(bodies(limits, &[b"aaa", b"bbbb"]), ["[aaa]", "[bbbb]"]);
    }

    #[test]
    fn exactly_at_the_limit_of_items_fits_and_one_over_begins_the_next() {
        let limits = Limits { items: 2, ..Limits::of_bytes(100) };
        assert_eq!(bodies(limits, &[b"1", b"2"]), ["[1,2]"]);
        assert_eq!(bodies(limits, &[b"1", b"2", b"3"]), ["[1,2]", "[3]"]);
    }

    #[test]
    fn an_item_that_no_body_holds_is_refused_and_leaves_no_trace() {
        let limits = Limits { item_bytes: 3, ..Limits::of_bytes(100) };
        let (packed, refused) = pack(ARRAY, limits, &[(b"1", 0), (b"four", 0), (b"3", 0)]);
        assert_eq!(refused, [1]);
        assert_eq!(&packed[0].body[..], b"[1,3]");
        assert_eq!(packed[0].items.all().collect::<Vec<_>>(), [0..1, 2..3]);
        let mut packer = Packer::new(ARRAY, Limits::of_bytes(5), 0);
        packer.begin().extend_from_slice(b"four");
        assert_eq!(packer.end(0..1), Err(TooLarge { bytes: 4, limit: 3 }));
        assert!(packer.finish().is_empty());
    }

    #[test]
    fn exactly_the_span_fits_and_one_nanosecond_over_begins_the_next() {
        let limits = Limits { span: 10, ..Limits::of_bytes(100) };
        assert_eq!(pack(ARRAY, limits, &[(b"1", 5), (b"2", 15)]).0.len(), 1);
        assert_eq!(pack(ARRAY, limits, &[(b"1", 5), (b"2", 16)]).0.len(), 2);
        assert_eq!(pack(ARRAY, limits, &[(b"1", 16), (b"2", 5)]).0.len(), 2);
    }

    proptest! {
        /// Promise: the bodies hold every item that can be sent, in order; no limit is broken, and
        /// no body could have taken the first item of the next.
        #[test]
        fn bodies_hold_all_items_in_order_within_every_limit_and_as_many_as_fit(
            items in proptest::collection::vec(("[a-z]{1,12}", 0..40_u64), 0..60),
            bytes in 4..60_usize,
            most in 1..6_u32,
            item_bytes in 2..12_usize,
            span in 0..30_u64,
        ) {
            let limits = Limits { bytes, items: most, item_bytes, alone_bytes: bytes, span };
            let given: Vec<(&[u8], u64)> =
                items.iter().map(|(item, time)| (item.as_bytes(), *time)).collect();
            let (packed, refused) = pack(ARRAY, limits, &given);
            let is_sent = |record: &u32| !refused.contains(record);
            let sent: Vec<u32> = packed.iter().flat_map(|one| one.items.all().flatten()).collect();
            let all = 0..u32::try_from(items.len()).unwrap();
            prop_assert_eq!(&sent, &all.filter(is_sent).collect::<Vec<u32>>());
            for record in refused {
                let len = items[record as usize].0.len();
                prop_assert!(len > item_bytes || len + 2 > bytes);
            }
            let texts = |records: &[u32]| -> Vec<&str> {
                records.iter().map(|record| items[*record as usize].0.as_str()).collect()
            };
            let allowed = |records: &[u32]| {
                let times = || records.iter().map(|record| items[*record as usize].1);
                let body = format!("[{}]", texts(records).join(","));
                let wide = times().max().unwrap_or(0) - times().min().unwrap_or(0);
                body.len() <= bytes && records.len() <= most as usize && wide <= span
            };
            let calls: Vec<Vec<u32>> =
                packed.iter().map(|one| one.items.all().flatten().collect()).collect();
            for (index, call) in calls.iter().enumerate() {
                let body = format!("[{}]", texts(call).join(","));
                prop_assert_eq!(&packed[index].body[..], body.as_bytes());
                prop_assert!(allowed(call));
                if let Some(next) = calls.get(index + 1) {
                    let one_more = [call.as_slice(), &next[..1]].concat();
                    prop_assert!(!allowed(&one_more), "not greedy");
                }
            }
        }
    }
}
