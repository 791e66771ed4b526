//! What a batch may cost at most before it is refused.

/// Bounds that the check applies to a batch on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of attribute values and bodies; a plain string has depth 1.
    pub depth_max: u32,
    /// Largest log record, span or metric in bytes.
    pub record_bytes_max: usize,
    /// Largest batch in bytes. More than 2 GiB is never accepted.
    pub batch_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth_max: 64, record_bytes_max: 10_000_000, batch_bytes_max: 64 << 20 }
    }
}
