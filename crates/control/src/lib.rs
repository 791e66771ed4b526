//! Around the flow: the admin port with health, metrics, the graph and the event API.

mod admin;
mod events;
mod feedback;
mod health;
mod ledger;
mod page;
mod process;
mod replays;

pub use admin::{Admin, AdminError, serve};
