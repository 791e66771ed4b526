//! A connection's bytes, counted, with the first few put back after they were looked at.
//!
//! HTTP/2 frames are read 8-16 KiB at a time by the layer above, one system call each; a read-ahead
//! buffer turns twenty calls of a large request into three. The buffer is there only while bytes
//! flow: an idle connection holds none.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::activity::{Activity, Protocol};
use super::head_guard::{self, HeadGuard};
use super::meter::Meter;

/// What an HTTP/2 client sends first; no HTTP/1 request can begin so.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose reads and writes are counted.
pub(super) struct Observed<T> {
    stream: T,
    activity: Arc<Activity>,
    first: [u8; PREFACE.len()],
    first_end: usize,
    first_read: usize,
    ahead: BytesMut,
    ahead_max: usize,
    meter: Option<Meter>,
    guard: Option<HeadGuard>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Observed<T> {
    pub(super) fn new(stream: T, activity: Arc<Activity>) -> Self {
        let (first, ahead) = ([0; PREFACE.len()], BytesMut::new());
        Self {
            stream,
            activity,
            first,
            first_end: 0,
            first_read: 0,
            ahead,
            ahead_max: 0,
            meter: None,
            guard: None,
        }
    }

    /// Begins anew with bytes that were read and not used; says whether there are any.
    pub(super) fn put_back(&mut self, unused: &[u8]) -> bool {
        (self.first_end, self.first_read) = (0, 0);
        self.ahead.extend_from_slice(unused);
        !unused.is_empty()
    }

    /// From here on frames of HTTP/2 are metered, and up to `ahead_max` bytes read at once, however
    /// few are asked for.
    pub(super) fn read_frames(&mut self, ahead_max: usize) {
        self.ahead_max = ahead_max;
        self.meter = Some(Meter::default());
    }

    /// Reads until it is clear which protocol the client speaks; the bytes stay to be read.
    pub(super) async fn protocol(&mut self) -> io::Result<Protocol> {
        loop {
            let seen = self.first.get(..self.first_end).unwrap_or_default();
            if !PREFACE.starts_with(seen) {
                let guard = self.guard.get_or_insert_default();
                if guard.check(self.first.get_mut(..self.first_end).unwrap_or_default()) {
                    self.ahead.extend_from_slice(head_guard::END);
                }
                return Ok(Protocol::Http1);
            }
            if seen.len() == PREFACE.len() {
                return Ok(Protocol::Http2);
            }
            let room = self.first.get_mut(self.first_end..).unwrap_or_default();
            let count = self.stream.read(room).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.first_end += count;
            self.activity.on_read(count);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Observed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first_read < self.first_end {
            let kept = self.first.get(self.first_read..self.first_end).unwrap_or_default();
            let count = kept.len().min(buffer.remaining());
            buffer.put_slice(kept.get(..count).unwrap_or_default());
            self.first_read += count;
            return Poll::Ready(Ok(()));
        }
        if buffer.remaining() < self.ahead_max || !self.ahead.is_empty() {
            return self.poll_read_ahead(context, buffer);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let this = &mut *self;
        let read = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        if this.guard.as_mut().is_some_and(|guard| guard.check(read)) {
            this.ahead.extend_from_slice(head_guard::END);
        }
        Poll::Ready(observe(&this.activity, this.meter.as_mut(), read))
    }
}

impl<T: AsyncRead + Unpin> Observed<T> {
    fn poll_read_ahead(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            self.ahead.reserve(self.ahead_max);
            // The future holds no state of its own, so it may be made anew at every poll.
            let polled = pin!(self.stream.read_buf(&mut self.ahead)).poll(context);
            match polled {
                Poll::Ready(count) => {
                    count?;
                    observe(&self.activity, self.meter.as_mut(), &self.ahead)?;
                }
                Poll::Pending => {
                    self.ahead = BytesMut::new();
                    return Poll::Pending;
                }
            }
        }
        let count = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(self.ahead.get(..count).unwrap_or_default());
        self.ahead.advance(count);
        Poll::Ready(Ok(()))
    }
}

fn observe(activity: &Activity, meter: Option<&mut Meter>, read: &[u8]) -> io::Result<()> {
    activity.on_read(read.len());
    if meter.is_none_or(|meter| meter.may_continue(read, activity)) {
        Ok(())
    } else {
        Err(io::Error::other("too many frames without data"))
    }
}

impl<T> Observed<T> {
    fn wrote(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(count)) => self.activity.on_write(*count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.write_blocked.store(true, Ordering::Relaxed),
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Observed<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn check(sent: &[&[u8]], expected: Protocol) {
        let (mut client, server) = tokio::io::duplex(100);
        let mut observed = Observed::new(server, Arc::default());
        let sending = async {
            for part in sent {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(client);
        };
        let reading = async {
            assert_eq!(observed.protocol().await.unwrap(), expected);
            let mut read = Vec::new();
            observed.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, sent.concat());
        };
        tokio::join!(sending, reading);
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_protocol_and_are_read_again() {
        check(&[b"GET / HTTP/1.1\r\n\r\n"], Protocol::Http1).await;
        check(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"rest"], Protocol::Http2).await;
        check(&[b"P", b"RI * HTTP/2.0\r\n\r\nS", b"M\r\n\r\nrest"], Protocol::Http2).await;
        check(&[b"P", b"OST / HTTP/1.1\r\n\r\n"], Protocol::Http1).await;
        check(&[b"PRI * HTTP/2.0\r\n\r\nSX"], Protocol::Http1).await;
    }

    #[tokio::test]
    async fn a_client_that_leaves_before_it_is_clear_is_an_error() {
        let (client, server) = tokio::io::duplex(100);
        drop(client);
        assert!(Observed::new(server, Arc::default()).protocol().await.is_err());
    }
}
