//! Chunks of a body into one buffer, charged to the budget as they arrive.
//!
//! The announced length presizes the buffer, up to a point: whoever announces 64 MiB and sends
//! nothing holds next to nothing. A body that arrives as one large chunk is not copied; a small one
//! is, because the chunk would keep the connection's whole read buffer alive.

use std::pin::Pin;
use std::task::Poll;

use bessemer_runtime::{Budget, Permit};
use bytes::Bytes;

use super::room::Room;
use super::slow::Slow;
use super::{BodyError, BodyLimits};

/// The most that an announced length reserves before the bytes are there.
const PRESIZED_MAX: usize = 1 << 20;
/// Single chunks from here on are handed over as they are.
const SHARED_MIN: usize = 128 << 10;
/// The first buffer of a body of unknown length.
const FIRST_MIN: usize = 16 << 10;

/// A body so far.
pub(crate) struct Collector {
    limit: usize,
    permit: Permit,
    announced: Option<usize>,
    single: Bytes,
    buffer: Room,
}

impl Collector {
    pub(crate) fn new(limit: usize, budget: &Budget) -> Self {
        let permit = budget.empty();
        Self { limit, permit, announced: None, single: Bytes::new(), buffer: Room::new() }
    }

    /// Takes note of the length to come; refuses one that passes the limit before reading it.
    pub(crate) fn announce(&mut self, length: Option<u64>) -> Result<(), BodyError> {
        if let Some(length) = length {
            let length = usize::try_from(length).ok().filter(|length| *length <= self.limit);
            self.announced = Some(length.ok_or(BodyError::TooLarge { limit: self.limit })?);
        }
        Ok(())
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.single.len() + self.buffer.len()
    }

    /// The bytes so far.
    pub(crate) fn head(&self) -> &[u8] {
        if self.buffer.len() == 0 { &self.single } else { self.buffer.filled() }
    }

    pub(crate) fn push(&mut self, chunk: Bytes) -> Result<(), BodyError> {
        let total = self.len().saturating_add(chunk.len());
        if total > self.limit {
            return Err(BodyError::TooLarge { limit: self.limit });
        }
        if self.len() == 0 {
            cover(&mut self.permit, total)?;
            self.single = chunk;
            return Ok(());
        }
        self.make_room(total)?;
        if !self.single.is_empty() {
            self.buffer.extend(&self.single);
            self.single = Bytes::new();
        }
        self.buffer.extend(&chunk);
        Ok(())
    }

    /// The whole body, contiguous.
    pub(crate) fn finish(mut self) -> (Bytes, Permit) {
        let bytes = if self.buffer.len() == 0 {
            if self.single.len() >= SHARED_MIN {
                self.single
            } else {
                Bytes::copy_from_slice(&self.single)
            }
        } else {
            self.buffer.freeze()
        };
        self.permit.shrink_to(bytes.len() as u64);
        (bytes, self.permit)
    }

    /// Grows the buffer for `total` bytes: to the announced length while that is modest or half
    /// there, else by doubling.
    fn make_room(&mut self, total: usize) -> Result<(), BodyError> {
        if total <= self.buffer.capacity() {
            return Ok(());
        }
        let doubled = total.saturating_mul(2).max(FIRST_MIN).min(self.limit);
        let room = match self.announced {
            Some(announced) if announced >= total => announced.min(doubled.max(PRESIZED_MAX)),
            Some(_) | None => doubled,
        };
        cover(&mut self.permit, room)?;
        self.buffer.grow(room);
        Ok(())
    }
}

/// Grows `permit` to `bytes` in all.
pub(crate) fn cover(permit: &mut Permit, bytes: usize) -> Result<(), BodyError> {
    let missing = (bytes as u64).saturating_sub(permit.bytes());
    if missing == 0 || permit.try_grow(missing) { Ok(()) } else { Err(BodyError::Overloaded) }
}

/// Reads `body` to its end. While no length is announced, `length` may tell it from the bytes.
pub(crate) async fn collect<B>(
    mut body: B,
    collector: &mut Collector,
    limits: &BodyLimits,
    length: impl Fn(&[u8]) -> Result<Option<u64>, BodyError>,
) -> Result<(), BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut slow = Slow::new(limits);
    loop {
        let received = collector.len();
        let next = std::future::poll_fn(|context| match Pin::new(&mut body).poll_frame(context) {
            Poll::Ready(next) => Poll::Ready(Ok(next)),
            Poll::Pending => slow.poll(context, received).map(Err),
        });
        let frame = match next.await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => {
                return Err(BodyError::Interrupted { received, cause: error.to_string() });
            }
            Ok(None) => return Ok(()),
            Err(()) => return Err(BodyError::Slow { received }),
        };
        // Trailers say nothing that is needed here.
        if let Ok(data) = frame.into_data() {
            collector.push(data)?;
            if collector.announced.is_none() {
                let told = length(collector.head())?;
                collector.announce(told)?;
            }
        }
    }
}
