//! The contract of a provider: a prompt becomes a request, an answer becomes verdicts. No I/O.

use bessemer_net::dial::Answer;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::ask::plain;
use super::failure::{Failed, Failure};
use super::prompt::Prompt;
use crate::class::Class;

/// Bytes of a provider's error text that are kept.
const REASON_BYTES_MAX: usize = 200;

/// One service that judges templates.
pub trait LlmProvider: Send + Sync + 'static {
    /// The model that is asked.
    fn model(&self) -> &str;

    /// The request that asks `prompt`.
    fn request(&self, prompt: &Prompt) -> Parts;

    /// What an answer says; `now` as `Clock::unix_nanos` gives.
    fn answer(&self, prompt: &Prompt, answer: &Answer, now: u64) -> Result<Answered, Failed>;

    /// A request that costs nothing and shows that the service is there.
    fn probe(&self) -> Parts;
}

/// Which protocol a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Chat completions.
    Chat,
    /// Anthropic's messages.
    Messages,
}

/// A request without its destination.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Below the endpoint's own path.
    pub path: &'static str,
    /// Beside those of the client.
    pub headers: HeaderMap,
    /// The body; `None` asks with GET.
    pub body: Option<Bytes>,
}

impl Parts {
    /// A POST of JSON.
    pub fn json(path: &'static str, body: &serde_json::Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { path, headers, body: Some(body.to_string().into()) }
    }

    /// A GET.
    pub fn get(path: &'static str) -> Self {
        Self { path, headers: HeaderMap::new(), body: None }
    }

    /// Bytes of the body: no tokenizer makes more tokens of them.
    pub fn bytes(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| body.len() as u64)
    }
}

/// What a provider says that a request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
}

/// One judgement, by the place of its question in the prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Place of the question.
    pub question: usize,
    /// The class.
    pub class: Class,
    /// From 0 to 1.
    pub confidence: f64,
    /// Why, made plain.
    pub reason: String,
}

/// An answer that could be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answered {
    /// At most one for each question.
    pub judged: Vec<Judged>,
    /// Judgements that were ignored: unknown label or template, no confidence, said twice.
    pub ignored: usize,
    /// What it used, if the provider said so.
    pub usage: Option<Usage>,
}

/// The failure that an error status means. `reason` is the provider's own text.
pub(crate) fn of_status(answer: &Answer, reason: &str, code: &str, now: u64) -> Failed {
    let text = plain(reason, REASON_BYTES_MAX);
    let reason = if text.is_empty() {
        format!("status {}", answer.status.as_u16())
    } else {
        format!("status {}: {text}", answer.status.as_u16())
    };
    let retry_after = answer.retry_after(now);
    let failure = match answer.status.as_u16() {
        // Out of credit is told as "too many requests", and coming back does not help.
        429 if code.contains("quota") || code.contains("billing") => Failure::Denied { reason },
        429 => Failure::RateLimited { retry_after },
        401..=403 => Failure::Denied { reason },
        408 | 409 | 425 | 500.. => Failure::Unavailable { retry_after, reason },
        _ => Failure::Rejected { reason },
    };
    let usage = is_unbilled(answer.status).then(Usage::default);
    Failed { failure, usage }
}

/// Whether an answer with this status was given before a model was asked, so that nothing is billed:
/// no such key, right, model or size, or too many requests. A 400 may come from a filter that read the
/// text and is paid for, and what a 5xx or a timeout cost nobody can tell: those stay reserved.
pub(crate) fn is_unbilled(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 405 | 413 | 429)
}

pub(crate) fn failed(failure: Failure, usage: Option<Usage>) -> Failed {
    Failed { failure, usage }
}

pub(crate) fn garbage(reason: impl Into<String>, usage: Option<Usage>) -> Failed {
    failed(Failure::Garbage { reason: plain(&reason.into(), REASON_BYTES_MAX) }, usage)
}
