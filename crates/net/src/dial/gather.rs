//! Gathers the frames of an HTTP/2 connection into few writes, without copying their contents.
//!
//! `h2` writes and flushes every DATA frame alone, and most peers allow frames of 16 KiB only: a
//! batch would take twenty calls into the kernel. Here writes are gathered up to a limit, as the
//! Go client does too (its `write_buffer_size`). Request bodies are shared bytes, so a slice that
//! lies in one of the announced [`Sources`] is kept by reference, and only heads are copied.
//! Flushes are ignored: the task that polls the connection calls [`Gather::poll_write_out`] once
//! the connection has nothing more to say.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::Stream;

/// Slices of one vectored write.
const SLICES: usize = 64;
/// Below this a copy is cheaper than a reference.
const SHARED_MIN: usize = 512;

/// A stream whose writes are gathered; clones share it.
#[derive(Clone)]
pub(super) struct Gather(Arc<Mutex<Gathering>>);

struct Gathering {
    stream: Stream,
    sources: Sources,
    pieces: VecDeque<Piece>,
    /// The bytes of all [`Piece::Copied`], in their order.
    copied: BytesMut,
    /// Bytes of all pieces.
    pending: usize,
    capacity: usize,
}

enum Piece {
    Copied(usize),
    Shared(Bytes),
}

/// The bodies that are being sent on a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources(Arc<Mutex<Vec<Bytes>>>);

impl Sources {
    /// Announces the pieces of a body until the guard is dropped.
    pub(super) fn announce(&self, pieces: impl Iterator<Item = Bytes>) -> Announced<'_> {
        let pieces: Vec<Bytes> = pieces.filter(|piece| piece.len() >= SHARED_MIN).collect();
        self.0.lock().extend_from_slice(&pieces);
        Announced { sources: self, pieces }
    }

    /// The shared bytes behind `slice`, when it lies in an announced body.
    fn find(&self, slice: &[u8]) -> Option<Bytes> {
        if slice.len() < SHARED_MIN {
            return None;
        }
        let wanted = slice.as_ptr_range();
        let sources = self.0.lock();
        let found = sources.iter().find(|source| {
            let held = source.as_ptr_range();
            held.start <= wanted.start && wanted.end <= held.end
        });
        found.map(|source| source.slice_ref(slice))
    }
}

/// Takes an announcement back when the request is over.
pub(super) struct Announced<'a> {
    sources: &'a Sources,
    pieces: Vec<Bytes>,
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        let mut sources = self.sources.0.lock();
        for piece in &self.pieces {
            let range = piece.as_ptr_range();
            if let Some(at) = sources.iter().position(|source| source.as_ptr_range() == range) {
                sources.swap_remove(at);
            }
        }
    }
}

impl Gather {
    /// Gathers up to `capacity` bytes, and finishes the frame that passes it.
    pub(super) fn new(stream: Stream, capacity: usize, sources: Sources) -> Self {
        let (pieces, copied) = (VecDeque::new(), BytesMut::new());
        let gathering = Gathering { stream, sources, pieces, copied, pending: 0, capacity };
        Self(Arc::new(Mutex::new(gathering)))
    }

    /// Writes all that was gathered.
    pub(super) fn poll_write_out(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathering = self.0.lock();
        ready!(gathering.poll_drain(context))?;
        Pin::new(&mut gathering.stream).poll_flush(context)
    }
}

impl Gathering {
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.pending > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut copied = &*self.copied;
            for (slot, piece) in slices.iter_mut().zip(&self.pieces) {
                *slot = IoSlice::new(match piece {
                    Piece::Shared(bytes) => bytes,
                    Piece::Copied(length) => copied.split_off(..*length).unwrap_or_default(),
                });
            }
            let stream = Pin::new(&mut self.stream);
            let written = ready!(stream.poll_write_vectored(context, &slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.pending -= written;
        while let Some(piece) = self.pieces.front_mut() {
            let length = match piece {
                Piece::Shared(bytes) => bytes.len(),
                Piece::Copied(length) => *length,
            };
            let taken = written.min(length);
            match piece {
                Piece::Shared(bytes) => bytes.advance(taken),
                Piece::Copied(length) => {
                    *length -= taken;
                    self.copied.advance(taken);
                }
            }
            if taken < length {
                return;
            }
            written -= taken;
            self.pieces.pop_front();
        }
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.pending > 0 && self.pending >= self.capacity {
            ready!(self.poll_drain(context))?;
        }
        let mut accepted = 0;
        for slice in slices {
            accepted += slice.len();
            self.gather(slice);
        }
        Poll::Ready(Ok(accepted))
    }

    fn gather(&mut self, slice: &[u8]) {
        if slice.is_empty() {
            return;
        }
        self.pending += slice.len();
        if let Some(shared) = self.sources.find(slice) {
            self.pieces.push_back(Piece::Shared(shared));
            return;
        }
        self.copied.extend_from_slice(slice);
        match self.pieces.back_mut() {
            Some(Piece::Copied(length)) => *length += slice.len(),
            Some(Piece::Shared(_)) | None => self.pieces.push_back(Piece::Copied(slice.len())),
        }
    }
}

impl AsyncRead for Gather {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gather {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_write(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_write(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathering = self.0.lock();
        ready!(gathering.poll_drain(context))?;
        Pin::new(&mut gathering.stream).poll_shutdown(context)
    }
}
