//! Promises of the README, proven on the real binary. Destinations here are fakes that speak OTLP.
//!
//! Sizes are small unless `BESSEMER_PROOF=ci`, which runs the published ones.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests measure real time and read a switch")]
#![expect(unreachable_pub, reason = "modules are shared between test programs")]

mod delivery;
mod disk;
#[path = "../fakes/llm.rs"]
mod fake_llm;
mod flood;
mod isolation;
mod kill;
mod ledger;
mod llm;
#[path = "../support/load.rs"]
mod load;
mod ottl;
#[path = "../support/process.rs"]
mod process;
mod reach;
mod read_only;
mod redirects;
mod replay;
#[path = "../support/sink.rs"]
mod sink;
mod sorter;
mod spill;
mod tools;
mod validate;

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stories measure times and memory of a process: they run one after another.
fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a soak plays, and its first seed.
fn soak() -> Option<(std::time::Duration, u64)> {
    let number = |name: &str| Some(std::env::var(name).ok()?.parse::<u64>().expect("a number"));
    let seconds = number("BESSEMER_SOAK_SECONDS")?;
    Some((std::time::Duration::from_secs(seconds), number("BESSEMER_SOAK_SEED").unwrap_or(1_000)))
}

/// Says past the capture of the test runner that a story, or a part of one, was not played, so that
/// nobody takes it for passed; `.ci/run` counts these lines beside what passed.
fn not_played(why: &str) {
    let thread = std::thread::current();
    let story = thread.name().unwrap_or("a story");
    drop(writeln!(std::io::stderr(), "NOT PLAYED: {story}: {why}"));
}

/// Whether the published sizes are to be run.
fn is_full_proof() -> bool {
    std::env::var("BESSEMER_PROOF").is_ok_and(|proof| proof == "ci")
}
