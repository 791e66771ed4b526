//! Critical templates of the past that a message is like, and the tickets that they got.

use bessemer_runtime::BoxFuture;
use serde::Serialize;

use super::FeedbackError;

/// One that a message is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Like {
    /// The id of the template, hexadecimal.
    pub template: String,
    /// From 0 to 1.
    pub likeness: f32,
    /// A message of it, without what varies.
    pub text: String,
    /// The tickets that it got.
    pub tickets: Vec<String>,
    /// When it was first critical, in seconds since the Unix epoch.
    pub since_unix_s: u64,
}

impl std::fmt::Display for Like {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:.2}", self.template, self.likeness)?;
        self.tickets.iter().try_for_each(|ticket| write!(formatter, " {ticket}"))
    }
}

/// What knows critical templates of the past.
pub trait Similar: Send + Sync + 'static {
    /// Those that a message is like, best first.
    fn similar(&self, message: &str) -> Vec<Like>;

    /// Sets the tickets of a template; durable on return.
    fn tickets<'a>(
        &'a self,
        template: &'a str,
        tickets: Vec<String>,
    ) -> BoxFuture<'a, Result<Like, FeedbackError>>;
}
