//! One configured provider: its limits, its price, its health, and one attempt to ask it.

use std::sync::Arc;
use std::time::Duration;

use bessemer_net::dial::{Answer, Client, DialError, Request, Witness};
use bessemer_net::retry::Policy;
use bessemer_pipeline::metrics::llm::{AttemptLabels, LlmMetrics, ProviderLabels, TokenLabels};
use bessemer_runtime::{BoxFuture, Clock, Random};

use super::breaker::Breaker;
use super::failure::{Failed, Failure};
use super::limiter::Limiter;
use super::prompt::Prompt;
use super::provider::{Answered, LlmProvider, Parts, Usage, Wire, failed};
use crate::money::{Account, Micros, Overdrawn, Price, Purse, Reservation};

/// Bytes of text that make a token, for the provider's own limits and not for money.
const BYTES_A_TOKEN: u64 = 3;
/// A provider that wants a longer wait than this is passed over.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Carries requests to one endpoint.
pub trait Transport: Send + Sync + 'static {
    /// Sends one, once; `witness` sees the answer come.
    fn send<'a>(
        &'a self,
        parts: &'a Parts,
        witness: Option<&'a dyn Witness>,
    ) -> BoxFuture<'a, Result<Answer, DialError>>;
}

/// The real one.
#[derive(Debug)]
pub struct Dialled(pub Client);

impl Transport for Dialled {
    fn send<'a>(
        &'a self,
        parts: &'a Parts,
        witness: Option<&'a dyn Witness>,
    ) -> BoxFuture<'a, Result<Answer, DialError>> {
        Box::pin(async move {
            let path = self
                .0
                .path(parts.path)
                .map_err(|error| DialError::Malformed { reason: error.to_string() })?;
            let mut request = match &parts.body {
                Some(body) => Request::post(path, body.clone()),
                None => Request::get(path),
            };
            request.headers.extend(parts.headers.clone());
            self.0.send_watched(&request, witness).await
        })
    }
}

/// Bounds and rank of a provider.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Component id.
    pub id: String,
    /// What it speaks.
    pub wire: Wire,
    /// Lower is asked first.
    pub priority: u32,
    /// The time an attempt has.
    pub timeout: Duration,
    /// Attempts in a row, when a failure may pass.
    pub attempts: u32,
    /// Requests in a minute; zero for no limit.
    pub requests_per_minute: u64,
    /// Tokens in a minute; zero for no limit.
    pub tokens_per_minute: u64,
    /// What its model costs.
    pub price: Price,
    /// What it may be paid in a day.
    pub daily_budget: Option<Micros>,
}

/// One provider that can be asked.
pub struct Member {
    terms: Terms,
    provider: Arc<dyn LlmProvider>,
    transport: Arc<dyn Transport>,
    relay: Arc<dyn Transport>,
    breaker: Breaker,
    limiter: Limiter,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    policy: Policy,
    metrics: LlmMetrics,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Member").field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// Why an attempt gave nothing.
#[derive(Debug)]
pub enum Miss {
    /// It rests after failures, or its limits do not allow another request now.
    Resting,
    /// No money for it.
    Budget(Overdrawn),
    /// It was asked in vain.
    Failed(Failure),
}

impl Member {
    /// A provider behind a transport for questions, and one for what a router passes on.
    pub fn new(
        terms: Terms,
        provider: Arc<dyn LlmProvider>,
        (transport, relay): (Arc<dyn Transport>, Arc<dyn Transport>),
        (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
        metrics: LlmMetrics,
    ) -> Self {
        let limiter = Limiter::new(terms.requests_per_minute, terms.tokens_per_minute);
        let breaker = Breaker::default();
        let policy = Policy { attempts: terms.attempts.max(1), ..Policy::default() };
        let member = Self {
            terms,
            provider,
            transport,
            relay,
            breaker,
            limiter,
            clock,
            random,
            policy,
            metrics,
        };
        member.show_health();
        member
    }

    /// Rank and bounds.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The model that is asked.
    pub fn model(&self) -> &str {
        self.provider.model()
    }

    /// Carries what a router passes on: with more time and room than a question has.
    pub(super) fn relay(&self) -> &dyn Transport {
        &*self.relay
    }

    /// Whether it may be asked now.
    pub fn is_up(&self) -> bool {
        self.breaker.allows(self.clock.monotonic())
    }

    /// Asks until it answers, an attempt fails for good, or the attempts are used up. Every attempt
    /// has a prompt with marks of its own and money of its own.
    pub async fn ask(
        &self,
        prompt: impl Fn() -> Prompt + Send,
        purse: &Arc<Purse>,
        accounts: &[Account],
    ) -> Result<(Prompt, Answered, Micros), Miss> {
        let mut attempts = 0;
        loop {
            let prompt = prompt();
            let failure = match self.attempt(&prompt, purse, accounts).await {
                Ok((answered, cost)) => return Ok((prompt, answered, cost)),
                Err(Miss::Failed(failure)) if failure.is_retryable() => failure,
                Err(miss) => return Err(miss),
            };
            attempts += 1;
            let wait = self.policy.next_delay(attempts, failure.retry_after(), &*self.random);
            match wait.filter(|wait| *wait <= WAIT_MAX) {
                Some(wait) => self.clock.sleep(wait).await,
                None => return Err(Miss::Failed(failure)),
            }
        }
    }

    async fn attempt(
        &self,
        prompt: &Prompt,
        purse: &Arc<Purse>,
        accounts: &[Account],
    ) -> Result<(Answered, Micros), Miss> {
        let parts = self.provider.request(prompt);
        let most = self.terms.price.at_most(parts.bytes(), prompt.tokens_max());
        let tokens = parts.bytes() / BYTES_A_TOKEN + prompt.tokens_max();
        let reservation = self.admit(tokens, most, purse, accounts).await?;
        let began = self.clock.monotonic();
        let (answer, is_unsent) = match self.send(&parts).await {
            Ok(answer) => (self.provider.answer(prompt, &answer, self.clock.unix_nanos()), false),
            Err(error) => {
                let is_unsent = error.is_unsent();
                let reason = error.to_string();
                let failure = Failure::Unavailable { retry_after: None, reason };
                (Err(failed(failure, None)), is_unsent)
            }
        };
        let taken = self.clock.monotonic().saturating_sub(began);
        let usage = match &answer {
            Ok(answered) => answered.usage,
            Err(Failed { usage, .. }) => *usage,
        };
        // What cannot have arrived cannot be billed.
        let usage = if is_unsent { Some(Usage::default()) } else { usage };
        let cost = self.settle(purse, reservation, usage, &self.terms.price).await;
        self.note(answer.as_ref().err().map(|failed| &failed.failure), taken);
        answer.map(|answered| (answered, cost)).map_err(|failed| Miss::Failed(failed.failure))
    }

    /// Whether an attempt may begin: health, limits, and the money for it, on the disk.
    pub(super) async fn admit(
        &self,
        tokens: u64,
        most: Micros,
        purse: &Arc<Purse>,
        accounts: &[Account],
    ) -> Result<Option<Reservation>, Miss> {
        let now = self.clock.monotonic();
        if !self.breaker.allows(now) || self.limiter.take(now, tokens).is_err() {
            return Err(Miss::Resting);
        }
        if most == Micros(0) {
            return Ok(None);
        }
        let mut accounts = accounts.to_vec();
        accounts.push(Account::new("provider", &self.terms.id, self.terms.daily_budget));
        let purse = Arc::clone(purse);
        // Waits for the disk.
        let reserved = tokio::task::spawn_blocking(move || purse.reserve(&accounts, most)).await;
        match reserved {
            Ok(Ok(reservation)) => Ok(Some(reservation)),
            Ok(Err(overdrawn)) => {
                self.count("budget");
                Err(Miss::Budget(overdrawn))
            }
            // The runtime is on its way down.
            Err(_) => Err(Miss::Resting),
        }
    }

    async fn send(&self, parts: &Parts) -> Result<Answer, DialError> {
        let limit = self.terms.timeout;
        tokio::select! {
            answer = self.transport.send(parts, None) => answer,
            () = self.clock.sleep(limit) => Err(DialError::Timeout { limit }),
        }
    }

    /// What the attempt cost: what was used if that was reported, and all that was reserved if not.
    pub(super) async fn settle(
        &self,
        purse: &Arc<Purse>,
        reservation: Option<Reservation>,
        usage: Option<Usage>,
        price: &Price,
    ) -> Micros {
        if let Some(usage) = usage {
            self.count_tokens(usage);
        }
        let Some(reservation) = reservation else { return Micros(0) };
        let labels = ProviderLabels { provider: self.terms.id.clone() };
        let cost = usage.map_or(reservation.amount(), |usage| price.of(usage));
        self.metrics.spent_micros.get_or_create_owned(&labels).inc_by(cost.0);
        if usage.is_none() {
            self.metrics.unreported_micros.get_or_create_owned(&labels).inc_by(cost.0);
            return cost;
        }
        let purse = Arc::clone(purse);
        let settled = tokio::task::spawn_blocking(move || purse.settle(reservation, cost)).await;
        if let Ok(Err(error)) = settled {
            tracing::warn!(provider = %self.terms.id, %error, "what an LLM cost cannot be written");
        }
        cost
    }

    /// Remembers how an attempt ended.
    pub(super) fn note(&self, failure: Option<&Failure>, taken: Duration) {
        let now = self.clock.monotonic();
        match failure {
            None => self.breaker.succeeded(),
            Some(Failure::RateLimited { retry_after }) => {
                self.limiter.pause(now + retry_after.unwrap_or_default());
            }
            Some(failure @ Failure::Denied { .. }) => {
                tracing::warn!(provider = %self.terms.id, %failure, "an LLM provider refuses us");
                self.breaker.denied(now);
            }
            Some(_) => self.breaker.failed(now),
        }
        self.count(failure.map_or("ok", Failure::label));
        let labels = ProviderLabels { provider: self.terms.id.clone() };
        self.metrics.seconds.get_or_create_owned(&labels).observe(taken.as_secs_f64());
        self.show_health();
    }

    /// Asks a resting provider whether it is there; an answer ends its rest.
    pub async fn probe(&self) {
        if self.is_up() {
            return self.show_health();
        }
        if let Ok(answer) = self.send(&self.provider.probe()).await
            && !answer.status.is_server_error()
            && !matches!(answer.status.as_u16(), 401 | 403 | 429)
        {
            self.breaker.probed(self.clock.monotonic());
        }
        self.show_health();
    }

    fn show_health(&self) {
        let labels = ProviderLabels { provider: self.terms.id.clone() };
        self.metrics.up.get_or_create_owned(&labels).set(i64::from(self.is_up()));
    }

    fn count(&self, outcome: &'static str) {
        let labels = AttemptLabels { provider: self.terms.id.clone(), outcome };
        self.metrics.requests.get_or_create_owned(&labels).inc();
    }

    fn count_tokens(&self, usage: Usage) {
        for (direction, tokens) in [("input", usage.input), ("output", usage.output)] {
            let labels = TokenLabels { provider: self.terms.id.clone(), direction };
            self.metrics.tokens.get_or_create_owned(&labels).inc_by(tokens);
        }
    }
}
