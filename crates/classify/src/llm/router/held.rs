//! A place among the calls that are under way, kept until the answer is sent or given up.

use std::pin::Pin;
use std::task::{Context, Poll};

use bessemer_net::listen::Reply;
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// The body of an answer, with its place.
struct Held {
    reply: Reply,
    _place: OwnedSemaphorePermit,
}

/// The same answer; the place is free again when its body is gone.
pub(super) fn held(answer: Response<Reply>, place: OwnedSemaphorePermit) -> Response<Reply> {
    answer.map(|reply| Reply::streaming(Held { reply, _place: place }))
}

impl Body for Held {
    type Data = Bytes;
    type Error = <Reply as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.reply).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}
