//! Proofs by exhaustion: every state a crash can leave, every byte and bit that can go wrong, every
//! call that can fail.
//!
//! Sizes are small unless `BESSEMER_PROOF=ci`. `SEED=n` plays that seed alone; what was found once
//! stands in `seeds.txt` and is played always. `BESSEMER_SOAK_SECONDS` and `BESSEMER_SOAK_SEED` make
//! the explorer run that long from there, for `cargo xtask soak`.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod explorer;
#[cfg(test)]
mod faults;
#[cfg(test)]
#[expect(dead_code, reason = "shared with the tests beside, which use the rest")]
#[path = "../journal/harness.rs"]
mod harness;
#[cfg(test)]
mod promise;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod size;
