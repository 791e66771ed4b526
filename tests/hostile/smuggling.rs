//! HTTP/1.1 requests whose end two readers could see at different places: refused, and the
//! connection ends, so that one request is never two.

use bessemer_record::Signal;

use crate::WITHIN;
use crate::client::{PROTOBUF, Raw, try_post};
use crate::fake::HttpFake;
use crate::lab::{Lab, Setup, http_out};
use crate::samples::{bodies, logs};

/// A process that sends on what it took, so that a test sees it.
struct Victim {
    lab: Lab,
    sink: HttpFake,
}

impl Victim {
    fn start() -> Self {
        let sink = HttpFake::start();
        // What is not refused must end too, or a failure would take long to show.
        let http = r#"
    limits {
      header_timeout = "1s"
      body_timeout   = "1s"
      idle_timeout   = "1s"
    }"#;
        let lab = Setup { http, ..Setup::to(http_out("out", &sink.url(), "", "")) }.start();
        Self { lab, sink }
    }

    /// What answers to these bytes, up to the end of the connection.
    fn statuses(&self, bytes: &[u8]) -> Vec<u16> {
        let mut raw = Raw::open(self.lab.http);
        raw.send(bytes).unwrap();
        let mut statuses = Vec::new();
        while let Some(answer) = raw.answer() {
            statuses.push(answer.status);
            if answer.status != 200 {
                break;
            }
        }
        if statuses.last().is_some_and(|status| *status != 200) {
            assert!(raw.until_closed(WITHIN).is_some(), "stays open: {}", shown(bytes));
        }
        statuses
    }

    /// Everything that left so far, after a last record of our own.
    fn taken(&self) -> Vec<String> {
        let kind = [("content-type", PROTOBUF)];
        let answer = try_post(self.lab.http, "/v1/logs", &kind, &logs(["the last"])).unwrap();
        assert_eq!(answer.status, 200);
        let sent = || -> Vec<String> {
            self.sink.seen().iter().flat_map(|seen| bodies(&seen.logs())).collect()
        };
        crate::process::wait_until(WITHIN, "delivered", || {
            sent().last().is_some_and(|last| last == "the last")
        });
        sent()
    }
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().chars().take(400).collect()
}

fn smuggled() -> Vec<u8> {
    let body = logs(["smuggled"]);
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

/// A head with these lines, which end as they say.
fn head_of(lines: &str) -> Vec<u8> {
    format!("POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\n{lines}\r\n")
        .into_bytes()
}

/// Refuses `bytes`, behind which a whole second request follows.
fn is_refused(victim: &Victim, name: &str, bytes: &[u8]) -> Result<(), String> {
    let statuses = victim.statuses(&[bytes, &smuggled()].concat());
    if matches!(statuses[..], [400 | 501]) {
        return Ok(());
    }
    Err(format!("{name}: answered {statuses:?} to {}", shown(bytes)))
}

/// All failures at once, then what was taken in spite of them.
fn all_refused(cases: &[(&str, Vec<u8>)]) {
    let victim = Victim::start();
    let failures: Vec<String> =
        cases.iter().filter_map(|(name, bytes)| is_refused(&victim, name, bytes).err()).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert_eq!(victim.taken(), ["the last"]);
}

/// A request with both a length and chunks, in each order; the length ends behind the second
/// request that follows, or before the chunks.
fn lengths_beside_chunks() -> [(&'static str, Vec<u8>); 4] {
    let chunks = chunked(&logs(["first"]));
    let all = chunks.len() + smuggled().len();
    let case = |lines: &str| [&head_of(lines)[..], &chunks].concat();
    [
        ("CL.TE", case(&format!("content-length: {all}\r\ntransfer-encoding: chunked\r\n"))),
        ("TE.CL", case(&format!("transfer-encoding: chunked\r\ncontent-length: {all}\r\n"))),
        ("CL 0 and TE", case("content-length: 0\r\ntransfer-encoding: chunked\r\n")),
        ("TE and CL 0", case("transfer-encoding: chunked\r\ncontent-length: 0\r\n")),
    ]
}

#[test]
fn a_length_beside_chunks_is_refused() {
    all_refused(&lengths_beside_chunks());
}

#[test]
fn several_lengths_are_refused() {
    let body = logs(["first"]);
    let length = body.len();
    let case = |lines: &str| [&head_of(lines)[..], &body].concat();
    all_refused(&[
        ("two", case(&format!("content-length: {length}\r\ncontent-length: 0\r\n"))),
        (
            "two, the smaller first",
            case(&format!("content-length: 0\r\ncontent-length: {length}\r\n")),
        ),
        ("a list", case(&format!("content-length: {length}, 0\r\n"))),
        ("a list of equals", case(&format!("content-length: {length}, {length}\r\n"))),
    ]);
}

#[test]
fn transfer_encodings_that_are_not_just_chunked_are_refused() {
    let chunks = chunked(&logs(["first"]));
    let case = |lines: &str| [&head_of(lines)[..], &chunks].concat();
    all_refused(&[
        ("identity behind chunked", case("transfer-encoding: chunked, identity\r\n")),
        ("chunked twice", case("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n")),
        ("another word", case("transfer-encoding: xchunked\r\n")),
        ("quoted", case("transfer-encoding: \"chunked\"\r\n")),
        ("vertical tab", case("transfer-encoding: \u{b}chunked\r\n")),
        ("gzip last", case("transfer-encoding: chunked, gzip\r\n")),
        ("empty", case("transfer-encoding: \r\n")),
    ]);
}

#[test]
fn header_lines_that_two_readers_split_differently_are_refused() {
    let body = logs(["first"]);
    let length = body.len();
    let case = |lines: String| [&head_of(&lines)[..], &body].concat();
    all_refused(&[
        ("space before colon", case(format!("content-length : {length}\r\n"))),
        ("tab before colon", case(format!("content-length\t: {length}\r\n"))),
        ("folded line", case(format!("content-length: {length}\r\nx-folded: a\r\n b: c\r\n"))),
        ("folded length", case(format!("content-length:\r\n {length}\r\n"))),
        ("line that begins with a space", case(format!(" x: y\r\ncontent-length: {length}\r\n"))),
        ("no colon", case(format!("content-length: {length}\r\nnonsense\r\n"))),
        ("NUL in a value", case(format!("content-length: {length}\r\nx: a\0b\r\n"))),
        ("CR in a value", case(format!("content-length: {length}\r\nx: a\rb: c\r\n"))),
        ("no name", case(format!("content-length: {length}\r\n: y\r\n"))),
    ]);
}

/// Scenario: a reader in front takes a bare line feed for a part of the value.
/// Promise: nothing hides behind it, whether it frames the body or not.
#[test]
fn bare_line_feeds_in_a_head_are_refused() {
    let body = logs(["first"]);
    let length = body.len();
    let chunks = chunked(&body);
    let all = chunks.len() + smuggled().len();
    let case = |lines: String, body: &[u8]| [&head_of(&lines)[..], body].concat();
    let without_end = |lines: String| {
        let mut head = head_of(&lines);
        head.truncate(head.len() - 2);
        [&head[..], b"\n", &body].concat()
    };
    all_refused(&[
        (
            "chunked behind it",
            case(format!("content-length: {all}\r\nx: y\ntransfer-encoding: chunked\r\n"), &chunks),
        ),
        (
            "a length behind it",
            case(
                format!("transfer-encoding: chunked\r\nx: y\ncontent-length: {length}\r\n"),
                &chunks,
            ),
        ),
        (
            "the length behind it",
            case(format!("content-length: {all}\r\nx: y\ncontent-length: {length}\r\n"), &body),
        ),
        ("any field", case(format!("content-length: {length}\r\nx: y\nz: y\r\n"), &body)),
        ("the end of the head", without_end(format!("content-length: {length}\r\n"))),
    ]);
}

#[test]
fn broken_chunks_are_refused() {
    let body = logs(["first"]);
    let size = body.len();
    let head = head_of("transfer-encoding: chunked\r\n");
    let case = |before: String, after: &str| {
        [&head[..], before.as_bytes(), &body, after.as_bytes()].concat()
    };
    let end = "\r\n0\r\n\r\n";
    all_refused(&[
        ("negative size", case("-1\r\n".into(), end)),
        ("0x", case(format!("0x{size:x}\r\n"), end)),
        ("a size of 17 digits", case(format!("1{size:016x}\r\n"), end)),
        ("no size", case("\r\n".into(), end)),
        ("bare line feed behind the size", case(format!("{size:x}\n"), end)),
        ("size too small", case(format!("{:x}\r\n", size - 1), end)),
        ("bare line feed behind the data", case(format!("{size:x}\r\n"), "\n0\r\n\r\n")),
        ("bare line feed in an extension", case(format!("{size:x};a\nb\r\n"), end)),
    ]);
}

#[test]
fn request_lines_that_are_none_are_refused() {
    let body = logs(["first"]);
    let rest =
        format!("host: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {}\r\n\r\n", body.len());
    let case = |line: &str| [line.as_bytes(), b"\r\n", rest.as_bytes(), &body].concat();
    all_refused(&[
        ("no version", case("POST /v1/logs")),
        ("unknown version", case("POST /v1/logs HTTP/1.2")),
        ("space in the path", case("POST /v1/logs HTTP/1.1 HTTP/1.1")),
        ("NUL in the path", case("POST /v1/l\0gs HTTP/1.1")),
        ("no path", case("POST  HTTP/1.1")),
        ("NUL in the method", case("PO\0ST /v1/logs HTTP/1.1")),
    ]);
}

/// Promise: what follows a request as its rightful successor is one more, and nothing else is.
#[test]
fn requests_in_a_row_are_as_many_as_they_are() {
    let victim = Victim::start();
    let body = logs(["first"]);
    let chunks = [&head_of("transfer-encoding: chunked\r\n")[..], &chunked(&body)].concat();
    let extended = [
        &head_of("transfer-encoding: chunked\r\n")[..],
        format!("{:x};name=value\r\n", body.len()).as_bytes(),
        &body,
        b"\r\n0;x\r\ntrailer: 1\r\n\r\n",
    ]
    .concat();
    let length = format!("content-length: {}\r\n", body.len());
    let sized = [&head_of(&length)[..], &body].concat();
    let bye = head_of(&format!("{length}connection: close\r\n"));
    let last = [&bye[..], &body].concat();
    let statuses = victim.statuses(&[&chunks[..], &extended, &sized, &last].concat());
    assert_eq!(statuses, [200; 4]);

    // A body where none belongs is part of its request.
    let second = smuggled();
    for method in ["GET", "HEAD", "DELETE"] {
        let head = format!(
            "{method} /v1/logs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            second.len()
        );
        let mut raw = Raw::open(victim.lab.http);
        raw.send(&[head.as_bytes(), &second].concat()).unwrap();
        let all = raw.until_closed(WITHIN).unwrap();
        let answers = all.windows(9).filter(|window| window == b"HTTP/1.1 ").count();
        assert_eq!(answers, 1, "{method}: {}", shown(&all));
        assert!(all.starts_with(b"HTTP/1.1 405"), "{method}: {}", shown(&all));
    }
    let taken = victim.taken();
    assert!(!taken.iter().any(|body| body == "smuggled"), "{taken:?}");
    assert_eq!(taken.iter().filter(|body| *body == "first").count(), 4);
    let received = victim.lab.bessemer.metric("bessemer_received_records", "logs");
    assert_eq!(received, 5.0);
    assert_eq!(victim.lab.post(Signal::Logs, &body).status, 200);
}
