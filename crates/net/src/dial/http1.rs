//! One HTTP/1.1 connection, driven by the request that uses it.
//!
//! The connection is polled together with its request instead of in a task of its own: no message
//! between tasks, no second wake, and dropping the request closes the connection at once. While
//! idle it is not polled; [`Http1::is_idle`] looks at it before it is used again.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::StatusCode;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::error::{DialError, chain};
use super::message::Payload;
use super::reply::{Collected, HEAD_MAX, Limits, Reply, Unanswered, head_too_large};
use super::stream::{Meter, Stream};

/// Bytes that may arrive before a head is complete: the head, what was read ahead behind it, and
/// informational answers, which would otherwise have no end.
const BEFORE_HEAD_MAX: u64 = 1 << 20;

/// A connection for one request at a time.
pub(super) struct Http1 {
    sender: SendRequest<Payload>,
    /// `None` once it ended: a finished connection must not be polled again.
    connection: Driven,
    meter: Meter,
}

impl Http1 {
    pub(super) async fn open(stream: Stream) -> Result<Self, DialError> {
        let meter = stream.meter();
        let mut builder = Builder::new();
        builder.writev(true).max_header_size(HEAD_MAX);
        let (sender, connection) = builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| DialError::Lost { reason: chain(&error) })?;
        Ok(Self { sender, connection: Some(Box::new(connection)), meter })
    }

    /// Whether the connection is open and waits for a request.
    pub(super) fn is_idle(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Sends `request` and reads its answer. When the answer is an error, or the connection is not
    /// idle afterwards, it must not be used again.
    pub(super) async fn exchange(
        &mut self,
        request: http::Request<Payload>,
        limits: Limits<'_>,
    ) -> Result<Reply, Unanswered> {
        let before = self.meter.read();
        let response = {
            let mut answered = pin!(self.sender.try_send_request(request));
            let (connection, meter) = (&mut self.connection, &self.meter);
            std::future::poll_fn(|context| {
                drive(connection, context);
                if let Poll::Ready(answered) = answered.as_mut().poll(context) {
                    return Poll::Ready(answered.map_err(|error| unanswered(error, meter, limits)));
                }
                if meter.read() - before > BEFORE_HEAD_MAX {
                    return Poll::Ready(Err(head_too_large().into()));
                }
                Poll::Pending
            })
            .await?
        };
        let (head, body) = response.into_parts();
        limits.saw_head(head.status, &head.headers);
        let body = self.collect(head.status, body, limits).await?;
        let trailers = http::HeaderMap::new();
        Ok(Reply { status: head.status, headers: head.headers, body, trailers })
    }

    async fn collect(
        &mut self,
        status: StatusCode,
        mut body: hyper::body::Incoming,
        limits: Limits<'_>,
    ) -> Result<Bytes, DialError> {
        use hyper::body::Body as _;
        let mut collected = Collected::new(body.size_hint().lower(), limits)?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(DialError::Malformed { reason: "the peer switches protocols".into() });
        }
        while let Some(frame) = std::future::poll_fn(|context| {
            self.drive(context);
            Pin::new(&mut body).poll_frame(context)
        })
        .await
        {
            let frame = frame.map_err(|error| failed(&error, &self.meter, limits))?;
            if let Ok(data) = frame.into_data() {
                collected.push(data)?;
            }
        }
        Ok(collected.finish())
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.connection, context);
    }
}

type Driven = Option<Box<Connection<TokioIo<Stream>, Payload>>>;

/// How the connection ended is told to its request, so only that it did matters here.
fn drive(connection: &mut Driven, context: &mut Context<'_>) {
    if let Some(driven) = connection
        && Pin::new(driven).poll(context).is_ready()
    {
        *connection = None;
    }
}

/// A request that comes back with its error was not written.
fn unanswered(
    mut refused: TrySendError<http::Request<Payload>>,
    meter: &Meter,
    limits: Limits<'_>,
) -> Unanswered {
    let is_unsent = refused.take_message().is_some();
    let error = failed(refused.error(), meter, limits);
    if is_unsent { Unanswered::Unsent(error) } else { Unanswered::Failed(error) }
}

fn failed(error: &hyper::Error, meter: &Meter, limits: Limits<'_>) -> DialError {
    if error.is_parse_too_large() {
        return head_too_large();
    }
    if error.is_parse() {
        return DialError::Malformed { reason: chain(error) };
    }
    limits.connection_error(meter, error)
}
