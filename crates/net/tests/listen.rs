//! The listening half against real sockets: protocols, limits, TLS, hostile clients.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that panics fails its test, as it should"
)]

#[path = "listen/drain.rs"]
mod drain;
#[path = "listen/floods.rs"]
mod floods;
#[path = "listen/limits.rs"]
mod limits;
#[path = "listen/protocols.rs"]
mod protocols;
#[path = "listen/smuggling.rs"]
mod smuggling;
#[path = "listen/support.rs"]
mod support;
#[path = "listen/tls.rs"]
mod tls;
