//! Measures what sending costs: requests per CPU-second of this process, with the sink in another.
//!
//! `cargo run --release -p bessemer-net --example dial_load -- http|grpc [SECONDS] [PARALLEL]
//! [BYTES] [FRAME] [WINDOW] [GATHER]`; FRAME and WINDOW are what the gRPC sink allows, GATHER
//! is the client's write buffer.
#![expect(clippy::print_stdout, reason = "the numbers are its output")]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bessemer_net::body::encoding::Encoding;
use bessemer_net::dial::{Client, GrpcClient, GrpcSettings, Request, Settings};
use bessemer_net::grpc::{Status, frame};
use bessemer_runtime::{ByteSize, Clock, SystemClock, SystemRandom, Tasks};
use bytes::Bytes;
use http::uri::PathAndQuery;
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const EXPORT: PathAndQuery =
    PathAndQuery::from_static("/opentelemetry.proto.collector.logs.v1.LogsService/Export");
const OK: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

struct Arguments {
    protocol: String,
    seconds: u64,
    parallel: usize,
    bytes: usize,
    frame: u32,
    window: u32,
    gather: Option<u64>,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let protocol = words.next().unwrap_or_else(|| "http".into());
        let mut number = |default: u64| words.next().map_or(Ok(default), |word| word.parse());
        Ok(Self {
            protocol,
            seconds: number(5)?,
            parallel: usize::try_from(number(4)?)?,
            bytes: usize::try_from(number(311_000)?)?,
            frame: u32::try_from(number(16_384)?)?,
            window: u32::try_from(number(1 << 20)?)?,
            gather: words.next().map(|word| word.parse()).transpose()?,
        })
    }
}

fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1).peekable();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if words.next_if(|word| word == "sink").is_some() {
        return runtime.block_on(sink(Arguments::read(words)?));
    }
    let mut child = Command::new(std::env::current_exe()?)
        .arg("sink")
        .args(std::env::args().skip(1))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut address = String::new();
    let output = child.stdout.take().ok_or("no output of the sink")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut address)?;
    let measured = runtime.block_on(load(&Arguments::read(words)?, address.trim()));
    child.kill()?;
    child.wait()?;
    measured
}

/// CPU time of this process, all threads.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (Duration::from_secs(time.tv_sec.unsigned_abs()), time.tv_nsec);
    (seconds + Duration::from_nanos(nanos.unsigned_abs())).as_secs_f64()
}

async fn load(arguments: &Arguments, address: &str) -> Result<(), Failure> {
    let (clock, random) = (Arc::new(SystemClock::default()), Arc::new(SystemRandom::default()));
    let endpoint = format!("http://{address}");
    let payload = Bytes::from(vec![b'x'; arguments.bytes]);
    let settings = Settings { endpoint: endpoint.clone(), ..Settings::default() };
    let http = Client::new(&settings, clock.clone(), random.clone())?;
    let mut settings = GrpcSettings { endpoint, ..GrpcSettings::default() };
    if let Some(bytes) = arguments.gather {
        settings.write_buffer_size = ByteSize(bytes);
    }
    let grpc = GrpcClient::new(&settings, clock.clone(), random)?;
    let request = Request::post("/v1/logs".parse()?, payload.clone());
    let sent = AtomicU64::new(0);
    let (began, cpu_began) = (clock.monotonic(), cpu());
    let end = began + Duration::from_secs(arguments.seconds);
    let is_grpc = arguments.protocol == "grpc";
    let workers = (0..arguments.parallel).map(|_| async {
        while clock.monotonic() < end {
            if is_grpc {
                grpc.unary(&EXPORT, std::slice::from_ref(&payload), Encoding::Identity)
                    .await
                    .map_err(|status| status.message)?;
            } else {
                http.send(&request).await?;
            }
            sent.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, Failure>(())
    });
    futures_util::future::try_join_all(workers).await?;
    let wall = clock.monotonic().saturating_sub(began).as_secs_f64();
    let cpu = cpu() - cpu_began;
    let sent = u32::try_from(sent.into_inner())?;
    println!(
        "{}: {:.0} requests/s, {:.0} requests per CPU-second, {:.1} us CPU each",
        arguments.protocol,
        f64::from(sent) / wall,
        f64::from(sent) / cpu,
        cpu / f64::from(sent) * 1e6,
    );
    Ok(())
}

async fn sink(arguments: Arguments) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let tasks = Tasks::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (is_grpc, frame, window) =
            (arguments.protocol == "grpc", arguments.frame, arguments.window);
        tasks.spawn(async move {
            // A client that is gone is the end of a measurement.
            drop(if is_grpc {
                swallow_grpc(stream, frame, window).await
            } else {
                swallow_http(stream).await
            });
        });
    }
}

async fn swallow_http(mut stream: TcpStream) -> Result<(), Failure> {
    let mut buffer = vec![0; 1 << 20];
    let mut filled = 0;
    loop {
        let mut head_end = None;
        while head_end.is_none() {
            let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
            let bytes = buffer.get(..filled).unwrap_or_default();
            head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        }
        let head_end = head_end.unwrap_or_default() + 4;
        let head = std::str::from_utf8(buffer.get(..head_end).unwrap_or_default())?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut missing = (head_end + length.unwrap_or("0").parse::<usize>()?) - filled;
        while missing > 0 {
            let room = missing.min(buffer.len());
            missing -= stream.read(buffer.get_mut(..room).unwrap_or_default()).await?;
        }
        stream.write_all(OK).await?;
        filled = 0;
    }
}

async fn swallow_grpc(stream: TcpStream, frame: u32, window: u32) -> Result<(), Failure> {
    let mut builder = h2::server::Builder::new();
    builder.max_frame_size(frame).initial_window_size(window);
    builder.initial_connection_window_size(window.saturating_mul(4));
    let mut connection = builder.handshake(stream).await?;
    let tasks = Tasks::new();
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tasks.spawn(async move { drop(answer(request.into_body(), respond).await) });
    }
    Ok(())
}

async fn answer(
    mut body: h2::RecvStream,
    mut respond: h2::server::SendResponse<Bytes>,
) -> Result<(), Failure> {
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    let response = http::Response::builder().header("content-type", "application/grpc").body(())?;
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(frame::frame(b"", false).unwrap_or_default(), false)?;
    let mut trailers = http::HeaderMap::new();
    Status::ok().write_to(&mut trailers);
    stream.send_trailers(trailers)?;
    Ok(())
}
