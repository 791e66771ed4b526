//! The gRPC ports of the sink: one thread a port, messages kept as bytes.
//!
//! Frames are of the default 16 KiB, as most servers announce them; windows are large, so that the
//! sink never makes a sender wait.

use std::future::poll_fn;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bessemer_runtime::Tasks;
use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::BufReader;
use tokio::net::TcpStream;

use super::{Counters, Manner};
use crate::count::{Inflated, Signal};
use crate::grpc;

const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;
/// Room for a request of the load, so that its frames are gathered without growing.
const MESSAGE_BYTES: usize = 320 << 10;
/// The codec alone asks the socket for about 4 KiB at a time.
const READ_BYTES: usize = 256 << 10;
const UNIMPLEMENTED: u32 = 12;

struct Port {
    counters: Arc<Counters>,
    manner: Manner,
    inflated: Mutex<Inflated>,
    tasks: Tasks,
}

/// Serves `listener` on a thread for as long as the process runs.
pub(super) fn start(
    listener: TcpListener,
    counters: Arc<Counters>,
    manner: Manner,
) -> anyhow::Result<()> {
    listener.set_nonblocking(true).context("listener")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener).context("listener")?
    };
    let inflated = Mutex::default();
    let port = Arc::new(Port { counters, manner, inflated, tasks: Tasks::new() });
    std::thread::spawn(move || runtime.block_on(accept(listener, port)));
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, port: Arc<Port>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if !port.manner.refuse {
            let serving = Arc::clone(&port);
            port.tasks.spawn(async move {
                // A connection that breaks is its client's business.
                drop(connection(stream, &serving).await);
            });
        }
    }
}

async fn connection(stream: TcpStream, port: &Arc<Port>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = server::Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(1000)
        .handshake::<_, Bytes>(BufReader::with_capacity(READ_BYTES, stream))
        .await?;
    while let Some(call) = connection.accept().await {
        let (request, respond) = call?;
        let serving = Arc::clone(port);
        port.tasks.spawn(async move {
            drop(answer(request, respond, &serving).await);
        });
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    port: &Port,
) -> anyhow::Result<()> {
    let signal = Signal::of_path(request.uri().path());
    let mut stream = request.into_body();
    let mut data = BytesMut::with_capacity(MESSAGE_BYTES);
    while let Some(chunk) = stream.data().await {
        let chunk = chunk?;
        data.extend_from_slice(&chunk);
        stream.flow_control().release_capacity(chunk.len())?;
    }
    let Some(signal) = signal else {
        return finish(&mut respond, UNIMPLEMENTED, None);
    };
    count(port, signal, &data);
    if port.manner.black_hole {
        poll_fn(|context| respond.poll_reset(context)).await?;
        return Ok(());
    }
    if let Some(delay) = port.manner.delay() {
        tokio::time::sleep(delay).await;
    }
    if port.manner.is_success() {
        return finish(&mut respond, 0, None);
    }
    let status =
        if port.manner.answer == 429 { grpc::RESOURCE_EXHAUSTED } else { grpc::UNAVAILABLE };
    finish(&mut respond, status, Some(Duration::from_secs(port.manner.retry_after)))
}

fn count(port: &Port, signal: Signal, data: &[u8]) {
    let records = grpc::message(data).and_then(|(message, is_gzip)| {
        let mut inflated = port.inflated.lock().unwrap_or_else(PoisonError::into_inner);
        let inflated = port.manner.inflate.then_some(&mut *inflated);
        super::records(signal, message, is_gzip, inflated)
    });
    port.counters.take(signal, data.len(), records);
}

/// An empty message and status 0, or trailers alone.
fn finish(
    respond: &mut SendResponse<Bytes>,
    status: u32,
    retry: Option<Duration>,
) -> anyhow::Result<()> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(status));
    let head = Response::builder().header("content-type", "application/grpc");
    if status == 0 {
        let mut stream = respond.send_response(head.body(())?, false)?;
        stream.send_data(grpc::framed(&[], false), false)?;
        stream.send_trailers(trailers)?;
        return Ok(());
    }
    if let Some(delay) = retry {
        let details = grpc::retry_details(status, delay).parse()?;
        trailers.insert(grpc::DETAILS, details);
    }
    let mut response = head.body(())?;
    response.headers_mut().extend(trailers);
    respond.send_response(response, true)?;
    Ok(())
}
