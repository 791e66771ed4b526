//! A batch handed to an exporter through memory.

use std::sync::Arc;

use bessemer_journal::Lane;
use bessemer_net::body::Encoded;
use bessemer_record::Signal;
use bessemer_runtime::Permit;

use crate::delivery::ack::AckGroup;
use crate::exporter::Part;

/// One batch on one memory queue.
#[derive(Debug, Clone)]
pub(crate) struct Direct {
    pub(crate) signal: Signal,
    pub(crate) lane: Lane,
    pub(crate) part: Part,
    pub(crate) encoded: Option<Encoded>,
    /// Share of the memory window, given back when every destination is done.
    pub(crate) permit: Option<Arc<Permit>>,
    /// The client that waits, if one does.
    pub(crate) group: Option<Arc<AckGroup>>,
}

impl Direct {
    pub(crate) fn new(signal: Signal, lane: Lane, part: Part, encoded: Option<Encoded>) -> Self {
        Self { signal, lane, part, encoded, permit: None, group: None }
    }

    pub(crate) fn holding(mut self, permit: Arc<Permit>) -> Self {
        self.permit = Some(permit);
        self
    }

    pub(crate) fn answering(mut self, group: Arc<AckGroup>) -> Self {
        self.group = Some(group);
        self
    }
}
