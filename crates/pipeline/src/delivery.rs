//! The way out: one worker per exporter takes batches from its journal lanes and its memory
//! queue, assembles deliveries, and settles them by verdict. A stage with memory has a worker that
//! reads alike and puts back what it made.

pub(crate) mod ack;
pub(crate) mod backoff;
pub(crate) mod direct;
pub mod hold;
pub(crate) mod parcel;
pub(crate) mod search;
pub(crate) mod source;
pub(crate) mod tries;
pub(crate) mod window;
pub(crate) mod worker;
