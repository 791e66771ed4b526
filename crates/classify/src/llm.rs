//! The LLM tier: asked beside the flow about templates the cheaper tiers are unsure of.
//!
//! [`ask`] is what the flow sees: it offers questions and looks verdicts up, and neither ever
//! waits. A [`provider`] is sans-I/O: it makes a request of a [`prompt`] and reads an answer
//! strictly. Nothing but [`redact::Redacted`] text can enter a prompt, and a verdict may raise
//! what the cheaper tiers said and never lower it.

pub mod anthropic;
pub mod ask;
pub mod breaker;
pub mod components;
pub mod engine;
pub mod escalations;
pub mod failure;
#[cfg(test)]
mod fake;
#[cfg(test)]
pub(crate) mod lab;
pub mod limiter;
pub mod member;
pub mod openai;
pub mod parse;
pub mod prompt;
pub mod provider;
pub mod redact;
pub mod router;
pub mod tier;

pub use ask::{Asker, Local, Offered, Question, TemplateId, Verdict, Verdicts};
pub use engine::Engine;
pub use failure::{Failed, Failure};
pub use member::Member;
pub use provider::{Answered, Judged, LlmProvider, Parts, Usage};
pub use redact::Redacted;
pub use tier::Tier;
