//! The journal's promises, on a disk in memory that fails as told and, where threads or the file
//! system matter, on the real one.
#![expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of them of one")]

#[cfg(test)]
mod asking;
#[cfg(test)]
mod books;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod life;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod open;
#[cfg(test)]
mod real;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod side;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod warnings;
