//! What everything may use: clock, randomness, tasks that can be cancelled, byte budgets, secrets,
//! references and the textual forms of sizes and durations.

pub mod budget;
pub mod clock;
pub mod machine;
pub mod random;
pub mod reference;
pub mod secret;
pub mod tasks;
pub mod units;

pub use budget::{Budget, Permit};
pub use clock::{Clock, SystemClock};
pub use random::{Random, SystemRandom};
pub use reference::Reference;
pub use secret::{Secret, SecretFile, SecretText};
pub use tasks::Tasks;
pub use units::{ByteSize, Ignored, Span};

/// A future that can be stored and sent; the shape of every asynchronous trait method here.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
