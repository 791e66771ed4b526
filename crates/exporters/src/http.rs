//! What all exporters over HTTP share: an exporter decides which requests a delivery becomes and what
//! answers mean, without any I/O; this module sends, waits, tries again and reports.
//!
//! The way of a delivery: [`HttpExporter::plan`] -> each [`Call`] compressed and sent in order, tried
//! again as `retry_on_failure` says -> [`HttpExporter::judge`], which may ask once more -> the verdicts
//! of all calls joined into one over the records of the delivery. When a call is to be tried later, so
//! are all behind it: the destination is busy, and order is kept.

#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod fields;
pub mod items;
mod join;
pub(crate) mod json;
pub(crate) mod link;
pub mod pack;
pub mod plan;
mod probe;
pub(crate) mod reason;
pub(crate) mod time;

use std::sync::Arc;

use bessemer_net::body::compress;
use bessemer_net::dial::{Answer, DialError, Request};
use bessemer_pipeline::{Delivery, Exporter, Probe, Verdict};
use bessemer_record::Signal;
use bessemer_runtime::BoxFuture;
use bytes::Buf as _;
use http::StatusCode;

use join::Outcome;
pub(crate) use link::Link;
pub use plan::{Call, Exchange, Next, Plan};

/// Requests that one call may lead to, its first one included.
const ROUNDS_MAX: u32 = 1_000;

/// An exporter that decides and does not do: no clock, no socket, no waiting.
pub trait HttpExporter: Send + Sync + 'static {
    /// The requests that a delivery becomes.
    fn plan(&self, delivery: &Delivery) -> Plan;

    /// What an answer means for the items of its call.
    fn judge(&self, call: &Call, exchange: &Exchange<'_>) -> Next;

    /// What to ask a destination that is to be checked and not sent anything.
    fn probe(&self) -> Option<Request> {
        None
    }

    /// As [`Exporter::blames_content`].
    fn blames_content(&self, _status: u16) -> bool {
        false
    }
}

/// Runs an [`HttpExporter`].
pub(crate) struct OverHttp<T> {
    exporter: T,
    link: Link,
}

impl<T: HttpExporter> OverHttp<T> {
    pub(crate) fn shared(exporter: T, link: Link) -> Arc<dyn Exporter> {
        Arc::new(Self { exporter, link })
    }

    async fn send(&self, delivery: &Delivery) -> Verdict {
        let plan = self.exporter.plan(delivery);
        let mut outcome = Outcome::new(delivery.records());
        for (records, verdict) in plan.verdicts {
            outcome.note(records, self.link.clean(verdict, None));
        }
        let mut postponed: Option<Verdict> = None;
        for call in &plan.calls {
            let verdict = match &postponed {
                Some(verdict) => verdict.clone(),
                None => self.link.clean(self.converse(call).await, Some(&call.request)),
            };
            if matches!(verdict, Verdict::Retry { .. }) {
                postponed = Some(verdict.clone());
            }
            outcome.note_call(&call.items, verdict);
        }
        outcome.verdict(|status| self.exporter.blames_content(status))
    }

    /// Sends the request of a call, and what else has to be asked until its verdict is known.
    async fn converse(&self, call: &Call) -> Verdict {
        let link = &self.link;
        let began = link.clock.monotonic();
        let mut asked: Option<Box<Request>> = None;
        for _ in 0..ROUNDS_MAX {
            let sent = asked.as_deref().unwrap_or(&call.request);
            let request = match encoded(sent, link) {
                Ok(request) => request,
                Err(verdict) => return verdict,
            };
            let outcome = link.client.send_with_retry(&request, &link.policy).await;
            let answer = match outcome.result {
                Ok(answer) => answer,
                Err(error) => return of_error(&error),
            };
            let elapsed = link.clock.monotonic().saturating_sub(began);
            let exchange = Exchange { sent, answer: &answer, elapsed };
            match self.exporter.judge(call, &exchange) {
                Next::Settle(verdict) => return self.timed(verdict, &answer),
                Next::Ask { after, request } => {
                    link.clock.sleep(after).await;
                    asked = Some(request);
                }
            }
        }
        Verdict::retry(format!("no end after {ROUNDS_MAX} requests"))
    }

    /// The same with the wait that the destination asks for.
    fn timed(&self, verdict: Verdict, answer: &Answer) -> Verdict {
        let Verdict::Retry { after: None, reason } = verdict else { return verdict };
        let after = answer.retry_after(self.link.clock.unix_nanos());
        Verdict::Retry { after, reason }
    }

    async fn ask(&self) -> Probe {
        let Some(request) = self.exporter.probe() else { return Probe::Local };
        match self.link.client.send(&request).await {
            Ok(answer) => probe::of_answer(&answer),
            Err(error) => crate::otlp::probe::of_error(&error),
        }
    }
}

impl<T: HttpExporter> Exporter for OverHttp<T> {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        Box::pin(self.send(delivery))
    }

    fn probe(&self, _signal: Signal) -> BoxFuture<'_, Probe> {
        Box::pin(self.ask())
    }

    fn blames_content(&self, status: u16) -> bool {
        self.exporter.blames_content(status)
    }

    fn concurrency_max(&self) -> usize {
        self.link.concurrency
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.link.client.close();
        Box::pin(std::future::ready(()))
    }
}

/// The request as it travels.
fn encoded(request: &Request, link: &Link) -> Result<Request, Verdict> {
    if link.encoding.is_identity() || request.body.len() < link.compress_from {
        return Ok(request.clone());
    }
    let whole = request.body.chunk();
    let joined = (whole.len() < request.body.len())
        .then(|| request.body.clone().copy_to_bytes(request.body.len()));
    let body = compress(link.encoding, joined.as_deref().unwrap_or(whole))
        .map_err(|error| Verdict::refused(format!("the request can not be compressed: {error}")))?;
    Ok(Request { body: body.into(), ..request.clone() }.encoding(link.encoding))
}

fn of_error(error: &DialError) -> Verdict {
    // A client is closed on the way down: the records stay in the journal.
    if matches!(error, DialError::Cancelled) {
        return Verdict::retry("shutting down");
    }
    let reason = error.to_string();
    if error.is_retryable() { Verdict::retry(reason) } else { Verdict::refused(reason) }
}

/// The verdict on a whole call by its status alone: what is refused for good, what is tried again.
pub(crate) fn by_status(answer: &Answer, is_final: impl Fn(StatusCode) -> bool) -> Verdict {
    if answer.is_success() {
        return Verdict::Delivered;
    }
    let reason = reason::said(answer);
    if is_final(answer.status) {
        return Verdict::Refused { status: answer.status.as_u16(), reason };
    }
    Verdict::retry(reason)
}

#[cfg(test)]
mod tests;
