//! The dialling half: one pooled client for HTTP/1.1 and HTTP/2, one for unary gRPC on top of it.
//!
//! A client belongs to one endpoint. It opens connections when requests need them, keeps the
//! unused for a while, and reads answers up to a limit. It follows no redirect, so a header of the
//! settings reaches no other host. A try has one time limit from the search for a connection to
//! the last byte; trying again is [`Client::send_with_retry`] with a [`crate::retry::Policy`].
//!
//! Request bodies are lists of shared bytes: HTTP/1.1 writes head and body with one vectored call,
//! HTTP/2 cuts its frames out of them.

pub mod auth;
mod channel;
mod client;
mod connect;
mod cookies;
mod endpoint;
mod error;
mod gather;
mod grpc;
mod http1;
mod http2;
mod message;
mod outcome;
mod proxy;
mod reply;
mod settings;
mod stream;
mod tls;

pub use auth::Credentials;
pub use client::Client;
pub use error::{DialError, SettingsError};
pub use grpc::GrpcClient;
pub use message::{Answer, Body, Request};
pub use outcome::Outcome;
pub use reply::Witness;
pub use settings::{Cookies, GrpcSettings, Keepalive, Settings};
