//! Who may do what, and with which keys. So far: the keys that the journal is sealed with.

pub mod keys;
