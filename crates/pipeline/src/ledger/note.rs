//! What a ledger keeps beside a cursor: marks and the first rows, in the few bytes there are.

use bessemer_journal::{Lane, NOTE_BYTES_MAX};
use bytes::{Buf, BufMut, Bytes};

use super::attempts::Attempt;
use super::marks::{Mark, Marks};

const VERSION: u8 = 1;
/// Bytes of a reason that is kept on disk.
const REASON_BYTES_MAX: usize = 80;

/// What was kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// Urgent, normal.
    pub(crate) marks: [Marks; 2],
    pub(crate) rows: Vec<Attempt>,
}

impl Note {
    /// As many rows as fit behind the marks, the oldest first.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        for marks in &self.marks {
            put(&mut out, marks.all().len() as u64);
            let mut before = Mark { below: 0, unix_s: 0 };
            for mark in marks.all() {
                put(&mut out, mark.below - before.below);
                put(&mut out, mark.unix_s - before.unix_s);
                before = *mark;
            }
        }
        for row in &self.rows {
            let encoded = encode_row(row);
            if out.len() + encoded.len() > NOTE_BYTES_MAX {
                break;
            }
            out.extend_from_slice(&encoded);
        }
        out.into()
    }

    /// Nothing for what is no note of a ledger; what can be read of one that is cut short.
    pub(crate) fn decode(mut bytes: &[u8]) -> Self {
        let mut note = Self::default();
        if bytes.try_get_u8().ok() != Some(VERSION) {
            return note;
        }
        for marks in &mut note.marks {
            *marks = decode_marks(&mut bytes).unwrap_or_default();
        }
        while let Some(row) = decode_row(&mut bytes) {
            note.rows.push(row);
        }
        note
    }
}

fn decode_marks(bytes: &mut &[u8]) -> Option<Marks> {
    let count = take(bytes)?;
    let mut marks = Vec::new();
    let mut at = Mark { below: 0, unix_s: 0 };
    for _ in 0..count {
        let below = at.below.checked_add(take(bytes)?)?;
        at = Mark { below, unix_s: at.unix_s.checked_add(take(bytes)?)? };
        marks.push(at);
    }
    Some(Marks::restored(marks))
}

fn encode_row(row: &Attempt) -> Vec<u8> {
    let mut out = vec![row.lane as u8];
    let numbers = row.numbers.end.saturating_sub(row.numbers.start);
    for number in [row.numbers.start, numbers, u64::from(row.failed)] {
        put(&mut out, number);
    }
    put(&mut out, row.since_unix_s);
    put(&mut out, row.last_unix_s.saturating_sub(row.since_unix_s));
    let reason = row.reason.get(..row.reason.floor_char_boundary(REASON_BYTES_MAX));
    let reason = reason.unwrap_or_default();
    put(&mut out, reason.len() as u64);
    out.extend_from_slice(reason.as_bytes());
    out
}

fn decode_row(bytes: &mut &[u8]) -> Option<Attempt> {
    let lane =
        if bytes.try_get_u8().ok()? == Lane::Urgent as u8 { Lane::Urgent } else { Lane::Normal };
    let start = take(bytes)?;
    let end = start.checked_add(take(bytes)?)?;
    let failed = u32::try_from(take(bytes)?).ok()?;
    let since_unix_s = take(bytes)?;
    let last_unix_s = since_unix_s.checked_add(take(bytes)?)?;
    let len = usize::try_from(take(bytes)?).ok()?;
    let (reason, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    let reason = String::from_utf8(reason.to_vec()).ok()?;
    Some(Attempt { lane, numbers: start..end, failed, since_unix_s, last_unix_s, reason })
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8((value & 0x7F) as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
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

    fn row() -> impl Strategy<Value = Attempt> {
        let numbers = (0..u64::MAX / 2, 1..1000_u64);
        (numbers, any::<u32>(), 0..u64::MAX / 2, 0..1000_u64, any::<bool>(), "\\PC{0,40}").prop_map(
            |((start, len), failed, since, more, urgent, reason)| Attempt {
                lane: if urgent { Lane::Urgent } else { Lane::Normal },
                numbers: start..start + len,
                failed,
                since_unix_s: since,
                last_unix_s: since + more,
                reason,
            },
        )
    }

    proptest! {
        #[test]
        fn a_note_fits_and_gives_back_its_marks_and_its_first_rows(
            steps in proptest::collection::vec((1..u64::MAX >> 8, 1..1_u64 << 40), 0..40),
            rows in proptest::collection::vec(row(), 0..9),
        ) {
            let mut marks = Marks::default();
            let (mut below, mut now) = (0_u64, 0_u64);
            for (more, seconds) in steps {
                (below, now) = (below.saturating_add(more), now + seconds);
                marks.note(below, now);
            }
            let note = Note { marks: [marks.clone(), marks], rows };
            let bytes = note.encode();
            prop_assert!(bytes.len() <= NOTE_BYTES_MAX);
            let read = Note::decode(&bytes);
            prop_assert_eq!(&read.marks, &note.marks);
            for (read, row) in read.rows.iter().zip(&note.rows) {
                prop_assert!(row.reason.starts_with(&read.reason));
                let reason = row.reason.clone();
                prop_assert_eq!(&Attempt { reason, ..read.clone() }, row);
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut versioned = vec![VERSION];
            versioned.extend(&bytes);
            Note::decode(&bytes);
            Note::decode(&versioned);
        }
    }
}
