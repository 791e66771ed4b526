//! Real clients and a real Collector around the built binary: what they send arrives equal.
//!
//! Clients speak to Bessemer through a [`tee::Tee`], which copies bytes and keeps what clients
//! wrote; what Bessemer sends goes to fakes, in some tests through a Collector. Both sides are read
//! with the reference types and compared record by record, byte by byte.
//!
//! The counterparties are installed by the scripts of `testbed/`. Unless `BESSEMER_LIVE=1` nothing
//! runs here; with it, a missing counterparty is a failure.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests measure real time, and read their switch")]
#![expect(unreachable_pub, reason = "modules are shared between test programs")]

mod after;
mod auth;
mod before;
mod client;
mod collector;
mod counterparty;
mod direct;
mod elasticsearch;
mod fake;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../fakes/llm.rs"]
mod fake_llm;
mod json;
mod lab;
mod llm;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/load.rs"]
mod load;
mod ottl;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/process.rs"]
mod process;
mod records;
mod request;
mod tee;

/// How long what must happen may take on a machine that is busy with other tests.
const WITHIN: std::time::Duration = std::time::Duration::from_mins(1);
