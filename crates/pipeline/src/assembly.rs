//! How an exporter assembles deliveries from its queue: the `batch` processor is this and no
//! stage of its own.

use std::time::Duration;

/// When a delivery is full, and how long it may wait to become so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembly {
    /// Records from which a delivery leaves without waiting.
    pub records: u32,
    /// Records above which a delivery is split; zero for no limit.
    pub records_max: u32,
    /// Bytes from which a delivery leaves without waiting.
    pub bytes: usize,
    /// How long the first record may wait for others.
    pub timeout: Duration,
    /// Request headers whose values must be equal within a delivery, in lower case.
    pub metadata_keys: Vec<String>,
}

impl Default for Assembly {
    /// Takes what is there, without waiting.
    fn default() -> Self {
        Self {
            records: 8192,
            records_max: 0,
            bytes: 1 << 20,
            timeout: Duration::ZERO,
            metadata_keys: Vec::new(),
        }
    }
}
