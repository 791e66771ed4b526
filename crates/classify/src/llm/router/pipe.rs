//! The body of a streamed answer: pieces that a provider sends, until it ends or the caller leaves.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The end that is written to. What it holds is bounded by what a provider's answer may have.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipe(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    end: Option<Result<(), String>>,
    waker: Option<Waker>,
}

/// The end that is read.
#[derive(Debug)]
pub(super) struct Outlet(Arc<Inner>);

impl Pipe {
    /// The end for the caller.
    pub(super) fn outlet(&self) -> Outlet {
        Outlet(Arc::clone(&self.0))
    }

    /// Passes a piece on.
    pub(super) fn push(&self, piece: Bytes) {
        let mut state = self.0.state.lock();
        state.pieces.push_back(piece);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// Ends the answer, whole or broken.
    pub(super) fn finish(&self, end: Result<(), String>) {
        let mut state = self.0.state.lock();
        state.end.get_or_insert(end);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// Completes when the caller is gone.
    pub(super) async fn abandoned(&self) {
        self.0.left.notified().await;
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.0.left.notify_one();
    }
}

impl Body for Outlet {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut state = self.0.state.lock();
        if let Some(piece) = state.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &state.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(reason)) => {
                let error = std::io::Error::other(reason.clone());
                state.end = Some(Ok(()));
                Poll::Ready(Some(Err(error)))
            }
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
