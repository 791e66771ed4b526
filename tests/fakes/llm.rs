//! An LLM provider on loopback: speaks chat completions, embeddings and Anthropic's messages,
//! streams included, bills what it works on, and misbehaves by the number of the request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use serde_json::{Value, json};

/// Millionths that a token costs here, read or written.
pub const INPUT_MICROS: u64 = 1;
pub const OUTPUT_MICROS: u64 = 4;

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// An error status, not billed.
    Status(u16),
    /// Billed, and the connection ends.
    Cut,
    /// Billed, and the answer is no JSON.
    Garbage,
    /// Billed, and the answer does not say what was used.
    Unreported,
    /// No answer while the caller waits, and nothing billed.
    Hang,
}

/// The provider; it outlives every process that asks it.
pub struct FakeLlm {
    pub address: SocketAddr,
    billed: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

struct Counts {
    billed: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

impl FakeLlm {
    pub fn start(mood: fn(u64) -> Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (billed, requests): (Arc<AtomicU64>, Arc<AtomicU64>) = Default::default();
        let counts = Arc::new(Counts { billed: billed.clone(), requests: requests.clone() });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = counts.clone();
                std::thread::spawn(move || drop(serve(&stream, &counts, mood)));
            }
        });
        Self { address, billed, requests }
    }

    /// Millionths that were billed.
    pub fn billed(&self) -> u64 {
        self.billed.load(SeqCst)
    }

    /// Requests for work.
    pub fn requests(&self) -> u64 {
        self.requests.load(SeqCst)
    }
}

fn serve(stream: &TcpStream, counts: &Counts, mood: fn(u64) -> Mood) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some((head, body)) = read(&mut reader)? {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        if head.starts_with("GET") {
            answer(stream, 200, "application/json", b"{\"object\":\"list\",\"data\":[]}")?;
            continue;
        }
        let number = counts.requests.fetch_add(1, SeqCst);
        let mood = mood(number);
        if let Mood::Status(status) = mood {
            let error = json!({ "error": { "message": "not now", "type": "x", "code": null } });
            answer(stream, status, "application/json", error.to_string().as_bytes())?;
            continue;
        }
        if mood == Mood::Hang {
            // Ends with the connection.
            read(&mut reader)?;
            return Ok(());
        }
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let (input, output) = (body.len() as u64 / 3, 20);
        counts.billed.fetch_add(input * INPUT_MICROS + output * OUTPUT_MICROS, SeqCst);
        match mood {
            Mood::Cut => return Ok(()),
            Mood::Garbage => answer(stream, 200, "text/html", b"<html>busy</html>")?,
            Mood::Well if asked["stream"] == true => {
                events(stream, &path, &asked, (input, output))?;
            }
            Mood::Well | Mood::Status(_) | Mood::Unreported | Mood::Hang => {
                let usage = (mood == Mood::Well).then_some((input, output));
                let text = whole(&path, &asked, usage).to_string();
                answer(stream, 200, "application/json", text.as_bytes())?;
            }
        }
    }
    Ok(())
}

/// The next request, head and body; nothing at the end of the connection.
fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((head, body)))
}

fn answer(mut stream: &TcpStream, status: u16, kind: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nx-request-id: req_1\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())
}

fn whole(path: &str, asked: &Value, usage: Option<(u64, u64)>) -> Value {
    let model = &asked["model"];
    let counts = usage.map(|(input, output)| match path {
        "/v1/messages" => json!({ "input_tokens": input, "output_tokens": output }),
        _ => json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output
        }),
    });
    match path {
        "/v1/messages" => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": model,
            "content": [{ "type": "text", "text": "pong" }],
            "stop_reason": "end_turn", "stop_sequence": null, "usage": counts
        }),
        "/v1/embeddings" => json!({
            "object": "list", "model": model, "usage": counts,
            "data": [{ "object": "embedding", "index": 0, "embedding": [0.25, -0.5, 1.0] }]
        }),
        _ => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
            "choices": [{
                "index": 0, "finish_reason": "stop", "logprobs": null,
                "message": { "role": "assistant", "content": said(asked), "refusal": null }
            }],
            "usage": counts
        }),
    }
}

/// Verdicts where they are asked for: critical where something is on fire, else info. Else pong.
fn said(asked: &Value) -> String {
    if asked["response_format"].is_null() {
        return "pong".to_owned();
    }
    let data = asked["messages"][1]["content"].as_str().unwrap();
    let records = data.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let verdicts = records.filter(Value::is_object).map(|record| {
        let is_fire = record["text"].as_str().unwrap().contains("fire");
        let class = if is_fire { "critical" } else { "info" };
        json!({ "id": record["id"], "class": class, "confidence": 0.9, "reason": "as I see it" })
    });
    json!({ "verdicts": verdicts.collect::<Vec<_>>() }).to_string()
}

fn events(
    mut stream: &TcpStream,
    path: &str,
    asked: &Value,
    (input, output): (u64, u64),
) -> std::io::Result<()> {
    let model = &asked["model"];
    let mut all: Vec<String> = Vec::new();
    if path == "/v1/messages" {
        let mut event = |value: Value| {
            let kind = value["type"].as_str().unwrap().to_owned();
            all.push(format!("event: {kind}\ndata: {value}\n\n"));
        };
        event(json!({ "type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": null, "stop_sequence": null,
            "usage": { "input_tokens": input, "output_tokens": 1 }
        }}));
        let block = json!({ "type": "text", "text": "" });
        event(json!({ "type": "content_block_start", "index": 0, "content_block": block }));
        for part in ["po", "ng"] {
            let delta = json!({ "type": "text_delta", "text": part });
            event(json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
        }
        event(json!({ "type": "content_block_stop", "index": 0 }));
        let delta = json!({ "stop_reason": "end_turn", "stop_sequence": null });
        let usage = json!({ "output_tokens": output });
        event(json!({ "type": "message_delta", "delta": delta, "usage": usage }));
        event(json!({ "type": "message_stop" }));
    } else {
        let chunk = |choices: Value, usage: Value| {
            let value = json!({
                "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                "model": model, "choices": choices, "usage": usage
            });
            format!("data: {value}\n\n")
        };
        for part in ["po", "ng"] {
            let delta = json!({ "role": "assistant", "content": part });
            let choice = json!({ "index": 0, "delta": delta, "finish_reason": null });
            all.push(chunk(json!([choice]), Value::Null));
        }
        let end = json!({ "index": 0, "delta": {}, "finish_reason": "stop" });
        all.push(chunk(json!([end]), Value::Null));
        if asked["stream_options"]["include_usage"] == true {
            let usage = json!({
                "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output
            });
            all.push(chunk(json!([]), usage));
        }
        all.push("data: [DONE]\n\n".to_owned());
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    for event in all {
        // Cut anywhere: a piece is no event.
        for piece in event.as_bytes().chunks(11) {
            let size = format!("{:x}\r\n", piece.len());
            stream.write_all(&[size.as_bytes(), piece, b"\r\n"].concat())?;
        }
    }
    stream.write_all(b"0\r\n\r\n")
}
