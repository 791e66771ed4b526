//! The checks behind the project commands, as a library so that tests of the binary run the same.

pub mod corpus;
pub mod model;
pub mod reference;
pub mod soak;
pub mod tidy;
pub mod trust;
