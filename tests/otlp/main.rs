//! One test or more for each number of the OTLP specification's list of checks, on the built
//! binary: clients speak to its receiver, its exporters to fakes that do what a script says.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests measure real time")]
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]
#![expect(clippy::format_push_string, reason = "configurations are written once")]
#![expect(clippy::needless_pass_by_value, reason = "JSON is written where it is used")]
#![expect(unreachable_pub, reason = "modules are shared between test programs")]

mod auth;
#[expect(dead_code, reason = "other tests use more of it")]
mod client;
mod examples;
mod exporter;
mod failures_grpc;
mod failures_http;
#[expect(dead_code, reason = "other tests use more of it")]
mod fake;
mod fake_grpc;
mod json;
mod lab;
mod limits;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/load.rs"]
mod load;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/process.rs"]
mod process;
mod samples;
mod success;
mod transport;

/// How long what must happen may take on a machine that is busy with other tests.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(30);
