//! The contracts of stateless processors: steps, routers and connectors of the fused program.

use bessemer_record::draft::Folded;
use bessemer_record::{Draft, Signal};
use bytes::Bytes;

use crate::receiver::Receiver;

/// Buffers that steps reuse from batch to batch; one per worker thread.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Lower-cased bodies of the batch, for one multi-pattern scan.
    pub folded: Folded,
    /// Bytes for any purpose; cleared by whoever takes it.
    pub bytes: Vec<u8>,
    /// Numbers for any purpose, one per item; cleared by whoever takes it.
    pub marks: Vec<u32>,
    /// Request headers that the receiver kept with the batch, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Why the batch must be refused as a whole: set by a step that may not go on, read by the
    /// program, which then runs no further step.
    pub refusal: Option<String>,
    /// What is to be done once the batch is safe, by steps that remember something.
    pub after: After,
}

/// Work for when a batch is safe. A batch that is refused never gets there, so a step that
/// remembers only here judges the batch anew when its sender comes again.
#[derive(Default)]
pub struct After(Vec<Box<dyn FnOnce() + Send + Sync>>);

impl After {
    /// Adds work: short, and without waiting. A step adds a handful for each batch at most.
    pub fn then(&mut self, work: impl FnOnce() + Send + Sync + 'static) {
        self.0.push(Box::new(work));
    }

    /// Does all of it.
    pub fn run(self) {
        self.0.into_iter().for_each(|work| work());
    }
}

impl std::fmt::Debug for After {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("After").field(&self.0.len()).finish()
    }
}

/// A stateless processor over all records of a batch.
pub trait Step: Send + Sync + 'static {
    /// Reads and edits the draft in place.
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch);

    /// What puts records of the step's own into the pipeline behind it, where it makes some beside
    /// those that pass; it is started as a receiver is.
    fn speaker(&self) -> Option<Box<dyn Receiver>> {
        None
    }
}

/// A processor that chooses among named sets of pipelines for each record.
pub trait Route: Send + Sync + 'static {
    /// Sets `route` of every item to an index into [`Route::targets`], or to
    /// [`crate::program::NO_ROUTE`] for a record that goes nowhere.
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch);

    /// Pipelines of each route index.
    fn targets(&self) -> &[Vec<String>];
}

/// A connector that makes records of another kind of a batch, within the same program: they are
/// acknowledged together or not at all, so nothing has to be remembered from batch to batch.
pub trait Derive: Send + Sync + 'static {
    /// The kind of what it makes.
    fn signal(&self) -> Signal;

    /// An OTLP export request made of the items of a copy that are not dropped; nothing if there is
    /// nothing to say.
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) -> Option<Bytes>;
}
