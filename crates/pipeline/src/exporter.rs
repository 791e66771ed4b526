//! The contract of an exporter: it is handed a delivery and answers with a verdict. Queues,
//! retries, dead letters and order are the engine's.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bessemer_net::body::Encoded;
use bessemer_record::Signal;
use bessemer_runtime::BoxFuture;
use bytes::{Bytes, BytesMut};

use crate::meta::Meta;
use crate::receiver::StartError;

/// A way out of the pipeline.
pub trait Exporter: Send + Sync + 'static {
    /// Sends one delivery and says what became of it. Cancellation by drop means "not settled".
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict>;

    /// Opens files and publishes services before the first delivery; the destination of a network
    /// exporter need not answer yet.
    fn open(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Asks the destination whether it would take this signal, without leaving anything there.
    fn probe(&self, _signal: Signal) -> BoxFuture<'_, Probe> {
        Box::pin(std::future::ready(Probe::Local))
    }

    /// Whether a refusal with this status may be about some of the records only, so that the others
    /// would be taken without them. Then the engine looks for those, and buries no others.
    fn blames_content(&self, _status: u16) -> bool {
        false
    }

    /// Deliveries in flight at once; one keeps order.
    fn concurrency_max(&self) -> usize {
        10
    }

    /// Flushes what the exporter itself holds, on the way down.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What a destination answered that was asked without being sent anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// It is on this machine: there is nobody to ask.
    Local,
    /// It would take records.
    Ready,
    /// It is there, and would not take records now.
    Busy {
        /// What it said.
        reason: String,
    },
    /// It would not take records as things are configured.
    Failed {
        /// What is wrong.
        reason: String,
        /// What to look at.
        remedy: &'static str,
    },
}

/// Identity of a record, stable over retry, crash and replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    /// The journal incarnation, or the process run for records that were never journaled.
    pub incarnation: u64,
    /// The number of the record within it.
    pub number: u64,
}

impl std::fmt::Display for RecordId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:016x}-{:x}", self.incarnation, self.number)
    }
}

/// Consecutive records of one arrival inside a delivery.
#[derive(Debug, Clone)]
pub struct Part {
    /// Id of the first record; the others follow by number.
    pub first: RecordId,
    /// Log records, spans or data points in this part.
    pub records: u32,
    /// Where they came from.
    pub meta: Arc<Meta>,
    /// An OTLP export request holding just these records.
    pub payload: Bytes,
}

impl Part {
    /// The numbers of its records.
    pub(crate) fn numbers(&self) -> Range<u64> {
        self.first.number..self.first.number + u64::from(self.records)
    }
}

/// What an exporter sends at once: one signal, one or several parts in order.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The signal of all parts.
    pub signal: Signal,
    /// At least one part.
    pub parts: Vec<Part>,
    /// The first part as it arrived compressed, when it is the only one and was not changed.
    pub encoded: Option<Encoded>,
}

impl Delivery {
    /// Records in all parts.
    pub fn records(&self) -> u32 {
        self.parts.iter().map(|part| part.records).sum()
    }

    /// Bytes in all parts.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.payload.len()).sum()
    }

    /// The parts as one export request: concatenation merges repeated fields in protobuf.
    pub fn payload(&self) -> Bytes {
        if let [only] = self.parts.as_slice() {
            return only.payload.clone();
        }
        let mut joined = BytesMut::with_capacity(self.bytes());
        for part in &self.parts {
            joined.extend_from_slice(&part.payload);
        }
        joined.freeze()
    }

    /// The payloads in order, to be written one after another without copying.
    pub fn chunks(&self) -> Vec<Bytes> {
        self.parts.iter().map(|part| part.payload.clone()).collect()
    }
}

/// What became of a delivery; all that the queue acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The destination has it.
    Delivered,
    /// Not now: try again, not before `after` when given.
    Retry {
        /// The destination's own wish.
        after: Option<Duration>,
        /// Why, for people.
        reason: String,
    },
    /// Never: goes to the dead-letter log with this reason.
    Refused {
        /// The destination's status code, zero for none. 413 makes the engine halve the delivery,
        /// and so does what [`Exporter::blames_content`] says.
        status: u16,
        /// Why, for people.
        reason: String,
    },
    /// Different verdicts for ranges of records, counted over all parts, in any order; what no range
    /// names was delivered. Where ranges overlap, the one that begins first counts.
    Split(Vec<(Range<u32>, Verdict)>),
}

impl Verdict {
    /// A retry without a wish of the destination.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// A refusal without a status code.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { status: 0, reason: reason.into() }
    }
}
