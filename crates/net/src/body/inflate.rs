//! The one inflater: from a whole compressed body into one buffer, in bounded steps.
//!
//! The caller holds the compressed bytes complete, so a decoder (up to 8 MiB of zstd window) lives
//! only while it computes and a slow sender never pins one. A step reads at most [`INPUT_STEP`] and
//! writes at most [`STEP`] bytes, about a millisecond, so that the caller can yield in between.
//! Sizes that the sender claims (gzip's ISIZE, zstd's content size) choose the first allocation and
//! nothing else.
//!
//! A body that grows beyond [`LARGE_MIN`] at a ratio that telemetry does not reach is measured
//! first: inflated once into the same few pages over and over. A bomb is refused without ever
//! having been held; anything else is then inflated into a buffer of exactly its size. Measuring is
//! cheap just where it is needed, since such bytes inflate at the speed of memory.
//!
//! Bodies beyond [`LARGE_MIN`] are inflated a few at a time ([`super::slots`]): more at once would
//! be no faster, and would hold half of every body instead of the whole of some.

use bytes::Bytes;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};

use super::decoders;
use super::encoding::Encoding;
use super::gzip;
use super::room::Room;

/// The most a step writes when the claimed size does not fit [`WHOLE_MAX`].
const STEP: usize = 512 << 10;
/// The most a step reads: bounds the time of streams that hold much and inflate to nothing.
const INPUT_STEP: usize = 64 << 10;
/// Up to here a claimed size is inflated in one step, straight into its final place; from here on
/// a body is large.
pub(super) const LARGE_MIN: usize = 1 << 20;
/// The buffer of a large body of unknown size: pages that are never written cost nothing, while
/// growing step by step would copy what there is again and again.
const LARGE_ROOM: usize = 64 << 20;
/// A body that inflates to so many times its size is measured before it is held. Telemetry is far
/// below: 5 to 30.
const MEASURED_RATIO: usize = 100;
/// What a step of measuring writes: stays in the cache of a core.
const MEASURE_STEP: usize = 256 << 10;
/// The most a zstd window holds beside the output.
const WINDOW_MAX: usize = 8 << 20;
/// What a decoder holds beside its window.
const DECODER_BYTES: usize = 192 << 10;
/// The first allocation when the sender claims no size.
const FIRST_MIN: usize = 16 << 10;
/// From here on, a body four times larger than what it inflates to is an attack on our time.
const SHRINKING_MIN: usize = 1 << 20;

/// Why a body could not be inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The inflated bytes would pass the limit.
    #[error("the body inflates to more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The compressed bytes are not what their encoding says.
    #[error("invalid {encoding} at byte {offset}: {problem}")]
    Invalid {
        /// The encoding the sender named.
        encoding: Encoding,
        /// Where in the compressed bytes.
        offset: usize,
        /// What is wrong there.
        problem: &'static str,
    },
}

/// Whether another step is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Call again.
    More,
    /// Everything is inflated and its checksums hold.
    Done,
}

/// The state between the steps of inflating one body.
pub(super) struct Inflater {
    encoding: Encoding,
    engine: Engine,
    /// What was inflated, or while measuring the last piece of it.
    output: Room,
    /// Bytes that were inflated; while not measuring, the rest of `output` is zeros.
    written: usize,
    consumed: usize,
    limit: usize,
    step: usize,
    member: Member,
    size: Size,
}

/// What is known of the size.
#[derive(Clone, Copy)]
enum Size {
    /// Nothing; when the output passes `check_at`, the ratio since the last look counts.
    Unknown { check_at: usize, written: usize, consumed: usize },
    /// Being found out.
    Measured,
    /// It fits.
    Known,
}

/// Where in the sequence of gzip members the inflater is; the other formats are one member.
struct Member {
    open: bool,
    started_at: usize,
    crc: Crc,
}

/// A decoder, borrowed from the thread's pool until drop.
enum Engine {
    Flate(Option<Decompress>),
    Zstd(Option<Decoder<'static>>),
}

/// What one call of a decoder did.
struct Turn {
    read: usize,
    wrote: usize,
    ended: bool,
}

impl Inflater {
    /// An inflater for `encoded`, which every step gets again.
    pub(super) fn new(encoding: Encoding, encoded: &[u8], limit: usize) -> Self {
        let engine = match encoding {
            Encoding::Gzip => Engine::Flate(Some(decoders::flate(false))),
            Encoding::Deflate => Engine::Flate(Some(decoders::flate(true))),
            Encoding::Zstd => Engine::Zstd(decoders::zstd()),
            Encoding::Identity => Engine::Flate(None),
        };
        let claimed = claimed_size(encoding, encoded);
        let guess = encoded.len().saturating_mul(8).clamp(FIRST_MIN, STEP);
        let is_bomb = |size: &usize| {
            *size > limit || (*size > LARGE_MIN && size / MEASURED_RATIO > encoded.len())
        };
        let mut output = Room::new();
        let size = if claimed.as_ref().is_some_and(is_bomb) {
            Size::Measured
        } else {
            output = Room::of(first_room(claimed.unwrap_or(guess), limit));
            Size::Unknown { check_at: LARGE_MIN, written: 0, consumed: 0 }
        };
        let step = claimed.filter(|size| *size <= LARGE_MIN).map_or(STEP, |size| size.max(STEP));
        let member = Member::first(encoding);
        Self { encoding, engine, output, written: 0, consumed: 0, limit, step, member, size }
    }

    /// The most bytes that output and decoder may hold after the next step; what a budget must
    /// cover.
    pub(super) fn bytes_after_step(&self) -> usize {
        let inflated = self.output_after_step();
        let output = if self.is_measuring() { MEASURE_STEP } else { inflated };
        let window = if self.encoding == Encoding::Zstd { inflated.min(WINDOW_MAX) } else { 0 };
        output + window + DECODER_BYTES
    }

    /// Whether the next step makes it a large body.
    pub(super) fn is_large_after_step(&self) -> bool {
        self.is_measuring() || self.output_after_step() > LARGE_MIN
    }

    fn is_measuring(&self) -> bool {
        matches!(self.size, Size::Measured)
    }

    fn output_after_step(&self) -> usize {
        self.written.saturating_add(self.step).min(self.limit)
    }

    /// Inflates the next piece of `encoded`, the same bytes at every call.
    pub(super) fn step(&mut self, encoded: &[u8]) -> Result<Progress, InflateError> {
        if self.grows_like_a_bomb() {
            self.begin_again(Size::Measured)?;
        }
        if !self.member.open {
            let rest = encoded.get(self.consumed..).unwrap_or_default();
            let header = gzip::header_bytes(rest).map_err(|problem| self.invalid(problem))?;
            self.consumed += header;
            self.member = Member { open: true, started_at: self.written, crc: Crc::new() };
        }
        let turn = self.turn(encoded)?;
        if self.consumed > SHRINKING_MIN && self.written < self.consumed / 4 {
            return Err(self.invalid("the body is larger than what it inflates to"));
        }
        if turn.ended {
            let progress = self.end_member(encoded)?;
            if progress == Progress::Done && self.is_measuring() {
                let size = self.written;
                self.begin_again(Size::Known)?;
                self.output = Room::of(size);
                return Ok(Progress::More);
            }
            return Ok(progress);
        }
        if turn.read == 0 && turn.wrote == 0 {
            return Err(self.invalid("the body ends in the middle"));
        }
        Ok(Progress::More)
    }

    /// Whether what came since the last look has the ratio of a bomb. Looked at every now and then,
    /// so that no ordinary beginning hides what follows.
    fn grows_like_a_bomb(&mut self) -> bool {
        let after_step = self.output_after_step();
        let Size::Unknown { check_at, written, consumed } = self.size else { return false };
        if after_step <= check_at {
            return false;
        }
        let check_at = after_step.saturating_add(LARGE_MIN);
        self.size = Size::Unknown { check_at, written: self.written, consumed: self.consumed };
        (self.written - written) / MEASURED_RATIO > self.consumed - consumed
    }

    /// Goes back to the first byte, to measure or because the size is known.
    fn begin_again(&mut self, size: Size) -> Result<(), InflateError> {
        let is_reset = match &mut self.engine {
            Engine::Flate(Some(flate)) => {
                flate.reset(self.encoding == Encoding::Deflate);
                true
            }
            Engine::Zstd(Some(zstd)) => zstd.reinit().is_ok(),
            Engine::Flate(None) | Engine::Zstd(None) => false,
        };
        if !is_reset {
            return Err(self.invalid("there is no decoder"));
        }
        self.output = Room::new();
        self.member = Member::first(self.encoding);
        (self.written, self.consumed, self.size) = (0, 0, size);
        Ok(())
    }

    /// The inflated bytes, after [`Progress::Done`].
    pub(super) fn finish(mut self) -> Bytes {
        let mut output = std::mem::replace(&mut self.output, Room::new());
        output.truncate(self.written);
        output.freeze()
    }

    /// One call of the decoder into the free part of the output, or into one spare byte when the
    /// output is full: one of exactly the claimed size, or of the limit, is not grown for nothing.
    fn turn(&mut self, encoded: &[u8]) -> Result<Turn, InflateError> {
        let input_end = encoded.len().min(self.consumed.saturating_add(INPUT_STEP));
        let input = encoded.get(self.consumed..input_end).unwrap_or_default();
        let measuring = self.is_measuring();
        let full =
            self.written == self.limit || (!measuring && self.written == self.output.capacity());
        let mut spare = [0_u8; 1];
        let from = if measuring { 0 } else { self.written };
        let turn = if full {
            self.engine.run(input, &mut spare)
        } else {
            let end = if measuring {
                MEASURE_STEP.min(self.limit - self.written)
            } else {
                self.output.capacity().min(self.output_after_step())
            };
            self.output.grow(end);
            self.engine.run(input, self.output.window(from, end))
        };
        let turn = turn.map_err(|problem| self.invalid(problem))?;
        self.consumed += turn.read;
        if full && turn.wrote == 1 {
            self.push(spare)?;
        } else {
            self.written += turn.wrote;
        }
        if self.encoding == Encoding::Gzip {
            let fresh = self.output.filled().get(from..from + turn.wrote);
            self.member.crc.update(fresh.unwrap_or_default());
        }
        Ok(turn)
    }

    /// Grows the output for the byte that did not fit.
    fn push(&mut self, byte: [u8; 1]) -> Result<(), InflateError> {
        if self.written == self.limit {
            return Err(InflateError::TooLarge { limit: self.limit });
        }
        self.output.truncate(self.written);
        let doubled = self.output.capacity().saturating_mul(2);
        let wanted = if doubled > LARGE_MIN { doubled.max(LARGE_ROOM) } else { doubled };
        let room = first_room(wanted, self.limit);
        self.output.grow(room);
        self.output.extend(&byte);
        self.written += 1;
        Ok(())
    }

    /// Checks what follows a member; another gzip member or zstd frame may.
    fn end_member(&mut self, encoded: &[u8]) -> Result<Progress, InflateError> {
        if self.encoding == Encoding::Gzip {
            let rest = encoded.get(self.consumed..).unwrap_or_default();
            let size = self.written - self.member.started_at;
            gzip::check_trailer(rest, self.member.crc.sum(), size)
                .map_err(|problem| self.invalid(problem))?;
            self.consumed += gzip::TRAILER_BYTES;
        }
        if self.consumed == encoded.len() {
            return Ok(Progress::Done);
        }
        match (self.encoding, &mut self.engine) {
            (Encoding::Gzip, Engine::Flate(Some(flate))) => {
                flate.reset(false);
                self.member.open = false;
                Ok(Progress::More)
            }
            (Encoding::Zstd, _) => Ok(Progress::More),
            _ => Err(self.invalid("bytes follow the end of the stream")),
        }
    }

    fn invalid(&self, problem: &'static str) -> InflateError {
        InflateError::Invalid { encoding: self.encoding, offset: self.consumed, problem }
    }
}

impl Member {
    fn first(encoding: Encoding) -> Self {
        Self { open: encoding != Encoding::Gzip, started_at: 0, crc: Crc::new() }
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        match &mut self.engine {
            Engine::Flate(flate) => decoders::keep_flate(flate.take()),
            Engine::Zstd(zstd) => decoders::keep_zstd(zstd.take(), self.written),
        }
    }
}

impl Engine {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<Turn, &'static str> {
        match self {
            Self::Flate(Some(flate)) => run_flate(flate, input, output),
            Self::Zstd(Some(zstd)) => run_zstd(zstd, input, output),
            Self::Flate(None) | Self::Zstd(None) => Err("there is no decoder"),
        }
    }
}

fn run_flate(
    flate: &mut Decompress,
    input: &[u8],
    output: &mut [u8],
) -> Result<Turn, &'static str> {
    let (read_before, wrote_before) = (flate.total_in(), flate.total_out());
    let status = flate.decompress(input, output, FlushDecompress::None);
    let status = status.map_err(|error| match error.needs_dictionary() {
        Some(_) => "a preset dictionary is needed",
        None => "the deflate stream is damaged",
    })?;
    let difference = |now: u64, before: u64| usize::try_from(now - before).unwrap_or_default();
    Ok(Turn {
        read: difference(flate.total_in(), read_before),
        wrote: difference(flate.total_out(), wrote_before),
        ended: status == Status::StreamEnd,
    })
}

fn run_zstd(
    zstd: &mut Decoder<'static>,
    input: &[u8],
    output: &mut [u8],
) -> Result<Turn, &'static str> {
    let mut from = InBuffer::around(input);
    let mut to = OutBuffer::around(output);
    let hint = zstd.run(&mut from, &mut to).map_err(|error| {
        // The library tells its errors apart by text only.
        if error.to_string().contains("too much memory") {
            "the zstd window is larger than 8 MiB"
        } else {
            "the zstd frame is damaged"
        }
    })?;
    Ok(Turn { read: from.pos(), wrote: to.pos(), ended: hint == 0 })
}

/// Room for `wanted` bytes, or for the limit when growing once more would hold more than the limit
/// in old and new together; pages that are never written cost nothing.
fn first_room(wanted: usize, limit: usize) -> usize {
    if wanted.saturating_mul(2) > limit { limit } else { wanted }
}

/// The size that the sender says the body inflates to, when it is possible at all.
pub(super) fn claimed_size(encoding: Encoding, encoded: &[u8]) -> Option<usize> {
    const DEFLATE_RATIO_MAX: usize = 1032;
    const ZSTD_RATIO_MAX: usize = 128 << 10;
    let (claimed, ratio) = match encoding {
        Encoding::Gzip => (gzip::claimed_size(encoded)?, DEFLATE_RATIO_MAX),
        Encoding::Zstd => {
            let claimed = zstd::zstd_safe::get_frame_content_size(encoded).ok()??;
            (usize::try_from(claimed).ok()?, ZSTD_RATIO_MAX)
        }
        Encoding::Deflate | Encoding::Identity => return None,
    };
    (claimed > 0 && claimed / ratio <= encoded.len()).then_some(claimed)
}

#[cfg(test)]
mod tests;
