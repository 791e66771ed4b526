//! What one listener did, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one listener; all only grow, except `open` and `parked`.
#[derive(Debug, Default)]
pub struct ListenerStats {
    pub(super) accepted: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) parked: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) handshake_errors: AtomicU64,
    pub(super) protocol_errors: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(&self) -> u64 {
            self.$name.load(Ordering::Relaxed)
        })*
    };
}

impl ListenerStats {
    readers! {
        /// Connections accepted.
        accepted,
        /// Connections open now.
        open,
        /// Open connections that are idle and hold no buffers.
        parked,
        /// Connections turned away because too many were open.
        refused,
        /// Times that the system could not accept, mostly for lack of file descriptors.
        accept_errors,
        /// TLS handshakes that failed or took too long.
        handshake_errors,
        /// Connections that ended because the client broke the protocol.
        protocol_errors,
        /// Connections closed because the client was too slow.
        timed_out,
        /// Bytes received from clients, without TLS.
        received_bytes,
        /// Bytes sent to clients, without TLS.
        sent_bytes,
    }
}

/// One more in a gauge until drop.
pub(super) struct Held<'a>(&'a AtomicU64);

impl<'a> Held<'a> {
    pub(super) fn new(gauge: &'a AtomicU64) -> Self {
        count(gauge);
        Self(gauge)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
