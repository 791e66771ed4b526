//! Turns for inflating large bodies.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Large bodies that are inflated at a time in the process. Inflating is bound by the processor, so
/// more than there are cores gains nothing; a few more let one wait for its turn to run.
const LARGE_AT_ONCE: usize = 4;

static LARGE: Semaphore = Semaphore::const_new(LARGE_AT_ONCE);

/// A turn; the next body gets it on drop.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: Option<SemaphorePermit<'static>>,
}

/// Waits for a turn.
pub(super) async fn large() -> Slot {
    // An error means that the semaphore was closed, which nobody does.
    Slot { _permit: LARGE.acquire().await.ok() }
}
