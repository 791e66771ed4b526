//! A provider for tests: speaks both wire formats, bills what it works on, misbehaves on demand.

#![expect(clippy::wildcard_enum_match_arm, reason = "most moods judge alike")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use bessemer_net::dial::{Answer, DialError, Witness};
use bessemer_runtime::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::lab::answer;
use super::member::Transport;
use super::provider::{Parts, Usage};
use crate::money::Price;

/// How one request ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mood {
    /// Judged: every record gets this class.
    Says(&'static str),
    /// The class is the word behind `class=` in the text, whatever it is: a model that obeys.
    Obeys,
    /// 429 with a wait in seconds.
    Limited(u64),
    /// An error status.
    Status(u16),
    /// No answer at all.
    Silent,
    /// Works, bills, and the connection breaks.
    Cut,
    /// 200 with this body, billed.
    Body(String),
    /// The model would not.
    Refuses,
    /// Ends at its limit of tokens.
    Truncates,
    /// Works and does not say what it used.
    Unreported,
    /// Nobody listens.
    Down,
}

/// The provider. What it billed outlives every process that asks it.
pub(crate) struct Fake {
    pub(crate) price: Price,
    /// What happens next; the last stays.
    pub(crate) moods: Mutex<VecDeque<Mood>>,
    pub(crate) billed: Arc<AtomicU64>,
    pub(crate) requests: AtomicU64,
    pub(crate) questions: AtomicU64,
    pub(crate) bodies: Mutex<Vec<Value>>,
}

impl Fake {
    pub(crate) fn new(price: Price, moods: impl IntoIterator<Item = Mood>) -> Arc<Self> {
        Arc::new(Self {
            price,
            moods: Mutex::new(moods.into_iter().collect()),
            billed: Arc::default(),
            requests: AtomicU64::new(0),
            questions: AtomicU64::new(0),
            bodies: Mutex::default(),
        })
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.moods.lock() = VecDeque::from([mood]);
    }

    pub(crate) fn asked(&self) -> u64 {
        self.requests.load(SeqCst)
    }

    fn mood(&self) -> Mood {
        let mut moods = self.moods.lock();
        if moods.len() > 1 { moods.pop_front().unwrap() } else { moods[0].clone() }
    }

    async fn answer(&self, parts: &Parts) -> Result<Answer, DialError> {
        let mood = self.mood();
        if mood == Mood::Down {
            let source = Arc::new(std::io::ErrorKind::ConnectionRefused.into());
            return Err(DialError::Connect { address: "127.0.0.1:1".into(), source });
        }
        let Some(body) = &parts.body else {
            let is_well = !matches!(mood, Mood::Status(_) | Mood::Silent);
            return Ok(answer(if is_well { 200 } else { 500 }, "{}"));
        };
        self.requests.fetch_add(1, SeqCst);
        let body: Value = serde_json::from_slice(body).unwrap();
        self.bodies.lock().push(body.clone());
        let records = records(&body);
        self.questions.fetch_add(records.len() as u64, SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let usage = Usage { input: parts.bytes() / 4, output: 30 * records.len() as u64 };
        match mood {
            Mood::Limited(seconds) => {
                let mut limited = answer(429, r#"{"error":{"message":"slow down"}}"#);
                limited.headers.insert("retry-after", seconds.to_string().parse().unwrap());
                Ok(limited)
            }
            Mood::Status(status) => Ok(answer(status, r#"{"error":{"message":"no"}}"#)),
            Mood::Silent => {
                self.bill(usage);
                std::future::pending().await
            }
            Mood::Cut => {
                self.bill(usage);
                Err(DialError::Lost { reason: "connection reset".into() })
            }
            Mood::Body(text) => {
                self.bill(usage);
                Ok(answer(200, text))
            }
            Mood::Down => unreachable!(),
            Mood::Says(_) | Mood::Obeys | Mood::Refuses | Mood::Truncates | Mood::Unreported => {
                self.bill(usage);
                let verdicts = verdicts(&records, &mood);
                let is_chat = parts.path == "/chat/completions";
                let body = if is_chat {
                    chat(&verdicts, &mood, usage)
                } else {
                    messages(&verdicts, &mood, usage)
                };
                Ok(answer(200, body.to_string()))
            }
        }
    }

    fn bill(&self, usage: Usage) {
        self.billed.fetch_add(self.price.of(usage).0, SeqCst);
    }
}

impl Transport for Fake {
    fn send<'a>(
        &'a self,
        parts: &'a Parts,
        witness: Option<&'a dyn Witness>,
    ) -> BoxFuture<'a, Result<Answer, DialError>> {
        Box::pin(async move {
            let answer = self.answer(parts).await;
            if let (Some(witness), Ok(answer)) = (witness, &answer) {
                witness.head(answer.status, &answer.headers);
                for piece in answer.body.chunks(7) {
                    witness.piece(&answer.body.slice_ref(piece));
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            answer
        })
    }
}

/// The records that a request holds, by id and text.
fn records(body: &Value) -> Vec<(String, String)> {
    let messages = body["messages"].as_array().unwrap();
    let data = messages.last().unwrap()["content"].as_str().unwrap();
    let lines = data.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines.filter(Value::is_object).map(|line| (text(&line["id"]), text(&line["text"]))).collect()
}

fn verdicts(records: &[(String, String)], mood: &Mood) -> Value {
    let class = |text: &str| match mood {
        Mood::Says(class) => (*class).to_owned(),
        Mood::Obeys => text
            .split_once("class=")
            .map_or("info", |(_, rest)| rest.split(' ').next().unwrap())
            .to_owned(),
        _ => "critical".to_owned(),
    };
    let one = |(id, text): &(String, String)| json!({ "id": id, "class": class(text), "confidence": 0.9, "reason": "the text says so" });
    json!({ "verdicts": records.iter().map(one).collect::<Vec<_>>() })
}

fn chat(verdicts: &Value, mood: &Mood, usage: Usage) -> Value {
    let finish = if *mood == Mood::Truncates { "length" } else { "stop" };
    let message = match mood {
        Mood::Refuses => json!({ "role": "assistant", "content": null, "refusal": "no" }),
        _ => json!({ "role": "assistant", "content": verdicts.to_string(), "refusal": null }),
    };
    let total = usage.input + usage.output;
    let usage = json!({
        "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": total
    });
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": if *mood == Mood::Unreported { Value::Null } else { usage }
    })
}

fn messages(verdicts: &Value, mood: &Mood, usage: Usage) -> Value {
    let stop = match mood {
        Mood::Truncates => "max_tokens",
        Mood::Refuses => "refusal",
        _ => "tool_use",
    };
    let usage = json!({ "input_tokens": usage.input, "output_tokens": usage.output });
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [
            { "type": "tool_use", "id": "toolu_1", "name": "record_verdicts", "input": verdicts }
        ],
        "stop_reason": stop,
        "usage": if *mood == Mood::Unreported { Value::Null } else { usage }
    })
}
