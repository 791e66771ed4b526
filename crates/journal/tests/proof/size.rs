//! How much is tried.

use std::io::Write;
use std::time::Duration;

/// Whether the published sizes are asked for.
pub(crate) fn is_full() -> bool {
    variable("BESSEMER_PROOF").is_some_and(|proof| proof == "ci")
}

/// One of two sizes.
pub(crate) fn sized<T>(smoke: T, full: T) -> T {
    if is_full() { full } else { smoke }
}

/// The seed to play alone.
pub(crate) fn only_seed() -> Option<u64> {
    variable("SEED").map(|seed| seed.parse().expect("SEED is a number"))
}

/// The first seed of a soak.
pub(crate) fn soak_seed() -> u64 {
    variable("BESSEMER_SOAK_SEED").map_or(1_000, |seed| seed.parse().expect("a number"))
}

/// How long a soak explores.
pub(crate) fn soak_time() -> Option<Duration> {
    let seconds = variable("BESSEMER_SOAK_SECONDS")?;
    Some(Duration::from_secs(seconds.parse().expect("a number of seconds")))
}

/// Says a figure past the capture of the test runner, so that every run shows it.
pub(crate) fn say(figure: &str) {
    writeln!(std::io::stderr(), "{figure}").unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the sizes of tests come from their caller")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
