//! Who may do what, and with which keys. So far: who calls, and the keys that the journal is sealed
//! with.

pub mod callers;
pub mod keys;
