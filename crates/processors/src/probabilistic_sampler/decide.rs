//! From what decides to the decision of `hash_seed`: monotonic in the percentage, so that a sampler with a higher
//! one keeps everything that one with a lower one keeps.

/// Hashes are cut to this many values: 14 bits.
const BUCKETS: u32 = 1 << 14;
/// The bucket of what decides: FNV-1a with 32 bits over the seed, low byte first, and the bytes.
/// <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>
pub(crate) fn hash_bucket(seed: u32, bytes: &[u8]) -> u32 {
    const OFFSET: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    let all = seed.to_le_bytes().into_iter().chain(bytes.iter().copied());
    let hash = all.fold(OFFSET, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME));
    hash % BUCKETS
}

/// Whether a bucket is in the share that is kept.
pub(crate) fn is_in_share(bucket: u32, percentage: f64) -> bool {
    f64::from(bucket) < (f64::from(BUCKETS) * percentage / 100.0).floor()
}

/// The random number at the end of a trace id.
/// <https://www.w3.org/TR/trace-context-2/#randomness-of-trace-id>
pub(super) fn randomness(trace_id: &[u8]) -> Option<u64> {
    let bits = trace_id.last_chunk::<8>()?;
    Some(u64::from_be_bytes(*bits) & ((1 << 56) - 1))
}
