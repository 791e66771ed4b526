//! One HTTP/1.1 connection of the load: write a request, read its answer, again.

use std::net::TcpStream;
use std::time::Duration;

use bessemer_runtime::Clock;
use bytes::Bytes;

use super::{Answer, Options, PAUSE, Plan, Tally};
use crate::http1::{Connection, Head};

/// How often a blocked socket asks whether the run is over.
const TICK: Duration = Duration::from_millis(200);
const ANSWER_BYTES: usize = 4096;

/// Head and body of a request in one piece.
pub(super) fn request(options: &Options, body: &[u8]) -> Bytes {
    let encoding = if options.gzip { "content-encoding: gzip\r\n" } else { "" };
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-protobuf\r\n\
         {encoding}content-length: {}\r\n\r\n",
        options.to,
        body.len(),
    );
    [head.as_bytes(), body].concat().into()
}

/// Keeps one connection busy until the run is over.
pub(super) fn connection(plan: &Plan) -> Tally {
    let mut tally = Tally::default();
    let gives_up = || plan.gives_up();
    while !plan.is_over() {
        let outcome = dial(plan).and_then(|stream| {
            let mut connection = Connection::new(stream, ANSWER_BYTES, &gives_up);
            exchanges(plan, &mut connection, &mut tally)
        });
        if let Err(error) = outcome {
            tally.note_broken(error.to_string());
            std::thread::sleep(plan.cut(PAUSE));
        }
    }
    tally
}

fn dial(plan: &Plan) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(plan.to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(TICK))?;
    Ok(stream)
}

fn exchanges(
    plan: &Plan,
    connection: &mut Connection<'_>,
    tally: &mut Tally,
) -> std::io::Result<()> {
    while let Some(request) = plan.next() {
        let started = plan.clock.monotonic();
        let answered = exchange(connection, request);
        let latency = plan.clock.monotonic().saturating_sub(started);
        let head = match answered {
            Ok(Some(head)) => head,
            Ok(None) => {
                tally.unanswered += 1;
                return Ok(());
            }
            Err(error) => {
                tally.unanswered += 1;
                return if plan.gives_up() { Ok(()) } else { Err(error) };
            }
        };
        if let Some(pause) = tally.note(answer(&head), latency) {
            std::thread::sleep(plan.cut(pause));
        }
        if head.closes {
            return Ok(());
        }
    }
    Ok(())
}

fn exchange(connection: &mut Connection<'_>, request: &[u8]) -> std::io::Result<Option<Head>> {
    // A server may refuse before it has read all: its answer counts more than our failed write.
    let written = connection.write(request);
    let head = connection.head()?;
    if let Some(head) = &head {
        connection.body(head)?;
    }
    written.map_or_else(
        |error| match &head {
            Some(head) => Ok(Some(Head { closes: true, ..head.clone() })),
            None => Err(error),
        },
        |()| Ok(head.clone()),
    )
}

fn answer(head: &Head) -> Answer {
    match head.second() {
        "200" | "202" => Answer::Acked,
        "429" | "503" => Answer::Throttled { after: head.retry_after_s.map(Duration::from_secs) },
        _ => Answer::Failed(format!("answered {}", head.start)),
    }
}
