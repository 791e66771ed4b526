//! What rules that deduplicate have seen, kept over restarts.
//!
//! What was newly seen goes to the state now and then and at the end, as one piece after the other;
//! a piece that is older than the window is deleted. A crash takes what was seen since the last
//! piece: its equals pass once more. Nothing is entered before its batch is safe, so no record is
//! taken for the equal of one that was lost.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bessemer_pipeline::Context;
use bessemer_pipeline::state::{Change, State};
use bessemer_runtime::{Clock, Tasks};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use super::content::{Hasher, Key, Secret};
use super::settings::RuleSettings;
use super::window::Window;

/// Under which the secret of the keys is stored.
const SECRET: &str = "dedupe-secret";
/// Under which all pieces are stored.
const PIECES: &str = "dedupe/";
/// How often something is stored at most.
const STORE_EVERY: Duration = Duration::from_secs(10);
/// Pieces of a window, unless [`STORE_EVERY`] makes less of it.
const PIECES_OF_WINDOW: u64 = 256;
/// Pieces that are read at the start; of more, the oldest.
const PIECES_MAX: usize = 4096;
/// Records of one piece.
const PIECE_ENTRIES: usize = 40_000;
/// A time and a key.
const ENTRY_BYTES: usize = 24;

/// The memory of one rule.
pub(super) struct Memory {
    component: String,
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    /// Of the keys of its pieces: another one for a rule with other settings.
    prefix: String,
    window: Arc<Window>,
    pieces: Mutex<Pieces>,
}

#[derive(Default)]
struct Pieces {
    next: u64,
    /// The number of each piece and when its last record came.
    stored: VecDeque<(u64, u64)>,
}

/// What makes the keys of a component, the same after a restart.
pub(super) fn hasher(context: &Context) -> Hasher {
    let stored = context.state.get(&context.id, SECRET).ok().flatten();
    if let Some(secret) = stored.and_then(|bytes| Secret::try_from(bytes).ok()) {
        return Hasher::new(secret);
    }
    let secret = Hasher::secret(&*context.random);
    if let Err(error) =
        context.state.apply(&context.id, &[Change::Put(SECRET.into(), secret.into())])
    {
        tracing::warn!(component = context.id, %error, "what is seen will not be known after a restart");
    }
    Hasher::new(secret)
}

/// Deletes the pieces of rules that are gone.
pub(super) fn forget_others(memories: &[Arc<Memory>], context: &Context) {
    let Ok(pieces) = context.state.scan(&context.id, PIECES, PIECES_MAX) else { return };
    let ours: BTreeSet<&str> = memories.iter().map(|memory| memory.prefix.as_str()).collect();
    let is_ours = |key: &str| ours.iter().any(|prefix| key.starts_with(prefix));
    let gone = pieces.into_iter().map(|(key, _)| key).filter(|key| !is_ours(key));
    let gone: Vec<Change> = gone.map(Change::Delete).collect();
    if let Err(error) = context.state.apply(&context.id, &gone) {
        tracing::warn!(component = context.id, %error, "old pieces of memory stay");
    }
}

/// Stores what is seen from the start of the process to its end.
pub(super) fn keep(memories: Vec<Arc<Memory>>, context: &Context) {
    context.services.on_start(move |tasks| {
        for memory in memories {
            let own = tasks.clone();
            tasks.spawn(async move { memory.keep(&own).await });
        }
        Box::pin(std::future::ready(Ok(())))
    });
}

impl Memory {
    /// The memory of the rule with this place and these settings, as an earlier process left it.
    pub(super) fn open(
        context: &Context,
        (index, settings): (usize, &RuleSettings),
        window: Arc<Window>,
    ) -> Self {
        let settings = serde_json::to_vec(settings).unwrap_or_default();
        let memory = Self {
            component: context.id.clone(),
            state: Arc::clone(&context.state),
            clock: Arc::clone(&context.clock),
            prefix: format!("{PIECES}{index}-{:016x}/", xxh3_64(&settings)),
            window,
            pieces: Mutex::default(),
        };
        memory.restore();
        memory
    }

    fn restore(&self) {
        let now = self.clock.unix_nanos();
        let found = match self.state.scan(&self.component, &self.prefix, PIECES_MAX) {
            Ok(found) => found,
            Err(error) => {
                let component = &self.component;
                tracing::warn!(component, %error, "what was seen could not be read");
                return;
            }
        };
        let mut pieces = self.pieces.lock();
        for (key, bytes) in found {
            let number = key.strip_prefix(&self.prefix);
            let number = number.and_then(|number| u64::from_str_radix(number, 16).ok());
            let Some(number) = number else { continue };
            let entries = read(&bytes);
            let newest = entries.last().map_or(0, |(at, _)| *at);
            pieces.next = pieces.next.max(number.saturating_add(1));
            pieces.stored.push_back((number, newest));
            self.window.restore(entries, now);
        }
    }

    fn every(&self) -> Duration {
        Duration::from_nanos(self.window.length_nanos() / PIECES_OF_WINDOW).max(STORE_EVERY)
    }

    async fn keep(self: Arc<Self>, tasks: &Tasks) {
        while !tasks.is_cancelled() {
            tokio::select! {
                () = self.clock.sleep(self.every()) => {}
                () = tasks.cancelled() => {}
            }
            let memory = Arc::clone(&self);
            let stored = tokio::task::spawn_blocking(move || memory.store()).await;
            if let Err(error) = stored {
                tracing::error!(component = self.component, %error, "what was seen was not stored");
            }
        }
    }

    /// Stores what was newly seen and deletes what is too old, if there is either.
    pub(super) fn store(&self) {
        let now = self.clock.unix_nanos();
        let fresh = self.window.take_unstored();
        let mut pieces = self.pieces.lock();
        let mut changes = Vec::new();
        let is_over = |newest: u64| now.abs_diff(newest) >= self.window.length_nanos();
        while let Some((number, newest)) = pieces.stored.front().copied() {
            if !is_over(newest) {
                break;
            }
            changes.push(Change::Delete(self.key(number)));
            pieces.stored.pop_front();
        }
        for piece in fresh.chunks(PIECE_ENTRIES) {
            let number = pieces.next;
            pieces.next += 1;
            pieces.stored.push_back((number, piece.last().map_or(0, |(at, _)| *at)));
            changes.push(Change::Put(self.key(number), written(piece)));
        }
        drop(pieces);
        if changes.is_empty() {
            return;
        }
        if let Err(error) = self.state.apply(&self.component, &changes) {
            let component = &self.component;
            tracing::warn!(component, %error, "what was seen lately was not stored");
        }
    }

    /// Keys sort as their numbers do.
    fn key(&self, number: u64) -> String {
        format!("{}{number:016x}", self.prefix)
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Memory").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn written(entries: &[(u64, Key)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for (at, Key(key)) in entries {
        bytes.extend(at.to_be_bytes());
        bytes.extend(key.to_be_bytes());
    }
    bytes
}

/// Of a damaged piece, what is whole.
fn read(bytes: &[u8]) -> Vec<(u64, Key)> {
    let entry = |entry: &[u8]| {
        let (at, key) = entry.split_first_chunk::<8>()?;
        let key = key.first_chunk::<16>()?;
        Some((u64::from_be_bytes(*at), Key(u128::from_be_bytes(*key))))
    };
    bytes.chunks_exact(ENTRY_BYTES).filter_map(entry).collect()
}
