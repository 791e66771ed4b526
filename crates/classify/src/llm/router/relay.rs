//! Passes a call to one provider after the other until one answers, and pays for each attempt.

use std::sync::Arc;
use std::time::Duration;

use bessemer_net::dial::{Answer, DialError, Witness};
use bessemer_net::listen::Reply;
use bessemer_pipeline::{Context, SettingsError};
use bessemer_runtime::{Clock, Tasks};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::answers::Answers;
use super::call::{Call, NO_RETRY, Operation, error};
use super::pipe::Pipe;
use super::serve::refuse;
use super::sse::Events;
use super::translate;
use super::{Mapping, Settings};
use crate::llm::anthropic::{VERSION, VERSION_HEADER};
use crate::llm::failure::Failure;
use crate::llm::member::{Member, Miss};
use crate::llm::openai::ErrorText;
use crate::llm::provider::{Parts, Usage, Wire, is_unbilled, of_status};
use crate::money::{Account, Price, Purse, Reservation};

/// Says of an answer that it was given before.
const CACHE_HEADER: &str = "x-bessemer-cache";
const NANOS_A_SECOND: u64 = 1_000_000_000;

/// What passes calls on.
pub(super) struct Relay {
    settings: Settings,
    id: String,
    members: Vec<Arc<Member>>,
    purse: Arc<Purse>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    answers: Option<Answers>,
}

/// A provider, and what it is asked for.
struct Candidate {
    member: Arc<Member>,
    model: String,
    price: Price,
}

/// An attempt that has begun: it is paid for.
struct Attempt {
    call: Arc<Call>,
    candidate: Candidate,
    parts: Parts,
    reservation: Option<Reservation>,
}

/// How an attempt ended, for the caller.
enum Passed {
    /// This is the answer.
    Answer(Response<Reply>),
    /// The next provider may do better; if none does, this is what the last one said.
    Failed(Response<Reply>),
}

impl Relay {
    pub(super) fn new(
        settings: Settings,
        context: &Context,
        members: Vec<Arc<Member>>,
        purse: Arc<Purse>,
        tasks: Tasks,
    ) -> Result<Self, SettingsError> {
        let (id, clock) = (context.id.clone(), Arc::clone(&context.clock));
        let answers = settings.cache.as_ref().map(Answers::new);
        let relay = Self { settings, id, members, purse, clock, tasks, answers };
        for mapping in &relay.settings.model {
            if relay.mapped(mapping).is_none() {
                let problem = format!("{:?} has no listed price", mapping.name);
                let remedy = "give `price { input = ... output = ... }` in its model block";
                return Err(SettingsError::new("model.price", problem, remedy));
            }
        }
        Ok(relay)
    }

    /// What callers of this protocol may ask for, and whose it is.
    pub(super) fn models(&self, wire: Wire) -> Vec<(String, String)> {
        let mapped = self.settings.model.iter().filter_map(|mapping| {
            let candidate = self.mapped(mapping)?;
            let owner = candidate.member.terms().id.clone();
            (candidate.member.terms().wire == wire).then(|| (mapping.name.clone(), owner))
        });
        let own = self.members.iter().filter(|member| member.terms().wire == wire);
        let own = own.map(|member| (member.model().to_owned(), member.terms().id.clone()));
        let mut all: Vec<(String, String)> = mapped.chain(own).collect();
        all.sort();
        all.dedup_by(|one, other| one.0 == other.0);
        all
    }

    /// The answer to a call.
    pub(super) async fn pass(self: Arc<Self>, call: Call) -> Response<Reply> {
        let wire = call.operation.wire();
        if let Some(answer) = self.again(&call) {
            return answer;
        }
        let candidates = self.candidates(&call);
        if candidates.is_empty() {
            let message = format!("no provider has the model {:?}", call.model);
            return refuse(wire, StatusCode::NOT_FOUND, "model_not_found", &message);
        }
        let call = Arc::new(call);
        let mut last = None;
        for candidate in candidates {
            let attempt = match self.begin(&call, candidate).await {
                Ok(attempt) => attempt,
                Err(Miss::Budget(overdrawn)) => {
                    let message = overdrawn.to_string();
                    let status = StatusCode::TOO_MANY_REQUESTS;
                    let mut answer = refuse(wire, status, "insufficient_quota", &message);
                    answer.headers_mut().insert(NO_RETRY.0, NO_RETRY.1);
                    last.get_or_insert(answer);
                    continue;
                }
                Err(Miss::Resting | Miss::Failed(_)) => continue,
            };
            let passed = if call.streams {
                Arc::clone(&self).stream(attempt).await
            } else {
                self.exchange(attempt).await
            };
            match passed {
                Passed::Answer(answer) => return answer,
                Passed::Failed(answer) => last = Some(answer),
            }
        }
        last.unwrap_or_else(|| {
            let message = "every provider rests after failures or is at its limit";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let mut answer = refuse(wire, status, "unavailable", message);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("15"));
            answer
        })
    }

    /// The answer that the same call got before.
    fn again(&self, call: &Call) -> Option<Response<Reply>> {
        let body = self.answers.as_ref()?.get(call, self.clock.monotonic())?;
        tracing::info!(
            target: "audit", router = %self.id, caller = %call.caller, asked = %call.model,
            outcome = "cached", cost = "0", "an LLM was not asked"
        );
        let mut answer = Reply::of(StatusCode::OK, "application/json", body);
        answer.headers_mut().insert(CACHE_HEADER, HeaderValue::from_static("hit"));
        Some(answer)
    }

    /// Who is asked, best first; nobody if no provider knows the model.
    fn candidates(&self, call: &Call) -> Vec<Candidate> {
        let wire = call.operation.wire();
        let mapped = self.settings.model.iter().find(|mapping| mapping.name == call.model);
        let mapped = mapped.and_then(|mapping| self.mapped(mapping));
        let is_translatable = call.is_translatable();
        let can = |member: &Arc<Member>| member.terms().wire == wire || is_translatable;
        let mapped = mapped.filter(|candidate| can(&candidate.member));
        let speaks = self.members.iter().filter(|member| can(member));
        let is_known = mapped.is_some() || speaks.clone().any(|one| one.model() == call.model);
        if !is_known {
            return Vec::new();
        }
        let first = mapped.as_ref().map(|candidate| candidate.member.terms().id.clone());
        let mut own: Vec<Candidate> = Vec::new();
        // An embedding of another model is another space: no provider stands in for it.
        if call.operation != Operation::Embeddings || mapped.is_none() {
            let others = speaks.filter(|member| Some(&member.terms().id) != first.as_ref());
            own.extend(others.map(|member| Candidate {
                member: Arc::clone(member),
                model: member.model().to_owned(),
                price: member.terms().price,
            }));
        }
        if call.operation == Operation::Embeddings {
            own.retain(|candidate| candidate.model == call.model);
        }
        // Whoever has the model first, then whoever needs no translation, then by priority.
        own.sort_by_key(|candidate| {
            (candidate.model != call.model, candidate.member.terms().wire != wire)
        });
        let mut all: Vec<Candidate> = mapped.into_iter().chain(own).collect();
        if let Some(preferred) = &call.preferred {
            all.sort_by_key(|candidate| {
                let id = &candidate.member.terms().id;
                id != preferred && !id.ends_with(&format!(".{preferred}"))
            });
        }
        all
    }

    fn mapped(&self, mapping: &Mapping) -> Option<Candidate> {
        let is_named = |member: &&Arc<Member>| member.terms().id == mapping.provider.node;
        let member = Arc::clone(self.members.iter().find(is_named)?);
        let model = mapping.target.clone().unwrap_or_else(|| mapping.name.clone());
        let own = (model == member.model() || member.terms().price == Price::FREE)
            .then(|| member.terms().price);
        let price = mapping.price.or(own).or_else(|| Price::listed(&model))?;
        Some(Candidate { member, model, price })
    }

    /// Makes the request of a candidate, and sets the money for it aside.
    async fn begin(&self, call: &Arc<Call>, candidate: Candidate) -> Result<Attempt, Miss> {
        let wire = candidate.member.terms().wire;
        let body = call.body_for(wire, &candidate.model, self.settings.max_tokens);
        let body = body.ok_or(Miss::Resting)?;
        let mut parts = Parts::json(call.operation.path_on(wire), &body);
        if wire == call.operation.wire() {
            parts.headers.extend(call.headers.clone());
        } else if wire == Wire::Messages {
            parts.headers.insert(VERSION_HEADER, VERSION);
        }
        if call.streams {
            parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let bytes = parts.bytes();
        let (input, output) = (
            bytes.saturating_add(call.input_beside(bytes)),
            call.output_max(self.settings.max_tokens),
        );
        let most = candidate.price.at_most(input, output);
        let accounts = [
            Account::new("payer", &self.id, Some(self.settings.daily_budget.0)),
            Account::new(
                "caller",
                &format!("{} {}", self.id, call.caller),
                self.settings.key_daily_budget.map(|amount| amount.0),
            ),
        ];
        let tokens = bytes / 3 + output;
        let reservation = candidate.member.admit(tokens, most, &self.purse, &accounts).await?;
        Ok(Attempt { call: Arc::clone(call), candidate, parts, reservation })
    }

    /// One answer, read whole.
    async fn exchange(&self, attempt: Attempt) -> Passed {
        let began = self.clock.monotonic();
        let sent = self.send(&attempt, None).await;
        let usage = match &sent {
            Ok(answer) if answer.is_success() => {
                let wire = attempt.candidate.member.terms().wire;
                serde_json::from_slice(&answer.body).ok().and_then(|body| Call::usage(wire, &body))
            }
            Ok(answer) => is_unbilled(answer.status).then(Usage::default),
            Err(error) => error.is_unsent().then(Usage::default),
        };
        self.end(attempt, sent, usage, began).await
    }

    async fn send(
        &self,
        attempt: &Attempt,
        witness: Option<&dyn Witness>,
    ) -> Result<Answer, DialError> {
        let limit = self.settings.timeout.0;
        tokio::select! {
            answer = attempt.candidate.member.relay().send(&attempt.parts, witness) => answer,
            () = self.clock.sleep(limit) => Err(DialError::Timeout { limit }),
        }
    }

    /// Settles, remembers how it went, and makes the answer.
    async fn end(
        &self,
        attempt: Attempt,
        sent: Result<Answer, DialError>,
        usage: Option<Usage>,
        began: Duration,
    ) -> Passed {
        let Attempt { call, candidate: Candidate { member, model, price }, reservation, .. } =
            attempt;
        let cost = member.settle(&self.purse, reservation, usage, &price).await;
        let wire = call.operation.wire();
        let failure = match &sent {
            Ok(answer) if answer.is_success() => None,
            Ok(answer) => {
                let error = ErrorText::of(&answer.body);
                let now = self.clock.unix_nanos();
                Some(of_status(answer, &error.message, &error.code, now).failure)
            }
            Err(error) => {
                Some(Failure::Unavailable { retry_after: None, reason: error.to_string() })
            }
        };
        // A request that a provider refuses is its caller's fault and says nothing of its health.
        let is_callers = matches!(failure, Some(Failure::Rejected { .. }));
        member.note(failure.as_ref().filter(|_| !is_callers), self.elapsed(began));
        let outcome = failure.as_ref().map_or("ok", Failure::label);
        tracing::info!(
            target: "audit", router = %self.id, caller = %call.caller, asked = %call.model,
            provider = %member.terms().id, %model, outcome, %cost, ?usage, "an LLM was asked"
        );
        let told = (member.terms().wire, usage.unwrap_or_default());
        match sent.map(|answer| self.said(&call, told, answer)) {
            Ok(Some(answer)) if failure.is_none() => {
                if let Some(answers) = &self.answers {
                    answers.put(&call, &answer.body, self.clock.monotonic());
                }
                Passed::Answer(passed_on(answer))
            }
            Ok(Some(answer)) if is_callers => Passed::Answer(passed_on(answer)),
            Ok(Some(answer)) => Passed::Failed(passed_on(answer)),
            Ok(None) => {
                let message = "the answer cannot be said in the format of the request";
                Passed::Failed(refuse(wire, StatusCode::BAD_GATEWAY, "unreadable", message))
            }
            Err(error) => {
                let status = StatusCode::BAD_GATEWAY;
                Passed::Failed(refuse(wire, status, "provider_unavailable", &error.to_string()))
            }
        }
    }

    /// An answer as the caller's protocol says it.
    fn said(&self, call: &Call, (from, usage): (Wire, Usage), answer: Answer) -> Option<Answer> {
        let wire = call.operation.wire();
        if from == wire {
            return Some(answer);
        }
        let body = if answer.is_success() {
            // A stream was translated on its way.
            if call.streams {
                return Some(answer);
            }
            let seconds = self.clock.unix_nanos() / NANOS_A_SECOND;
            let value = serde_json::from_slice(&answer.body).ok()?;
            translate::answer(from, &value, usage, seconds)?
        } else {
            let told = ErrorText::of(&answer.body);
            error(wire, answer.status, &told.code, &told.message)
        };
        Some(Answer { body: body.to_string().into(), ..answer })
    }

    fn elapsed(&self, began: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(began)
    }

    /// An answer that is passed on as it comes. Another provider can only be asked before the first
    /// byte of it.
    async fn stream(self: Arc<Self>, attempt: Attempt) -> Passed {
        let (told, head) = oneshot::channel();
        let pipe = Pipe::default();
        let tap = Tap {
            told: Mutex::new(Some(told)),
            events: Mutex::new(None),
            call: Arc::clone(&attempt.call),
            wire: attempt.candidate.member.terms().wire,
            seconds: self.clock.unix_nanos() / NANOS_A_SECOND,
            pipe: pipe.clone(),
        };
        let (failed, failure) = oneshot::channel();
        let relay = Arc::clone(&self);
        let outlet = pipe.outlet();
        self.tasks.spawn(async move { relay.carry(attempt, tap, failed).await });
        if let Ok((status, headers)) = head.await {
            let mut response = Response::new(Reply::streaming(outlet));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            return Passed::Answer(response);
        }
        failure.await.unwrap_or_else(|_| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Passed::Failed(refuse(Wire::Chat, status, "unavailable", "on the way down"))
        })
    }

    /// Carries a stream to its end, or to where its caller leaves.
    async fn carry(&self, attempt: Attempt, tap: Tap, failed: oneshot::Sender<Passed>) {
        let began = self.clock.monotonic();
        let sent = tokio::select! {
            sent = self.send(&attempt, Some(&tap)) => sent,
            () = tap.pipe.abandoned() => Err(DialError::Cancelled),
            () = self.tasks.cancelled() => Err(DialError::Lost { reason: "on the way down".into() }),
        };
        let events = tap.events.lock().take();
        let (rest, usage) = events.map(|mut events| events.finish()).unwrap_or_default();
        if !rest.is_empty() {
            tap.pipe.push(rest);
        }
        tap.pipe.finish(sent.as_ref().map(drop).map_err(ToString::to_string));
        // A caller who left says nothing of the provider; what it cost nobody reported.
        if matches!(sent, Err(DialError::Cancelled)) {
            let Attempt { candidate, reservation, .. } = attempt;
            let Candidate { member, price, .. } = candidate;
            member.settle(&self.purse, reservation, None, &price).await;
            return;
        }
        let unsent = sent.as_ref().err().filter(|error| error.is_unsent());
        let unbilled = sent.as_ref().is_ok_and(|answer| is_unbilled(answer.status));
        let usage = usage.or_else(|| (unsent.is_some() || unbilled).then(Usage::default));
        // A stream that broke has told its usage only so far.
        let usage = usage.filter(|_| sent.is_ok() || unsent.is_some());
        let passed = self.end(attempt, sent, usage, began).await;
        drop(tap);
        drop(failed.send(passed));
    }
}

/// Sees a stream pass.
struct Tap {
    told: Mutex<Option<oneshot::Sender<(StatusCode, HeaderMap)>>>,
    events: Mutex<Option<Events>>,
    call: Arc<Call>,
    /// What the provider speaks.
    wire: Wire,
    /// Now, since the Unix epoch.
    seconds: u64,
    pipe: Pipe,
}

impl Witness for Tap {
    fn head(&self, status: StatusCode, headers: &HeaderMap) {
        // An error is read whole, so that another provider can be asked.
        if !status.is_success() {
            return;
        }
        *self.events.lock() = Some(Events::new(&self.call, self.wire, self.seconds));
        if let Some(told) = self.told.lock().take() {
            drop(told.send((status, kept(headers))));
        }
    }

    fn piece(&self, piece: &Bytes) {
        if let Some(events) = &mut *self.events.lock() {
            let out = events.take(piece);
            if !out.is_empty() {
                self.pipe.push(out);
            }
        }
    }
}

/// The headers of an answer that are the caller's business.
fn kept(headers: &HeaderMap) -> HeaderMap {
    const KEPT: [&str; 5] =
        ["content-type", "retry-after", "x-request-id", "request-id", "x-should-retry"];
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        if KEPT.contains(&name.as_str()) {
            kept.insert(name.clone(), value.clone());
        }
    }
    kept
}

fn passed_on(answer: Answer) -> Response<Reply> {
    let mut response = Response::new(Reply::full(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = kept(&answer.headers);
    response
        .headers_mut()
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    response
}
