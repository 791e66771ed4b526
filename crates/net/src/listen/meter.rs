//! Counts the frames of an HTTP/2 client that carry no data.
//!
//! hyper and h2 bound resets, header blocks and streams, but answer every PING and SETTINGS and
//! take every empty DATA (CVE-2019-9512, -9515, -9518) as long as the client reads on. So such frames
//! are paid from a credit: some per tick, more with every request and every frame of data. Who has
//! none left loses the connection.

use std::sync::atomic::Ordering;

use super::activity::Activity;

/// Frames without data that are free in every tick of the judge.
const FREE_PER_TICK: u32 = 10_000;
/// Frames without data that a request pays for: window updates, pings to measure the delay.
const PER_REQUEST: u32 = 10;
/// The same for a frame of data.
const PER_DATA: u32 = 1;

const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// Where in the stream of frames the client is, and what it may still send.
#[derive(Debug)]
pub(super) struct Meter {
    head: [u8; HEAD_BYTES],
    head_length: usize,
    payload_left: usize,
    credit: u32,
    tick: u32,
}

impl Default for Meter {
    fn default() -> Self {
        let head = [0; HEAD_BYTES];
        Self { head, head_length: 0, payload_left: 0, credit: FREE_PER_TICK, tick: 0 }
    }
}

impl Meter {
    /// Goes over bytes as they arrive; says whether the client may go on.
    pub(super) fn may_continue(&mut self, mut bytes: &[u8], activity: &Activity) -> bool {
        let tick = activity.ticks.load(Ordering::Relaxed);
        if tick != self.tick {
            self.tick = tick;
            self.credit = self.credit.max(FREE_PER_TICK);
        }
        while !bytes.is_empty() {
            let payload = bytes.len().min(self.payload_left);
            self.payload_left -= payload;
            bytes = bytes.get(payload..).unwrap_or_default();
            let taken = bytes.len().min(HEAD_BYTES - self.head_length);
            let (start, rest) = bytes.split_at_checked(taken).unwrap_or_default();
            let room = self.head.iter_mut().skip(self.head_length);
            room.zip(start).for_each(|(to, from)| *to = *from);
            self.head_length += taken;
            bytes = rest;
            if self.head_length == HEAD_BYTES && !self.pay_for_frame() {
                return false;
            }
        }
        true
    }

    fn pay_for_frame(&mut self) -> bool {
        let [a, b, c, kind, ..] = self.head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        (self.head_length, self.payload_left) = (0, length);
        match kind {
            HEADERS => self.credit = self.credit.saturating_add(PER_REQUEST),
            DATA if length > 0 => self.credit = self.credit.saturating_add(PER_DATA),
            // Bounded by the size of the header list.
            CONTINUATION => {}
            _ => return self.pay(),
        }
        true
    }

    fn pay(&mut self) -> bool {
        let left = self.credit.checked_sub(1);
        self.credit = left.unwrap_or_default();
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 0];
        frame.extend(vec![0xff; usize::from(length)]);
        frame
    }

    /// How many times the frames are taken, in pieces of `size`, at most 100,000.
    fn taken(frames: &[u8], size: usize) -> usize {
        let (mut meter, activity) = (Meter::default(), Activity::default());
        let once = |meter: &mut Meter| {
            frames.chunks(size).all(|piece| meter.may_continue(piece, &activity))
        };
        (0..100_000).take_while(|_| once(&mut meter)).count()
    }

    #[test]
    fn frames_without_data_run_out_however_they_are_cut() {
        for size in [1, 2, 9, 10, 1000] {
            assert_eq!(taken(&frame(6, 8), size), 10_000);
            assert_eq!(taken(&frame(4, 0), size), 10_000);
            assert_eq!(taken(&frame(0, 0), size), 10_000);
        }
    }

    #[test]
    fn requests_and_data_pay_for_the_frames_they_need() {
        let request = [frame(1, 50), frame(0, 200), frame(6, 8), frame(8, 4), frame(8, 4)].concat();
        for size in [1, 7, 300] {
            assert_eq!(taken(&request, size), 100_000);
        }
    }

    #[test]
    fn a_tick_gives_new_credit() {
        let (mut meter, activity) = (Meter::default(), Activity::default());
        let pings = frame(6, 8).repeat(9000);
        assert!(meter.may_continue(&pings, &activity));
        activity.ticks.fetch_add(1, Ordering::Relaxed);
        assert!(meter.may_continue(&pings, &activity));
        assert!(!meter.may_continue(&pings, &activity));
    }
}
