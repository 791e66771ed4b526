//! The whole engine in one thread on simulated time, disk and destinations: from one seed to the
//! last verdict, over crashes.
//!
//! `SEED=n` plays that seed alone and exactly; what was found once stands in `seeds.txt` and is
//! played always. Sizes are small unless `BESSEMER_PROOF=ci`. `BESSEMER_SOAK_SECONDS` and
//! `BESSEMER_SOAK_SEED` make it run that long from there, for `cargo xtask soak`.

#[cfg(test)]
mod broker;
#[cfg(test)]
mod budgets;
mod clock;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod net;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod records;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod seeds;
#[cfg(test)]
#[path = "../../../journal/tests/proof/size.rs"]
mod size;
#[cfg(test)]
mod stages;
#[cfg(test)]
mod world;
