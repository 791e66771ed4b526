//! Bounds on what a statement may make and do.

/// Nesting of parentheses, lists, maps and calls in a text.
pub(crate) const NESTING_MAX: u32 = 64;
/// Bytes of one statement or condition.
pub(crate) const SOURCE_BYTES_MAX: usize = 64 << 10;
/// Bytes of memory that one compiled regular expression may take.
pub(crate) const REGEX_BYTES_MAX: usize = 1 << 20;
/// Nesting of a value that a statement makes: more would be refused by the check of a batch.
pub(crate) const VALUE_DEPTH_MAX: u32 = 32;

/// Bounds on the work for one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one value that a function makes.
    pub value_bytes_max: usize,
    /// Steps (expressions evaluated) for one record by one list of statements.
    pub steps_max: u32,
    /// Metrics that functions add to one batch.
    pub metrics_added_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { value_bytes_max: 4 << 20, steps_max: 1_000_000, metrics_added_max: 10_000 }
    }
}
