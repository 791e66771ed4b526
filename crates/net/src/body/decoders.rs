//! Decoder states kept per thread: building one costs as much as inflating a small body.

use std::cell::RefCell;

use flate2::Decompress;
use zstd::stream::raw::{DParameter, Decoder, Operation as _};

/// States kept per thread and kind; bodies that are inflated at once beyond it build their own.
const KEPT_MAX: usize = 4;
/// log2 of the largest zstd window, 8 MiB as RFC 9659 says for HTTP.
const WINDOW_LOG_MAX: u32 = 23;
/// A zstd state that inflated more is dropped: the window it grew stays allocated.
const KEPT_OUTPUT_MAX: usize = 1 << 20;

thread_local! {
    static FLATE: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
    static ZSTD: RefCell<Vec<Decoder<'static>>> = const { RefCell::new(Vec::new()) };
}

/// A state for a bare deflate stream, or for one with zlib's header and checksum.
pub(super) fn flate(zlib_header: bool) -> Decompress {
    let kept = FLATE.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
    match kept {
        Some(mut state) => {
            state.reset(zlib_header);
            state
        }
        None => Decompress::new(zlib_header),
    }
}

/// Gives a state back.
pub(super) fn keep_flate(state: Option<Decompress>) {
    if let Some(state) = state {
        // Fails only while the thread ends; then the state is dropped.
        FLATE.try_with(|pool| keep(&mut pool.borrow_mut(), state)).unwrap_or_default();
    }
}

/// A state with the window limit set; `None` when the library has no memory for it.
pub(super) fn zstd() -> Option<Decoder<'static>> {
    let kept = ZSTD.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
    if let Some(mut state) = kept
        && state.reinit().is_ok()
    {
        return Some(state);
    }
    let mut state = Decoder::new().ok()?;
    state.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).ok()?;
    Some(state)
}

/// Gives a state back that inflated `output_bytes`.
pub(super) fn keep_zstd(state: Option<Decoder<'static>>, output_bytes: usize) {
    if let Some(state) = state
        && output_bytes <= KEPT_OUTPUT_MAX
    {
        ZSTD.try_with(|pool| keep(&mut pool.borrow_mut(), state)).unwrap_or_default();
    }
}

fn keep<T>(pool: &mut Vec<T>, state: T) {
    if pool.len() < KEPT_MAX {
        pool.push(state);
    }
}
