//! A batch handed to an exporter through memory.

use std::sync::Arc;

use bessemer_journal::Lane;
use bessemer_net::body::Encoded;
use bessemer_record::Signal;

use crate::delivery::ack::AckGroup;
use crate::delivery::window::Share;
use crate::exporter::Part;

/// One batch on one memory queue.
#[derive(Debug, Clone)]
pub(crate) struct Direct {
    pub(crate) signal: Signal,
    pub(crate) lane: Lane,
    pub(crate) part: Part,
    pub(crate) encoded: Option<Encoded>,
    /// Its part of the memory window, given back when every destination is done.
    pub(crate) share: Option<Arc<Share>>,
    /// The client that waits, if one does.
    pub(crate) group: Option<Arc<AckGroup>>,
}

impl Direct {
    pub(crate) fn new(signal: Signal, lane: Lane, part: Part, encoded: Option<Encoded>) -> Self {
        Self { signal, lane, part, encoded, share: None, group: None }
    }

    pub(crate) fn holding(mut self, share: Arc<Share>) -> Self {
        self.share = Some(share);
        self
    }

    pub(crate) fn answering(mut self, group: Arc<AckGroup>) -> Self {
        self.group = Some(group);
        self
    }
}
