//! The contract of a processor that holds records over batches and sends on what stands for them.
//!
//! It has two halves. [`Stateful::choose`] runs in the fused program like a router: what is to be
//! held is appended to the journal for the stage, everything else passes by. Behind the journal one
//! task owns a [`Holding`], reads what was appended and, once the interval is over, appends what the
//! holding makes of it; only then are the records it took settled. So nothing that is held has left
//! the journal, and a stage needs no state of its own on disk
//! ([decision 16](../../../docs/decisions/0016-stateful-stages.md)).

use std::sync::Arc;
use std::time::Duration;

pub use bessemer_journal::Lane;
use bessemer_record::{Draft, Signal, Tails};
use bessemer_runtime::BoxFuture;
use bytes::Bytes;

use crate::exporter::Part;
use crate::meta::Meta;
use crate::receiver::Receiver;
use crate::step::{Route, Scratch};

/// The route of a record that is held.
pub const HELD: u16 = 0;
/// The route of a record that passes by.
pub const PASSES: u16 = 1;

/// A processor with memory.
pub trait Stateful: Send + Sync + 'static {
    /// Sets `route` of every item to [`HELD`] or [`PASSES`].
    fn choose(&self, draft: &mut Draft, scratch: &mut Scratch);

    /// How long a record is held at most.
    fn interval(&self) -> Duration;

    /// A holding with nothing in it; `tails` are the sets of attributes of the programs.
    fn hold(&self, tails: &Arc<Tails>) -> Box<dyn Holding>;

    /// The same as [`Step::speaker`](crate::step::Step::speaker).
    fn speaker(&self) -> Option<Box<dyn Receiver>> {
        None
    }
}

/// What a stage holds since it last sent something on. One task owns it.
///
/// What it makes must follow from the parts it took and their order alone: after a crash the same
/// parts come again, perhaps cut differently.
pub trait Holding: Send + Sync + 'static {
    /// Takes all records of a part.
    fn take(&mut self, signal: Signal, lane: Lane, part: &Part);

    /// Bytes of memory it takes; the engine empties it well below
    /// [`HELD_BYTES_MAX`](crate::delivery::hold::HELD_BYTES_MAX) and one part.
    fn bytes(&self) -> usize;

    /// Completes when what is held need not be held any longer, though the interval is not over.
    /// Asked anew after each part.
    fn ready(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    /// What stands for everything that was taken; nothing is held afterwards. Nothing, if nothing is
    /// held.
    fn emit(&mut self, now_unix_nanos: u64) -> Vec<Made>;
}

/// A batch that a stage made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The kind of request.
    pub signal: Signal,
    /// How urgent the records are that it stands for.
    pub lane: Lane,
    /// An OTLP export request.
    pub bytes: Bytes,
    /// Whose records it stands for.
    pub meta: Meta,
}

/// The first half of a stage, in the program.
pub(crate) struct Entrance(pub(crate) Arc<dyn Stateful>);

impl Route for Entrance {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        self.0.choose(draft, scratch);
    }

    fn targets(&self) -> &[Vec<String>] {
        &[]
    }
}
