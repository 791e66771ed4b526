//! The listening half against real sockets: protocols, limits, TLS, hostile clients.

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
