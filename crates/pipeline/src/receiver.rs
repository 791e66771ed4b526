//! The contract of a receiver: it opens its sockets or files, then hands what arrives to its
//! outlet and answers its clients by what the outlet says.

use bessemer_runtime::{BoxFuture, Tasks};

use crate::outlet::Outlet;

/// A way into the pipeline.
pub trait Receiver: Send + 'static {
    /// Opens what must be open before the process is ready, spawns the rest into `tasks`.
    /// Work stops accepting when `tasks` is cancelled and ends once in-flight requests are
    /// answered.
    fn start(
        self: Box<Self>,
        outlet: Outlet,
        tasks: Tasks,
    ) -> BoxFuture<'static, Result<(), StartError>>;
}

/// A component that could not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{component}: {problem}; {remedy}")]
pub struct StartError {
    /// Id of the component.
    pub component: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}
