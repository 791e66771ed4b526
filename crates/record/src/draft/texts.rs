//! The text of any item for classifiers, whatever its signal and shape.

use super::fold::{Folded, SEPARATOR};
use super::{Draft, Item};
use crate::json::write_any_value;
use crate::signal::Signal;
use crate::tail::TailId;
use crate::value::{AnyValue, Text};
use crate::view::{LogRecordView, SpanView};

impl Draft {
    /// Copies the text of every item into one buffer in lower case: the body of a log record, as
    /// JSON when it is structured; name and status message of a span; nothing of a metric. Of a
    /// structured body at most `structured_bytes_max` are kept.
    pub fn texts_lowercase(&self, structured_bytes_max: usize, out: &mut Folded) {
        out.text.clear();
        out.ends.clear();
        out.ends.reserve(self.len());
        for item in self.items() {
            let start = out.text.len();
            out.text.extend_from_slice(self.body_of(item));
            if out.text.len() == start {
                self.copy_other_text(item, structured_bytes_max, &mut out.text);
            }
            out.ends.push(super::index::number(out.text.len()));
            out.text.push(SEPARATOR);
        }
        out.text.make_ascii_lowercase();
    }

    fn copy_other_text(&self, item: &Item, bytes_max: usize, out: &mut Vec<u8>) {
        let start = out.len();
        match self.signal {
            Signal::Logs => match LogRecordView::new(self.message(item)).body() {
                AnyValue::Empty | AnyValue::Str(_) => {}
                structured @ (AnyValue::Bool(_)
                | AnyValue::Int(_)
                | AnyValue::Double(_)
                | AnyValue::Bytes(_)
                | AnyValue::Array(_)
                | AnyValue::Map(_)) => write_any_value(structured, out),
            },
            Signal::Traces => {
                let span = SpanView::new(self.message(item));
                out.extend_from_slice(span.name().as_bytes());
                out.push(b'\n');
                out.extend_from_slice(span.status().message().as_bytes());
            }
            Signal::Metrics => {}
        }
        out.truncate(start.saturating_add(bytes_max));
    }

    /// The severity of a log record as its source wrote it.
    pub fn severity_text(&self, index: usize) -> Option<&str> {
        let message = self.item_bytes(index);
        let text =
            (self.signal == Signal::Logs).then(|| LogRecordView::new(message).severity_text());
        text.map(Text::as_str).filter(|text| !text.is_empty())
    }

    /// The set of attributes to be appended to an item, if it holds this key.
    pub fn tail_with(&self, index: usize, key: &[u8]) -> Option<TailId> {
        let tail = self.items().get(index)?.tail;
        (tail != TailId::NONE && self.tails.get(tail)?.contains(key)).then_some(tail)
    }
}
