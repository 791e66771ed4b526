//! What an exporter over HTTP decides: which requests a delivery becomes, and what answers mean.

use std::ops::Range;
use std::time::Duration;

use bessemer_net::dial::{Answer, Request};
use bessemer_pipeline::Verdict;

use super::items::Items;
use super::pack::TooLarge;

/// What becomes of a delivery.
#[derive(Debug, Default)]
pub struct Plan {
    /// What is sent, in this order.
    pub calls: Vec<Call>,
    /// What is known without sending: ranges of records, in any order.
    pub verdicts: Vec<(Range<u32>, Verdict)>,
}

impl Plan {
    /// Notes that records can never be sent. They are dead-lettered with the reason.
    pub fn refuse(&mut self, records: Range<u32>, reason: impl Into<String>) {
        self.verdicts.push((records, Verdict::refused(reason)));
    }

    /// Notes that an item of these records fits into no request, if that is how it ended.
    pub fn refuse_large(&mut self, records: Range<u32>, ended: Result<(), TooLarge>) {
        if let Err(error) = ended {
            self.refuse(records, format!("the record takes {error}"));
        }
    }
}

/// One request, or the first of several that belong together.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is sent, before compression.
    pub request: Request,
    /// What its items are made of.
    pub items: Items,
}

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// What was sent, before compression: the request of the call, or what was asked since.
    pub sent: &'a Request,
    /// What came back.
    pub answer: &'a Answer,
    /// The time since the first request of the call.
    pub elapsed: Duration,
}

/// What an answer means for its call.
#[derive(Debug)]
pub enum Next {
    /// The call is over. Ranges of a split count items of the call.
    Settle(Verdict),
    /// Another request decides.
    Ask {
        /// The wait before it.
        after: Duration,
        /// What to ask.
        request: Box<Request>,
    },
}
