//! Hostile clients against the built binary: bombs, lies about sizes, deep nesting, broken text,
//! slow connections, smuggled requests, floods of HTTP/2 frames.
//!
//! Sizes are small unless `BESSEMER_PROOF=ci`, which runs the published ones.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests measure real time and read a switch")]
#![expect(clippy::float_cmp, reason = "counters are whole numbers")]
#![expect(clippy::format_push_string, reason = "configurations are written once")]
#![expect(unreachable_pub, reason = "modules are shared between test programs")]

mod bombs;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../otlp/client.rs"]
mod client;
mod content;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../otlp/fake.rs"]
mod fake;
mod frames;
mod h2spec;
mod http2;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../otlp/lab.rs"]
mod lab;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/load.rs"]
mod load;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/process.rs"]
mod process;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../otlp/samples.rs"]
mod samples;
mod sizes;
mod slow;
mod smuggling;
mod watch;

/// How long what must happen may take on a machine that is busy with other tests.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Whether the published sizes are to be run.
fn is_full_proof() -> bool {
    std::env::var("BESSEMER_PROOF").is_ok_and(|proof| proof == "ci")
}

/// The small size, or the published one.
fn sized(small: usize, full: usize) -> usize {
    if is_full_proof() { full } else { small }
}
