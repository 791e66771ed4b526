//! The journal's promises, on a disk in memory that fails as told and, where threads or the file
//! system matter, on the real one.

mod crash;
mod damage;
mod harness;
mod life;
mod limits;
mod open;
mod real;
mod side;
